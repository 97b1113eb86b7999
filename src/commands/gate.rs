//! Asking the gate: which change this is, what the policy wants, and what GitHub says about it.

use std::path::Path;

use super::pending::{Earlier, Line, MOST_COMMITS};
use super::reach::Change;
use super::report::{Approvals, Report};
use super::review::{self, Code};
use super::session::{Root, Session};
use crate::cli::{ApprovalBindsTo, Gate, Target};
use crate::error::Error;
use crate::shell::checkout;
use crate::shell::github::{PushedTo, Wanted};
use crate::shell::runner::{Event, Run, variable};
use stategate_core::approval::{
    Approver, Arrival, BindsTo, Decision, EarlierApproval, Elsewhere, Facts, Origin, Policy, Reason,
    RequiredEnvironment, Tally, approvers, brought, decide, earlier_approvals, older_than_plan, standing,
};
use stategate_core::comment::GateView;
use stategate_core::record::{Record, SameContent, same_content, same_files};
use stategate_core::sentence::Sentence;

/// A question that can be asked again.
pub(super) struct Asked {
    policy: Policy,
    /// `None` on a laptop: the change comes from no branch of GitHub's.
    wanted: Option<Wanted>,
    /// The pull requests of the push that bring nothing here.
    elsewhere: Vec<Elsewhere>,
}

/// What the answers of GitHub are completed with.
pub(super) struct Evidence<'a> {
    pub(super) root: &'a Root,
    pub(super) code: &'a Code,
    /// The records of the pull requests' head commits, as far as there are any.
    pub(super) reviewed: &'a [Record],
}

/// Reads the policy from the flags: before anything else is done, so that what is wrong in them is
/// known on the pull request and not after its merge.
pub(super) fn policy(flags: &Gate, target: &Target) -> Result<Policy, Error> {
    Ok(Policy {
        required_approvals: flags.required_approvals,
        approvers: approvers(flags.approvers.as_deref().unwrap_or_default())?,
        binds_to: match flags.approval_binds_to {
            ApprovalBindsTo::Commit => BindsTo::Commit,
            ApprovalBindsTo::Content => BindsTo::Content,
        },
        environment: flags.require_environment_approval.then(|| RequiredEnvironment(target.environment.clone())),
        allow_direct_push: flags.allow_direct_push,
    })
}

/// Reads the policy from the flags and the change from the event.
pub(super) fn prepare(session: &Session, flags: &Gate, target: &Target) -> Result<Asked, Error> {
    let policy = policy(flags, target)?;
    let wanted = session.host.run().map(|run| wanted(run, flags)).transpose()?;
    Ok(Asked { policy, wanted, elsewhere: Vec::new() })
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
    Ok(Wanted {
        branch,
        sha,
        arrival,
        earlier: Vec::new(),
        is_cut_off: false,
        is_fresh: true,
        run_id: Some(run.run_id),
    })
}

impl Asked {
    /// The rules that it asks by.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Asks GitHub.
    pub(super) async fn ask(&self, session: &Session) -> Result<Facts, Error> {
        match (&self.wanted, session.host.run()) {
            (Some(wanted), Some(_)) => {
                // Many questions in one: on the heap, not in each future that waits for it.
                Ok(Box::pin(session.github()?.facts(&session.repository()?, &self.policy, wanted)).await?)
            }
            _ => Ok(Facts {
                repository: String::new(),
                origin: Origin::Local,
                environment: None,
                memberships: Vec::new(),
            }),
        }
    }

    /// Prepares the second question, under the lock: what GitHub's index does not know by now it
    /// need not wait for, and what was merged earlier and would be applied along is asked about too.
    pub(super) fn along_with(&mut self, earlier: &Earlier) {
        if let Some(wanted) = &mut self.wanted {
            wanted.is_fresh = false;
            wanted.earlier.extend(earlier.pending.iter().map(|pending| pending.commit.clone()));
            wanted.is_cut_off = earlier.is_cut_off;
        }
    }

    /// From now on, these are not asked about.
    pub(super) fn leave_out(&mut self, elsewhere: &[Elsewhere]) {
        self.elsewhere = elsewhere.to_vec();
    }

