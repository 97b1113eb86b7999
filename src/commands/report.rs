//! What people are told: one report is filled while a command runs and told as the comment on the
//! pull request, the job summary and the step outputs; on a laptop as text on standard output.

mod outputs;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::IsTerminal;

use jiff::Timestamp;

use super::running::annotate_code;
use super::session::Session;
use crate::cli::{CommentMode, Reporting};
use crate::error::{Error, LOCK_STAYS, code};
use crate::shell::github::CommentRef;
use crate::shell::runner::{Event, write_out, write_summary};
use stategate_core::comment::{
    self, Beside, COMMENT_BUDGET, CommentView, FailureView, GateView, LifeEvent, LockView, OutputView, Phase, Progress,
    SUMMARY_LIMIT, Step,
};
use stategate_core::diagnostic::{Diagnostic, Severity};
use stategate_core::plan::PlanSummary;
use stategate_core::sentence::Sentence;
use stategate_core::transcript::Transcript;

/// The report of one command on one state.
pub(super) struct Report {
    reporting: Reporting,
    comment_id: String,
    root: String,
    workspace: String,
    environment: Option<String>,
    run_url: Option<String>,
    actor: String,
    /// The pull requests that are told.
    pub(super) pull_requests: Vec<u64>,
    /// Those of them that brought nothing to this root module: of them nothing is applied.
    pub(super) bring_nothing: BTreeSet<u64>,
    /// The head commit of each of them, where it is not what was planned (`head_sha`).
    pub(super) heads: BTreeMap<u64, String>,
    /// Whose approvals of each of them count, and since when.
    pub(super) approvals: BTreeMap<u64, Approvals>,
    pub(super) head_sha: Option<String>,
    pub(super) fingerprint: Option<String>,
    pub(super) plan: Option<PlanSummary>,
    /// Terraform's own text of the plan.
    pub(super) plan_text: Option<String>,
    /// What Terraform warned of and failed with, scrubbed.
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) phase: Phase,
    /// What the command is about by now.
    pub(super) step: Step,
    /// How far an apply came that did not end well.
    progress: Option<Box<Progress>>,
    pub(super) lock: LockView,
    /// Until when this run waits for it.
    pub(super) waits_until: Option<Timestamp>,
    pub(super) lock_id: Option<String>,
    pub(super) gate: Option<GateView>,
    pub(super) approved: Option<bool>,
    pub(super) difference: Vec<String>,
    pub(super) outputs: Vec<OutputView>,
    /// What other pull requests have to do with it.
    pub(super) related: Vec<Sentence>,
    pub(super) notes: Vec<String>,
    /// What the plan does not show.
    pub(super) beside: Beside,
    next_step: Option<String>,
    failure: Option<FailureView>,
    /// The life of the change up to now, as each pull request's comment tells it.
    histories: BTreeMap<u64, Vec<LifeEvent>>,
    /// The comment on each of `pull_requests`, once there is one.
    comments: BTreeMap<u64, CommentRef>,
    /// The pull requests that could not be told what goes on; each is warned of once.
    untold: BTreeSet<u64>,
}

/// The approvals of one pull request.
pub(super) struct Approvals {
    pub(super) by: Vec<String>,
    /// When the last one was given.
    pub(super) at: Option<Timestamp>,
}

