//! What people are told: one report is filled while a command runs and told as the comment on the
//! pull request, the job summary and the step outputs; on a laptop as text on standard output.

use jiff::Timestamp;

use super::running::annotate_code;
use super::session::Session;
use crate::cli::{CommentMode, Reporting};
use crate::core::comment::{
    self, COMMENT_BUDGET, CommentView, FailureView, GateView, LifeEvent, LockView, OutputView, Phase, SUMMARY_LIMIT,
};
use crate::core::diagnostic::{Diagnostic, Severity};
use crate::core::lock_info::one_line;
use crate::core::plan::PlanSummary;
use crate::error::Error;
use crate::shell::github::CommentRef;
use crate::shell::runner::{Outputs, write_out, write_summary};

/// A job's outputs may have 1 MB in all; the others are small.
const SUMMARY_JSON_LIMIT: usize = 900_000;

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
    pub(super) head_sha: Option<String>,
    pub(super) fingerprint: Option<String>,
    pub(super) plan: Option<PlanSummary>,
    /// Terraform's own text of the plan.
    pub(super) plan_text: Option<String>,
    /// What Terraform warned of and failed with, scrubbed.
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) phase: Phase,
    pub(super) lock: LockView,
    pub(super) lock_id: Option<String>,
    pub(super) gate: Option<GateView>,
    pub(super) approved: Option<bool>,
    pub(super) difference: Vec<String>,
    pub(super) outputs: Vec<OutputView>,
    pub(super) notes: Vec<String>,
    failure: Option<FailureView>,
    history: Vec<LifeEvent>,
    /// The comment on each of `pull_requests`, once there is one.
    comments: Vec<(u64, CommentRef)>,
}

impl Report {
    pub(super) fn new(session: &Session, reporting: &Reporting) -> Report {
        let root = session.root_name();
        let workspace = session.workspace();
        Report {
            comment_id: reporting.comment_id.clone().unwrap_or_else(|| format!("{root}@{workspace}")),
            reporting: reporting.clone(),
            root,
            workspace,
            environment: session.target.environment.clone(),
            run_url: session.host.run().map(crate::shell::runner::Run::url),
            actor: session.host.actor(),
            pull_requests: Vec::new(),
            head_sha: None,
            fingerprint: None,
            plan: None,
            plan_text: None,
            diagnostics: Vec::new(),
            phase: Phase::Planned,
            lock: LockView::NotTaken,
            lock_id: None,
            gate: None,
            approved: None,
            difference: Vec::new(),
            outputs: Vec::new(),
            notes: Vec::new(),
            failure: None,
            history: Vec::new(),
            comments: Vec::new(),
        }
    }

    /// Whether the plan would change anything.
    pub(super) fn has_changes(&self) -> bool {
        self.plan.as_ref().is_some_and(PlanSummary::has_changes)
    }

    /// Takes what Terraform warned of or failed with; what it said already is not said twice.
    pub(super) fn hear(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in diagnostics {
            if !self.diagnostics.contains(&diagnostic) {
                self.diagnostics.push(diagnostic);
            }
        }
    }

    /// Edits the comment in the middle of the work. The work does not depend on it: a failure is
    /// logged only.
    pub(super) async fn tell(&mut self, session: &Session, phase: Phase) {
        self.phase = phase;
        if session.host.run().is_none() || self.reporting.comment != CommentMode::Always {
            return;
        }
        if let Err(error) = self.comment(session).await {
            tracing::warn!("the comment could not be edited: {error}");
        }
        self.history = self.life();
    }

    /// Tells the result everywhere. A comment that cannot be posted does not undo the work: the
    /// summary and the outputs are written all the same, and the failure is the result only when
    /// nothing worse happened.
    pub(super) async fn conclude(mut self, session: &Session, result: Result<(), Error>) -> Result<(), Error> {
        if let Err(error) = &result {
            self.phase = error.phase();
            // What the verdict, the gate or the difference tells already needs no failure block.
            if matches!(self.phase, Phase::Failed) {
                self.failure = Some(FailureView {
                    what: error.to_string(),
                    why: error.cause(),
                    hint: error.hint(),
                    terraform_error_text: error.terraform_text().map(str::to_owned),
                });
            }
        }
        let commented = if session.host.run().is_some() {
            self.comment(session).await
        } else {
            write_out(&comment::comment(&self.view(), COMMENT_BUDGET)).map_err(Error::Output)
        };
        if let Err(error) = &commented {
            tracing::error!("the comment could not be posted: {error}");
            self.notes.push(format!("The comment could not be posted: {error}"));
        }
        let told = self.tell_runner().and(session.conclude_footprint());
        result.and(commented).and(told)
    }

    /// Tells the end of a step that was killed, on its pull requests and in the summary.
    pub(super) async fn conclude_killed(mut self, session: &Session) -> Result<(), Error> {
        let commented = self.comment(session).await;
        self.tell_summary()?;
        commented
    }