    /// The pull requests of the push, with the commits that they brought.
    pub(super) fn changes(&self, facts: &Facts) -> Vec<Change> {
        let mut brought = brought(facts);
        let decision = self.decide(facts);
        let change = |tally: &Tally| Change {
            number: tally.number,
            head: tally.head.clone(),
            commits: brought.remove(&tally.number).unwrap_or_default(),
        };
        decision.tallies().iter().map(change).collect()
    }

    /// Decides by what GitHub says alone.
    pub(super) fn decide(&self, facts: &Facts) -> Decision {
        decide(&self.policy, facts)
    }

    /// Decides by what GitHub says and what the records add: who pushed last, and which earlier
    /// approvals were of the same content.
    pub(super) async fn judge(
        &self,
        session: &Session,
        mut facts: Facts,
        evidence: &Evidence<'_>,
    ) -> Result<Decision, Error> {
        for proof in &self.elsewhere {
            facts.leave_out(proof);
        }
        for tally in decide(&self.policy, &facts).tallies() {
            let record = evidence.reviewed.iter().find(|record| record.origin.head_sha == tally.head);
            for pusher in record.map(Record::pushers).unwrap_or_default() {
                facts.pushed_by(tally.number, &pusher);
            }
        }
        for earlier in earlier_approvals(&self.policy, &facts) {
            match Box::pin(prove(session, evidence, &earlier)).await? {
                Ok(same) => facts.prove(&same),
                Err(why) => tracing::info!(
                    "the approval of {} does not carry over to the head commit of #{}: {why}",
                    earlier.commit,
                    earlier.pull_request
                ),
            }
        }
        Ok(decide(&self.policy, &facts))
    }

    /// Refuses when other code is checked out than the gate decides about; says so where that cannot be
    /// checked.
    pub(super) fn check_out(&self, root: &Root, report: &mut Report) -> Result<(), Error> {
        let Some(wanted) = &self.wanted else { return Ok(()) };
        let directory = root.terraform.module().directory();
        // The root module's path is without links, so the workspace's has to be. A root module
        // elsewhere is of whatever repository is around it.
        let workspace = variable("GITHUB_WORKSPACE").and_then(|workspace| std::fs::canonicalize(workspace).ok());
        let workspace = workspace.filter(|workspace| directory.starts_with(workspace));
        let head = checkout::head(workspace.as_deref().unwrap_or_else(|| Path::new("/")), directory);
        let checked_out = match head {
            Ok(Some(sha)) if sha == wanted.sha => return Ok(()),
            Ok(Some(sha)) => sha,
            Ok(None) => {
                let commit: String = wanted.sha.chars().take(10).collect();
                let note = format!(
                    "No Git checkout holds the root module, so nothing proves that its files are those of {commit}, \
                     which was approved. Use actions/checkout, and keep its .git directory."
                );
                tracing::warn!("{note}");
                report.notes.push(note);
                return Ok(());
            }
            Err(error) => format!("unknown ({error})"),
        };
        Err(Error::OtherCheckout { checked_out, wanted: wanted.sha.clone() })
    }

    /// Whether anything was reviewed at all: not on a laptop, and not by a direct push alone.
    pub(super) fn is_reviewed(&self, decision: &Decision) -> bool {
        let is_pushed = matches!(decision, Decision::Approved(approval) if !approval.direct_pushes().is_empty());
        // A pull request that brings nothing here makes no review of a direct push beside it.
        self.wanted.is_some() && (!decision.tallies().is_empty() || !self.elsewhere.is_empty() && !is_pushed)
    }
}

/// The branch's line before the commits that the gate is asked about.
pub(super) fn line_before(facts: &Facts) -> Option<Line> {
    let Origin::Branch(branch) = &facts.origin else { return None };
    let from = branch.commits.last()?.parents.first()?.clone();
    Some(Line { branch: branch.branch.clone(), from: Some(from), most: MOST_COMMITS, keys: None })
}