impl Report {
    pub(super) fn new(session: &Session, reporting: &Reporting) -> Report {
        let root = session.root_name();
        let workspace = session.workspace();
        Report {
            comment_id: reporting.comment_id.clone().unwrap_or_else(|| comment::default_id(&root, &workspace)),
            reporting: reporting.clone(),
            root: shown_root(session, root),
            workspace,
            environment: session.target.environment.clone(),
            run_url: session.host.run().map(crate::shell::runner::Run::url),
            actor: session.host.actor(),
            pull_requests: Vec::new(),
            bring_nothing: BTreeSet::new(),
            heads: BTreeMap::new(),
            approvals: BTreeMap::new(),
            head_sha: None,
            fingerprint: None,
            plan: None,
            plan_text: None,
            diagnostics: Vec::new(),
            phase: Phase::Planned,
            step: Step::Preparing,
            progress: None,
            lock: LockView::NotTaken,
            waits_until: None,
            lock_id: None,
            gate: None,
            approved: None,
            difference: Vec::new(),
            outputs: Vec::new(),
            related: Vec::new(),
            notes: Vec::new(),
            beside: Beside::default(),
            next_step: None,
            failure: None,
            histories: BTreeMap::new(),
            comments: BTreeMap::new(),
            untold: BTreeSet::new(),
        }
    }

    /// Whether the plan would change anything.
    pub(super) fn has_changes(&self) -> bool {
        self.plan.as_ref().is_some_and(PlanSummary::has_changes)
    }

    /// Takes what Terraform warned of or failed with; what it said already is not said twice.
    pub(super) fn hear(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        let mut told: HashSet<Diagnostic> = self.diagnostics.iter().cloned().collect();
        self.diagnostics.extend(diagnostics.into_iter().filter(|diagnostic| told.insert(diagnostic.clone())));
    }

    /// Edits the comment in the middle of the work. The work does not depend on it: a failure is
    /// logged only.
    pub(super) async fn tell(&mut self, session: &Session, phase: Phase) {
        self.phase = phase;
        if session.host.run().is_none() {
            return;
        }
        let failed = self.comment(session).await;
        for (number, error) in &failed {
            // While it waits, a run tells the same again and again.
            if self.untold.insert(*number) {
                tracing::warn!("the comment on #{number} could not be edited, and the work goes on: {error}");
            }
        }
        let is_told = |number: &u64| !failed.iter().any(|(failed, _)| failed == number);
        for number in self.untold.extract_if(.., is_told) {
            tracing::info!("the comment on #{number} could be edited again");
        }
        let told: Vec<u64> = self.comments.keys().copied().collect();
        for number in told {
            self.histories.insert(number, self.life(Some(number)));
        }
    }

    /// Takes back what was told last of this run: it did not come to that.
    pub(super) fn take_back(&mut self, phase: Phase) {
        for life in self.histories.values_mut() {
            life.pop_if(|last| last.phase == phase && last.run_url == self.run_url);
        }
    }

    /// Tells the result everywhere. A comment that cannot be posted does not undo the work: the
    /// summary and the outputs are written all the same, and the failure is the result only when
    /// nothing worse happened.
    pub(super) async fn conclude(mut self, session: &Session, result: Result<(), Error>) -> Result<(), Error> {
        if let Err(error) = &result {
            self.failed(session, error);
        }
        let commented = if session.host.run().is_some() {
            self.comment_everywhere(session).await
        } else if result.is_err() && self.plan.is_none() {
            // The error alone says what there is to say.
            Ok(())
        } else {
            write_out(&self.on_laptop(result.is_err())).map_err(Error::Output)
        };
        let told = self.tell_runner();
        // The work does not fail for it, nor what was told of it.
        if let Err(error) = session.conclude_footprint() {
            tracing::warn!("{error}");
        }
        let next_step = comment::next_step(&self.view(self.pull_requests.first().copied()));
        // Who reads the log reads there what the pull request is told to do.
        let result = match (result, next_step) {
            (Err(error), Some(next_step)) => Err(error.with_next(next_step)),
            (Ok(()), Some(next_step)) if session.host.run().is_some() => {
                tracing::info!("next: {next_step}");
                Ok(())
            }
            (result, _) => result,
        };
        first(first(result, commented), told)
    }

