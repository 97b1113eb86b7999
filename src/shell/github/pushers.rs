//! Who pushed a commit: GitHub's own word, from the repository's activity, else from the workflow
//! runs of the commit; and the commit's.
//!
//! Sources: <https://docs.github.com/en/rest/repos/repos#list-repository-activities> (`contents:
//! read`) and <https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository>
//! (`actions: read`).

use serde::Deserialize;

use super::client::{GitHub, Repository, segment};
use super::error::GitHubError;
use super::people::WireUser;
use stategate_core::approval::{CommitWord, Completeness, PushAnswer, Pushers};

/// Where a commit was pushed to.
#[derive(Debug, Clone, Copy)]
pub struct PushedTo<'a> {
    /// The repository of the pull request's branch, `owner/name`; `None` when it is gone.
    pub repository: Option<&'a str>,
    /// The branch, without `refs/heads/`.
    pub branch: &'a str,
    /// The commit.
    pub sha: &'a str,
}

#[derive(Deserialize)]
struct WireActivity {
    #[serde(default)]
    after: String,
    #[serde(default)]
    actor: Option<WireUser>,
}

#[derive(Deserialize)]
struct WireRuns {
    workflow_runs: Vec<WireRun>,
}

#[derive(Deserialize)]
struct WireRun {
    #[serde(default)]
    event: String,
    #[serde(default)]
    head_sha: String,
    #[serde(default)]
    head_branch: Option<String>,
    #[serde(default)]
    actor: Option<WireUser>,
}

#[derive(Deserialize)]
struct WireCommit {
    #[serde(default)]
    author: Option<WireUser>,
    #[serde(default)]
    committer: Option<WireUser>,
    #[serde(default)]
    commit: WireGitCommit,
}

#[derive(Deserialize, Default)]
struct WireGitCommit {
    #[serde(default)]
    verification: Option<WireVerification>,
}

#[derive(Deserialize)]
struct WireVerification {
    #[serde(default)]
    verified: bool,
}

impl GitHub {
    /// GitHub's answers to who pushed a commit, the best first. `repository` is the one that pull
    /// requests go into.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be reached or takes no further requests. What it does not tell is an answer.
    pub async fn push_answers(
        &self,
        repository: &Repository,
        pushed_to: PushedTo<'_>,
    ) -> Result<Vec<PushAnswer>, GitHubError> {
        let activity = self.activity(pushed_to).await?;
        if activity.completeness == Completeness::Whole {
            return Ok(vec![activity]);
        }
        Ok(vec![activity, self.runs_of(repository, pushed_to).await?])
    }

    /// Who pushed a commit, by the commit and by GitHub.
    ///
    /// # Errors
    ///
    /// When there is no such commit, or GitHub cannot be asked.
    pub async fn pushers(&self, repository: &Repository, pushed_to: PushedTo<'_>) -> Result<Pushers, GitHubError> {
        let (by_commit, answers) =
            tokio::try_join!(self.commit_word(repository, pushed_to.sha), self.push_answers(repository, pushed_to))?;
        let mut pushers = Pushers::by_commit(&by_commit);
        pushers.answered(&answers);
        Ok(pushers)
    }

    /// What a commit says of who made it.
    pub(super) async fn commit_word(&self, repository: &Repository, sha: &str) -> Result<CommitWord, GitHubError> {
        let path = format!("{}/commits/{}", repository.path(), segment(sha));
        let found: WireCommit = self.get(&path, "contents: read").await?;
        let login = |user: Option<WireUser>| user.map(|user| user.login).filter(|login| !login.is_empty());
        Ok(CommitWord {
            committer: login(found.committer),
            author: login(found.author),
            // Of a commit of GitHub's own account, only GitHub's key makes a valid signature.
            signed_by_github: found.commit.verification.is_some_and(|verification| verification.verified),
        })
    }

    /// The pushes that brought the branch to the commit. The newest hundred of the branch are looked
    /// through: what was pushed since a pull request was merged is mostly nothing.
    async fn activity(&self, pushed_to: PushedTo<'_>) -> Result<PushAnswer, GitHubError> {
        let Some(repository) = pushed_to.repository.and_then(|name| name.parse::<Repository>().ok()) else {
            return Ok(PushAnswer { named: Vec::new(), completeness: Completeness::Nobody });
        };
        let git_ref = segment(&format!("refs/heads/{}", pushed_to.branch));
        let path = format!("{}/activity?ref={git_ref}&per_page=100", repository.path());
        let found: Vec<WireActivity> = match self.get(&path, "contents: read").await {
            Ok(found) => found,
            Err(error) => return unanswered(error),
        };
        let pushes = found.into_iter().filter(|activity| activity.after == pushed_to.sha);
        Ok(named(pushes.map(|activity| activity.actor)))
    }

    /// The actors of the runs that a push of the commit starts.
    async fn runs_of(&self, repository: &Repository, pushed_to: PushedTo<'_>) -> Result<PushAnswer, GitHubError> {
        let path = format!("{}/actions/runs?head_sha={}", repository.path(), segment(pushed_to.sha));
        let found = match self.get_all(&path, "actions: read", |page: WireRuns| page.workflow_runs).await {
            Ok(found) => found,
            Err(error) => return unanswered(error),
        };
        let is_by_push = |run: &WireRun| match run.event.as_str() {
            "push" => run.head_branch.as_deref() == Some(pushed_to.branch),
            // Who reopens or labels it is among these, too: they may have pushed.
            "pull_request" | "pull_request_target" => true,
            _ => false,
        };
        let runs = found.into_iter().filter(|run| run.head_sha == pushed_to.sha && is_by_push(run));
        Ok(named(runs.map(|run| run.actor)))
    }
}

/// An answer that names these; an account that is gone may have been anybody's.
fn named(actors: impl Iterator<Item = Option<WireUser>>) -> PushAnswer {
    let logins = actors.map(|actor| actor.map(|actor| actor.login).filter(|login| !login.is_empty()));
    let logins: Vec<Option<String>> = logins.collect();
    let is_whole = !logins.is_empty() && logins.iter().all(Option::is_some);
    let completeness = if is_whole { Completeness::Whole } else { Completeness::Nobody };
    PushAnswer { named: logins.into_iter().flatten().collect(), completeness }
}

fn unanswered(error: GitHubError) -> Result<PushAnswer, GitHubError> {
    let completeness = if error.is_not_found() {
        Completeness::NoSuchQuestion
    } else if error.is_of_this_api() {
        Completeness::Refused { why: format!("{error}; {}", error.hint()) }
    } else {
        return Err(error);
    };
    Ok(PushAnswer { named: Vec::new(), completeness })
}
