//! A commit with its pull requests and reviews by REST: what the gate asks where GraphQL answers, but
//! not the question. REST tells no less, in more requests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::client::{GitHub, Repository, segment};
use super::error::GitHubError;
use super::people::{Permission, WirePullRequest, WireUser, actor};
use stategate_core::approval::{Commit, PullRequest, Review, ReviewState};

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
    user: Option<WireUser>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    commit_id: Option<String>,
    #[serde(default)]
    submitted_at: Option<Timestamp>,
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
        let last_pushers = self.pusher(repository, &wire.head.sha).await?.into_iter().collect();
        let reviews: Vec<WireReview> = self.get_all(&format!("{path}/reviews"), NEEDS, |page| page).await?;
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
            author: wire.user.map(actor),
            merged_by: wire.merged_by.map(actor),
            last_pushers,
            reviews: reviews.into_iter().map(review).collect(),
            same_content: Vec::new(),
            brings_nothing: false,
        })
    }
}