    async fn comment(&mut self, session: &Session) -> Result<(), Error> {
        if self.reporting.comment == CommentMode::Never || self.pull_requests.is_empty() {
            return Ok(());
        }
        let github = session.github()?;
        let repository = session.repository()?;
        let marker = comment::marker(&self.comment_id);
        for number in self.pull_requests.clone() {
            if !self.comments.iter().any(|(of, _)| *of == number) {
                let existing = github.find_comment(&repository, number, &marker).await?;
                let is_quiet = self.reporting.comment == CommentMode::ChangesOnly && self.phase == Phase::NoChanges;
                if existing.is_none() && is_quiet {
                    continue;
                }
                if self.history.is_empty() {
                    self.history = existing.map(|found| comment::life_from_comment(&found.body)).unwrap_or_default();
                }
            }
            let body = comment::comment(&self.view(), COMMENT_BUDGET);
            let posted = github.upsert_comment(&repository, number, &marker, &body).await?;
            self.comments.retain(|(of, _)| *of != number);
            self.comments.push((number, posted));
        }
        Ok(())
    }

    fn tell_runner(&self) -> Result<(), Error> {
        self.tell_summary()?;
        annotate_code(&self.diagnostics)?;
        self.outputs().write().map_err(Error::Output)
    }

    fn tell_summary(&self) -> Result<(), Error> {
        if self.reporting.summary {
            let summary = comment::job_summary(&self.view(), self.plan_text.as_deref(), SUMMARY_LIMIT - 1);
            write_summary(&summary).map_err(Error::Output)?;
        }
        Ok(())
    }

    fn outputs(&self) -> Outputs {
        let mut outputs = Outputs::default();
        outputs.set("result", result_word(self.phase));
        if let Some(plan) = &self.plan {
            let counts = &plan.counts;
            outputs.set("has-changes", plan.has_changes().to_string());
            for (name, count) in [
                ("add", counts.add),
                ("change", counts.change),
                ("replace", counts.replace),
                ("destroy", counts.destroy),
                ("import", counts.import),
                ("move", counts.moved),
                ("forget", counts.forget),
            ] {
                outputs.set(name, count.to_string());
            }
            outputs.set("summary-json", plan.to_summary_json_within(SUMMARY_JSON_LIMIT).to_string());
        }
        if let Some(id) = &self.lock_id {
            outputs.set("lock-id", id);
        }
        if let LockView::HeldByOther(holders) = &self.lock
            && let Some(holder) = holders.first()
        {
            outputs.set("lock-holder", one_line(&holder.who));
        }
        if let Some(fingerprint) = &self.fingerprint {
            outputs.set("fingerprint", fingerprint);
        }
        if let Some(approved) = self.approved {
            outputs.set("approved", approved.to_string());
        }
        if let Some((_, comment)) = self.comments.first() {
            outputs.set("comment-url", &comment.url);
        }
        outputs
    }

    /// The life of the change up to now. A phase that goes on, such as waiting, is one event.
    fn life(&self) -> Vec<LifeEvent> {
        let mut life = self.history.clone();
        let goes_on = |last: &LifeEvent| last.phase == self.phase && last.run_url == self.run_url;
        if !life.last().is_some_and(goes_on) {
            life.push(LifeEvent {
                at: Timestamp::now(),
                phase: self.phase,
                run_url: self.run_url.clone(),
                actor: Some(self.actor.clone()),
                head_sha: self.head_sha.clone(),
            });
        }
        life
    }

    /// What Terraform warned of.
    pub(super) fn warnings(&self) -> Vec<Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Warning).cloned().collect()
    }

    fn view(&self) -> CommentView<'_> {
        let now = Timestamp::now();
        let history = self.life();
        CommentView {
            comment_id: &self.comment_id,
            root: &self.root,
            workspace: &self.workspace,
            environment: self.environment.as_deref(),
            head_sha: self.head_sha.as_deref(),
            fingerprint: self.fingerprint.as_deref(),
            plan: self.plan.as_ref(),
            phase: self.phase,
            lock: self.lock.clone(),
            gate: self.gate.clone(),
            difference: self.difference.clone(),
            failure: self.failure.clone(),
            warnings: self.warnings(),
            history,
            run_url: self.run_url.as_deref(),
            outputs: self.outputs.clone(),
            notes: self.notes.clone(),
            now,
        }
    }
}

fn result_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Planned => "planned",
        Phase::Applied => "applied",
        Phase::NoChanges => "no-changes",
        Phase::Blocked => "blocked",
        Phase::Refused => "refused",
        Phase::Cancelled => "cancelled",
        Phase::Skipped => "skipped",
        // Waiting, approved and applying are never an end; if one is, something failed.
        Phase::Failed | Phase::Locked | Phase::WaitingForLock | Phase::Approved | Phase::Applying => "failed",
    }
}
