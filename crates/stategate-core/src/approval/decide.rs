//! The decision itself.

use std::collections::{BTreeMap, BTreeSet};

use super::environment::{approved_by_environment, open_to_every_branch};
use super::facts::{Arrival, BranchFacts, Commit, Facts, Membership, Origin, PullRequest};
use super::policy::{Approver, BindsTo, Policy};
use super::reason::Reason;
use super::reviews::{Tally, WhyNot, tally};
use crate::sentence::Sentence;

/// What the gate says.
#[derive(Debug)]
pub enum Decision {
    /// It may be applied.
    Approved(Approval),
    /// It may not.
    Blocked(Blocked),
}

/// The right to apply one commit. Only [`decide`] makes it, and it cannot be copied: an apply
/// demands it and uses it up.
#[derive(Debug)]
pub struct Approval {
    sha: Option<String>,
    tallies: Vec<Tally>,
    environment: Option<(String, String)>,
    direct_pushes: Vec<String>,
    notes: Vec<Sentence>,
}

impl Approval {
    /// The commit that may be applied; `None` on somebody's own computer, where no approval is
    /// asked for.
    pub fn sha(&self) -> Option<&str> {
        self.sha.as_deref()
    }

    /// The pull requests it came by, and whose approvals counted.
    pub fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// The environment and who approved this run for it, where that was asked for.
    pub fn environment(&self) -> Option<(&str, &str)> {
        self.environment.as_ref().map(|(name, by)| (name.as_str(), by.as_str()))
    }

    /// The commits that came by no pull request and were let through by `--allow-direct-push`:
    /// for people to see.
    pub fn direct_pushes(&self) -> &[String] {
        &self.direct_pushes
    }

    /// Who approved, each once.
    pub fn by(&self) -> Vec<&str> {
        let mut by: Vec<&str> = self
            .tallies
            .iter()
            .flat_map(|tally| tally.counted.iter().map(|counted| counted.login.as_str()))
            .chain(self.environment().map(|(_, by)| by))
            .collect();
        by.sort_unstable();
        by.dedup();
        by
    }
}

/// Why nothing may be applied: never empty.
#[derive(Debug)]
pub struct Blocked {
    /// Every reason at once.
    pub reasons: Vec<Reason>,
    /// The pull requests and how far their approvals are.
    pub tallies: Vec<Tally>,
    /// What people should know beside the reasons.
    pub notes: Vec<Sentence>,
}

impl Decision {
    /// The pull requests and how far their approvals are.
    pub fn tallies(&self) -> &[Tally] {
        match self {
            Self::Approved(approval) => &approval.tallies,
            Self::Blocked(blocked) => &blocked.tallies,
        }
    }

    /// What people should know whatever was decided: objections that were dismissed, and what only
    /// weakly stands behind an approval.
    pub fn notes(&self) -> &[Sentence] {
        match self {
            Self::Approved(approval) => &approval.notes,
            Self::Blocked(blocked) => &blocked.notes,
        }
    }

    /// Every reason why it is blocked; empty when it is not.
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Approved(_) => &[],
            Self::Blocked(blocked) => &blocked.reasons,
        }
    }
}

/// Decides whether a change may be applied.
pub fn decide(policy: &Policy, facts: &Facts) -> Decision {
    let mut reasons = Vec::new();
    let mut tallies = Vec::new();
    let mut direct_pushes = Vec::new();
    let mut authors = Vec::new();
    let mut sha = None;
    match &facts.origin {
        Origin::Local => {
            if policy.required_approvals > 0 {
                reasons.push(Reason::NoPullRequest);
            }
        }
        Origin::Branch(branch) => {
            sha = Some(branch.sha.clone());
            reasons.extend(not_the_tip(branch));
            reasons.extend(broken_line(policy, branch));
            let traced = trace(&facts.repository, policy, branch);
            reasons.extend(traced.reasons);
            direct_pushes = traced.direct_pushes;
            for pull_request in traced.pull_requests {
                authors.extend(pull_request.author.iter().map(|author| author.login.as_str()));
                let (one, why) = tally(policy, pull_request, &facts.memberships);
                tallies.push(one);
                reasons.extend(why);
            }
        }
    }
    let environment = match approved_by_environment(policy, facts.environment.as_ref(), &authors) {
        Ok(environment) => environment,
        Err(why) => {
            reasons.push(why);
            None
        }
    };
    let mut notes: Vec<Sentence> = tallies.iter().flat_map(|tally: &Tally| tally.notes.iter().cloned()).collect();
    notes.extend(open_to_every_branch(policy, facts.environment.as_ref()).map(Sentence::from));
    if reasons.is_empty() {
        Decision::Approved(Approval { sha, tallies, environment, direct_pushes, notes })
    } else {
        Decision::Blocked(Blocked { reasons, tallies, notes })
    }
}

/// How far the approvals of a pull request that is not merged yet are, and what they lack. Not a
/// decision: that is taken when it is applied.
pub fn standing(policy: &Policy, pull_request: &PullRequest, memberships: &[Membership]) -> (Tally, Vec<Reason>) {
    tally(policy, pull_request, memberships)
}

