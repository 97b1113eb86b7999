//! A commit as GitHub tells it: its parents, and the pull requests that it belongs to with all their
//! reviews.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::client::{GitHub, Repository};
use super::connection::{Connection, unreadable};
use super::error::GitHubError;
use stategate_core::approval::{
    Actor, ActorKind, BaseChange, Commit, CommitWord, Dismissal, PullRequest, Pushers, Review, ReviewState,
};

const NEEDS: &str = "pull-requests: read";

/// What is not shown, in words.
const REVIEWS: &str = "a pull request's reviews";

/// However many pages of reviews a pull request has; it ends a server that promises further pages for
/// ever.
const MOST_PAGES: usize = 100;

/// The gate's question. GitHub charges for what could be in an answer (each pull request, times its
/// reviews), so the pages of reviews are small; most pull requests fill none.
pub(super) const APPROVAL: &str =
    "query Approval($owner: String!, $repo: String!, $sha: GitObjectID!, $after: String) {
  rateLimit { cost remaining resetAt }
  repository(owner: $owner, name: $repo) {
    defaultBranchRef { name target { oid } }
    object(oid: $sha) {
      ... on Commit {
        oid
        parents(first: 100) { pageInfo { hasNextPage endCursor } nodes { oid } }
        associatedPullRequests(first: 100) {
          pageInfo { hasNextPage endCursor }
          nodes {
            number url merged baseRefName headRefName headRefOid isCrossRepository
            baseRepository { nameWithOwner }
            headRepository { nameWithOwner }
            mergeCommit { oid }
            author { __typename login }
            mergedBy { __typename login }
            commits(last: 1) {
              pageInfo { hasNextPage endCursor }
              nodes {
                commit {
                  oid
                  author { user { login } }
                  committer { user { login } }
                  signature { wasSignedByGitHub }
                }
              }
            }
            timelineItems(first: 100, itemTypes: [BASE_REF_CHANGED_EVENT, REVIEW_DISMISSED_EVENT]) {
              pageInfo { hasNextPage endCursor }
              nodes {
                __typename
                ... on BaseRefChangedEvent { createdAt previousRefName }
                ... on ReviewDismissedEvent {
                  previousReviewState
                  actor { __typename login }
                  review { author { __typename login } }
                }
              }
            }
            latestOpinionatedReviews(first: 10, after: $after, writersOnly: true) {
              pageInfo { hasNextPage endCursor }
              nodes {
                state submittedAt authorCanPushToRepository
                author { __typename login }
                commit { oid }
                onBehalfOf(first: 20) { pageInfo { hasNextPage endCursor } nodes { combinedSlug } }
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
        for mut wire in first.associated_pull_requests.all("a commit's pull requests")? {
            let (mut reviews, mut page) = std::mem::take(&mut wire.latest_opinionated_reviews).page(REVIEWS)?;
            let mut pages = 1;
            // The query has one cursor for all pull requests: for one with further pages, the
            // others' answers are left out.
            while let Some(after) = page {
                let further = self.further_reviews(repository, sha, &after, wire.number).await?;
                pages += 1;
                if further.1.as_deref() == Some(after.as_str()) || pages > MOST_PAGES {
                    return Err(unreadable("the pages of reviews do not end"));
                }
                reviews.extend(further.0);
                page = further.1;
            }
            pull_requests.push(pull_request(wire, reviews)?);
        }
        let parents = first.parents.all("a commit's parents")?.into_iter().map(|parent| parent.oid).collect();
        Ok(Some(Commit { sha: first.oid, parents, pull_requests }))
    }

    async fn further_reviews(
        &self,
        repository: &Repository,
        sha: &str,
        after: &str,
        number: u64,
    ) -> Result<(Vec<WireReview>, Option<String>), GitHubError> {
        let missing = || unreadable("a further page of reviews is missing");
        let commit = self.approval_page(repository, sha, Some(after)).await?.ok_or_else(missing)?;
        let pull_requests = commit.associated_pull_requests.all("a commit's pull requests")?;
        let found = pull_requests.into_iter().find(|pr| pr.number == number).ok_or_else(missing)?;
        found.latest_opinionated_reviews.page(REVIEWS)
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
        // Where something in it failed, such as teams that this token may not see, what it belongs to
        // may be left out, so REST is asked; it asks for memberships where they matter.
        let reply: Reply = self.graphql(APPROVAL, variables, NEEDS, &[]).await?;
        reply.repository.ok_or_else(|| GitHubError::NotFound {
            method: "POST",
            path: "graphql".to_owned(),
            needs: NEEDS.to_owned(),
            message: "there is no such repository".to_owned(),
        })
    }
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
    parents: Connection<WireOid>,
    associated_pull_requests: Connection<WirePullRequest>,
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
    #[serde(default)]
    head_repository: Option<WireName>,
    merge_commit: Option<WireOid>,
    author: Option<WireActor>,
    merged_by: Option<WireActor>,
    #[serde(default)]
    commits: Connection<WirePullRequestCommit>,
    #[serde(default)]
    timeline_items: Connection<WireEvent>,
    #[serde(default)]
    latest_opinionated_reviews: Connection<WireReview>,
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
    oid: String,
    #[serde(default)]
    signature: Option<WireSignature>,
    #[serde(default)]
    author: Option<WirePerson>,
    #[serde(default)]
    committer: Option<WirePerson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSignature {
    #[serde(default)]
    was_signed_by_git_hub: bool,
}

/// One of the two kinds of events that are asked for.
#[derive(Deserialize)]
#[serde(tag = "__typename", rename_all_fields = "camelCase")]
enum WireEvent {
    BaseRefChangedEvent {
        created_at: Timestamp,
        previous_ref_name: String,
    },
    ReviewDismissedEvent {
        previous_review_state: String,
        #[serde(default)]
        actor: Option<WireActor>,
        #[serde(default)]
        review: Option<WireDismissed>,
    },
}

#[derive(Deserialize)]
struct WireDismissed {
    #[serde(default)]
    author: Option<WireActor>,
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
    on_behalf_of: Connection<WireTeam>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTeam {
    combined_slug: String,
}

fn pull_request(wire: WirePullRequest, reviews: Vec<WireReview>) -> Result<PullRequest, GitHubError> {
    let (mut base_changes, mut dismissals) = (Vec::new(), Vec::new());
    for event in wire.timeline_items.all("a pull request's events")? {
        match event {
            WireEvent::BaseRefChangedEvent { created_at, previous_ref_name } => {
                base_changes.push(BaseChange { at: created_at, from: Some(previous_ref_name) });
            }
            WireEvent::ReviewDismissedEvent { previous_review_state, actor, review } => {
                if ReviewState::from_word(&previous_review_state) == ReviewState::ChangesRequested {
                    let reviewer = review.and_then(|review| review.author).map(|author| author.login);
                    dismissals.push(Dismissal { reviewer, by: actor.map(|actor| actor.login) });
                }
            }
        }
    }
    // Of many commits GitHub lists only some: the last one must be the head.
    let mut commits = wire.commits.all("a pull request's commits")?;
    let head = commits.pop().filter(|last| last.commit.oid == wire.head_ref_oid);
    let head = head.ok_or_else(|| unreadable("a pull request's last commit is not shown"))?.commit;
    let login = |person: Option<WirePerson>| Some(person?.user?.login);
    let word = CommitWord {
        committer: login(head.committer),
        author: login(head.author),
        signed_by_github: head.signature.is_some_and(|signature| signature.was_signed_by_git_hub),
    };
    Ok(PullRequest {
        number: wire.number,
        url: wire.url,
        merged: wire.merged,
        base_repository: wire.base_repository.map(|name| name.name_with_owner),
        base_branch: wire.base_ref_name,
        head_repository: wire.head_repository.map(|name| name.name_with_owner),
        head_branch: wire.head_ref_name,
        head: wire.head_ref_oid,
        from_fork: wire.is_cross_repository,
        merge_commit: wire.merge_commit.map(|commit| commit.oid),
        author: wire.author.map(Actor::from),
        merged_by: wire.merged_by.map(Actor::from),
        pushers: Pushers::by_commit(&word),
        reviews: reviews.into_iter().map(review).collect::<Result<_, _>>()?,
        same_content: Vec::new(),
        brings_nothing: false,
        base_changes,
        dismissals,
    })
}

fn review(wire: WireReview) -> Result<Review, GitHubError> {
    let teams = wire.on_behalf_of.all("a review's teams")?;
    Ok(Review {
        author: wire.author.map(Actor::from),
        state: ReviewState::from_word(&wire.state),
        commit: wire.commit.map(|commit| commit.oid),
        can_write: wire.author_can_push_to_repository,
        submitted_at: wire.submitted_at,
        on_behalf_of: teams.into_iter().map(|team| team.combined_slug).collect(),
    })
}
