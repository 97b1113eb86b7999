//! What the fake GitHub knows: one repository, its people, commits, pull requests, comments and runs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::queue::Entry;

/// The whole of it.
#[derive(Debug, Default)]
pub struct State {
    pub owner: String,
    pub name: String,
    pub default_branch: String,
    /// Login → role: `admin`, `maintain`, `write`, `triage`, `read` or `none`.
    pub people: BTreeMap<String, String>,
    pub branches: BTreeMap<String, String>,
    pub commits: BTreeMap<String, Commit>,
    pub pulls: BTreeMap<u64, Pull>,
    pub comments: BTreeMap<u64, Comment>,
    pub runs: BTreeMap<u64, Run>,
    /// The runs that somebody asked to be run again.
    pub reruns: Vec<u64>,
    /// Commit → path → content, for the commits whose files matter.
    pub files: BTreeMap<String, BTreeMap<String, String>>,
    pub environments: BTreeMap<String, Environment>,
    /// Team → members.
    pub teams: BTreeMap<String, Vec<String>>,
    /// What the merge queue holds, in its order.
    pub queue: Vec<Entry>,
    /// Whether tokens may not see the queue; GitHub's documentation does not say.
    pub hides_queue: bool,
    pub tokens: BTreeMap<String, Token>,
    pub faults: Vec<Fault>,
    pub holes: Vec<Hole>,
    pub requests: Vec<Request>,
    /// Answers that were not what GitHub's schemas promise.
    pub violations: Vec<String>,
    next: u64,
}

/// A commit; the graph is real enough to be compared.
#[derive(Debug, Clone)]
pub struct Commit {
    pub sha: String,
    /// Grows with time.
    pub number: u64,
    pub parents: Vec<String>,
    /// `None` where GitHub knows no account for the committer's address.
    pub author: Option<String>,
    /// Whether GitHub's own account committed it, in the author's name, and signed it.
    pub on_page: bool,
    /// The committer that it claims.
    pub claimed_committer: Committer,
    /// Who pushed it, where that is not the author.
    pub pushed_by: Option<String>,
    pub message: String,
    pub at: Timestamp,
}

/// Whom a commit claims as its committer.
#[derive(Debug, Clone)]
pub enum Committer {
    /// Its author.
    Author,
    /// This account.
    Claimed(String),
    /// An address that no account has.
    NoAccount,
}

/// A pull request.
#[derive(Debug, Clone)]
pub struct Pull {
    pub number: u64,
    pub title: String,
    pub author: String,
    pub branch: String,
    pub base: String,
    /// The repository that the branch is in: another owner's for a fork.
    pub head_owner: String,
    pub base_sha: String,
    pub commits: Vec<String>,
    pub open: bool,
    pub merge: Option<Merge>,
    pub reviews: Vec<Review>,
    pub events: Vec<PullEvent>,
    pub opened_at: Timestamp,
    /// How many times the search from commit to pull request still finds nothing (GitHub's index lags).
    pub index_lag: u32,
}

/// Something that happened to a pull request, besides reviews.
#[derive(Debug, Clone)]
pub struct PullEvent {
    pub id: u64,
    pub by: String,
    pub at: Timestamp,
    pub what: PullEventKind,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum PullEventKind {
    /// Somebody chose another base branch.
    BaseChanged { from: String, to: String },
    /// GitHub chose another, since the former one was merged and deleted.
    BaseFollowed { from: String, to: String },
    /// Somebody dismissed a review, which had been of this state.
    Dismissed { review: u64, state: String },
}

/// A wrong answer to come, for as long as the test lasts: GraphQL answers as usual, but for a hole.
#[derive(Debug, Clone)]
pub struct Hole {
    /// The field of the list.
    pub list: &'static str,
    pub what: HoleKind,
}

/// What is missing in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoleKind {
    /// The last of its nodes is `null`, as GitHub shows what it hides.
    NullNode,
    /// There is more, and no way to it.
    NoCursor,
    /// Whether there is more is not said.
    NoPageInfo,
    /// All of it, with an error.
    Error,
}

/// A merge that happened.
#[derive(Debug, Clone)]
pub struct Merge {
    pub sha: String,
    /// Everything that it brought to the branch's own line, `sha` last.
    pub commits: Vec<String>,
    pub by: String,
    pub at: Timestamp,
}

/// A review.
#[derive(Debug, Clone)]
pub struct Review {
    pub id: u64,
    /// `None` for a deleted account.
    pub author: Option<String>,
    /// `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED`, `DISMISSED` or `PENDING`.
    pub state: String,
    pub commit: Option<String>,
    pub at: Timestamp,
    /// The teams, by slug, whose review was asked for and which this one is.
    pub on_behalf_of: Vec<String>,
}

/// An issue comment.
#[derive(Debug, Clone)]
pub struct Comment {
    pub id: u64,
    pub issue: u64,
    pub author: String,
    pub body: String,
    pub minimized: bool,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// Every body it had, the first first.
    pub history: Vec<String>,
}

/// A workflow run.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: u64,
    pub workflow: String,
    pub event: String,
    pub head_sha: String,
    pub head_branch: String,
    pub actor: String,
    pub attempts: Vec<Attempt>,
    pub approvals: Vec<Approval>,
}

/// One attempt of a run, with the job that uses the action.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub status: String,
    pub conclusion: Option<String>,
    pub job: String,
    pub triggering_actor: String,
    pub started: Timestamp,
    pub completed: Option<Timestamp>,
    /// GitHub lost contact with that job's runner in the middle of a step.
    pub lost: bool,
    /// Its other jobs.
    pub others: Vec<Job>,
}

/// A job that the runner of the tests does not run.
#[derive(Debug, Clone)]
pub struct Job {
    pub name: String,
    /// Not `completed`.
    pub status: String,
    pub started: Timestamp,
}