/// The pull requests of which it matters who pushed last: those that would be applied, where
/// approvals are asked for.
pub fn pushes_to_ask<'a>(policy: &Policy, facts: &'a Facts) -> Vec<&'a PullRequest> {
    match &facts.origin {
        Origin::Branch(branch) if policy.required_approvals > 0 => {
            trace(&facts.repository, policy, branch).pull_requests
        }
        Origin::Branch(_) | Origin::Local => Vec::new(),
    }
}

/// The team memberships (organisation, slug, login) that would decide about an approval, and that
/// the facts do not hold yet: for the caller to ask before deciding.
pub fn memberships_to_ask(policy: &Policy, facts: &Facts) -> Vec<(String, String, String)> {
    let Origin::Branch(branch) = &facts.origin else {
        return Vec::new();
    };
    let mut ask = Vec::new();
    for pull_request in trace(&facts.repository, policy, branch).pull_requests {
        for question in memberships_of(policy, pull_request, &facts.memberships) {
            if !ask.contains(&question) {
                ask.push(question);
            }
        }
    }
    ask
}

/// The same for one pull request.
pub fn memberships_of(
    policy: &Policy,
    pull_request: &PullRequest,
    known: &[Membership],
) -> Vec<(String, String, String)> {
    let mut ask = Vec::new();
    for one in tally(policy, pull_request, known).0.not_counted {
        let (WhyNot::TeamNotTold, Some(login)) = (one.why, one.login) else {
            continue;
        };
        for approver in &policy.approvers {
            if let Approver::Team { org, slug } = approver {
                let is_known = known.iter().any(|m| m.org == *org && m.slug == *slug && m.login == login);
                let question = (org.clone(), slug.clone(), login.clone());
                if !is_known && !ask.contains(&question) {
                    ask.push(question);
                }
            }
        }
    }
    ask
}

/// An approval that would count if its commit were proven to carry what the head carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierApproval {
    /// The pull request.
    pub pull_request: u64,
    /// The commit that was approved.
    pub commit: String,
    /// The commit that was merged.
    pub head: String,
    /// The repository of the pull request's branch, `owner/name`; `None` when it is gone.
    pub head_repository: Option<String>,
    /// That branch.
    pub head_branch: String,
}

/// The approvals of earlier commits that a policy bound to content would count: for the caller to
/// prove (see [`Facts::prove`]) before deciding. None where approvals are bound to the commit.
pub fn earlier_approvals(policy: &Policy, facts: &Facts) -> Vec<EarlierApproval> {
    let Origin::Branch(branch) = &facts.origin else {
        return Vec::new();
    };
    if policy.binds_to != BindsTo::Content {
        return Vec::new();
    }
    let mut found: Vec<EarlierApproval> = Vec::new();
    for pull_request in trace(&facts.repository, policy, branch).pull_requests {
        for one in tally(policy, pull_request, &facts.memberships).0.not_counted {
            if let WhyNot::OtherCommit(Some(commit)) = one.why {
                let one = EarlierApproval {
                    pull_request: pull_request.number,
                    commit,
                    head: pull_request.head.clone(),
                    head_repository: pull_request.head_repository.clone(),
                    head_branch: pull_request.head_branch.clone(),
                };
                if !found.contains(&one) {
                    found.push(one);
                }
            }
        }
    }
    found
}

fn not_the_tip(branch: &BranchFacts) -> Option<Reason> {
    match &branch.tip {
        Some(tip) if *tip == branch.sha => None,
        Some(tip) => {
            Some(Reason::NotTheTip { branch: branch.branch.clone(), sha: branch.sha.clone(), tip: tip.clone() })
        }
        None => Some(Reason::NoBranch { branch: branch.branch.clone() }),
    }
}

/// Whether the commits are those that the push brought, without a gap.
fn broken_line(policy: &Policy, branch: &BranchFacts) -> Option<Reason> {
    let name = branch.branch.clone();
    match branch.commits.first() {
        Some(first) if first.sha == branch.sha => {}
        _ => {
            return Some(Reason::CommitUnknown { sha: branch.sha.clone() });
        }
    }
    let Arrival::Push { before, forced } = &branch.arrival else {
        return None;
    };
    if *forced {
        return (!policy.allow_direct_push).then_some(Reason::ForcedPush { branch: name });
    }
    if before.chars().all(|c| c == '0') {
        return (!policy.allow_direct_push).then_some(Reason::NewBranch { branch: name });
    }
    let mut next = branch.sha.as_str();
    for commit in &branch.commits {
        if commit.sha != next {
            next = "";
            break;
        }
        next = commit.parents.first().map_or("", String::as_str);
    }
    (next != before).then(|| Reason::BrokenLine { branch: name, before: before.clone() })
}

struct Traced<'a> {
    pull_requests: Vec<&'a PullRequest>,
    direct_pushes: Vec<String>,
    reasons: Vec<Reason>,
}

