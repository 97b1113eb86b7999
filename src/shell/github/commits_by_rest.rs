//! A commit with its pull requests and reviews by REST: what the gate asks where GraphQL answers, but
//! not the question. REST tells no less, in more requests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::client::{GitHub, Repository, segment};
use super::error::GitHubError;
use super::people::{Permission, WirePullRequest, WireUser, actor};
use stategate_core::approval::{BaseChange, Commit, Dismissal, PullRequest, Pushers, Review, ReviewState};

const NEEDS: &str = "pull-requests: read";

#[derive(Deserialize)]
struct WireCommit {
    sha: String,
    #[serde(default)]
    parents: Vec<WireParent>,
}

#[derive(Deserialize)]
struct WireParent {
    sha: String,
}

#[derive(Deserialize)]
struct WireNumber {
    number: u64,
}

#[derive(Deserialize)]
struct WireReview {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    user: Option<WireUser>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    commit_id: Option<String>,
    #[serde(default)]
    submitted_at: Option<Timestamp>,
}

/// What happened to a pull request. Only here, and not in its timeline, REST tells of a changed base
/// branch: <https://docs.github.com/en/rest/using-the-rest-api/issue-event-types#base_ref_changed>.
#[derive(Deserialize)]
struct WireEvent {
    event: String,
    created_at: Timestamp,
    #[serde(default)]
    actor: Option<WireUser>,
    #[serde(default)]
    dismissed_review: Option<WireDismissed>,
}

#[derive(Deserialize)]
struct WireDismissed {
    #[serde(default)]
    state: String,
    #[serde(default)]
    review_id: u64,
}

impl GitHub {
    /// A commit with its pull requests and all their reviews.
    pub(super) async fn commit_by_rest(&self, repository: &Repository, sha: &str) -> Result<Commit, GitHubError> {
        let path = format!("{}/commits/{}", repository.path(), segment(sha));
        let commit: WireCommit = self.get(&path, "contents: read").await?;
        let numbers: Vec<WireNumber> = self.get_all(&format!("{path}/pulls"), NEEDS, |page| page).await?;
        let mut pull_requests = Vec::new();
        for WireNumber { number } in numbers {
            pull_requests.push(self.pull_request_by_rest(repository, number).await?);
        }
        let parents = commit.parents.into_iter().map(|parent| parent.sha).collect();
        Ok(Commit { sha: commit.sha, parents, pull_requests })
    }

    async fn pull_request_by_rest(&self, repository: &Repository, number: u64) -> Result<PullRequest, GitHubError> {
        let path = format!("{}/pulls/{number}", repository.path());
        let wire: WirePullRequest = self.get(&path, NEEDS).await?;
        let by_commit = self.commit_word(repository, &wire.head.sha).await?;
        let reviews: Vec<WireReview> = self.get_all(&format!("{path}/reviews"), NEEDS, |page| page).await?;
        let path = format!("{}/issues/{number}/events", repository.path());
        let events: Vec<WireEvent> = self.get_all(&path, NEEDS, |page| page).await?;
        let (base_changes, dismissals) = base_changes_and_dismissals(events, &reviews);
        let mut may: BTreeMap<String, Permission> = BTreeMap::new();
        for user in reviews.iter().filter_map(|review| review.user.as_ref()) {
            if !may.contains_key(&user.login) {
                may.insert(user.login.clone(), self.permission(repository, &user.login).await?);
            }
        }
        let can_write = |user: &WireUser| may.get(&user.login).is_some_and(|may| *may >= Permission::Write);
        let review = |wire: WireReview| Review {
            state: ReviewState::from_word(&wire.state),
            commit: wire.commit_id,
            can_write: wire.user.as_ref().is_some_and(can_write),
            submitted_at: wire.submitted_at,
            // Whose teams' review it is, REST does not say: their memberships are asked for.
            on_behalf_of: Vec::new(),
            author: wire.user.map(actor),
        };
        Ok(PullRequest {
            number: wire.number,
            from_fork: wire.is_from_fork(),
            url: wire.html_url,
            // Before the merge this is the test merge's commit.
            merge_commit: wire.merge_commit_sha.filter(|_| wire.merged),
            merged: wire.merged,
            base_repository: wire.base.repo.map(|repo| repo.full_name),
            base_branch: wire.base.r#ref,
            head_branch: wire.head.r#ref,
            head: wire.head.sha,
            head_repository: wire.head.repo.map(|repo| repo.full_name),
            author: wire.user.map(actor),
            merged_by: wire.merged_by.map(actor),
            pushers: Pushers::by_commit(&by_commit),
            base_changes,
            dismissals,
            reviews: reviews.into_iter().map(review).collect(),
            same_content: Vec::new(),
            brings_nothing: false,
        })
    }
}

fn base_changes_and_dismissals(events: Vec<WireEvent>, reviews: &[WireReview]) -> (Vec<BaseChange>, Vec<Dismissal>) {
    let author_of = |id: u64| {
        let review = reviews.iter().find(|review| review.id == id && id != 0);
        review.and_then(|review| review.user.as_ref()).map(|user| user.login.clone())
    };
    let (mut base_changes, mut dismissals) = (Vec::new(), Vec::new());
    for WireEvent { event, created_at, actor, dismissed_review } in events {
        match (event.as_str(), dismissed_review) {
            // From which branch, REST does not say.
            ("base_ref_changed", _) => base_changes.push(BaseChange { at: created_at, from: None }),
            ("review_dismissed", Some(dismissed)) if dismissed.state.eq_ignore_ascii_case("changes_requested") => {
                dismissals
                    .push(Dismissal { reviewer: author_of(dismissed.review_id), by: actor.map(|actor| actor.login) });
            }
            _ => {}
        }
    }
    (base_changes, dismissals)
}
