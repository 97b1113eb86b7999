//! Workflow runs: is the one that holds a lock still there?

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::client::{Call, GitHub, Method, Repository, parse};
use super::error::GitHubError;
use stategate_core::liveness::RunState;

const NEEDS: &str = "actions: read";

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
    completed_at: Option<Timestamp>,
}

impl GitHub {
    /// What GitHub says about one attempt of a run. Never fails: what could not be told is
    /// [`RunState::Unknown`].
    pub async fn run_state(&self, repository: &Repository, run_id: u64, attempt: u64) -> RunState {
        match self.ask_run_state(repository, run_id, attempt).await {
            Ok(state) => state,
            Err(error) => RunState::Unknown { why: error.to_string() },
        }
    }

    /// How many jobs of one attempt are not completed; `None` when GitHub does not tell.
    pub async fn jobs_at_work(&self, repository: &Repository, run_id: u64, attempt: u64) -> Option<usize> {
        let path = format!("{}/actions/runs/{run_id}/attempts/{attempt}/jobs", repository.path());
        let jobs = self.get_all(&path, NEEDS, |page: WireJobs| page.jobs).await.ok()?;
        Some(jobs.iter().filter(|job| job.status != "completed").count())
    }

    async fn ask_run_state(&self, repository: &Repository, run_id: u64, attempt: u64) -> Result<RunState, GitHubError> {
        let run_path = format!("{}/actions/runs/{run_id}", repository.path());
        let path = format!("{run_path}/attempts/{attempt}");
        let call = Call { method: Method::Get, path: &path, body: None, needs: NEEDS };
        let answer = match self.send(call).await {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => {
                return self.why_not_found(repository, &run_path, error).await;
            }
            Err(error) => return Err(error),
        };
        let observed = answer.date.unwrap_or_else(Timestamp::now);
        let run: WireRun = parse(&call, &answer.body)?;
        let status = run.status.unwrap_or_default();
        if status != "completed" {
            return Ok(RunState::Alive { status });
        }
        let path = format!("{path}/jobs");
        let jobs = self.get_all(&path, NEEDS, |page: WireJobs| page.jobs).await?;
        if let Some(job) = jobs.iter().find(|job| job.status != "completed") {
            return Ok(RunState::Alive { status: job.status.clone() });
        }
        let is_told = jobs.iter().all(|job| job.completed_at.is_some());
        Ok(RunState::Finished {
            at: jobs.iter().filter_map(|job| job.completed_at).max().filter(|_| is_told),
            observed,
            conclusion: run.conclusion,
        })
    }

    /// "Not found" means deleted only where the token sees the repository, and no attempt of the
    /// run at all.
    async fn why_not_found(
        &self,
        repository: &Repository,
        run_path: &str,
        error: GitHubError,
    ) -> Result<RunState, GitHubError> {
        match self.get::<IgnoredAny>(run_path, NEEDS).await {
            Ok(IgnoredAny) => {
                return Ok(RunState::Unknown { why: "the run is there, but not this attempt of it".to_owned() });
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        match self.get::<IgnoredAny>(&repository.path(), "metadata: read").await {
            Ok(IgnoredAny) => Ok(RunState::Deleted),
            Err(unseen) if unseen.is_not_told() => Err(error),
            Err(unseen) => Err(unseen),
        }
    }
}