/// An approval of a run for environments.
#[derive(Debug, Clone)]
pub struct Approval {
    pub state: String,
    pub user: String,
    pub environments: Vec<String>,
}

/// A deployment environment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    pub reviewers: Vec<String>,
    pub prevent_self_review: bool,
    /// Whether runs of protected branches alone get in.
    pub protected_branches: bool,
}

/// A token: whose it is, and what it may do (`scope → read | write`).
#[derive(Debug, Clone)]
pub struct Token {
    pub login: String,
    pub permissions: BTreeMap<String, String>,
}

/// A fault to come: the next `times` requests that match are answered so.
#[derive(Debug, Clone)]
pub struct Fault {
    pub method: Option<String>,
    /// A part of the path.
    pub path: String,
    pub times: usize,
    /// `None` answers as usual, after the delay.
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    pub delay: Duration,
    /// The request is carried out, and only its answer is lost.
    pub after: bool,
}

/// A request as it came, and how it was answered.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
    pub status: u16,
}

/// GitHub's timestamps have whole seconds.
pub fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).expect("the present is a time")
}

pub fn minutes_ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

impl State {
    pub fn new(owner: &str, name: &str) -> Self {
        let mut state = Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
            default_branch: "main".to_owned(),
            next: 1000,
            ..Self::default()
        };
        for (login, permission) in [("octocat", "write"), ("hubot", "write"), ("monalisa", "admin")] {
            state.people.insert(login.to_owned(), permission.to_owned());
        }
        let root = state.commit(Vec::new(), Some("monalisa"), "The first commit");
        state.branches.insert("main".to_owned(), root);
        state
    }

    pub fn slug(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// A number that nothing else has.
    pub fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Adds a commit and gives its SHA.
    pub fn commit(&mut self, parents: Vec<String>, author: Option<&str>, message: &str) -> String {
        let number = self.next();
        let sha = sha(number);
        let commit = Commit {
            sha: sha.clone(),
            number,
            parents,
            author: author.map(str::to_owned),
            on_page: false,
            claimed_committer: Committer::Author,
            pushed_by: None,
            message: message.to_owned(),
            at: now(),
        };
        self.commits.insert(sha.clone(), commit);
        sha
    }

    /// The commits that `tip` has and `base` has not, oldest first.
    pub fn between(&self, base: &str, tip: &str) -> Vec<&Commit> {
        let known = self.ancestors(base);
        let mut found: Vec<&Commit> =
            self.ancestors(tip).difference(&known).filter_map(|sha| self.commits.get(sha)).collect();
        found.sort_by_key(|commit| commit.number);
        found
    }

    /// A commit and everything before it.
    pub fn ancestors(&self, tip: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![tip.to_owned()];
        while let Some(sha) = open.pop() {
            let parents = self.commits.get(&sha).map(|commit| commit.parents.clone()).unwrap_or_default();
            if self.commits.contains_key(&sha) && found.insert(sha) {
                open.extend(parents);
            }
        }
        found
    }

    /// The pull requests that a commit belongs to, as GitHub's index knows them.
    pub fn pulls_of(&mut self, sha: &str) -> Vec<Pull> {
        let mut found = Vec::new();
        for pull in self.pulls.values_mut() {
            if pull.brought(sha) {
                if pull.index_lag == 0 {
                    found.push(pull.clone());
                } else {
                    pull.index_lag -= 1;
                }
            }
        }
        found
    }

    pub fn can_write(&self, login: &str) -> bool {
        self.people.get(login).is_some_and(|role| matches!(role.as_str(), "write" | "maintain" | "admin"))
    }
}

impl Commit {
    /// The account of its committer.
    pub fn committer(&self) -> Option<&str> {
        match &self.claimed_committer {
            Committer::Claimed(login) => Some(login),
            Committer::NoAccount => None,
            Committer::Author if self.on_page => Some("web-flow"),
            Committer::Author => self.author.as_deref(),
        }
    }

    /// Who pushed it.
    pub fn pusher(&self) -> Option<&str> {
        self.pushed_by.as_deref().or(self.author.as_deref())
    }
}

impl Pull {
    pub fn head_sha(&self) -> &str {
        self.commits.last().expect("a pull request has a commit")
    }

    /// Whether a commit is one of its own, or came to the base branch by its merge.
    pub fn brought(&self, sha: &str) -> bool {
        let merged = self.merge.iter().flat_map(|merge| &merge.commits);
        self.commits.iter().chain(merged).any(|commit| commit == sha)
    }

    pub fn merged(&self) -> bool {
        self.merge.is_some()
    }

    /// The latest approving, rejecting or dismissed review of each person.
    pub fn latest_opinions(&self) -> Vec<&Review> {
        let opinion =
            |review: &&Review| matches!(review.state.as_str(), "APPROVED" | "CHANGES_REQUESTED" | "DISMISSED");
        let mut latest: BTreeMap<Option<&str>, &Review> = BTreeMap::new();
        for review in self.reviews.iter().filter(opinion) {
            latest.insert(review.author.as_deref(), review);
        }
        let mut latest: Vec<&Review> = latest.into_values().collect();
        latest.sort_by_key(|review| review.id);
        latest
    }
}

/// Whether a login is a bot's; GitHub gives `User` or `Bot` as its type.
pub fn is_bot(login: &str) -> bool {
    login.ends_with("[bot]")
}

/// Forty digits that look as arbitrary as Git's.
fn sha(number: u64) -> String {
    let mix = |seed: u64| {
        let mixed = (number ^ (seed << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    };
    let digits: String = [mix(1), mix(2), mix(3)].iter().map(|part| format!("{part:016x}")).collect();
    digits[..40].to_owned()
}