    /// Puts an error into the report.
    fn failed(&mut self, session: &Session, error: &Error) {
        let phase = error.phase();
        self.phase = phase.unwrap_or(self.phase);
        let is_cancelled = self.phase == Phase::Cancelled;
        let is_kept = matches!(self.lock, LockView::Kept { .. });
        // What the apply has done by then is not in the plan that was reviewed.
        let is_apply = self.step == Step::Applying && matches!(error, Error::Terraform(_) | Error::Cancelled);
        let hint = if is_apply && !is_kept && !error.is_of_wrapper() {
            self.after_half_way(session)
        } else {
            let plans_commits =
                session.host.run().is_some_and(|run| matches!(&run.event, Event::PullRequest(event) if !event.merged));
            let hint = if plans_commits { error.hint_on_pull_request() } else { error.hint() };
            session.scrub(&self.without_lock(hint))
        };
        // What the verdict, the gate or the difference tells already needs no failure block.
        if matches!(phase, None | Some(Phase::Failed)) {
            let mut errors = self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
            self.failure = Some(FailureView {
                what: session.scrub(&error.to_string()),
                why: session.scrub(&error.cause()),
                hint,
                is_usage: error.exit_code() == code::USAGE,
                error: error.terraform_text().and_then(|_| errors.next().cloned()),
                terraform_error_text: error.terraform_text().map(|text| session.scrub(text)),
            });
        } else if is_cancelled && !is_kept {
            self.next_step = Some(hint);
        }
    }

    /// What to do where the lock should stay, and was taken from us.
    fn without_lock(&self, hint: String) -> String {
        let is_lost = matches!(self.lock, LockView::Lost { .. });
        match hint.strip_prefix(LOCK_STAYS).filter(|_| is_lost) {
            Some(rest) => format!("The lock was taken from us: see first that nobody plans or applies now.{rest}"),
            None => hint,
        }
    }

    fn after_half_way(&self, session: &Session) -> String {
        let in_job = session.host.run().is_some();
        let usual = comment::after_half_way(self.phase != Phase::Cancelled, in_job, !self.pull_requests.is_empty());
        let progress = self.progress.as_deref();
        match progress.and_then(Progress::lost) {
            Some(lost) if progress.is_some_and(Progress::is_all_but_actions) => lost,
            Some(lost) => format!("{usual} {lost}"),
            None => usual.to_owned(),
        }
    }

    /// Notes how far Terraform came; it is told when the apply does not end well.
    pub(super) fn apply_ended(&mut self, transcript: Option<&Transcript>) {
        let transcript = transcript.filter(|transcript| transcript.is_json());
        let counted = |plan: &PlanSummary| {
            let transcript = transcript?;
            Some(Box::new(Progress::counted(plan, transcript.completed(), transcript.invocations())))
        };
        self.progress = self.plan.as_ref().and_then(counted);
    }

    /// Notes whether the state was written since it was planned.
    pub(super) fn state_is_written(&mut self, saved: bool) {
        if self.step == Step::Applying {
            self.progress.get_or_insert_default().saved = Some(saved);
        }
    }

    /// The plan, for a person at a terminal or for a program that wants to post it as a comment. Why
    /// it `failed` and what to do, a person is told last, in one place.
    fn on_laptop(&self, failed: bool) -> String {
        let view = self.view(None);
        if !std::io::stdout().is_terminal() {
            return comment::comment(&view, COMMENT_BUDGET);
        }
        if !failed {
            return comment::for_terminal(&view);
        }
        comment::for_terminal(&CommentView { gate: None, failure: None, next_step: None, ..view })
    }

    /// Tells the end of a step that was killed, on its pull requests and in the summary.
    pub(super) async fn conclude_killed(mut self, session: &Session) -> Result<(), Error> {
        if self.phase == Phase::Cancelled {
            let again = "Re-run this job.".to_owned();
            self.next_step = Some(if self.step == Step::Applying { self.after_half_way(session) } else { again });
        }
        let commented = self.comment_everywhere(session).await;
        self.tell_summary();
        commented
    }

