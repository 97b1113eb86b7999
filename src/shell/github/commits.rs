//! A commit as GitHub tells it: its parents, and the pull requests that it belongs to with all their
//! reviews.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::client::{GitHub, Repository};
use super::error::GitHubError;
use stategate_core::approval::{Actor, ActorKind, Commit, PullRequest, Review, ReviewState};

const NEEDS: &str = "pull-requests: read";

/// Who pushed a commit, as far as the commit tells: its committer, or its author where that is
/// GitHub's own account, which commits what people do on its pages (an edit, "Update branch").
pub(super) fn pusher(committer: Option<String>, author: Option<String>) -> Option<String> {
    if committer.as_deref() == Some("web-flow") { author } else { committer }
}

pub(super) const APPROVAL: &str =
    "query Approval($owner: String!, $repo: String!, $sha: GitObjectID!, $after: String) {
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
            commits(last: 1) {
              nodes { commit { author { user { login } } committer { user { login } } } }
            }
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

impl GitHub {
    /// A commit with its pull requests and all their reviews; `None` when GitHub knows no such
    /// commit. Where GraphQL says that it does not tell, REST may.
    pub(super) async fn commit(&self, repository: &Repository, sha: &str) -> Result<Option<Commit>, GitHubError> {
        let error = match self.commit_by_graphql(repository, sha).await {
            Err(error) if error.is_of_this_api() => error,
            answer => return answer,
        };
        match self.commit_by_rest(repository, sha).await {
            Ok(commit) => Ok(Some(commit)),
            Err(further) => {
                detail!(%further, "REST does not tell it either");
                Err(error)
            }
        }
    }

    async fn commit_by_graphql(&self, repository: &Repository, sha: &str) -> Result<Option<Commit>, GitHubError> {
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

    /// The newest commit of the branch, as the answer about one of its commits tells it; `None` when
    /// it is not the default branch.
    pub(super) async fn default_branch_tip(
        &self,
        repository: &Repository,
        branch: &str,
        sha: &str,
    ) -> Result<Option<String>, GitHubError> {
        let default = self.approval(repository, sha, None).await?.default_branch_ref;
        Ok(default.filter(|default| default.name == branch).and_then(|default| default.target?.oid))
    }

    async fn approval_page(
        &self,
        repository: &Repository,
        sha: &str,
        after: Option<&str>,
    ) -> Result<Option<WireCommit>, GitHubError> {
        // Something that is no commit (a tag, a tree) is an object without `oid`.
        let object = self.approval(repository, sha, after).await?.object;
        Ok(object.filter(|object| !object.oid.is_empty()))
    }

    async fn approval(
        &self,
        repository: &Repository,
        sha: &str,
        after: Option<&str>,
    ) -> Result<WireRepository, GitHubError> {
        let variables = json!({
            "owner": repository.owner(),
            "repo": repository.name(),
            "sha": sha,
            "after": after,
        });
        // A job's token may not see an organisation's teams; the membership is asked for where it
        // matters.
        let reply: Reply = self.graphql(APPROVAL, variables, NEEDS, &["onBehalfOf"]).await?;
        reply.repository.ok_or_else(|| GitHubError::NotFound {
            method: "POST",
            path: "graphql".to_owned(),
            needs: NEEDS.to_owned(),
            message: "there is no such repository".to_owned(),
        })
    }
}

pub(super) fn unreadable(why: &str) -> GitHubError {
    GitHubError::Unreadable { method: "POST", path: "graphql".to_owned(), why: why.to_owned() }
}

/// Lists in GraphQL may hold `null` where something is hidden.
pub(super) fn present<T>(nodes: Option<Vec<Option<T>>>) -> Vec<T> {
    nodes.unwrap_or_default().into_iter().flatten().collect()
}

#[derive(Deserialize)]
struct Reply {
    repository: Option<WireRepository>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRepository {
    object: Option<WireCommit>,
    #[serde(default)]
    default_branch_ref: Option<WireRef>,
}

#[derive(Deserialize)]
struct WireRef {
    #[serde(default)]
    name: String,
    #[serde(default)]
    target: Option<WireTarget>,
}

#[derive(Deserialize)]
struct WireTarget {
    #[serde(default)]
    oid: Option<String>,
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
pub(super) struct Nodes<T> {
    #[serde(default = "Option::default")]
    pub(super) nodes: Option<Vec<Option<T>>>,
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
pub(super) struct WireOid {
    pub(super) oid: String,
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
    author: Option<WirePerson>,
    #[serde(default)]
    committer: Option<WirePerson>,
}

#[derive(Deserialize)]
struct WirePerson {
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
                .filter_map(|node| {
                    let login = |person: Option<WirePerson>| Some(person?.user?.login);
                    pusher(login(node.commit.committer), login(node.commit.author))
                })
                .collect(),
            reviews: present(wire.latest_opinionated_reviews.nodes).into_iter().map(Review::from).collect(),
            same_content: Vec::new(),
            brings_nothing: false,
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
