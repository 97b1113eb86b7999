//! `stategate apply`: apply what was approved, and nothing else.

use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

use super::applying::{apply_plan, secrets_of_state};
use super::audit;
use super::confirm::confirm;
use super::gate::{self, Asked, Evidence};
use super::inputs::{inputs, tell_inputs};
use super::locking;
use super::pending::{self, Earlier, Line};
use super::planning::{self, PlanFile};
use super::reach::Reviewed;
use super::report::Report;
use super::rescue::{kept_for, note_kept};
use super::review::{self, Code, StateIdentity};
use super::running::{all_words, open_root};
use super::session::{Root, Session};
use super::variables;
use crate::cli::{ApplyCommand, OnPlanChange};
use crate::error::Error;
use crate::shell::lock_store::HeldLock;
use crate::shell::runner::{Footprint, variable};
use stategate_core::approval::{Approval, Decision, Need, need};
use stategate_core::comment::{LockView, OutputView, Phase};
use stategate_core::lock_info::Operation;
use stategate_core::plan::Secrets;
use stategate_core::record::{Record, applied};
use stategate_core::session_end;

pub(super) async fn run(command: ApplyCommand) -> Result<(), Error> {
    let session = Session::begin(&command.target)?;
    let mut report = Report::new(&session, &command.reporting);
    // The future is large.
    let result = Box::pin(apply(&session, &command, &mut report)).await;
    report.conclude(&session, result).await
}

/// A plan file that was compared with what was reviewed, and that the gate let through; and all that
/// it takes to ask the gate again. Only [`approve`] makes one.
struct Compared {
    plan_file: PlanFile,
    asked: Asked,
    code: Code,
    records: Vec<Record>,
}

/// What may be applied: such a plan file, and the approval. Only [`Compared::approved`] makes one.
pub(super) struct ApprovedPlan {
    plan_file: PlanFile,
    approval: Approval,
}

impl ApprovedPlan {
    /// The plan file.
    pub(super) fn plan_file(&self) -> &Path {
        self.plan_file.path()
    }

    /// The commit that was approved; `None` where no pull request stands behind it.
    pub(super) fn commit(&self) -> Option<&str> {
        self.approval.sha()
    }
}

async fn apply(session: &Session, command: &ApplyCommand, report: &mut Report) -> Result<(), Error> {
    let mut asked = gate::prepare(session, &command.gate, &command.target)?;
    let facts = asked.ask(session).await?;
    let line = gate::line_before(&facts);
    let changes = asked.changes(&facts);
    gate::show(report, &asked, &asked.decide(&facts), &[]);
    let root = open_root(session, report).await?;
    asked.check_out(&root, report)?;
    let code = Code::read(session, &root, command.planning.plan_args.as_ref());
    let reviewed = Reviewed::gather(session, &root.bucket, &changes, code.covered()).await;
    asked.leave_out(&reviewed.elsewhere);
    reviewed.tell(report);
    let evidence = Evidence { root: &root, code: &code, reviewed: &reviewed.records };
    let first = asked.judge(session, facts, &evidence).await?;
    gate::show(report, &asked, &first, evidence.reviewed);
    let question = Question { asked, first, line, code, reviewed };
    let mut footprint = session.footprint(root.terraform.module().directory())?;
    let held = locking::take(session, &root, &command.locking, &Operation::Apply, &mut footprint, report).await?;
    let result = under_the_lock(session, command, &root, &held, question, &mut footprint, report).await;
    if let Err(error) = &result
        && error.keeps_the_lock()
    {
        let info = held.keep();
        if !footprint.is_rescued {
            note_kept(&root.bucket, session.run_attempt(), error).await;
        }
        // One that was taken from us is nobody's to keep.
        if !matches!(report.lock, LockView::Lost { .. }) {
            report.lock = kept_for(info.id, error);
        }
        return result;
    }
    let released = locking::release(held, &mut footprint, report).await;
    locking::both(result, released, report)
}

/// What the gate was asked, what it said first, and what the answer rests on.
struct Question {
    asked: Asked,
    first: Decision,
    /// Where what was merged earlier is looked for.
    line: Option<Line>,
    code: Code,
    reviewed: Reviewed,
}

