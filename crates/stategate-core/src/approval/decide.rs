//! The decision itself.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{
    ActorKind, Arrival, BranchFacts, Commit, EnvironmentFacts, EnvironmentProtection, EnvironmentReviewer, Facts,
    Origin, PullRequest,
};
use super::policy::{Approver, BindsTo, Policy};
use super::reason::Reason;
use super::reviews::{Tally, WhyNot, tally};

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
}

impl Decision {
    /// The pull requests and how far their approvals are.
    pub fn tallies(&self) -> &[Tally] {
        match self {
            Self::Approved(approval) => &approval.tallies,
            Self::Blocked(blocked) => &blocked.tallies,
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
    if reasons.is_empty() {
        Decision::Approved(Approval { sha, tallies, environment, direct_pushes })
    } else {
        Decision::Blocked(Blocked { reasons, tallies })
    }
}

/// How far the approvals of a pull request that is not merged yet are, and what they lack. Not a
/// decision: that is taken when it is applied.
pub fn standing(policy: &Policy, pull_request: &PullRequest) -> (Tally, Vec<Reason>) {
    tally(policy, pull_request, &[])
}

/// The team memberships (organisation, slug, login) that would decide about an approval, and that
/// the facts do not hold yet: for the caller to ask before deciding.
pub fn memberships_to_ask(policy: &Policy, facts: &Facts) -> Vec<(String, String, String)> {
    let Origin::Branch(branch) = &facts.origin else {
        return Vec::new();
    };
    let mut ask = Vec::new();
    for pull_request in trace(&facts.repository, policy, branch).pull_requests {
        for one in tally(policy, pull_request, &facts.memberships).0.not_counted {
            let (WhyNot::TeamNotTold, Some(login)) = (one.why, one.login) else {
                continue;
            };
            for approver in &policy.approvers {
                if let Approver::Team { org, slug } = approver {
                    let known = facts.memberships.iter().any(|m| m.org == *org && m.slug == *slug && m.login == login);
                    let question = (org.clone(), slug.clone(), login.clone());
                    if !known && !ask.contains(&question) {
                        ask.push(question);
                    }
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
                let one =
                    EarlierApproval { pull_request: pull_request.number, commit, head: pull_request.head.clone() };
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
        reasons.push(Reason::EarlierNotTold { branch: branch.branch.clone() });
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

/// Who approved this run for the environment that the policy names; `None` when it names none.
fn approved_by_environment(
    policy: &Policy,
    facts: Option<&EnvironmentFacts>,
    authors: &[&str],
) -> Result<Option<(String, String)>, Reason> {
    let Some(required) = &policy.environment else {
        return Ok(None);
    };
    let name = required.0.clone().ok_or(Reason::EnvironmentNotNamed)?;
    let facts = facts
        .filter(|facts| facts.name == name)
        .ok_or_else(|| Reason::EnvironmentNotTold { name: name.clone(), why: "it was not asked".to_owned() })?;
    let reviewers = match &facts.protection {
        EnvironmentProtection::Missing => return Err(Reason::EnvironmentMissing { name }),
        EnvironmentProtection::NotTold { why } => {
            return Err(Reason::EnvironmentNotTold { name, why: why.clone() });
        }
        EnvironmentProtection::Reviewers(reviewers) if reviewers.is_empty() => {
            return Err(Reason::EnvironmentUnprotected { name });
        }
        EnvironmentProtection::Reviewers(reviewers) => reviewers,
    };
    if facts.started_by.is_empty() {
        return Err(Reason::EnvironmentNotTold { name, why: "who started this run is unknown".to_owned() });
    }
    // A merge queue, or another app, starts a run for those who opened the pull requests.
    let is_by_app = facts.started_by.iter().all(|by| by.ends_with("[bot]"));
    let authors = if is_by_app { authors } else { &[] };
    let mut not_counted = Vec::new();
    let mut approved_by = None;
    for approval in &facts.approvals {
        // GitHub treats the names of environments alike in whatever case.
        if !approval.environments.iter().any(|e| e.eq_ignore_ascii_case(&name)) {
            continue;
        }
        match approval.state.as_str() {
            "approved" => match counts_for_environment(facts, reviewers, authors, approval.user.as_ref()) {
                Ok(login) => approved_by = approved_by.or(Some(login)),
                Err(why) => not_counted.push(why),
            },
            "rejected" => {
                return Err(Reason::EnvironmentRejected {
                    name,
                    by: approval.user.as_ref().map(|user| user.login.clone()),
                });
            }
            _ => {}
        }
    }
    let who_could = who_could_enter(facts, reviewers, authors);
    approved_by.map(|login| Some((name.clone(), login))).ok_or(Reason::EnvironmentNotApproved {
        name,
        not_counted,
        who_could,
    })
}

fn counts_for_environment(
    facts: &EnvironmentFacts,
    reviewers: &[EnvironmentReviewer],
    authors: &[&str],
    user: Option<&super::facts::Actor>,
) -> Result<String, String> {
    let user = user.ok_or("a deleted account approved it")?;
    let login = &user.login;
    if user.kind != ActorKind::User {
        return Err(format!("{login} is not a person"));
    }
    if facts.started_by.iter().any(|by| by.eq_ignore_ascii_case(login)) {
        return Err(format!("{login} started this run"));
    }
    if authors.iter().any(|author| author.eq_ignore_ascii_case(login)) {
        return Err(format!("{login} is the author, for whom an app started this run"));
    }
    // Members of a team are GitHub's to check; a person who is not named got in by an
    // administrator's bypass.
    let is_reviewer = reviewers.iter().any(|reviewer| match reviewer {
        EnvironmentReviewer::User(named) => named.eq_ignore_ascii_case(login),
        EnvironmentReviewer::Team(_) => true,
    });
    if !is_reviewer {
        return Err(format!("{login} is not one of its required reviewers"));
    }
    Ok(login.clone())
}

fn who_could_enter(facts: &EnvironmentFacts, reviewers: &[EnvironmentReviewer], authors: &[&str]) -> String {
    let started_by = facts.started_by.iter().map(String::as_str);
    let not: Vec<&str> = started_by.chain(authors.iter().copied()).collect();
    let names: Vec<String> = reviewers
        .iter()
        .filter_map(|reviewer| match reviewer {
            EnvironmentReviewer::User(login) if not.iter().any(|one| one.eq_ignore_ascii_case(login)) => None,
            EnvironmentReviewer::User(login) => Some(login.clone()),
            EnvironmentReviewer::Team(slug) => Some(format!("a member of the team {slug}")),
        })
        .collect();
    if names.is_empty() {
        "another required reviewer: only who started this run is one".to_owned()
    } else {
        names.join(" or ")
    }
}
