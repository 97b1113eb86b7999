//! The approval of a run for its environment.

use super::facts::{Actor, ActorKind, EnvironmentFacts, EnvironmentProtection, EnvironmentReviewer};
use super::policy::Policy;
use super::reason::Reason;

/// A warning where runs of every branch get into the environment that the policy names: a pull
/// request's own job can then name it, and gets whatever roles and secrets trust it.
pub(super) fn open_to_every_branch(policy: &Policy, facts: Option<&EnvironmentFacts>) -> Option<String> {
    let facts = facts.filter(|facts| policy.environment.is_some() && facts.lets_every_branch_in)?;
    let is_there = matches!(facts.protection, EnvironmentProtection::Reviewers(_));
    is_there.then(|| {
        format!(
            "The environment {} lets every branch in: a pull request's own job can name it, and a reviewer's click gives \
             that job the roles and secrets that trust it. Restrict it under Settings, Environments, Deployment branches.",
            facts.name
        )
    })
}

/// Who approved this run for the environment that the policy names; `None` when it names none.
pub(super) fn approved_by_environment(
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
    // A merge queue, or another app, starts a run for those who opened the pull requests. Whoever runs
    // it again later changes nothing of that.
    let is_by_person = facts.actor.as_ref().is_some_and(|actor| actor.kind == ActorKind::User);
    let authors = if is_by_person { &[] } else { authors };
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
    user: Option<&Actor>,
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
