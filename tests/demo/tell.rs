//! Tells the story: on the terminal as it happens, and kept for the page.

use std::io::{self, IsTerminal};

use crate::harness::runner::Outcome;

/// The chapters so far.
#[derive(Debug, Default)]
pub(crate) struct Tale {
    pub(crate) chapters: Vec<Chapter>,
}

/// One step of the story.
#[derive(Debug)]
pub(crate) struct Chapter {
    pub(crate) title: String,
    pub(crate) scenes: Vec<Scene>,
}

/// What is to be seen in a chapter, in order.
#[derive(Debug)]
pub(crate) enum Scene {
    /// What happens, in a sentence or two.
    Text(String),
    /// A comment on a pull request, as it stands at this moment.
    Comment { pull: u64, body: String },
    /// A shell: what was typed, and what came.
    Terminal { place: String, command: String, text: String },
    /// A run of the action: how it ended, its log and its job summary.
    Run { name: String, id: u64, attempt: u64, code: Option<i32>, log: String, summary: String },
    /// A claim that was checked, and holds.
    Claim(String),
}

impl Tale {
    /// Begins a chapter.
    pub(crate) fn chapter(&mut self, title: &str) {
        println!("\n{}", styled("1", &format!("{}. {title}", self.chapters.len() + 1)));
        self.chapters.push(Chapter { title: title.to_owned(), scenes: Vec::new() });
    }

    /// Says what happens.
    pub(crate) fn say(&mut self, text: &str) {
        println!("   {text}");
        self.add(Scene::Text(text.to_owned()));
    }

    /// Shows a comment.
    pub(crate) fn comment(&mut self, pull: u64, body: &str) {
        println!("   github-actions bot on #{pull}:");
        quote(&plain(body), 14);
        self.add(Scene::Comment { pull, body: body.to_owned() });
    }

    /// Shows a shell, or what a job's log tells people.
    pub(crate) fn terminal(&mut self, place: &str, command: &str, text: &str) {
        println!("   {place} $ {command}");
        quote(&text.lines().map(str::to_owned).collect::<Vec<_>>(), 18);
        self.add(Scene::Terminal { place: place.to_owned(), command: command.to_owned(), text: text.to_owned() });
    }

    /// Shows how a run of the action ended.
    pub(crate) fn run(&mut self, name: &str, outcome: &Outcome) {
        let ended = outcome.code.map_or("was killed".to_owned(), |code| format!("exited with {code}"));
        println!("   the job `{name}` {ended}");
        self.add(Scene::Run {
            name: name.to_owned(),
            id: outcome.run,
            attempt: outcome.attempt,
            code: outcome.code,
            log: outcome.log.clone(),
            summary: outcome.summary.clone(),
        });
    }

    /// Checks a claim; the demo fails when it does not hold.
    #[track_caller]
    pub(crate) fn claim(&mut self, claim: &str, holds: bool) {
        assert!(holds, "this does not hold: {claim}");
        println!("   {} {claim}", styled("32", "✓"));
        self.add(Scene::Claim(claim.to_owned()));
    }

    /// How many claims were checked.
    pub(crate) fn claims(&self) -> usize {
        let scenes = self.chapters.iter().flat_map(|chapter| &chapter.scenes);
        scenes.filter(|scene| matches!(scene, Scene::Claim(_))).count()
    }

    fn add(&mut self, scene: Scene) {
        self.chapters.last_mut().expect("a chapter has begun").scenes.push(scene);
    }
}

/// Text in a terminal's style, where standard output is one.
fn styled(code: &str, text: &str) -> String {
    let plain = !io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some();
    if plain { text.to_owned() } else { format!("\u{1b}[{code}m{text}\u{1b}[0m") }
}

fn quote(lines: &[String], most: usize) {
    let lines: Vec<&String> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    for line in lines.iter().take(most) {
        println!("     {} {line}", styled("2", "│"));
    }
    if lines.len() > most {
        println!("     {}", styled("2", &format!("│ … {} lines more, on the page", lines.len() - most)));
    }
}

/// A comment's Markdown without what only a browser understands.
fn plain(body: &str) -> Vec<String> {
    let kept =
        |line: &&str| !["<!--", "<details", "</details", "```", "> [!"].iter().any(|start| line.starts_with(start));
    let clean = |line: &str| {
        let line = line.replace("<summary>", "▸ ").replace("</summary>", "").replace("<br>", "");
        let line = ["<code>", "</code>", "<strong>", "</strong>", "<b>", "</b>", "**", "`"]
            .iter()
            .fold(line, |line, mark| line.replace(mark, ""));
        line.trim_start_matches("### ").trim_start_matches('>').trim_start_matches(' ').to_owned()
    };
    body.lines().filter(kept).map(clean).collect()
}