/// Proves that an earlier commit carries what the head carries; the inner error says why it is not
/// proven.
async fn prove(
    session: &Session,
    evidence: &Evidence<'_>,
    approval: &EarlierApproval,
) -> Result<Result<SameContent, String>, Error> {
    let Some(head) = evidence.reviewed.iter().find(|record| record.origin.head_sha == approval.head) else {
        return Ok(Err("there is no reviewed plan of the head commit".to_owned()));
    };
    let earlier = match review::fetch(&evidence.root.bucket, &approval.commit).await {
        Ok(earlier) => earlier,
        Err(Error::Record(error)) => return Ok(Err(error.to_string())),
        Err(error) => return Err(error),
    };
    let (github, repository) = (session.github()?, session.repository()?);
    let pushed_to = PushedTo {
        repository: approval.head_repository.as_deref(),
        branch: &approval.head_branch,
        sha: &approval.commit,
    };
    let asked = tokio::try_join!(
        github.files(&repository, &approval.commit),
        github.files(&repository, &approval.head),
        github.pushers(&repository, pushed_to)
    );
    let (earlier_files, head_files, pushers) = match asked {
        Ok(answers) => answers,
        Err(error) => return Ok(Err(error.to_string())),
    };
    if let Some(why) = pushers.unknown() {
        return Ok(Err(format!("who pushed {} is unknown: {why}", approval.commit)));
    }
    let same = same_files(evidence.code.covered(), (&approval.commit, &earlier_files), (&approval.head, &head_files));
    Ok(same.and_then(|same| same_content(&earlier, head, &same)).map(|same| same.pushed_by(pushers.known().to_vec())))
}

/// Puts what the gate said into the report, and what the records of the reviewed plans add to it.
pub(super) fn show(report: &mut Report, asked: &Asked, decision: &Decision, reviewed: &[Record]) {
    let tallies = decision.tallies();
    report.pull_requests = tallies.iter().map(|tally| tally.number).collect();
    // With no plan yet, or one without changes, there is nothing that they need to know.
    let along = asked.elsewhere.iter().filter(|_| report.plan.is_some()).map(Elsewhere::number);
    report.bring_nothing = along.filter(|number| !report.pull_requests.contains(number)).collect();
    report.pull_requests.extend(&report.bring_nothing);
    report.heads = tallies.iter().map(|tally| (tally.number, tally.head.clone())).collect();
    report.approvals = tallies.iter().filter_map(approvals).collect();
    report.head_sha = tallies
        .first()
        .map(|tally| tally.head.clone())
        .or_else(|| asked.wanted.as_ref().map(|wanted| wanted.sha.clone()));
    report.approved = Some(matches!(decision, Decision::Approved(_)));
    if let Decision::Approved(approval) = decision {
        let pushes = approval.direct_pushes().iter().map(|sha| {
            format!("{sha} came without a pull request, so nobody reviewed it; --allow-direct-push lets it through")
        });
        let environment = approval
            .environment()
            .map(|(name, by)| format!("This run was approved for the environment {name} by {by}"));
        let notes: Vec<String> = pushes.chain(environment).filter(|note| !report.notes.contains(note)).collect();
        report.notes.extend(notes);
    }
    // With several pull requests, the one that lacks most stands for them: all must pass.
    let fewest = tallies.iter().min_by_key(|tally| tally.counted.len());
    let mut who_can: Vec<String> = tallies.iter().map(|tally| tally.who_could.clone()).collect();
    who_can.dedup();
    let next_step = next_step(decision);
    // Where the next step names them, that is enough.
    let told = next_step.to_string();
    who_can.retain(|who| !told.contains(who));
    let told = report.gate.take().map(|gate| gate.notes).unwrap_or_default();
    for note in decision.notes().iter().filter(|note| !told.contains(note)) {
        tracing::warn!("{note}");
    }
    report.gate = Some(GateView {
        required: usize::try_from(asked.policy.required_approvals).unwrap_or(usize::MAX),
        approved_by: fewest.map(names).unwrap_or_default(),
        blockers: decision.reasons().iter().map(Reason::sentence).collect(),
        notes: older_than_plans(tallies, reviewed).chain(decision.notes().iter().cloned()).collect(),
        who_can: if who_can.is_empty() { String::new() } else { format!("Who can approve: {}", who_can.join("; ")) },
        next_step,
    });
}

