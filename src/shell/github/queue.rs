//! Merge groups: which pull requests the merge queue would land together.

use serde::Deserialize;
use serde_json::json;

use super::client::{GitHub, Repository};
use super::commits::WireOid;
use super::connection::{Connection, unreadable};
use super::error::GitHubError;
use super::people::PullRequestDetails;
use stategate_core::approval::{Brought, Commit};

/// How many pull requests a merge group may hold; GitHub allows a hundred.
const MOST_IN_A_GROUP: usize = 100;

/// How many commits a merge group may bring: its pull requests are merged by rebase, too.
const MOST_COMMITS: usize = 250;

pub(super) const QUEUE: &str = "query MergeQueue($owner: String!, $repo: String!, $branch: String!, $after: String) {
  repository(owner: $owner, name: $repo) {
    mergeQueue(branch: $branch) {
      entries(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { headCommit { oid } pullRequest { number } }
      }
    }
  }
}";

/// However many pages a queue has; it ends a server that promises further pages for ever.
const MOST_PAGES: usize = 10;

/// A merge group, as its event tells it.
#[derive(Debug, Clone, Copy)]
pub struct MergeGroup<'a> {
    /// The branch it is for, without `refs/heads/`.
    pub branch: &'a str,
    /// The commit that would become the branch's tip.
    pub head_sha: &'a str,
    /// The pull request that the name of its own branch names: the last of the group.
    pub named: Option<u64>,
}

/// What a merge group would land on a branch.
#[derive(Debug, Clone)]
pub struct Landing {
    /// The pull requests, by number.
    pub pull_requests: Vec<PullRequestDetails>,
    /// The group's commits with the numbers of the pull requests that brought them, newest first.
    pub commits: Vec<(Brought, Vec<u64>)>,
}

/// A pull request in the queue, and the last commit that the queue made for it.
struct Entry {
    head: String,
    number: u64,
}

impl GitHub {
    /// The pull requests that a merge group would land on a branch: those of its commits, and of
    /// the groups before it that are not merged yet.
    ///
    /// The queue itself says which of its commits are whose. Where it is not told, a merge commit
    /// still names what it merges, and the group's branch its last pull request; a squashed or
    /// rebased commit below that names nothing.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked, or it cannot be told where a commit of the group comes from.
    pub async fn pull_requests_of_group(
        &self,
        repository: &Repository,
        group: MergeGroup<'_>,
    ) -> Result<Landing, GitHubError> {
        let unclear = |sha: &str| {
            unreadable(&format!(
                "which pull request brought {sha} into the merge group is not told; a queue that merges by merge \
                 commits, or one pull request at a time, always tells"
            ))
        };
        // The queue first: an entry that lands in between is then at or below the branch's tip.
        let entries = self.queue_entries(repository, group.branch).await?;
        let tip = self.branch_tip(repository, group.branch).await?.ok_or_else(|| unclear(group.head_sha))?;
        let mut numbers: Vec<u64> = Vec::new();
        let mut commits = Vec::new();
        let mut above: Option<u64> = None;
        let mut next = group.head_sha.to_owned();
        for _ in 0..MOST_COMMITS {
            if next == tip {
                break;
            }
            let commit = self.commit(repository, &next).await?.ok_or_else(|| unclear(&next))?;
            let listed = entries.iter().find(|entry| entry.head == next).map(|entry| entry.number);
            let named = group.named.filter(|_| next == group.head_sha);
            let brought = if let Some(number) = listed.or(named) {
                above = Some(number);
                vec![number]
            } else {
                let merged = self.merged_by(repository, group.branch, &commit).await?;
                // Between two pull requests that the queue lists, a commit that is no merge belongs
                // to the upper one: it was rebased.
                let rebased = above.filter(|_| !entries.is_empty() && commit.parents.len() == 1);
                let brought = if merged.is_empty() { rebased.into_iter().collect() } else { merged };
                if brought.is_empty() {
                    return Err(unclear(&next));
                }
                brought
            };
            numbers.extend(&brought);
            let parent = commit.parents.into_iter().next().ok_or_else(|| unclear(&next))?;
            commits.push((Brought { commit: next, parent: Some(parent.clone()) }, brought));
            next = parent;
        }
        numbers.sort_unstable();
        numbers.dedup();
        if next != tip || numbers.len() > MOST_IN_A_GROUP {
            return Err(unclear(&next));
        }
        let mut pull_requests = Vec::new();
        for number in numbers {
            pull_requests.push(self.pull_request(repository, number).await?);
        }
        Ok(Landing { pull_requests, commits })
    }

    /// The open pull requests into the branch whose commits a commit of the group holds or merges.
    async fn merged_by(&self, repository: &Repository, branch: &str, commit: &Commit) -> Result<Vec<u64>, GitHubError> {
        let side = match commit.parents.get(1) {
            Some(merged) => self.commit(repository, merged).await?,
            None => None,
        };
        let side = side.map(|side| side.pull_requests).unwrap_or_default();
        let open = commit.pull_requests.iter().chain(&side).filter(|pr| !pr.merged && pr.base_branch == branch);
        Ok(open.map(|pr| pr.number).collect())
    }

    /// What the branch's queue holds; nothing where there is none, or it is not told.
    async fn queue_entries(&self, repository: &Repository, branch: &str) -> Result<Vec<Entry>, GitHubError> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let variables = json!({
                "owner": repository.owner(), "repo": repository.name(), "branch": branch, "after": after,
            });
            let reply: Reply = match self.graphql(QUEUE, variables, "pull-requests: read", &["mergeQueue"]).await {
                Ok(reply) => reply,
                // An older server, or a token that may not see the queue.
                Err(error) if error.is_not_told() => {
                    detail!("the merge queue is not told: {error}");
                    return Ok(Vec::new());
                }
                Err(error) => return Err(error),
            };
            let Some(queue) = reply.repository.and_then(|repository| repository.merge_queue) else { return Ok(found) };
            let (entries, next) = queue.entries.page("the merge queue's entries")?;
            // The queue has not made the commit of an entry that it has just taken in.
            let complete =
                |entry: WireEntry| Some(Entry { head: entry.head_commit?.oid, number: entry.pull_request?.number });
            found.extend(entries.into_iter().filter_map(complete));
            let Some(next) = next else { return Ok(found) };
            after = Some(next);
        }
        Err(unreadable("the pages of the merge queue do not end"))
    }
}

#[derive(Deserialize)]
struct Reply {
    repository: Option<WireRepository>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRepository {
    merge_queue: Option<WireQueue>,
}

#[derive(Deserialize)]
struct WireQueue {
    #[serde(default)]
    entries: Connection<WireEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEntry {
    head_commit: Option<WireOid>,
    pull_request: Option<WireNumber>,
}

#[derive(Deserialize)]
struct WireNumber {
    number: u64,
}