/// Finds the merged pull requests that brought the commits.
///
/// A merge or squash commit is its pull request's merge commit. A rebase merge brings several
/// commits, of which the last is the merge commit and the others name the same pull request.
/// What a merge commit brings on its second side is that pull request's own.
fn trace<'a>(repository: &str, policy: &Policy, branch: &'a BranchFacts) -> Traced<'a> {
    let mut found: BTreeMap<u64, &PullRequest> = BTreeMap::new();
    let mut traced_numbers: BTreeSet<u64> = BTreeSet::new();
    let mut direct_pushes = Vec::new();
    let mut reasons = Vec::new();
    let mut newer: Vec<&str> = Vec::new();
    for commit in &branch.commits {
        newer.push(&commit.sha);
        let brought = brought_by(repository, &branch.branch, commit, &newer);
        if !brought.is_empty() {
            traced_numbers.extend(brought.iter().map(|pr| pr.number));
            found.extend(brought.iter().filter(|pr| !pr.brings_nothing).map(|pr| (pr.number, *pr)));
        } else if !commit.pull_requests.is_empty() {
            reasons.extend(why_by_none(repository, &branch.branch, commit));
        } else if policy.allow_direct_push {
            direct_pushes.push(commit.sha.clone());
        } else {
            reasons.push(Reason::DirectPush { sha: commit.sha.clone(), branch: branch.branch.clone() });
        }
    }
    if let Arrival::Commit { pull_request: Some(named) } = branch.arrival
        && !traced_numbers.contains(&named)
    {
        reasons.push(Reason::WrongPullRequest {
            sha: branch.sha.clone(),
            named,
            found: traced_numbers.iter().copied().collect(),
        });
    }
    // Where no approval is needed, nobody's is missing.
    if branch.is_cut_off && policy.required_approvals > 0 {
        let among = branch.earlier.iter().flat_map(|commit| merges(repository, &branch.branch, commit));
        reasons.push(Reason::EarlierNotTold {
            repository: repository.to_owned(),
            branch: branch.branch.clone(),
            among: among.map(|pr| pr.number).collect(),
        });
    }
    // Only what a merge made is among these, so nothing else is let through with them.
    for commit in &branch.earlier {
        let brought = merges(repository, &branch.branch, commit);
        if brought.is_empty() {
            reasons.push(Reason::CommitUnknown { sha: commit.sha.clone() });
        }
        found.extend(brought.into_iter().map(|pr| (pr.number, pr)));
    }
    Traced { pull_requests: found.into_values().collect(), direct_pushes, reasons }
}

/// The pull requests whose merge made this commit, or one of the `newer` commits that it was
/// rebased together with.
pub fn brought_by<'a>(repository: &str, branch: &str, commit: &'a Commit, newer: &[&str]) -> Vec<&'a PullRequest> {
    let made_by = merges(repository, branch, commit);
    if !made_by.is_empty() {
        return made_by;
    }
    let into_here = |pr: &&PullRequest| why_not_into_here(repository, branch, commit, pr).is_none();
    let rebased_by = |pr: &&PullRequest| pr.merge_commit.as_deref().is_some_and(|merge| newer.contains(&merge));
    commit.pull_requests.iter().filter(into_here).filter(rebased_by).collect()
}

/// The pull requests whose merge into this branch of this repository made a commit.
pub fn merges<'a>(repository: &str, branch: &str, commit: &'a Commit) -> Vec<&'a PullRequest> {
    let into_here = |pr: &&PullRequest| why_not_into_here(repository, branch, commit, pr).is_none();
    let made_by = |pr: &&PullRequest| pr.merge_commit.as_deref() == Some(commit.sha.as_str());
    commit.pull_requests.iter().filter(into_here).filter(made_by).collect()
}

/// Why none of the pull requests that a commit belongs to brought it.
fn why_by_none(repository: &str, branch: &str, commit: &Commit) -> Vec<Reason> {
    let why = |pr: &PullRequest| {
        why_not_into_here(repository, branch, commit, pr).unwrap_or_else(|| Reason::NotTheMergeCommit {
            sha: commit.sha.clone(),
            number: pr.number,
            merge_commit: pr.merge_commit.clone(),
        })
    };
    commit.pull_requests.iter().map(why).collect()
}

fn why_not_into_here(repository: &str, branch: &str, commit: &Commit, pull_request: &PullRequest) -> Option<Reason> {
    let sha = commit.sha.clone();
    let number = pull_request.number;
    let same_repository =
        pull_request.base_repository.as_deref().is_some_and(|base| base.eq_ignore_ascii_case(repository));
    if !same_repository {
        return Some(Reason::OtherRepository { sha, number, repository: pull_request.base_repository.clone() });
    }
    if pull_request.base_branch != branch {
        return Some(Reason::OtherBranch {
            sha,
            number,
            merged_into: pull_request.base_branch.clone(),
            branch: branch.to_owned(),
        });
    }
    (!pull_request.merged).then_some(Reason::NotMerged { sha, number })
}