    /// A run whose lock was removed cannot tell its end any more, or may not know of it. Where its
    /// comment still says that it is at work, it is edited to say what is known.
    pub(super) async fn tell_unlocked(
        session: &Session,
        reporting: &Reporting,
        (number, run_url): (u64, &str),
        removed: LockView,
    ) -> Result<(), Error> {
        let mut report = Report::new(session, reporting);
        let marker = comment::marker(&report.comment_id);
        let found = session.github()?.find_comment(&session.repository()?, number, &marker).await?;
        let life = found.map(|found| comment::life_from_comment(&found.body)).unwrap_or_default();
        let is_at_work = |last: &LifeEvent| {
            let at_work = matches!(last.phase, Phase::WaitingForLock | Phase::Approved | Phase::Applying);
            at_work && last.run_url.as_deref() == Some(run_url)
        };
        if !life.last().is_some_and(is_at_work) {
            return Ok(());
        }
        report.pull_requests = vec![number];
        report.phase = Phase::Unlocked;
        report.lock = removed;
        report.comment_on(session, number).await
    }

    /// Where the result is told.
    pub(super) fn reporting(&self) -> &Reporting {
        &self.reporting
    }

    /// Comments on every pull request; what failed is told in the summary too, and the first
    /// failure is the result.
    async fn comment_everywhere(&mut self, session: &Session) -> Result<(), Error> {
        let mut result = Ok(());
        for (number, source) in self.comment(session).await {
            self.notes.push(format!("The comment on #{number} could not be posted: {source}"));
            result = first(result, Err(Error::CommentNotPosted { number, source: Box::new(source) }));
        }
        result
    }

    /// Comments on each pull request, whatever becomes of the others.
    async fn comment(&mut self, session: &Session) -> Vec<(u64, Error)> {
        let mut failed = Vec::new();
        if self.reporting.comment != CommentMode::Never {
            for number in self.pull_requests.clone() {
                if let Err(error) = self.comment_on(session, number).await {
                    failed.push((number, error));
                }
            }
        }
        failed
    }

    async fn comment_on(&mut self, session: &Session, number: u64) -> Result<(), Error> {
        let github = session.github()?;
        let repository = session.repository()?;
        let marker = comment::marker(&self.comment_id);
        if !self.comments.contains_key(&number) {
            let existing = github.find_comment(&repository, number, &marker).await?;
            // Whether there are changes is not known before the lock is held.
            let is_quiet = matches!(self.phase, Phase::NoChanges | Phase::WaitingForLock);
            if existing.is_none() && is_quiet && self.reporting.comment == CommentMode::ChangesOnly {
                return Ok(());
            }
            let life = || existing.map(|found| comment::life_from_comment(&found.body)).unwrap_or_default();
            self.histories.entry(number).or_insert_with(life);
        }
        let body = comment::comment(&self.view(Some(number)), COMMENT_BUDGET);
        let posted = github.upsert_comment(&repository, number, &marker, &body).await?;
        self.comments.insert(number, posted);
        Ok(())
    }

    /// Each on its own: later steps of the job go by the outputs, whoever reads the rest.
    fn tell_runner(&self) -> Result<(), Error> {
        self.tell_summary();
        let annotated = annotate_code(&self.diagnostics);
        self.outputs().write().map_err(Error::StepOutputs).and(annotated)
    }

    /// The summary is for people, who have the log too: the work does not fail for it.
    fn tell_summary(&self) {
        if self.reporting.summary {
            let summary = comment::job_summary(
                &self.view(self.pull_requests.first().copied()),
                self.plan_text.as_deref(),
                SUMMARY_LIMIT - 1,
            );
            if let Err(error) = write_summary(&summary) {
                tracing::warn!("the job summary could not be written (GITHUB_STEP_SUMMARY): {error}");
            }
        }
    }

    /// The commit that a pull request is told about: its own head.
    fn head(&self, number: Option<u64>) -> Option<&str> {
        let own = number.and_then(|number| self.heads.get(&number));
        own.or(self.head_sha.as_ref()).map(String::as_str)
    }

