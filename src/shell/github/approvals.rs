//! From a commit on a branch back to the pull requests that brought it, and their reviews.

use serde::Deserialize;

use super::client::{GitHub, Repository, segment};
use super::error::GitHubError;
use super::pushers::PushedTo;
use stategate_core::approval::{
    Arrival, BranchFacts, Commit, Facts, Membership, Origin, Policy, PullRequest, memberships_of, memberships_to_ask,
    pushes_to_ask,
};

/// How many commits of one push are walked back; more are refused by the gate as a broken line.
const MOST_COMMITS: usize = 250;

/// Which change the gate is asked about.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The branch's name, without `refs/heads/`.
    pub branch: String,
    /// The commit that would be applied.
    pub sha: String,
    /// How it came to the branch.
    pub arrival: Arrival,
    /// Commits that came to the branch earlier and would be applied along with it.
    pub earlier: Vec<String>,
    /// Whether there may be more of those than were found.
    pub is_cut_off: bool,
    /// Whether to wait for GitHub's index when it names no merged pull request: not again for a
    /// commit that was asked about before.
    pub is_fresh: bool,
    /// This run's id, for what its environment's reviewers said.
    pub run_id: Option<u64>,
}

fn pushed_to(pull_request: &PullRequest) -> PushedTo<'_> {
    PushedTo {
        repository: pull_request.head_repository.as_deref(),
        branch: &pull_request.head_branch,
        sha: &pull_request.head,
    }
}

impl GitHub {
    /// Gathers everything that the gate looks at.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked. What it does not tell about teams and environments is no
    /// error but a fact, which the gate answers for.
    pub async fn facts(&self, repository: &Repository, policy: &Policy, wanted: &Wanted) -> Result<Facts, GitHubError> {
        let branch = self.branch_facts(repository, wanted).await?;
        let name = policy.environment.as_ref().and_then(|required| required.0.as_deref());
        let environment = match name {
            Some(name) => Some(self.environment_facts(repository, name, wanted.run_id).await?),
            None => None,
        };
        let mut facts = Facts {
            repository: repository.to_string(),
            origin: Origin::Branch(branch),
            environment,
            memberships: Vec::new(),
        };
        let asked: Vec<PullRequest> = pushes_to_ask(policy, &facts).into_iter().cloned().collect();
        for pull_request in asked {
            let answers = self.push_answers(repository, pushed_to(&pull_request)).await?;
            facts.answer_push(pull_request.number, &answers);
        }
        for (org, slug, login) in memberships_to_ask(policy, &facts) {
            let answer = self.membership(&org, &slug, &login).await?;
            facts.memberships.push(Membership { org, slug, login, answer });
        }
        Ok(facts)
    }

    /// The commits to answer for, the pull requests they came by, and the branch's tip.
    async fn branch_facts(&self, repository: &Repository, wanted: &Wanted) -> Result<BranchFacts, GitHubError> {
        let walk_to = match &wanted.arrival {
            Arrival::Push { before, forced: false } if before.chars().any(|c| c != '0') => Some(before.as_str()),
            // Where the gate does not look further, we need not either.
            _ => None,
        };
        let is_unclear = matches!(wanted.arrival, Arrival::Push { .. }) && walk_to.is_none();
        let waits = wanted.is_fresh && !is_unclear;
        // One patience for the whole push: what its newest commit waited, the others need not.
        let mut pauses = self.pauses.index.iter().filter(|_| waits);
        let mut commits: Vec<Commit> = Vec::new();
        let mut next = Some(wanted.sha.clone());
        while let Some(sha) = next.take() {
            let Some(commit) = self.known_commit(repository, &sha, &commits, &mut pauses).await? else { break };
            let parent = commit.parents.first().cloned();
            commits.push(commit);
            let is_end = |parent: &String| walk_to.is_none_or(|before| before == parent);
            next = parent.filter(|parent| !is_end(parent) && commits.len() < MOST_COMMITS);
        }
        let mut earlier = Vec::new();
        for sha in &wanted.earlier {
            // One that GitHub no longer knows is for the gate to refuse.
            let unknown = || Commit { sha: sha.clone(), ..Commit::default() };
            earlier.push(self.commit(repository, sha).await?.unwrap_or_else(unknown));
        }
        let tip = match self.branch_tip(repository, &wanted.branch).await? {
            Some(tip) => Some(tip),
            // Not there, or not for this token: what GraphQL says of the default branch is as good.
            None => self.default_branch_tip(repository, &wanted.branch, &wanted.sha).await?,
        };
        Ok(BranchFacts {
            branch: wanted.branch.clone(),
            sha: wanted.sha.clone(),
            tip,
            arrival: wanted.arrival.clone(),
            commits,
            earlier,
            is_cut_off: wanted.is_cut_off,
        })
    }

