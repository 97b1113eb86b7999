//! `stategate apply`: apply what was approved, and nothing else.

use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;
use tempfile::NamedTempFile;

use super::audit;
use super::confirm::confirm;
use super::gate::{self, Asked, Evidence};
use super::locking;
use super::pending::{self, Earlier, Line};
use super::planning::{self, PlanFile};
use super::report::Report;
use super::rescue::{kept_for, rescue};
use super::review::{self, Code, StateIdentity};
use super::running::{Live, Ran, all_words, open_root, shown, words};
use super::session::{Root, Session};
use crate::cli::{ApplyCommand, OnPlanChange};
use crate::core::approval::{Approval, Decision, Need, need};
use crate::core::comment::{OutputView, Phase, Step};
use crate::core::lock_info::Operation;
use crate::core::plan::{Secrets, read_state};
use crate::core::record::{Record, applied};
use crate::error::Error;
use crate::shell::lock_store::HeldLock;
use crate::shell::runner::{Footprint, variable};

pub(super) async fn run(command: ApplyCommand) -> Result<(), Error> {
    let session = Session::begin(&command.target)?;
    let mut report = Report::new(&session, &command.reporting);
    let result = apply(&session, &command, &mut report).await;
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
struct ApprovedPlan {
    plan_file: PlanFile,
    approval: Approval,
}

async fn apply(session: &Session, command: &ApplyCommand, report: &mut Report) -> Result<(), Error> {
    let asked = gate::prepare(session, &command.gate, &command.target)?;
    let facts = asked.ask(session).await?;
    let line = gate::line_before(&facts);
    let heads = gate::reviewed_commits(&asked.decide(&facts));
    gate::show(report, &asked, &asked.decide(&facts), &[]);
    let root = open_root(session, report).await?;
    asked.check_out(&root)?;
    let code = Code::read(session, &root, command.planning.plan_args.as_ref());
    let reviewed = review::fetch_all(&root.bucket, &heads).await;
    let evidence = Evidence { root: &root, code: &code, reviewed: reviewed.as_deref().unwrap_or_default() };
    let first = asked.judge(session, facts, &evidence).await?;
    gate::show(report, &asked, &first, evidence.reviewed);
    let question = Question { asked, first, line, code, reviewed };
    let mut footprint = session.footprint(root.terraform.module().directory())?;
    let held = locking::take(session, &root, &command.locking, &Operation::Apply, &mut footprint, report).await?;
    let result = under_the_lock(session, command, &root, &held, question, &mut footprint, report).await;
    if let Err(Error::StateNotUploaded { .. }) = &result {
        let info = held.keep();
        report.lock = kept_for(info.id);
        footprint.set_lock(&info.path, None)?;
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
    reviewed: Result<Vec<Record>, Error>,
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
    let Some(compared) = approve(session, command, root, question, &identity, plan_file, report).await? else {
        return Ok(());
    };
    confirm(session, root, command.apply_args.as_ref(), report).await?;
    report.tell(session, Phase::Applying).await;
    // Right before Terraform starts: GitHub may have taken its time.
    let approved = match compared.approved(session, root, held, report).await {
        Ok(approved) => approved,
        Err(error) => {
            report.take_back(Phase::Applying);
            return Err(error);
        }
    };
    let commit = approved.approval.sha().map(str::to_owned);
    let result = apply_plan(session, command, root, held, approved, footprint, report).await;
    let kept = match locking::verify(held, report).await {
        // Terraform is through, and the release will tell whose the lock is.
        Err(Error::Aws(error)) => {
            tracing::warn!("whether the lock is still ours could not be asked: {error}");
            Ok(())
        }
        kept => kept,
    };
    if result.is_err() {
        report.look_at_state(session, root, &identity).await;
    }
    if kept.is_err() {
        report.notes.push(state_then_and_now(root, &identity, result.is_ok()).await);
    }
    let outcome = match &result {
        Ok(_) => report.plan.as_ref().map_or("applied in part", |plan| applied(plan, &all_words("plan", plan_args))),
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
    let mut numbers: Vec<Option<u64>> = report.pull_requests.iter().copied().map(Some).collect();
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

/// What to compare when the lock was taken from us in the middle of the apply.
async fn state_then_and_now(root: &Root, planned: &StateIdentity, is_applied: bool) -> String {
    let now = match StateIdentity::read(&root.bucket).await {
        Ok(now) => now.to_string(),
        Err(error) => format!("unknown ({error})"),
    };
    let end = if is_applied { "Terraform's own apply ended well" } else { "Terraform's own apply failed" };
    format!("{end}, without the lock at its end. The state was {planned} when it was planned, and is {now} now.")
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
    let mut records = reviewed.as_deref().unwrap_or_default().to_vec();
    let fresh = review::read_plan(session, root, &code, &plan_file, identity, &records, report).await?;
    if let Some(Need::Nothing { because }) = report.plan.as_ref().map(need) {
        tracing::info!("nothing to apply: {because}");
        report.phase = Phase::NoChanges;
        // Nobody is asked, so nobody reads that somebody has not answered.
        report.gate = None;
        return Ok(None);
    }
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
        let compared = match reviewed {
            Ok(reviewed) => review::compare(&root.bucket, (&reviewed, &fresh), earlier.records(), report).await,
            Err(error) => Err(error),
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

/// Applies the plan. What the new state marks as sensitive comes back, where somebody had to ask.
async fn apply_plan(
    session: &Session,
    command: &ApplyCommand,
    root: &Root,
    _held: &HeldLock,
    approved: ApprovedPlan,
    footprint: &mut Footprint,
    report: &mut Report,
) -> Result<Option<Secrets>, Error> {
    let errored_state = root.terraform.module().errored_state();
    if errored_state.exists() {
        return Err(Error::OldErroredState { path: errored_state });
    }
    if session.cancel.requested() {
        return Err(Error::Cancelled);
    }
    let made_of = match approved.approval.sha() {
        Some(sha) => format!("commit {sha}"),
        None => "the files as they are here".to_owned(),
    };
    tracing::info!("terraform apply of the plan above, made of {made_of}");
    let of_plan = report.plan.as_ref().map(|plan| plan.secrets.clone()).unwrap_or_default();
    let known = |text: &str| session.scrub(&of_plan.scrub(text));
    // What is shown at once are addresses and words of ours.
    let known_names = |text: &str| session.scrub(&of_plan.scrub_name(text));
    let plan_file = approved.plan_file.path().display().to_string();
    let arguments = words(root, "apply", command.apply_args.as_ref(), &["-auto-approve", &plan_file]);
    // Nobody knows of the state of a Terraform whose step was killed, but for this.
    footprint.set_applying()?;
    report.step = Step::Applying;
    let on_start = |pid| {
        if let Err(error) = footprint.set_terraform(pid) {
            tracing::warn!("{error}");
        }
    };
    let mut ran = shown(&root.terraform, &arguments, session, (None, Live::Progress), on_start, known_names).await;
    // Before anything else, whatever failed: it is the only copy of the new state.
    let printed = ran.as_mut().ok().and_then(|ran| ran.transcript.take_state());
    let copy = printed.as_deref().map(copy_of);
    let left = Some(errored_state.as_path()).filter(|state| state.exists());
    let rescued = match (printed, left) {
        (None, None) => None,
        (printed, _) => Some(rescue(&root.bucket, session.run_attempt(), printed, &errored_state).await),
    };
    // What follows takes time, and the clean-up step finds no state that was only printed.
    if let Some(rescued) = &rescued
        && let Err(error) = footprint.set_rescued(rescued.told())
    {
        tracing::warn!("{error}");
    }
    report.apply_ended(ran.as_ref().ok().map(|ran| &ran.transcript));
    let Ran { mut finished, mut transcript, held_back } = match ran {
        Ok(ran) => ran,
        Err(error) => {
            let why = error.to_string();
            return Err(rescued.map_or(error, |rescued| rescued.told_with(why)));
        }
    };
    // Only the new state says what is secret in it. Whoever cancels does not wait for that.
    let of_state = match copy {
        _ if finished.interrupted || held_back.is_empty() => None,
        Some(Ok(copy)) => secrets_of_state(root, Some(copy.path())).await.ok(),
        Some(Err(_)) => None,
        None => secrets_of_state(root, left).await.ok(),
    };
    let scrub = |text: &str| match &of_state {
        Some(of_state) => known(&of_state.scrub(text)),
        None => known(text),
    };
    if let Some(why) = of_state.as_ref().and_then(Secrets::withheld).filter(|_| of_plan.withheld().is_none()) {
        tracing::warn!("neither values of the new state nor Terraform's words about it are shown: {why}");
    }
    held_back.show(of_state.is_some(), scrub);
    if of_state.is_none() {
        transcript = transcript.without_values();
        finished.stderr = transcript.failure("");
    }
    if let Some(rescued) = rescued {
        return Err(rescued.told_with(scrub(&finished.stderr)));
    }
    if finished.interrupted && !finished.status.success() {
        return Err(Error::Cancelled);
    }
    if !finished.interrupted {
        report.hear(transcript.diagnostics().iter().map(|diagnostic| diagnostic.clone().map(scrub)));
    }
    finished.check().map_err(|error| error.map_stderr(scrub))?;
    Ok(of_state)
}

/// The outputs after the apply; only the comment shows them, so a failure is worth a warning.
async fn outputs(session: &Session, root: &Root, of_state: Option<Secrets>) -> Vec<OutputView> {
    let read = async {
        let arguments = ["output".to_owned(), "-json".to_owned(), "-no-color".to_owned()];
        let finished = root.terraform.run(&arguments, session.cancel.wait(), |_| {}, |_| {}).await?.check()?;
        let outputs: serde_json::Map<String, Value> =
            serde_json::from_str(&finished.stdout).map_err(|error| Error::Unexpected(error.to_string()))?;
        let is_open = |output: &Value| output.get("sensitive").and_then(Value::as_bool) == Some(false);
        // An output without a mark can carry a marked value that no plan knew. Where there is
        // nothing to show, nobody need look.
        let of_state = match of_state {
            None if outputs.values().any(is_open) => secrets_of_state(root, None).await?,
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

/// A state that was only printed, in a file that only we can read and that goes with this value.
fn copy_of(state: &str) -> io::Result<NamedTempFile> {
    let mut file = match variable("RUNNER_TEMP") {
        Some(temp) => NamedTempFile::new_in(temp),
        None => NamedTempFile::new(),
    }?;
    file.write_all(state.as_bytes())?;
    Ok(file)
}

/// What the new state marks as sensitive: the one in the bucket, or the one that is `left` here.
async fn secrets_of_state(root: &Root, left: Option<&Path>) -> Result<Secrets, Error> {
    let showing = match left {
        Some(left) => root.terraform.show_json(left)?,
        None => root.terraform.show_state()?,
    };
    let read = tokio::task::spawn_blocking(move || showing.read(|json| read_state(json))).await;
    Ok(read.map_err(|error| Error::Unexpected(error.to_string()))???)
}
