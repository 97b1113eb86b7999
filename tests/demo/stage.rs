//! What happened, step by step, as the page will tell it; and the claims, checked as they are made.

use std::time::{Duration, Instant};

use super::harness::github::FakeGithub;
use super::harness::github::state::{Pull, State};
use super::harness::process::Finished;
use super::harness::runner::Outcome;
use super::show::Show;

/// The whole walkthrough.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) show: Show,
    /// Which Terraform played.
    pub(crate) tools: String,
    pub(crate) scenes: Vec<Scene>,
    pub(crate) gallery: Vec<Kind>,
    act_began: Instant,
}

/// A step of the story.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) title: String,
    /// What happens, for somebody who knows nothing of it yet.
    pub(crate) what: String,
    pub(crate) parts: Vec<Part>,
    pub(crate) claims: Vec<String>,
    /// Why it stopped here.
    pub(crate) broke: Option<String>,
}

/// What a step shows, in its order.
#[derive(Debug)]
pub(crate) enum Part {
    Act(Act),
    Conversation { caption: String, conversation: Conversation },
    Object { key: String, body: String },
}

/// Somebody runs something.
#[derive(Debug)]
pub(crate) struct Act {
    pub(crate) who: String,
    /// A laptop, or a workflow and its event.
    pub(crate) place: String,
    pub(crate) command: String,
    /// `None` when it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) took: Duration,
    /// What a terminal or the log shows; a log is folded away.
    pub(crate) log: String,
    pub(crate) is_log: bool,
    pub(crate) summary: String,
    pub(crate) cleanup: String,
}

/// A pull request as it stood.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) author: String,
    pub(crate) branch: String,
    /// Who merged it, once somebody did.
    pub(crate) merged_by: Option<String>,
    pub(crate) entries: Vec<Entry>,
}

/// An entry of a pull request's timeline.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Commit { author: String, message: String, sha: String },
    Review { author: String, approved: bool },
    Merge { by: String, sha: String },
    Comment { author: String, body: String, edits: usize },
}

/// One kind of comment.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) body: String,
}

impl Stage {
    pub(crate) fn new(show: Show) -> Self {
        Self { show, tools: String::new(), scenes: Vec::new(), gallery: Vec::new(), act_began: Instant::now() }
    }

    /// The next step.
    pub(crate) fn scene(&mut self, title: &str, what: &str) {
        let scene = Scene {
            title: title.to_owned(),
            what: what.to_owned(),
            parts: Vec::new(),
            claims: Vec::new(),
            broke: None,
        };
        self.scenes.push(scene);
        self.show.scene(self.scenes.len(), title, what);
        self.act_began = Instant::now();
    }

    /// A run of the action ended.
    pub(crate) fn ran(&mut self, who: &str, trigger: &str, command: &str, outcome: &Outcome) {
        let cleanup = outcome.cleanup.as_ref().map(|(_, log)| log.clone()).unwrap_or_default();
        let act = Act {
            who: who.to_owned(),
            place: format!("GitHub Actions, {trigger}, run {}, attempt {}", outcome.run, outcome.attempt),
            command: command.to_owned(),
            code: outcome.code,
            took: Duration::ZERO,
            log: outcome.log.clone(),
            is_log: true,
            summary: outcome.summary.clone(),
            cleanup,
        };
        self.act(act);
    }

    /// A command in a terminal ended.
    pub(crate) fn typed(&mut self, who: &str, command: &str, finished: &Finished) {
        let act = Act {
            who: who.to_owned(),
            place: "a terminal on a laptop".to_owned(),
            command: command.to_owned(),
            code: finished.code,
            took: Duration::ZERO,
            log: finished.text(),
            is_log: false,
            summary: String::new(),
            cleanup: String::new(),
        };
        self.act(act);
    }

    fn act(&mut self, act: Act) {
        let took = self.act_began.elapsed();
        self.show.act(&act.who, &act.command, act.code, took);
        self.current().parts.push(Part::Act(Act { took, ..act }));
        self.act_began = Instant::now();
    }

    /// A pull request, as it stands now.
    pub(crate) fn conversation(&mut self, caption: &str, github: &FakeGithub, number: u64) {
        let conversation = {
            let state = github.state();
            conversation(&state, &state.pulls[&number])
        };
        self.current().parts.push(Part::Conversation { caption: caption.to_owned(), conversation });
    }

    /// An object of the bucket.
    pub(crate) fn object(&mut self, key: &str, body: &str) {
        self.current().parts.push(Part::Object { key: key.to_owned(), body: body.to_owned() });
    }

    /// The lines of a text that matter most, on the terminal.
    pub(crate) fn see(&self, text: &str) {
        self.show.seen(text);
    }

    /// Says something that is so; stops the story when it is not.
    pub(crate) fn claim(&mut self, claim: &str, holds: bool) {
        assert!(holds, "this does not hold: {claim}");
        self.show.holds(claim);
        self.current().claims.push(claim.to_owned());
    }

    /// The story stopped.
    pub(crate) fn broke(&mut self, message: &str) {
        if let Some(scene) = self.scenes.last_mut() {
            scene.broke = Some(message.to_owned());
        }
    }

    /// The line that says where and why it stopped.
    pub(crate) fn failure(&self, message: &str) -> String {
        let first = message.lines().next().unwrap_or_default();
        match self.scenes.last() {
            Some(scene) => format!("step {} ({}): {first}", self.scenes.len(), scene.title),
            None => format!("while preparing: {first}"),
        }
    }

    fn current(&mut self) -> &mut Scene {
        self.scenes.last_mut().expect("a step has begun")
    }
}

/// The timeline in the order of events: everything the fake GitHub makes has a growing number.
fn conversation(state: &State, pull: &Pull) -> Conversation {
    let mut entries: Vec<(u64, Entry)> = Vec::new();
    for commit in pull.commits.iter().map(|sha| &state.commits[sha]) {
        let author = commit.author.clone().unwrap_or_default();
        let entry = Entry::Commit { author, message: commit.message.clone(), sha: short(&commit.sha) };
        entries.push((commit.number, entry));
    }
    for review in &pull.reviews {
        let author = review.author.clone().unwrap_or_default();
        entries.push((review.id, Entry::Review { author, approved: review.state == "APPROVED" }));
    }
    if let Some(merge) = &pull.merge {
        entries.push((state.commits[&merge.sha].number, Entry::Merge { by: merge.by.clone(), sha: short(&merge.sha) }));
    }
    for comment in state.comments.values().filter(|comment| comment.issue == pull.number) {
        let edits = comment.history.len().saturating_sub(1);
        let entry = Entry::Comment { author: comment.author.clone(), body: comment.body.clone(), edits };
        entries.push((comment.id, entry));
    }
    entries.sort_by_key(|(number, _)| *number);
    Conversation {
        number: pull.number,
        title: pull.title.clone(),
        author: pull.author.clone(),
        branch: pull.branch.clone(),
        merged_by: pull.merge.as_ref().map(|merge| merge.by.clone()),
        entries: entries.into_iter().map(|(_, entry)| entry).collect(),
    }
}

fn short(sha: &str) -> String {
    sha.chars().take(7).collect()
}
