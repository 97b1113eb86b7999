//! Why the gate is closed, in words, with the way on.

use std::fmt;

use super::reviews::NotCounted;
use crate::sentence::Sentence;

/// One reason why nothing may be applied.
///
/// Its `Display` is a sentence without its full stop, for people; logins and names in it come from
/// outside and are for the renderer to escape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No commit of a branch, and so no pull request, stands behind this apply.
    NoPullRequest,
    /// The branch moved on since.
    NotTheTip {
        /// The branch.
        branch: String,
        /// The commit that would be applied.
        sha: String,
        /// The branch's newest commit.
        tip: String,
    },
    /// GitHub knows no such branch.
    NoBranch {
        /// The branch.
        branch: String,
    },
    /// The push rewrote the branch.
    ForcedPush {
        /// The branch.
        branch: String,
    },
    /// The push created the branch.
    NewBranch {
        /// The branch.
        branch: String,
    },
    /// The branch's earlier commit is not found by walking back from the new one.
    BrokenLine {
        /// The branch.
        branch: String,
        /// The branch's commit before the push.
        before: String,
    },
    /// GitHub does not know the commit (yet).
    CommitUnknown {
        /// The commit.
        sha: String,
    },
    /// What was merged since the last apply is more than was looked at.
    EarlierNotTold {
        /// This repository, `owner/name`.
        repository: String,
        /// The branch.
        branch: String,
        /// The pull requests that were found among it.
        among: Vec<u64>,
    },
    /// The commit came by no pull request.
    DirectPush {
        /// The commit.
        sha: String,
        /// The branch.
        branch: String,
    },
    /// The commit's pull request is not merged.
    NotMerged {
        /// The commit.
        sha: String,
        /// The pull request.
        number: u64,
    },
    /// The commit's pull request was merged into another branch.
    OtherBranch {
        /// The commit.
        sha: String,
        /// The pull request.
        number: u64,
        /// Where it was merged.
        merged_into: String,
        /// The branch that would be applied.
        branch: String,
    },
    /// The commit's pull request belongs to another repository.
    OtherRepository {
        /// The commit.
        sha: String,
        /// The pull request.
        number: u64,
        /// Whose it is, when that still exists.
        repository: Option<String>,
    },
    /// The commit is not what the merge of its pull request made.
    NotTheMergeCommit {
        /// The commit.
        sha: String,
        /// The pull request.
        number: u64,
        /// What the merge made.
        merge_commit: Option<String>,
    },
    /// The commit came by another pull request than the one that was named.
    WrongPullRequest {
        /// The commit.
        sha: String,
        /// The one that was named.
        named: u64,
        /// Those it came by.
        found: Vec<u64>,
    },
    /// Somebody's latest opinion asks for changes.
    ChangesRequested {
        /// The pull request.
        number: u64,
        /// Who; `None` when the account is gone.
        by: Option<String>,
    },
    /// Too few approvals count.
    TooFewApprovals {
        /// The pull request.
        number: u64,
        /// Its head commit.
        head: String,
        /// How many are needed.
        needed: u32,
        /// How many count.
        had: u32,
        /// The approvals that do not count, and why.
        not_counted: Vec<NotCounted>,
        /// Who could approve, as a phrase.
        who_could: String,
        /// Whether it is not known who pushed the head commit.
        is_pusher_unknown: bool,
        /// Whether nobody but the author and who pushed last gave any opinion, so that there may be
        /// nobody else.
        is_alone: bool,
    },
    /// Whether a reviewer is in a team is not told to this token.
    TeamNotTold {
        /// The team, `org/team`.
        team: String,
        /// The reviewer.
        login: String,
        /// GitHub's words.
        why: String,
    },
    /// An approval by environment is demanded, but no environment is named.
    EnvironmentNotNamed,
    /// There is no such environment.
    EnvironmentMissing {
        /// The environment.
        name: String,
    },
    /// GitHub does not tell about the environment.
    EnvironmentNotTold {
        /// The environment.
        name: String,
        /// GitHub's words.
        why: String,
    },
    /// The environment has no required reviewers.
    EnvironmentUnprotected {
        /// The environment.
        name: String,
    },
    /// Nobody approved this run for the environment.
    EnvironmentNotApproved {
        /// The environment.
        name: String,
        /// Those whose approval does not count, and why.
        not_counted: Vec<String>,
        /// Who could, as a phrase.
        who_could: String,
    },
    /// Somebody rejected this run for the environment.
    EnvironmentRejected {
        /// The environment.
        name: String,
        /// Who.
        by: Option<String>,
    },
}

