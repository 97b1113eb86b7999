//! Workflow runs: is the one that holds a lock still there?

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::client::{Call, GitHub, Method, Repository, parse};
use super::error::GitHubError;
use stategate_core::liveness::{Attempt, Job, RunState};

const NEEDS: &str = "actions: read";

/// A run's ID and the number of an attempt.
pub type RunAttempt = (u64, u32);

#[derive(Deserialize)]
struct WireRun {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    conclusion: Option<String>,
}

#[derive(Deserialize)]
struct WireJobs {
    #[serde(default)]
    jobs: Vec<WireJob>,
}

#[derive(Deserialize)]
struct WireJob {
    #[serde(default)]
    status: String,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    completed_at: Option<Timestamp>,
    #[serde(default)]
    runner_id: Option<u64>,
    #[serde(default)]
    steps: Option<Vec<WireStep>>,
}

#[derive(Deserialize)]
struct WireStep {
    #[serde(default)]
    conclusion: Option<String>,
}

impl From<WireJob> for Job {
    fn from(wire: WireJob) -> Job {
        Job {
            status: wire.status,
            started: wire.started_at,
            completed: wire.completed_at,
            // GitHub writes 0 for a job that no runner took.
            has_runner: wire.runner_id.is_some_and(|id| id != 0),
            has_open_step: wire.steps.unwrap_or_default().iter().any(|step| step.conclusion.is_none()),
        }
    }
}

impl GitHub {
    /// What GitHub says about one attempt of a run. `own` is the run that asks: where GitHub does not
    /// find that either, its "not found" says nothing. Never fails: what could not be told is
    /// [`RunState::Unknown`].
    pub async fn run_state(&self, repository: &Repository, asked: RunAttempt, own: RunAttempt) -> RunState {
        match self.ask_run_state(repository, asked, own).await {
            Ok(state) => state,
            Err(error) => RunState::Unknown { why: error.to_string() },
        }
    }

    async fn ask_run_state(
        &self,
        repository: &Repository,
        asked: RunAttempt,
        own: RunAttempt,
    ) -> Result<RunState, GitHubError> {
        let path = attempt_path(repository, asked);
        let call = Call { method: Method::Get, path: &path, body: None, needs: NEEDS };
        let answer = match self.send(call).await {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => return self.why_not_found(repository, asked, own).await,
            Err(error) => return Err(error),
        };
        let observed = answer.date.unwrap_or_else(Timestamp::now);
        let run: WireRun = parse(&call, &answer.body)?;
        let status = run.status.unwrap_or_default();
        let jobs = match self.get_all(&format!("{path}/jobs"), NEEDS, |page: WireJobs| page.jobs).await {
            // A run that is not completed counts as alive where its jobs are not told.
            Err(_) if status != "completed" => Vec::new(),
            jobs => jobs?,
        };
        Ok(RunState::Found(Attempt {
            status,
            conclusion: run.conclusion,
            observed,
            jobs: jobs.into_iter().map(Job::from).collect(),
        }))
    }

    /// "Not found" says something about a run only where no attempt of it is found, and where the
    /// token sees runs at all.
    async fn why_not_found(
        &self,
        repository: &Repository,
        asked: RunAttempt,
        own: RunAttempt,
    ) -> Result<RunState, GitHubError> {
        if self.is_found(&run_path(repository, asked)).await? {
            return Ok(RunState::Unknown { why: "the run is there, but not this attempt of it".to_owned() });
        }
        if self.is_found(&attempt_path(repository, own)).await? {
            return Ok(RunState::NotFound);
        }
        Ok(RunState::Unknown {
            why: "GitHub finds neither its run nor the one that asks, so the token may see no runs".to_owned(),
        })
    }

    async fn is_found(&self, path: &str) -> Result<bool, GitHubError> {
        match self.get::<IgnoredAny>(path, NEEDS).await {
            Ok(IgnoredAny) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn run_path(repository: &Repository, (run_id, _): RunAttempt) -> String {
    format!("{}/actions/runs/{run_id}", repository.path())
}

fn attempt_path(repository: &Repository, asked: RunAttempt) -> String {
    format!("{}/attempts/{}", run_path(repository, asked), asked.1)
}
