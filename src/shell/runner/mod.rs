//! The GitHub Actions runner around us: which run, which event, where outputs and the summary go.
//! Source: the runner's documented variables and event payloads. Outside a runner, a laptop.

mod event;
mod footprint;
mod output;

use std::env;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::SecretString;

pub use self::event::{Event, EventError, PullRequestEvent, PushEvent};
pub use self::footprint::{Apply, Footprint, FootprintError};
pub use self::output::{LogWriter, Outputs, Quotation, annotate, columns, in_actions, write_out, write_summary};

/// Where this process runs.
#[derive(Debug, Clone)]
pub enum Host {
    /// Inside a step of a GitHub Actions job.
    Actions(Box<Run>),
    /// Anywhere else.
    Laptop {
        /// The user's name.
        user: String,
        /// The machine's name.
        host: String,
    },
}

/// This run, as the runner describes it.
#[derive(Debug, Clone)]
pub struct Run {
    /// `owner/name`.
    pub repository: String,
    /// The run's ID.
    pub run_id: u64,
    /// The run's attempt, from 1.
    pub run_attempt: u32,
    /// Who started this attempt (`GITHUB_TRIGGERING_ACTOR`, else `GITHUB_ACTOR`).
    pub actor: String,
    /// Who started the first attempt (`GITHUB_ACTOR`): what they may is what every attempt may.
    pub first_actor: Option<String>,
    /// The event's name, such as `pull_request`.
    pub event_name: String,
    /// The event's payload.
    pub event: Event,
    /// The commit that the run is for; for `pull_request` the test merge commit.
    pub sha: String,
    /// The ref that the run is for.
    pub git_ref: String,
    /// `https://github.com`, or a GHES host.
    pub server_url: String,
    /// The REST API's base.
    pub api_url: String,
    /// The GraphQL API's address.
    pub graphql_url: String,
}

impl Run {
    /// The page of this run's attempt.
    pub fn url(&self) -> String {
        format!("{}/actions/runs/{}/attempts/{}", self.repository_url(), self.run_id, self.run_attempt)
    }

    /// The repository's page.
    pub fn repository_url(&self) -> String {
        format!("{}/{}", self.server_url, self.repository)
    }
}

impl Host {
    /// Reads the runner's variables and the event file.
    ///
    /// # Errors
    /// Variables that the runner always sets are missing, all of them named; or the event file
    /// cannot be read.
    pub fn detect() -> Result<Host, EventError> {
        if !in_actions() {
            return Ok(Host::Laptop { user: user(), host: host_name() });
        }
        let mut missing = Vec::new();
        let mut need = |name: &'static str| {
            variable(name).unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        let (repository, run_id) = (need("GITHUB_REPOSITORY"), need("GITHUB_RUN_ID"));
        let event_name = need("GITHUB_EVENT_NAME");
        if !missing.is_empty() {
            return Err(EventError::VariablesMissing(missing));
        }
        let run_attempt = variable("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned());
        let server_url = variable("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned());
        let api_url = variable("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned());
        let event = Event::read(&event_name, variable("GITHUB_EVENT_PATH").map(PathBuf::from))?;
        Ok(Host::Actions(Box::new(Run {
            repository,
            run_id: number("GITHUB_RUN_ID", &run_id)?,
            run_attempt: number("GITHUB_RUN_ATTEMPT", &run_attempt)?,
            actor: variable("GITHUB_TRIGGERING_ACTOR")
                .or_else(|| variable("GITHUB_ACTOR"))
                .unwrap_or_else(|| "unknown".to_owned()),
            first_actor: variable("GITHUB_ACTOR"),
            event,
            event_name,
            sha: variable("GITHUB_SHA").unwrap_or_default(),
            git_ref: variable("GITHUB_REF").unwrap_or_default(),
            graphql_url: variable("GITHUB_GRAPHQL_URL").unwrap_or_else(|| format!("{api_url}/graphql")),
            server_url: server_url.trim_end_matches('/').to_owned(),
            api_url: api_url.trim_end_matches('/').to_owned(),
        })))
    }

    /// The run, when there is one.
    pub fn run(&self) -> Option<&Run> {
        match self {
            Host::Actions(run) => Some(run),
            Host::Laptop { .. } => None,
        }
    }

    /// Who acts: the triggering actor, or `user@host`.
    pub fn actor(&self) -> String {
        match self {
            Host::Actions(run) => run.actor.clone(),
            Host::Laptop { user, host } => format!("{user}@{host}"),
        }
    }
}

fn number<N: FromStr>(name: &'static str, value: &str) -> Result<N, EventError> {
    value.parse().ok().ok_or_else(|| EventError::NotANumber { name, value: value.to_owned() })
}

/// The token for GitHub, from the environment only, so that it never stands in a process list.
pub fn github_token() -> Option<SecretString> {
    variable("STATEGATE_GITHUB_TOKEN").or_else(|| variable("GITHUB_TOKEN")).map(SecretString::from)
}

/// An environment variable; an empty one counts as not set.
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where temporary files go: the runner empties its directory after each job.
pub fn temporary_directory() -> PathBuf {
    variable("RUNNER_TEMP").map_or_else(env::temp_dir, PathBuf::from)
}

fn user() -> String {
    variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| {
        let id = rustix::process::getuid();
        if id.is_root() { "root".to_owned() } else { format!("uid{}", id.as_raw()) }
    })
}

fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
