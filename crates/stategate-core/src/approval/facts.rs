//! What GitHub says about a change. Nothing here is a judgement; [`super::decide`] makes that.

use jiff::Timestamp;

use super::elsewhere::Elsewhere;
use super::pushers::{PushAnswer, Pushers};
use crate::record::SameContent;

/// Everything the gate looks at.
#[derive(Debug, Clone)]
pub struct Facts {
    /// This repository, `owner/name`.
    pub repository: String,
    /// Where the change comes from.
    pub origin: Origin,
    /// What GitHub says about the environment, when the policy demands one by name.
    pub environment: Option<EnvironmentFacts>,
    /// Who is in the teams that the policy names, as far as it was asked.
    pub memberships: Vec<Membership>,
}

impl Facts {
    /// Adds the proof that an earlier commit of a pull request carries what its head carries.
    pub fn prove(&mut self, same: &SameContent) {
        for pull_request in self.pull_requests(same.pull_request()) {
            pull_request.same_content.push(same.clone());
        }
    }

    /// Adds the proof that a pull request of the push brings nothing to the root module.
    pub fn leave_out(&mut self, proof: &Elsewhere) {
        let Origin::Branch(branch) = &mut self.origin else {
            return;
        };
        for commit in branch.commits.iter_mut().filter(|commit| proof.covers(&commit.sha)) {
            for pull_request in commit.pull_requests.iter_mut().filter(|pr| pr.number == proof.number()) {
                pull_request.brings_nothing = true;
            }
        }
    }

    /// Adds somebody who is known to have pushed a pull request's last commit, such as who started
    /// the run that planned it: their approval of it does not count.
    pub fn pushed_by(&mut self, number: u64, login: &str) {
        for pull_request in self.pull_requests(number) {
            pull_request.pushers.add(login);
        }
    }

    /// Adds GitHub's answers, the best first, to who pushed a pull request's last commit.
    pub fn answer_push(&mut self, number: u64, answers: &[PushAnswer]) {
        for pull_request in self.pull_requests(number) {
            pull_request.pushers.answered(answers);
        }
    }

    fn pull_requests(&mut self, number: u64) -> impl Iterator<Item = &mut PullRequest> {
        let branch = match &mut self.origin {
            Origin::Branch(branch) => Some(branch),
            Origin::Local => None,
        };
        let commits = branch.into_iter().flat_map(|branch| branch.commits.iter_mut().chain(&mut branch.earlier));
        commits.flat_map(|commit| &mut commit.pull_requests).filter(move |pr| pr.number == number)
    }
}

/// Where a change comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// From no branch of GitHub's: somebody's own computer.
    Local,
    /// From a commit on a branch.
    Branch(BranchFacts),
}

/// The commits that would be applied, and the branch they are on.
#[derive(Debug, Clone)]
pub struct BranchFacts {
    /// The branch's name, without `refs/heads/`.
    pub branch: String,
    /// The commit that would be applied.
    pub sha: String,
    /// The branch's newest commit now; `None` when GitHub knows no such branch.
    pub tip: Option<String>,
    /// How the commits came to the branch.
    pub arrival: Arrival,
    /// The commits to answer for, newest first, each the first parent of the one before it.
    pub commits: Vec<Commit>,
    /// Commits that came to the branch before these and would be applied along with them: what
    /// merges made whose own apply has not happened.
    pub earlier: Vec<Commit>,
    /// Whether there may be more of those than were found.
    pub is_cut_off: bool,
}

/// How commits came to a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// By a push, from `before` (all zeros for a new branch) to the commit that would be applied.
    Push {
        /// The branch's commit before the push.
        before: String,
        /// Whether the push rewrote the branch.
        forced: bool,
    },
    /// A pull request was merged, or somebody asked for this commit; only it is looked at.
    Commit {
        /// The pull request that was named, if one was.
        pull_request: Option<u64>,
    },
}

/// A commit and the pull requests GitHub associates with it.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// The commit's SHA.
    pub sha: String,
    /// Its parents; the first is the branch's own line.
    pub parents: Vec<String>,
    /// Merged or not, into whatever branch.
    pub pull_requests: Vec<PullRequest>,
}

/// A pull request.
#[derive(Debug, Clone, Default)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Whether it was merged.
    pub merged: bool,
    /// The repository it was merged into, `owner/name`; `None` when that is gone.
    pub base_repository: Option<String>,
    /// The branch it was merged into.
    pub base_branch: String,
    /// The branch it came from.
    pub head_branch: String,
    /// The last commit of the pull request.
    pub head: String,
    /// Whether it comes from a fork.
    pub from_fork: bool,
    /// The commit that the merge made.
    pub merge_commit: Option<String>,
    /// Who opened it; `None` when the account is gone.
    pub author: Option<Actor>,
    /// Who merged it.
    pub merged_by: Option<Actor>,
    /// The repository that its branch is in, `owner/name`; `None` when that is gone.
    pub head_repository: Option<String>,
    /// Who pushed the last commit.
    pub pushers: Pushers,
    /// The reviews, oldest first: all of them, or the latest opinion of each person.
    pub reviews: Vec<Review>,
    /// When somebody moved it to another base branch. What GitHub does by itself, when a branch that
    /// it went into is merged and deleted, is not among these.
    pub base_changes: Vec<BaseChange>,
    /// The requests for changes that were dismissed.
    pub dismissals: Vec<Dismissal>,
    /// Earlier commits that are proven to carry what the head carries.
    pub same_content: Vec<SameContent>,
    /// Whether it is proven that it brings nothing to the root module.
    pub brings_nothing: bool,
}