    /// A commit that may be just made: GitHub's index may not know its pull request at once, so it
    /// is asked again after each of these pauses. `newer` are those of the same push above it, one
    /// of which may be what its pull request's merge made.
    async fn known_commit(
        &self,
        repository: &Repository,
        sha: &str,
        newer: &[Commit],
        pauses: &mut impl Iterator<Item = &std::time::Duration>,
    ) -> Result<Option<Commit>, GitHubError> {
        let is_pushed = |merge: &str| merge == sha || newer.iter().any(|commit| commit.sha == merge);
        let is_merged = |pr: &PullRequest| pr.merged && pr.merge_commit.as_deref().is_some_and(is_pushed);
        loop {
            let commit = self.commit(repository, sha).await?;
            if commit.as_ref().is_some_and(|commit| commit.pull_requests.iter().any(is_merged)) {
                return Ok(commit);
            }
            let Some(pause) = pauses.next() else {
                return Ok(commit);
            };
            tracing::info!(
                commit = sha,
                "GitHub names no merged pull request for this commit yet: looking again in {} s",
                pause.as_secs()
            );
            tokio::time::sleep(*pause).await;
        }
    }

    /// The branch's own line of commits from one of them back: each the first parent of the one
    /// before it. Ends after `most`, or with the first that `is_last`.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked.
    pub async fn line(
        &self,
        repository: &Repository,
        from: &str,
        most: usize,
        is_last: impl Fn(&Commit) -> bool,
    ) -> Result<Vec<Commit>, GitHubError> {
        let mut commits = Vec::new();
        let mut next = Some(from.to_owned());
        while let Some(sha) = next.take().filter(|_| commits.len() < most) {
            let Some(commit) = self.commit(repository, &sha).await? else { break };
            next = commit.parents.first().filter(|_| !is_last(&commit)).cloned();
            commits.push(commit);
        }
        Ok(commits)
    }

    /// An open pull request and its reviews, found by its head commit, and who is in the teams that
    /// decide about them; `None` when GitHub's index does not know it yet.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked.
    pub async fn reviews_of(
        &self,
        repository: &Repository,
        policy: &Policy,
        (number, head_sha): (u64, &str),
    ) -> Result<Option<(PullRequest, Vec<Membership>)>, GitHubError> {
        let commit = self.commit(repository, head_sha).await?;
        let pull_requests = commit.map(|commit| commit.pull_requests).unwrap_or_default();
        let found = pull_requests.into_iter().find(|pr| pr.number == number && pr.head == head_sha);
        let Some(mut pull_request) = found else { return Ok(None) };
        if policy.required_approvals > 0 {
            let answers = self.push_answers(repository, pushed_to(&pull_request)).await?;
            pull_request.pushers.answered(&answers);
        }
        let mut memberships = Vec::new();
        for (org, slug, login) in memberships_of(policy, &pull_request, &[]) {
            let answer = self.membership(&org, &slug, &login).await?;
            memberships.push(Membership { org, slug, login, answer });
        }
        Ok(Some((pull_request, memberships)))
    }

    /// The newest commit of a branch; `None` when there is no such branch.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked.
    pub async fn branch_tip(&self, repository: &Repository, branch: &str) -> Result<Option<String>, GitHubError> {
        #[derive(Deserialize)]
        struct Branch {
            commit: Oid,
        }
        #[derive(Deserialize)]
        struct Oid {
            sha: String,
        }
        let path = format!("{}/branches/{}", repository.path(), segment(branch));
        match self.get::<Branch>(&path, "contents: read").await {
            Ok(found) => Ok(Some(found.commit.sha)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
