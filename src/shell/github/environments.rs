//! How an environment is protected, and who let this run in.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::client::{GitHub, Repository, segment};
use super::error::GitHubError;
use super::people::{WireUser, actor};
use stategate_core::approval::{EnvironmentFacts, EnvironmentProtection, EnvironmentReviewer, RunApproval};

const NEEDS: &str = "actions: read";

#[derive(Deserialize)]
struct WireEnvironment {
    #[serde(default)]
    protection_rules: Vec<WireRule>,
    /// `null` lets every branch in.
    #[serde(default)]
    deployment_branch_policy: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct WireRule {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    reviewers: Vec<WireReviewer>,
}

#[derive(Deserialize)]
struct WireReviewer {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    reviewer: Option<WireReviewerName>,
}

#[derive(Deserialize)]
struct WireReviewerName {
    #[serde(default)]
    login: Option<String>,
    #[serde(default)]
    slug: Option<String>,
}

#[derive(Deserialize)]
struct WireApproval {
    #[serde(default)]
    state: String,
    #[serde(default)]
    user: Option<WireUser>,
    #[serde(default)]
    environments: Vec<WireName>,
}

#[derive(Deserialize)]
struct WireName {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct WireRun {
    #[serde(default)]
    actor: Option<WireUser>,
    #[serde(default)]
    triggering_actor: Option<WireUser>,
}

impl GitHub {
    /// What GitHub says about an environment and about this run's approval for it.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked; what it does not tell is a fact of its own.
    pub async fn environment_facts(
        &self,
        repository: &Repository,
        name: &str,
        run_id: Option<u64>,
    ) -> Result<EnvironmentFacts, GitHubError> {
        let (protection, lets_every_branch_in) = self.protection(repository, name).await?;
        let mut facts = EnvironmentFacts {
            name: name.to_owned(),
            protection,
            approvals: Vec::new(),
            started_by: Vec::new(),
            actor: None,
            lets_every_branch_in,
        };
        if let (EnvironmentProtection::Reviewers(_), Some(run_id)) = (&facts.protection, run_id) {
            let path = format!("{}/actions/runs/{run_id}", repository.path());
            let run: WireRun = self.get(&path, NEEDS).await?;
            facts.actor = run.actor.map(actor);
            let triggered_by = run.triggering_actor.map(|user| user.login);
            facts.started_by = facts.actor.iter().map(|actor| actor.login.clone()).chain(triggered_by).collect();
            facts.started_by.dedup();
            let path = format!("{path}/approvals");
            let approvals: Vec<WireApproval> = self.get(&path, NEEDS).await?;
            facts.approvals = approvals.into_iter().map(RunApproval::from).collect();
        }
        Ok(facts)
    }

    /// How the environment is protected, and whether runs of every branch get in.
    async fn protection(
        &self,
        repository: &Repository,
        name: &str,
    ) -> Result<(EnvironmentProtection, bool), GitHubError> {
        let path = format!("{}/environments/{}", repository.path(), segment(name));
        match self.get::<WireEnvironment>(&path, NEEDS).await {
            Ok(environment) => {
                let rules = environment.protection_rules.into_iter().filter(|rule| rule.r#type == "required_reviewers");
                let reviewers = rules.flat_map(|rule| rule.reviewers).filter_map(reviewer).collect();
                let lets_every_branch_in = environment.deployment_branch_policy.is_none();
                Ok((EnvironmentProtection::Reviewers(reviewers), lets_every_branch_in))
            }
            Err(error) if error.is_not_found() => Ok((EnvironmentProtection::Missing, false)),
            Err(error) if error.is_not_told() => Ok((EnvironmentProtection::NotTold { why: error.to_string() }, false)),
            Err(error) => Err(error),
        }
    }
}

/// A reviewer of a kind we do not know is left out: then the environment counts as less protected.
fn reviewer(wire: WireReviewer) -> Option<EnvironmentReviewer> {
    let name = wire.reviewer?;
    match wire.r#type.as_str() {
        "User" => name.login.map(EnvironmentReviewer::User),
        "Team" => name.slug.map(EnvironmentReviewer::Team),
        _ => None,
    }
}

impl From<WireApproval> for RunApproval {
    fn from(wire: WireApproval) -> Self {
        Self {
            state: wire.state,
            user: wire.user.map(actor),
            environments: wire.environments.into_iter().map(|e| e.name).collect(),
        }
    }
}