    /// The life of the change up to now. A phase that goes on, such as waiting, is one event.
    fn life(&self, number: Option<u64>) -> Vec<LifeEvent> {
        let now = Timestamp::now();
        let head_sha = self.head(number).map(str::to_owned);
        let mut life = number.and_then(|number| self.histories.get(&number)).cloned().unwrap_or_default();
        let goes_on = |last: &LifeEvent| last.phase == self.phase && last.run_url == self.run_url;
        if !life.last().is_some_and(goes_on) {
            let event = LifeEvent {
                at: now,
                phase: self.phase,
                run_url: self.run_url.clone(),
                actor: Some(self.actor.clone()),
                head_sha,
                why: comment::why(
                    number,
                    self.phase,
                    &self.lock,
                    self.gate.as_ref(),
                    &self.difference,
                    self.failure.as_ref(),
                ),
            };
            let approvals = number.and_then(|number| self.approvals.get(&number));
            if let (Phase::Applying, Some(approvals)) = (self.phase, approvals) {
                let approved = LifeEvent {
                    at: approvals.at.unwrap_or(now),
                    phase: Phase::Approved,
                    run_url: None,
                    actor: Some(approvals.by.join(", ")),
                    ..event.clone()
                };
                if !life.contains(&approved) {
                    // It was given before this run saw it.
                    let at = life.partition_point(|event| event.at <= approved.at);
                    life.insert(at, approved);
                }
            }
            life.push(event);
        }
        life
    }

    /// The verdict and what is lost, for a person at a terminal who has to decide.
    pub(super) fn verdict(&self) -> String {
        comment::verdict_for_terminal(&self.view(None))
    }

    /// What Terraform warned of.
    pub(super) fn warnings(&self) -> Vec<Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Warning).cloned().collect()
    }

    /// What the gate said, with the approvals of that very pull request where its own are known: the
    /// one that lacks most stands for all.
    fn gate_of(&self, number: Option<u64>) -> Option<GateView> {
        let gate = self.gate.clone()?;
        let Some(number) = number.filter(|number| self.heads.contains_key(number)) else { return Some(gate) };
        let approved_by = self.approvals.get(&number).map(|approvals| approvals.by.clone()).unwrap_or_default();
        Some(GateView { approved_by, ..gate })
    }

    /// What a pull request is told, or, without one, the summary.
    fn view(&self, number: Option<u64>) -> CommentView<'_> {
        let now = Timestamp::now();
        let history = self.life(number);
        CommentView {
            comment_id: &self.comment_id,
            root: &self.root,
            workspace: &self.workspace,
            environment: self.environment.as_deref(),
            pull_request: number,
            head_sha: self.head(number),
            fingerprint: self.fingerprint.as_deref(),
            plan: self.plan.as_ref(),
            phase: self.phase,
            step: self.step,
            progress: self.progress.as_deref(),
            lock: self.lock.clone(),
            waits_until: self.waits_until,
            gate: self.gate_of(number),
            difference: self.difference.clone(),
            failure: self.failure.clone(),
            warnings: self.warnings(),
            history,
            run_url: self.run_url.as_deref(),
            outputs: self.outputs.clone(),
            next_step: self.next_step.clone(),
            related: self.related.clone(),
            notes: self.notes.clone(),
            beside: self.beside.clone(),
            now,
        }
    }
}

/// The first failure; a second one is told here, because nobody else will.
fn first(result: Result<(), Error>, next: Result<(), Error>) -> Result<(), Error> {
    if let (Err(_), Err(error)) = (&result, &next) {
        tracing::warn!("{error}. {}", error.hint());
    }
    result.and(next)
}

/// On a laptop a dot names nothing to its reader: the directory's own name does.
fn shown_root(session: &Session, root: String) -> String {
    let own_name = || Some(std::env::current_dir().ok()?.file_name()?.to_string_lossy().into_owned());
    let is_here = root == "." && session.host.run().is_none();
    if is_here { own_name().unwrap_or(root) } else { root }
}