fn older_than_plans(tallies: &[Tally], reviewed: &[Record]) -> impl Iterator<Item = Sentence> {
    let notes = tallies.iter().flat_map(|tally| reviewed.iter().flat_map(|record| older_than_plan(tally, record)));
    notes.map(Sentence::from)
}

fn approvals(tally: &Tally) -> Option<(u64, Approvals)> {
    let at = tally.counted.iter().filter_map(|counted| counted.at).max();
    (!tally.counted.is_empty()).then(|| (tally.number, Approvals { by: names(tally), at }))
}

fn names(tally: &Tally) -> Vec<String> {
    tally.counted.iter().map(|counted| counted.login.clone()).collect()
}

/// Tells on a pull request which of the approvers GitHub does not know: their approval would be waited
/// for in vain. The plan does not depend on it: a failure is logged only.
pub(super) async fn tell_unknown_approvers(session: &Session, policy: &Policy, report: &mut Report) {
    let asked = async { Ok::<_, Error>(session.github()?.unknown_approvers(&policy.approvers).await?) };
    let unknown = match asked.await {
        Ok(unknown) => unknown,
        Err(error) => return tracing::warn!("whether GitHub knows the approvers could not be asked: {error}"),
    };
    for approver in unknown {
        let kind = match approver {
            Approver::User(_) => "no account",
            Approver::Team { .. } => "no team",
        };
        let note =
            format!("GitHub has {kind} {approver}: correct the input `approvers`, for no approval can be theirs");
        tracing::warn!("{note}");
        report.notes.push(note);
    }
}

/// Tells on a pull request that is planned what will be asked before it is applied, and what it
/// has by now. The plan does not depend on it: a failure is logged only.
pub(super) async fn announce(session: &Session, policy: &Policy, record: &Record, report: &mut Report) {
    let (Some(&number), Some(head)) = (report.pull_requests.first(), report.head_sha.clone()) else { return };
    let found = async {
        let found = session.github()?.reviews_of(&session.repository()?, policy, (number, &head)).await?;
        Ok::<_, Error>(found.map(|(mut found, memberships)| {
            for pusher in record.pushers() {
                found.pushers.add(&pusher);
            }
            standing(policy, &found, &memberships)
        }))
    };
    match found.await {
        Ok(Some((tally, reasons))) => {
            let branch = match session.host.run().map(|run| &run.event) {
                Some(Event::PullRequest(event)) => event.base_ref.as_str(),
                _ => "its base",
            };
            let older = older_than_plan(&tally, record).into_iter().map(Sentence::from);
            let notes = older.chain(tally.notes.iter().cloned()).collect();
            // What a run's environment demands is asked of that run, and not told by now.
            report.approved = Some(reasons.is_empty() && policy.environment.is_none());
            report.gate = Some(GateView { notes, ..announced(policy, &tally, &reasons, branch) });
        }
        Ok(None) => {}
        Err(error) => tracing::warn!("how far the approvals are could not be told: {error}"),
    }
}

fn announced(policy: &Policy, tally: &Tally, reasons: &[Reason], branch: &str) -> GateView {
    // That approvals are missing is the normal course of things, and the next step says it.
    let is_usual =
        |reason: &&Reason| matches!(reason, Reason::TooFewApprovals { not_counted, .. } if not_counted.is_empty());
    let mut steps: Vec<Sentence> = Vec::new();
    for reason in reasons {
        steps.push(match reason {
            Reason::TooFewApprovals { needed, had, .. } => {
                let approvals = match needed.saturating_sub(*had) {
                    1 => "an approval".to_owned(),
                    missing => format!("{missing} approvals"),
                };
                let commit: String = tally.head.chars().take(7).collect();
                format!("{approvals} of `{commit}` by {}", tally.who_could).into()
            }
            reason => reason.next_step(),
        });
    }
    let then = if steps.is_empty() { "" } else { "then " };
    steps.push(format!("{then}merge, and the apply runs on {branch}").into());
    if let Some(RequiredEnvironment(Some(name))) = &policy.environment {
        steps.push(format!("that run also needs an approval for the environment {name}").into());
    }
    GateView {
        required: usize::try_from(policy.required_approvals).unwrap_or(usize::MAX),
        approved_by: names(tally),
        blockers: reasons.iter().filter(|reason| !is_usual(reason)).map(Reason::sentence).collect(),
        notes: Vec::new(),
        who_can: String::new(),
        next_step: Sentence::join(steps, "; "),
    }
}