async fn under_the_lock(
    session: &Session,
    command: &ApplyCommand,
    root: &Root,
    held: &HeldLock,
    question: Question,
    footprint: &mut Footprint,
    report: &mut Report,
) -> Result<(), Error> {
    let identity = StateIdentity::read(&root.bucket).await?;
    let plan_args = command.planning.plan_args.as_ref();
    let plan_file = planning::make(session, root, held, plan_args, footprint, report).await?;
    // The future is large.
    let approving = Box::pin(approve(session, command, root, question, &identity, plan_file, report));
    let Some(compared) = approving.await? else {
        return Ok(());
    };
    confirm(session, root, command.apply_args.as_ref(), report).await?;
    warn_of_session_end(report);
    report.tell(session, Phase::Applying).await;
    // Right before Terraform starts: GitHub may have taken its time.
    let approved = match compared.approved(session, root, held, report).await {
        Ok(approved) => approved,
        Err(error) => {
            report.take_back(Phase::Applying);
            return Err(error);
        }
    };
    let commit = approved.commit().map(str::to_owned);
    let all_plan_args = all_words("plan", plan_args);
    let apply_args =
        variables::for_apply(report.plan.as_ref(), &root.version, &all_plan_args, command.apply_args.as_ref());
    let approved = (approved, apply_args.as_ref());
    let result = apply_plan(session, root, held, approved, footprint, report).await;
    let kept = match locking::verify(held, report).await {
        // Terraform is through, and the release will tell whose the lock is.
        Err(Error::Aws(error)) => {
            tracing::warn!("whether the lock is still ours could not be asked: {error}");
            Ok(())
        }
        kept => kept,
    };
    if kept.is_err() {
        let end = if result.is_ok() { "ended well" } else { "failed" };
        report.notes.push(format!("Terraform's own apply {end}, without the lock at its end."));
    }
    let is_unclear = kept.is_err() || result.as_ref().is_err_and(Error::keeps_the_lock);
    // Whoever cancels does not wait for more than must be told.
    if is_unclear || result.is_err() && !session.cancel.requested() {
        look_at_state(root, &identity, is_unclear, report).await;
    }
    let outcome = match &result {
        Ok(_) => report.plan.as_ref().map_or("applied in part", |plan| applied(plan, &all_plan_args)),
        Err(Error::Cancelled) => "cancelled",
        Err(_) => "failed",
    };
    if result.is_ok()
        && let Err(error) = footprint.set_applied()
    {
        tracing::warn!("{error}");
    }
    // One entry for each pull request that was applied, so that each can be found by its number.
    let mut recorded = Ok(());
    let of_ours = |number: &&u64| !report.bring_nothing.contains(number);
    let mut numbers: Vec<Option<u64>> = report.pull_requests.iter().filter(of_ours).copied().map(Some).collect();
    if numbers.is_empty() {
        numbers.push(None);
    }
    for pull_request in numbers {
        let entry = audit::Entry {
            action: "apply",
            at: Timestamp::now(),
            reason: None,
            lock: Some(held.info()),
            pull_request,
            commit: commit.as_deref(),
            result: outcome,
        };
        recorded = recorded.and(audit::write(session, &root.bucket, &entry).await);
    }
    let of_state = result?;
    kept?;
    report.outputs = outputs(session, root, of_state).await;
    report.phase = Phase::Applied;
    recorded
}

/// Credentials in variables are not renewed by anybody. Others (a profile's, a machine's) are, and say
/// nothing here.
fn warn_of_session_end(report: &mut Report) {
    let expiration = variable("AWS_CREDENTIAL_EXPIRATION").filter(|_| variable("AWS_ACCESS_KEY_ID").is_some());
    if let Some(warning) = expiration.and_then(|expiration| session_end::warning(&expiration, Timestamp::now())) {
        tracing::warn!("{warning}");
        report.notes.push(warning);
    }
}

/// Looks whether the state was written since it was `planned`. Where the lock was taken from us, or the
/// state may not have all that was done, people need both to compare.
async fn look_at_state(root: &Root, planned: &StateIdentity, is_unclear: bool, report: &mut Report) {
    let now = StateIdentity::read(&root.bucket).await;
    match &now {
        Ok(now) => report.state_is_written(now != planned),
        Err(error) => tracing::warn!("whether the state was written is not known: {error}"),
    }
    if is_unclear {
        let now = now.map_or_else(|error| format!("unknown ({error})"), |now| now.to_string());
        report.notes.push(format!("The state was {planned} when it was planned, and is {now} now."));
    }
}