/// A pull request was moved to another base branch, by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseChange {
    /// When.
    pub at: Timestamp,
    /// The branch that it went into until then; `None` where GitHub does not say (REST).
    pub from: Option<String>,
}

/// A request for changes that somebody dismissed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dismissal {
    /// Who had asked for changes; `None` when the account is gone.
    pub reviewer: Option<String>,
    /// Who dismissed it.
    pub by: Option<String>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The login.
    pub login: String,
    /// What kind of account.
    pub kind: ActorKind,
}

impl Actor {
    /// Whether a login names this account: logins are the same in whatever case, and GraphQL leaves
    /// out the `[bot]` that an app's login has everywhere else.
    pub fn is_named(&self, login: &str) -> bool {
        let bare = |login: &str| login.strip_suffix("[bot]").unwrap_or(login).to_ascii_lowercase();
        match self.kind {
            ActorKind::Bot => bare(&self.login) == bare(login),
            _ => self.login.eq_ignore_ascii_case(login),
        }
    }
}

/// What kind of account, in GitHub's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActorKind {
    /// A person.
    User,
    /// An app.
    Bot,
    /// Anything else (`Mannequin`, `Organization`, and what there may be one day).
    Other(String),
}

/// A review.
#[derive(Debug, Clone)]
pub struct Review {
    /// Who wrote it; `None` when the account is gone.
    pub author: Option<Actor>,
    /// What it says.
    pub state: ReviewState,
    /// The commit it was given on; `None` when GitHub no longer says.
    pub commit: Option<String>,
    /// Whether the author can write to the repository.
    pub can_write: bool,
    /// When it was submitted.
    pub submitted_at: Option<Timestamp>,
    /// The teams (`org/team`) whose requested review this is.
    pub on_behalf_of: Vec<String>,
}

/// What a review says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReviewState {
    /// Approved.
    Approved,
    /// Changes are requested.
    ChangesRequested,
    /// A comment, which is no opinion.
    Commented,
    /// An opinion that somebody dismissed.
    Dismissed,
    /// Not submitted yet.
    Pending,
    /// A word we do not know.
    Unknown(String),
}

impl ReviewState {
    /// Reads GitHub's word, as REST and GraphQL spell it.
    pub fn from_word(word: &str) -> Self {
        match word {
            "APPROVED" => Self::Approved,
            "CHANGES_REQUESTED" => Self::ChangesRequested,
            "COMMENTED" => Self::Commented,
            "DISMISSED" => Self::Dismissed,
            "PENDING" => Self::Pending,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// Whether somebody is in a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The organisation.
    pub org: String,
    /// The team's slug.
    pub slug: String,
    /// The person's login.
    pub login: String,
    /// GitHub's answer.
    pub answer: MembershipAnswer,
}

/// GitHub's answer to whether somebody is in a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipAnswer {
    /// An active member.
    Member,
    /// Not a member, or invited only.
    NotMember,
    /// The token may not know.
    NotTold {
        /// GitHub's words.
        why: String,
    },
}

/// What GitHub says about an environment and this run.
#[derive(Debug, Clone)]
pub struct EnvironmentFacts {
    /// The environment's name, as it was asked for.
    pub name: String,
    /// How it is protected.
    pub protection: EnvironmentProtection,
    /// The approvals and rejections of this run; GitHub tells neither time nor attempt.
    pub approvals: Vec<RunApproval>,
    /// Who started this run: its actor, and who triggered this attempt.
    pub started_by: Vec<String>,
    /// The run's actor, for whom it was started first; `None` when GitHub does not say.
    pub actor: Option<Actor>,
    /// Whether runs of every branch get in, as far as no reviewer stops them.
    pub lets_every_branch_in: bool,
}

/// How an environment is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvironmentProtection {
    /// There is no such environment.
    Missing,
    /// GitHub does not tell this token.
    NotTold {
        /// GitHub's words.
        why: String,
    },
    /// Its required reviewers; none at all means anybody's run gets in.
    Reviewers(Vec<EnvironmentReviewer>),
}

/// A required reviewer of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvironmentReviewer {
    /// A person, by login.
    User(String),
    /// A team, by slug.
    Team(String),
}

/// An answer to a run's request to enter environments.
#[derive(Debug, Clone)]
pub struct RunApproval {
    /// GitHub's word: `approved`, `rejected`, `pending`.
    pub state: String,
    /// Who answered.
    pub user: Option<Actor>,
    /// For which environments.
    pub environments: Vec<String>,
}