/// The first ten characters of a SHA: enough to find it.
pub(super) fn short(sha: &str) -> String {
    sha.chars().take(10).collect()
}

fn person(login: Option<&String>) -> &str {
    login.map_or("an account that no longer exists", String::as_str)
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sentence().fmt(f)
    }
}

/// Why some do not count, in brackets; nothing when there are none.
fn in_brackets(whys: &[impl fmt::Display]) -> String {
    let whys: Vec<String> = whys.iter().map(ToString::to_string).collect();
    if whys.is_empty() { String::new() } else { format!(" ({})", whys.join("; ")) }
}

impl Reason {
    /// What it is, without a full stop.
    pub fn sentence(&self) -> Sentence {
        let told = |words: String| Sentence::from(words);
        match self {
            Self::NoPullRequest => "no pull request stands behind this apply, so nobody approved it".into(),
            Self::NotTheTip { branch, sha, tip } => {
                told(format!("{} is no longer the newest commit of {branch}, which is {}", short(sha), short(tip)))
            }
            Self::NoBranch { branch } => told(format!("GitHub knows no branch {branch}")),
            Self::ForcedPush { branch } => {
                told(format!("{branch} was force-pushed, so what was reviewed may no longer be what is there"))
            }
            Self::NewBranch { branch } => {
                told(format!("{branch} was just created, so which of its commits are new cannot be told"))
            }
            Self::BrokenLine { branch, before } => told(format!(
                "the push does not continue {branch} from {}, so what it brought cannot be told",
                short(before)
            )),
            Self::CommitUnknown { sha } => told(format!("GitHub does not know the commit {}", short(sha))),
            Self::EarlierNotTold { branch, among, .. } => {
                let numbers =
                    Sentence::join(among.iter().map(|number| Sentence::default().pull_request(*number)), ", ");
                let found = if among.is_empty() { "" } else { "; found so far: " };
                told(format!(
                    "the last apply of this state is so far back on {branch} that not everything can be found that was \
                     merged and not applied since{found}"
                ))
                .then(numbers)
            }
            Self::DirectPush { sha, branch } => told(format!("{} came to {branch} without a pull request", short(sha))),
            Self::NotMerged { sha, number } => {
                told(format!("{} belongs to ", short(sha))).pull_request(*number).words(", which is not merged")
            }
            Self::OtherBranch { sha, number, merged_into, branch } => told(format!("{} belongs to ", short(sha)))
                .pull_request(*number)
                .words(format!(", which was merged into {merged_into}, not into {branch}")),
            // Its number is not one of ours.
            Self::OtherRepository { sha, number, repository } => told(format!(
                "{} belongs to #{number} of another repository ({})",
                short(sha),
                repository.as_deref().unwrap_or("it no longer exists")
            )),
            Self::NotTheMergeCommit { sha, number, merge_commit: Some(merge_commit) } => {
                told(format!("{} is not what the merge of ", short(sha)))
                    .pull_request(*number)
                    .words(format!(" made, which is {}", short(merge_commit)))
            }
            Self::NotTheMergeCommit { sha, number, merge_commit: None } => {
                told("GitHub does not say which commit the merge of ".to_owned())
                    .pull_request(*number)
                    .words(format!(" made, so {} cannot be tied to it", short(sha)))
            }
            Self::WrongPullRequest { sha, named, found } => {
                let found = Sentence::join(found.iter().map(|found| Sentence::default().pull_request(*found)), ", ");
                let but_by = if found.is_empty() { "" } else { " but by " };
                told(format!("{} did not come by ", short(sha))).pull_request(*named).words(but_by).then(found)
            }
            Self::ChangesRequested { number, by } => {
                told(format!("{} requests changes on ", person(by.as_ref()))).pull_request(*number)
            }
            Self::TooFewApprovals { number, head, needed, had, not_counted, .. } => {
                let s = if *needed == 1 { "" } else { "s" };
                let whys = in_brackets(not_counted);
                let lacks = format!(" has {had} of {needed} approval{s} of its head commit {}{whys}", short(head));
                Sentence::default().pull_request(*number).words(lacks)
            }
            Self::TeamNotTold { team, login, why } => {
                told(format!("whether {login} is in the team {team} is not told to this token: {why}"))
            }
            Self::EnvironmentNotNamed => "an approval by environment is required, but no environment is named".into(),
            Self::EnvironmentMissing { name } => told(format!("this repository has no environment {name}")),
            Self::EnvironmentNotTold { name, why } => {
                told(format!("how the environment {name} is protected is not told to this token: {why}"))
            }
            Self::EnvironmentUnprotected { name } => {
                told(format!("the environment {name} has no required reviewers, so every run gets in"))
            }
            Self::EnvironmentNotApproved { name, not_counted, .. } => {
                told(format!("nobody approved this run for the environment {name}{}", in_brackets(not_counted)))
            }
            Self::EnvironmentRejected { name, by } => {
                told(format!("{} rejected this run for the environment {name}", person(by.as_ref())))
            }
        }
    }