/// The refusal of a gate that blocked when it was first asked: with every reason at once, also what
/// those lack that were merged earlier and would be applied along.
pub(super) async fn refusal(
    session: &Session,
    asked: &Asked,
    first: &Decision,
    evidence: &Evidence<'_>,
    earlier: &Earlier,
    report: &mut Report,
) -> Error {
    if earlier.pending.is_empty() && !earlier.is_cut_off {
        return blocked(first);
    }
    let again = async { asked.judge(session, asked.ask(session).await?, evidence).await };
    match again.await {
        Ok(again @ Decision::Blocked(_)) => {
            show(report, asked, &again, evidence.reviewed);
            blocked(&again)
        }
        Ok(Decision::Approved(_)) => blocked(first),
        Err(error) => {
            tracing::warn!("what those lack that were merged earlier could not be told: {error}");
            blocked(first)
        }
    }
}

/// The refusal of a gate that blocks.
pub(super) fn blocked(decision: &Decision) -> Error {
    Error::Blocked {
        reasons: decision.reasons().iter().map(ToString::to_string).collect(),
        next_step: next_step(decision).to_string(),
    }
}

fn next_step(decision: &Decision) -> Sentence {
    let mut steps: Vec<Sentence> = Vec::new();
    for reason in decision.reasons() {
        let step = reason.next_step();
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    Sentence::join(steps, "; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use stategate_core::approval::Counted;

    fn told(required: u32, by: &[&str], rejected: bool, environment: Option<&str>) -> GateView {
        let counted = |login: &&str| Counted { login: (*login).to_owned(), commit: "head".to_owned(), at: None };
        let tally = Tally {
            number: 42,
            url: String::new(),
            head: "4f0c1d2e9ab8".to_owned(),
            needed: required,
            counted: by.iter().map(counted).collect(),
            not_counted: Vec::new(),
            changes_requested_by: Vec::new(),
            who_could: "anybody but octocat".to_owned(),
            notes: Vec::new(),
        };
        let had = u32::try_from(by.len()).unwrap();
        let mut reasons = Vec::new();
        if rejected {
            reasons.push(Reason::ChangesRequested { number: 42, by: Some("monalisa".to_owned()) });
        }
        if had < required {
            reasons.push(Reason::TooFewApprovals {
                number: 42,
                head: tally.head.clone(),
                needed: required,
                had,
                not_counted: Vec::new(),
                who_could: tally.who_could.clone(),
                is_pusher_unknown: false,
                is_alone: false,
            });
        }
        let policy = Policy {
            required_approvals: required,
            environment: environment.map(|name| RequiredEnvironment(Some(name.to_owned()))),
            ..Policy::default()
        };
        announced(&policy, &tally, &reasons, "main")
    }

    #[test]
    fn after_a_plan_the_next_step_is_told() {
        let cases = [
            (
                told(1, &[], false, None),
                "an approval of `4f0c1d2` by anybody but octocat; then merge, and the apply runs on main",
            ),
            (
                told(3, &["hubot"], false, None),
                "2 approvals of `4f0c1d2` by anybody but octocat; then merge, and the apply runs on main",
            ),
            (told(1, &["hubot"], false, None), "merge, and the apply runs on main"),
            (told(0, &[], false, None), "merge, and the apply runs on main"),
            (
                told(1, &["hubot"], false, Some("production")),
                "merge, and the apply runs on main; that run also needs an approval for the environment production",
            ),
            (
                told(1, &["hubot"], true, None),
                "ask monalisa to review again, or have that review dismissed; then merge, and the apply runs on main",
            ),
        ];
        for (view, expected) in cases {
            assert_eq!(view.next_step.to_string(), expected);
            assert_eq!(view.blockers.len(), usize::from(expected.starts_with("ask")), "{:?}", view.blockers);
        }
    }
}