/// Compares the fresh plan with what was reviewed and asks the gate again. `None`: there is
/// nothing to apply, and so nothing to approve.
async fn approve(
    session: &Session,
    command: &ApplyCommand,
    root: &Root,
    question: Question,
    identity: &StateIdentity,
    plan_file: PlanFile,
    report: &mut Report,
) -> Result<Option<Compared>, Error> {
    let Question { mut asked, first, line, code, reviewed } = question;
    let Reviewed { records: reviewed, lacks, .. } = reviewed;
    let mut records = reviewed.clone();
    let mut fresh = review::read_plan(session, root, &code, &plan_file, identity, &records, report).await?;
    fresh.origin.inputs =
        Some(inputs(session, root, (asked.policy(), command.planning.plan_args.as_ref()), &identity.key()));
    if let Some(Need::Nothing { because }) = report.plan.as_ref().map(need) {
        tracing::info!("nothing to apply: {because}");
        report.phase = Phase::NoChanges;
        // Nobody is asked, so nobody reads that somebody has not answered.
        report.gate = None;
        return Ok(None);
    }
    tell_inputs(&reviewed, &fresh.origin, report);
    let earlier = match &line {
        Some(line) => pending::find(session, &root.bucket, line, (&records, &fresh), Some(code.covered())).await?,
        None => Earlier::default(),
    };
    pending::tell(&earlier, report);
    asked.along_with(&earlier);
    records.extend(earlier.records().cloned());
    let evidence = Evidence { root, code: &code, reviewed: &records };
    if matches!(first, Decision::Blocked(_)) {
        return Err(gate::refusal(session, &asked, &first, &evidence, &earlier, report).await);
    }
    if asked.is_reviewed(&first) {
        let compared = match lacks {
            None => review::compare(session, &root.bucket, (&reviewed, &fresh), earlier.records(), report).await,
            Some(error) => Err(error),
        };
        match (compared, command.gate.on_plan_change) {
            (Err(error @ (Error::PlanChanged { .. } | Error::Record(_))), OnPlanChange::Apply) => {
                tracing::warn!("{error}");
                report.notes.push(format!("The plan is accepted (--on-plan-change apply), though {error}"));
            }
            (compared, _) => review::explained(compared, report)?,
        }
    }
    // What changed on the pull request while we waited and planned counts too.
    let compared = Compared { plan_file, asked, code, records };
    compared.ask_again(session, root, report).await?;
    Ok(Some(compared))
}

impl Compared {
    async fn ask_again(&self, session: &Session, root: &Root, report: &mut Report) -> Result<Approval, Error> {
        let evidence = Evidence { root, code: &self.code, reviewed: &self.records };
        let decision = self.asked.judge(session, self.asked.ask(session).await?, &evidence).await?;
        gate::show(report, &self.asked, &decision, &self.records);
        match decision {
            Decision::Approved(approval) => Ok(approval),
            blocked @ Decision::Blocked(_) => Err(gate::blocked(&blocked)),
        }
    }

    /// Asks for the last time: the gate, then the lock.
    async fn approved(
        self,
        session: &Session,
        root: &Root,
        held: &HeldLock,
        report: &mut Report,
    ) -> Result<ApprovedPlan, Error> {
        if session.cancel.requested() {
            return Err(Error::Cancelled);
        }
        let approval = self.ask_again(session, root, report).await?;
        locking::verify(held, report).await?;
        Ok(ApprovedPlan { plan_file: self.plan_file, approval })
    }
}

/// The outputs after the apply; only the comment shows them, so a failure is worth a warning.
async fn outputs(session: &Session, root: &Root, of_state: Option<Secrets>) -> Vec<OutputView> {
    let read = async {
        let arguments = ["output".to_owned(), "-json".to_owned(), "-no-color".to_owned()];
        let finished = root.terraform.ask(&arguments, session.cancel.wait()).await?.check()?;
        let outputs: serde_json::Map<String, Value> =
            serde_json::from_str(&finished.stdout).map_err(|error| Error::Unexpected(error.to_string()))?;
        let is_open = |output: &Value| output.get("sensitive").and_then(Value::as_bool) == Some(false);
        // An output without a mark can carry a marked value that no plan knew. Where there is
        // nothing to show, nobody need look.
        let of_state = match of_state {
            None if outputs.values().any(is_open) => secrets_of_state(session, root, None).await?,
            known => known.unwrap_or_default(),
        };
        let show = |output: &Value| Some(session.secrets.scrub_value(&of_state.scrub_value(output.get("value")?)));
        let view = |(name, output): (String, Value)| {
            let value = if is_open(&output) { show(&output) } else { None };
            OutputView { name, value }
        };
        Ok::<_, Error>(outputs.into_iter().map(view).collect())
    };
    read.await.unwrap_or_else(|error| {
        tracing::warn!("the outputs could not be read: {error}");
        Vec::new()
    })
}