    /// What to do about it: a sentence without its full stop.
    pub fn next_step(&self) -> Sentence {
        match self {
            Self::NoPullRequest => "merge a pull request and let its push apply, or set `--required-approvals 0` \
                 where nobody needs to approve"
                .into(),
            Self::NotTheTip { branch, .. } => {
                format!(
                    "nothing: the run of the newest commit applies both; if it has none, start the apply by hand on {branch}"
                ).into()
            }
            Self::NoBranch { .. } => "run the apply on a push to a branch that exists".into(),
            Self::ForcedPush { .. } | Self::NewBranch { .. } | Self::BrokenLine { .. } => {
                "merge the next change by a pull request, whose apply brings this one along, or \
                 set `--allow-direct-push` for a branch where pushes need no review"
                    .into()
            }
            Self::CommitUnknown { .. } => "re-run the job; if it stays unknown, check that the workflow runs in the \
                 repository that the commit was pushed to"
                .into(),
            // Never without anybody's approval: the block is about what nobody approved.
            Self::EarlierNotTold { repository, branch, .. } => format!(
                "list what was merged with `gh pr list --repo {repository} --base {branch} --state merged --limit 500 \
                 --json number,title,reviewDecision,mergedAt`, have the plan read by somebody who may approve it, and \
                 start one run with `--required-approvals 0` together with `--require-environment-approval`, so that a \
                 reviewer of the environment approves it"
            )
            .into(),
            Self::DirectPush { .. } => {
                "bring the change by a pull request (protect the branch, so that only those get \
                 in), or set `--allow-direct-push`"
                    .into()
            }
            Self::NotMerged { number, .. } => Sentence::from("merge ").pull_request(*number).words(" on its page"),
            Self::OtherBranch { branch, .. } => {
                format!("open a pull request into {branch}, have it approved and merge that").into()
            }
            Self::OtherRepository { .. } => {
                "open a pull request in this repository, have it approved and merge that".into()
            }
            Self::NotTheMergeCommit { .. } => {
                "apply on the push that the merge makes; merge on GitHub, not by a push".into()
            }
            Self::WrongPullRequest { found, .. } => match found.first() {
                Some(number) => {
                    Sentence::from("name ").pull_request(*number).words(", or leave `--pull-request` out")
                }
                None => "leave `--pull-request` out".into(),
            },
            Self::ChangesRequested { by: Some(by), .. } => {
                format!("ask {by} to review again, or have that review dismissed").into()
            }
            Self::ChangesRequested { by: None, .. } => {
                "have that review dismissed on the pull request's page".into()
            }
            Self::TooFewApprovals { number, who_could, is_pusher_unknown, is_alone, .. } => {
                let step = Sentence::from("have ")
                    .pull_request(*number)
                    .words(format!(" approved by {who_could}, then re-run this job"));
                let unknown = " (it is unknown who pushed last, so one approval more than required is needed, or a further \
                               commit by somebody whose account GitHub shows)";
                let alone = "; if nobody else maintains this repository, set `--required-approvals 0`, and give the \
                             job an `environment:` with required reviewers to be asked before each apply";
                step.words(if *is_pusher_unknown { unknown } else { "" }).words(if *is_alone { alone } else { "" })
            }
            Self::TeamNotTold { team, .. } => format!(
                "give a token that may read the organisation's teams (a GitHub App with \
                 `members: read`, or a personal token with `read:org`), or list people instead \
                 of {team}"
            ).into(),
            Self::EnvironmentNotNamed => {
                "name it with `--environment`, the same name as the job's `environment:`".into()
            }
            Self::EnvironmentMissing { name } => format!(
                "create {name} under Settings, Environments, with required reviewers, and name \
                 it in the job's `environment:`"
            ).into(),
            Self::EnvironmentNotTold { .. } => "give the job the permission `actions: read`".into(),
            Self::EnvironmentUnprotected { name } => format!(
                "add required reviewers to {name} under Settings, Environments (private \
                 repositories need GitHub Enterprise for that)"
            ).into(),
            Self::EnvironmentNotApproved { name, who_could, .. } => {
                format!("name {name} in the job's `environment:` and have the run approved by {who_could}").into()
            }
            Self::EnvironmentRejected { .. } => {
                "start a new run: GitHub does not tell whether an answer belongs to this attempt".into()
            }
        }
    }
}
