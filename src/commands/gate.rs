//! Asking the gate: which change this is, what the policy wants, and what GitHub says about it.

use super::report::Report;
use super::session::Session;
use crate::cli::{ApprovalBindsTo, Gate, Target};
use crate::core::approval::{
    Arrival, BindsTo, Decision, Facts, Origin, Policy, RequiredEnvironment, approvers, decide,
};
use crate::core::comment::GateView;
use crate::error::Error;
use crate::shell::github::Wanted;
use crate::shell::runner::{Event, Run};

/// A question that can be asked again.
pub(super) struct Asked {
    policy: Policy,
    /// `None` on a laptop: the change comes from no branch of GitHub's.
    wanted: Option<Wanted>,
}

/// Reads the policy from the flags and the change from the event.
pub(super) fn prepare(session: &Session, flags: &Gate, target: &Target) -> Result<Asked, Error> {
    let policy = Policy {
        required_approvals: flags.required_approvals,
        approvers: approvers(flags.approvers.as_deref().unwrap_or_default())?,
        binds_to: match flags.approval_binds_to {
            ApprovalBindsTo::Commit => BindsTo::Commit,
            ApprovalBindsTo::Content => BindsTo::Content,
        },
        environment: flags.require_environment_approval.then(|| RequiredEnvironment(target.environment.clone())),
        allow_direct_push: flags.allow_direct_push,
    };
    let wanted = session.host.run().map(|run| wanted(run, flags)).transpose()?;
    Ok(Asked { policy, wanted })
}

fn wanted(run: &Run, flags: &Gate) -> Result<Wanted, Error> {
    let not_appliable = || Error::NotAppliable { event: run.event_name.clone(), git_ref: run.git_ref.clone() };
    let branch_of = |git_ref: &str| git_ref.strip_prefix("refs/heads/").map(str::to_owned).ok_or_else(not_appliable);
    let (branch, sha, arrival) = match &run.event {
        Event::Push(push) if !push.deleted => {
            let arrival = Arrival::Push { before: push.before.clone(), forced: push.forced };
            (branch_of(&push.git_ref)?, push.after.clone(), arrival)
        }
        Event::PullRequest(event) if event.merged && run.event_name == "pull_request" => {
            let sha = event.merge_commit_sha.clone().ok_or_else(not_appliable)?;
            (event.base_ref.clone(), sha, Arrival::Commit { pull_request: Some(event.number) })
        }
        Event::Other => {
            (branch_of(&run.git_ref)?, run.sha.clone(), Arrival::Commit { pull_request: flags.pull_request })
        }
        Event::Push(_) | Event::PullRequest(_) | Event::MergeGroup { .. } => return Err(not_appliable()),
    };
    Ok(Wanted { branch, sha, arrival, run_id: Some(run.run_id) })
}

impl Asked {
    /// Asks GitHub and decides.
    pub(super) async fn ask(&self, session: &Session) -> Result<Decision, Error> {
        let facts = match (&self.wanted, session.host.run()) {
            (Some(wanted), Some(run)) => {
                let repository = run.repository.parse()?;
                session.github()?.facts(&repository, &self.policy, wanted).await?
            }
            _ => Facts { repository: String::new(), origin: Origin::Local, environment: None, memberships: Vec::new() },
        };
        Ok(decide(&self.policy, &facts))
    }

    /// Whether anything was reviewed at all: not on a laptop, and not by a direct push alone.
    pub(super) fn is_reviewed(&self, decision: &Decision) -> bool {
        self.wanted.is_some() && !decision.tallies().is_empty()
    }
}

/// The head commits whose plans were reviewed.
pub(super) fn reviewed_commits(decision: &Decision) -> Vec<String> {
    decision.tallies().iter().map(|tally| tally.head.clone()).collect()
}

/// Puts what the gate said into the report.
pub(super) fn show(report: &mut Report, asked: &Asked, decision: &Decision) {
    let tallies = decision.tallies();
    report.pull_requests = tallies.iter().map(|tally| tally.number).collect();
    report.head_sha = tallies
        .first()
        .map(|tally| tally.head.clone())
        .or_else(|| asked.wanted.as_ref().map(|wanted| wanted.sha.clone()));
    report.approved = Some(matches!(decision, Decision::Approved(_)));
    let mut approved_by: Vec<String> =
        tallies.iter().flat_map(|tally| tally.counted.iter().map(|counted| counted.login.clone())).collect();
    approved_by.sort();
    approved_by.dedup();
    report.gate = Some(GateView {
        required: usize::try_from(asked.policy.required_approvals).unwrap_or(usize::MAX),
        approved_by,
        blockers: decision.reasons().iter().map(ToString::to_string).collect(),
        who_can: tallies.first().map(|tally| tally.who_could.clone()).unwrap_or_default(),
        next_step: next_step(decision),
    });
}

/// The refusal of a gate that blocks.
pub(super) fn blocked(decision: &Decision) -> Error {
    Error::Blocked {
        reasons: decision.reasons().iter().map(ToString::to_string).collect(),
        next_step: next_step(decision),
    }
}

fn next_step(decision: &Decision) -> String {
    let mut steps: Vec<String> = Vec::new();
    for reason in decision.reasons() {
        let step = reason.next_step();
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps.join("; ")
}
