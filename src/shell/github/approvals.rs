//! From a commit on a branch back to the pull requests that brought it, and their reviews.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::client::{GitHub, Repository, segment};
use super::error::GitHubError;
use super::people::PullRequestDetails;
use crate::core::approval::{
    Actor, ActorKind, Arrival, BranchFacts, Commit, Facts, Membership, Origin, Policy, PullRequest, Review,
    ReviewState, memberships_to_ask,
};

const NEEDS: &str = "pull-requests: read";

/// How many commits of one push are walked back; more are refused by the gate as a broken line.
const MOST_COMMITS: usize = 250;

/// How many pull requests a merge group may hold; GitHub allows a hundred.
const MOST_IN_A_GROUP: usize = 100;

/// GitHub's own account, which commits what is done on its pages in somebody's name.
const WEB_FLOW: &str = "web-flow";

const APPROVAL: &str = "query Approval($owner: String!, $repo: String!, $sha: GitObjectID!, $after: String) {
  rateLimit { cost remaining resetAt }
  repository(owner: $owner, name: $repo) {
    defaultBranchRef { name target { oid } }
    object(oid: $sha) {
      ... on Commit {
        oid
        parents(first: 2) { nodes { oid } }
        associatedPullRequests(first: 10) {
          nodes {
            number url state merged mergedAt baseRefName headRefName headRefOid isCrossRepository
            baseRepository { nameWithOwner }
            mergeCommit { oid }
            author { __typename login }
            mergedBy { __typename login }
            reviewDecision
            commits(last: 1) { totalCount nodes { commit { oid committer { user { login } } } } }
            latestOpinionatedReviews(first: 100, after: $after, writersOnly: true) {
              pageInfo { hasNextPage endCursor }
              nodes {
                state submittedAt authorAssociation authorCanPushToRepository
                author { __typename login }
                commit { oid }
                onBehalfOf(first: 5) { nodes { combinedSlug } }
              }
            }
          }
        }
      }
    }
  }
}";

/// Which change the gate is asked about.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The branch's name, without `refs/heads/`.
    pub branch: String,
    /// The commit that would be applied.
    pub sha: String,
    /// How it came to the branch.
    pub arrival: Arrival,
    /// Whether to wait for GitHub's index when it names no merged pull request: not again for a
    /// commit that was asked about before.
    pub is_fresh: bool,
    /// This run's id, for what its environment's reviewers said.
    pub run_id: Option<u64>,
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
        for (org, slug, login) in memberships_to_ask(policy, &facts) {
            let answer = self.membership(&org, &slug, &login).await?;
            facts.memberships.push(Membership { org, slug, login, answer });
        }
        Ok(facts)
    }

    /// The commits to answer for, the pull requests they came by, and the branch's tip.
    async fn branch_facts(&self, repository: &Repository, wanted: &Wanted) -> Result<BranchFacts, GitHubError> {
        let mut commits = Vec::new();
        let walk_to = match &wanted.arrival {
            Arrival::Push { before, forced: false } if before.chars().any(|c| c != '0') => Some(before.as_str()),
            // Where the gate does not look further, we need not either.
            _ => None,
        };
        let is_unclear = matches!(wanted.arrival, Arrival::Push { .. }) && walk_to.is_none();
        let first = if is_unclear || !wanted.is_fresh {
            self.commit(repository, &wanted.sha).await?
        } else {
            self.fresh_commit(repository, &wanted.sha).await?
        };
        let mut next = first;
        while let Some(commit) = next {
            let parent = commit.parents.first().cloned();
            commits.push(commit);
            next = match parent {
                Some(parent) if walk_to.is_some_and(|before| before != parent) && commits.len() < MOST_COMMITS => {
                    self.commit(repository, &parent).await?
                }
                _ => None,
            };
        }
        Ok(BranchFacts {
            branch: wanted.branch.clone(),
            sha: wanted.sha.clone(),
            tip: self.branch_tip(repository, &wanted.branch).await?,
            arrival: wanted.arrival.clone(),
            commits,
        })
    }

    /// An open pull request and its reviews, found by its head commit; `None` when GitHub's index
    /// does not know it yet.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked.
    pub async fn reviews_of(
        &self,
        repository: &Repository,
        number: u64,
        head_sha: &str,
    ) -> Result<Option<PullRequest>, GitHubError> {
        let commit = self.commit(repository, head_sha).await?;
        let pull_requests = commit.map(|commit| commit.pull_requests).unwrap_or_default();
        Ok(pull_requests.into_iter().find(|pr| pr.number == number && pr.head == head_sha))
    }

    /// The pull requests that a merge group would land on a branch: those of its commits, and of
    /// the groups before it that are not merged yet. `named` is the one its ref names.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked, or it cannot be told where a commit of the group comes from.
    pub async fn pull_requests_of_group(
        &self,
        repository: &Repository,
        branch: &str,
        head_sha: &str,
        named: Option<u64>,
    ) -> Result<Vec<PullRequestDetails>, GitHubError> {
        let unclear =
            |sha: &str| unreadable(&format!("which pull request brought {sha} into the merge group is not told"));
        let tip = self.branch_tip(repository, branch).await?.ok_or_else(|| unclear(head_sha))?;
        let mut numbers: Vec<u64> = Vec::new();
        let mut next = head_sha.to_owned();
        while next != tip {
            let commit = self.commit(repository, &next).await?.ok_or_else(|| unclear(&next))?;
            let mut brought: Vec<u64> = named.filter(|_| next == head_sha).into_iter().collect();
            if brought.is_empty() {
                // The commit itself is new; what it merges belongs to an open pull request.
                let side = match commit.parents.get(1) {
                    Some(merged) => self.commit(repository, merged).await?.map(|side| side.pull_requests),
                    None => None,
                };
                let open = commit.pull_requests.into_iter().chain(side.unwrap_or_default());
                brought = open.filter(|pr| !pr.merged && pr.base_branch == branch).map(|pr| pr.number).collect();
            }
            if brought.is_empty() || numbers.len() > MOST_IN_A_GROUP {
                return Err(unclear(&next));
            }
            numbers.extend(brought);
            next = commit.parents.into_iter().next().ok_or_else(|| unclear(&next))?;
        }
        numbers.sort_unstable();
        numbers.dedup();
        let mut found = Vec::new();
        for number in numbers {
            found.push(self.pull_request(repository, number).await?);
        }
        Ok(found)
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

    /// A commit that was just made: GitHub's index may not know its pull request at once.
    async fn fresh_commit(&self, repository: &Repository, sha: &str) -> Result<Option<Commit>, GitHubError> {
        let mut pauses = self.pauses.index.iter();
        loop {
            let commit = self.commit(repository, sha).await?;
            let is_merge = |pr: &PullRequest| pr.merged && pr.merge_commit.as_deref() == Some(sha);
            if commit.as_ref().is_some_and(|commit| commit.pull_requests.iter().any(is_merge)) {
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

    /// A commit with its pull requests and all their reviews; `None` when GitHub knows no such
    /// commit.
    async fn commit(&self, repository: &Repository, sha: &str) -> Result<Option<Commit>, GitHubError> {
        let Some(first) = self.approval_page(repository, sha, None).await? else {
            return Ok(None);
        };
        let mut pull_requests = Vec::new();
        for wire in present(first.associated_pull_requests.nodes) {
            let (number, mut page) = (wire.number, wire.latest_opinionated_reviews.page_info());
            let mut pull_request = PullRequest::from(wire);
            // The query has one cursor for all pull requests: for one with further pages, the
            // others' answers are left out.
            while let Some(after) = page {
                let further = self
                    .approval_page(repository, sha, Some(&after))
                    .await?
                    .and_then(|commit| {
                        present(commit.associated_pull_requests.nodes).into_iter().find(|pr| pr.number == number)
                    })
                    .ok_or_else(|| unreadable("a further page of reviews is missing"))?;
                page = further.latest_opinionated_reviews.page_info();
                if page.as_deref() == Some(after.as_str()) {
                    return Err(unreadable("the pages of reviews do not end"));
                }
                let reviews = present(further.latest_opinionated_reviews.nodes);
                pull_request.reviews.extend(reviews.into_iter().map(Review::from));
            }
            pull_requests.push(pull_request);
        }
        Ok(Some(Commit {
            sha: first.oid,
            parents: present(first.parents.nodes).into_iter().map(|parent| parent.oid).collect(),
            pull_requests,
        }))
    }

    async fn approval_page(
        &self,
        repository: &Repository,
        sha: &str,
        after: Option<&str>,
    ) -> Result<Option<WireCommit>, GitHubError> {
        let variables = json!({
            "owner": repository.owner(),
            "repo": repository.name(),
            "sha": sha,
            "after": after,
        });
        // A job's token may not see an organisation's teams; the membership is asked for where it
        // matters.
        let reply: Reply = self.graphql(APPROVAL, variables, NEEDS, &["onBehalfOf"]).await?;
        let repository = reply.repository.ok_or_else(|| GitHubError::NotFound {
            method: "POST",
            path: "graphql".to_owned(),
            needs: NEEDS.to_owned(),
            message: "there is no such repository".to_owned(),
        })?;
        // Something that is no commit (a tag, a tree) is an object without `oid`.
        Ok(repository.object.filter(|object| !object.oid.is_empty()))
    }
}

fn unreadable(why: &str) -> GitHubError {
    GitHubError::Unreadable { method: "POST", path: "graphql".to_owned(), why: why.to_owned() }
}

/// Lists in GraphQL may hold `null` where something is hidden.
fn present<T>(nodes: Option<Vec<Option<T>>>) -> Vec<T> {
    nodes.unwrap_or_default().into_iter().flatten().collect()
}

#[derive(Deserialize)]
struct Reply {
    repository: Option<WireRepository>,
}

#[derive(Deserialize)]
struct WireRepository {
    object: Option<WireCommit>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct WireCommit {
    oid: String,
    parents: Nodes<WireOid>,
    associated_pull_requests: Nodes<WirePullRequest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Nodes<T> {
    #[serde(default = "Option::default")]
    nodes: Option<Vec<Option<T>>>,
    #[serde(default)]
    page_info: Option<PageInfo>,
}

impl<T> Default for Nodes<T> {
    fn default() -> Self {
        Self { nodes: None, page_info: None }
    }
}

impl<T> Nodes<T> {
    /// Where the next page starts, when there is one.
    fn page_info(&self) -> Option<String> {
        let info = self.page_info.as_ref()?;
        info.end_cursor.clone().filter(|_| info.has_next_page)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Deserialize)]
struct WireOid {
    oid: String,
}

#[derive(Deserialize)]
struct WireActor {
    #[serde(default, rename = "__typename")]
    kind: String,
    login: String,
}

impl From<WireActor> for Actor {
    fn from(wire: WireActor) -> Self {
        let kind = match wire.kind.as_str() {
            "User" => ActorKind::User,
            "Bot" => ActorKind::Bot,
            other => ActorKind::Other(other.to_owned()),
        };
        Self { login: wire.login, kind }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePullRequest {
    number: u64,
    #[serde(default)]
    url: String,
    #[serde(default)]
    merged: bool,
    #[serde(default)]
    base_ref_name: String,
    #[serde(default)]
    head_ref_name: String,
    head_ref_oid: String,
    #[serde(default)]
    is_cross_repository: bool,
    base_repository: Option<WireName>,
    merge_commit: Option<WireOid>,
    author: Option<WireActor>,
    merged_by: Option<WireActor>,
    #[serde(default)]
    commits: Nodes<WirePullRequestCommit>,
    #[serde(default)]
    latest_opinionated_reviews: Nodes<WireReview>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireName {
    name_with_owner: String,
}

#[derive(Deserialize)]
struct WirePullRequestCommit {
    commit: WireHead,
}

#[derive(Deserialize)]
struct WireHead {
    #[serde(default)]
    committer: Option<WireCommitter>,
}

#[derive(Deserialize)]
struct WireCommitter {
    user: Option<WireLogin>,
}

#[derive(Deserialize)]
struct WireLogin {
    login: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireReview {
    state: String,
    submitted_at: Option<Timestamp>,
    #[serde(default)]
    author_can_push_to_repository: bool,
    author: Option<WireActor>,
    commit: Option<WireOid>,
    #[serde(default)]
    on_behalf_of: Option<Nodes<WireTeam>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTeam {
    combined_slug: String,
}

impl From<WirePullRequest> for PullRequest {
    fn from(wire: WirePullRequest) -> Self {
        Self {
            number: wire.number,
            url: wire.url,
            merged: wire.merged,
            base_repository: wire.base_repository.map(|name| name.name_with_owner),
            base_branch: wire.base_ref_name,
            head_branch: wire.head_ref_name,
            head: wire.head_ref_oid,
            from_fork: wire.is_cross_repository,
            merge_commit: wire.merge_commit.map(|commit| commit.oid),
            author: wire.author.map(Actor::from),
            merged_by: wire.merged_by.map(Actor::from),
            last_pushers: present(wire.commits.nodes)
                .into_iter()
                .filter_map(|node| Some(node.commit.committer?.user?.login))
                .filter(|login| login != WEB_FLOW)
                .collect(),
            reviews: present(wire.latest_opinionated_reviews.nodes).into_iter().map(Review::from).collect(),
            same_content: Vec::new(),
        }
    }
}

impl From<WireReview> for Review {
    fn from(wire: WireReview) -> Self {
        Self {
            author: wire.author.map(Actor::from),
            state: ReviewState::from_word(&wire.state),
            commit: wire.commit.map(|commit| commit.oid),
            can_write: wire.author_can_push_to_repository,
            submitted_at: wire.submitted_at,
            on_behalf_of: present(wire.on_behalf_of.and_then(|teams| teams.nodes))
                .into_iter()
                .map(|team| team.combined_slug)
                .collect(),
        }
    }
}
