//! Who may do what, and what a pull request says of itself.

use serde::Deserialize;

use super::client::{GitHub, Repository, segment};
use super::error::GitHubError;
use stategate_core::approval::{Actor, ActorKind, MembershipAnswer};
use stategate_core::record::Files;

/// An account as REST tells it.
#[derive(Deserialize)]
pub(super) struct WireUser {
    #[serde(default)]
    pub(super) login: String,
    #[serde(default)]
    r#type: String,
}

/// An account, with REST's words for its kind.
pub(super) fn actor(wire: WireUser) -> Actor {
    let kind = match wire.r#type.as_str() {
        "User" => ActorKind::User,
        "Bot" => ActorKind::Bot,
        other => ActorKind::Other(other.to_owned()),
    };
    Actor { login: wire.login, kind }
}

/// What somebody may do in a repository; `maintain` counts as write and `triage` as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Write.
    Write,
    /// Everything.
    Admin,
}

/// What is asked about a pull request by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestDetails {
    /// Its number.
    pub number: u64,
    /// Its title: anybody's text.
    pub title: String,
    /// Its page.
    pub url: String,
    /// Whether it is open.
    pub open: bool,
    /// Whether it is merged.
    pub merged: bool,
    /// Its last commit.
    pub head_sha: String,
    /// The branch it goes to.
    pub base_branch: String,
    /// That branch's commit, as GitHub last compared.
    pub base_sha: String,
    /// The commit that its merge made; before that, of the test merge.
    pub merge_commit: Option<String>,
    /// Whether it comes from a fork (or from a repository that is gone).
    pub from_fork: bool,
}

/// An open pull request, as a list tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPullRequest {
    /// Its number.
    pub number: u64,
    /// Its last commit.
    pub head_sha: String,
}

/// A pull request as REST tells it.
#[derive(Deserialize)]
pub(super) struct WirePullRequest {
    pub(super) number: u64,
    #[serde(default)]
    title: String,
    #[serde(default)]
    pub(super) html_url: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    pub(super) merged: bool,
    #[serde(default)]
    pub(super) merge_commit_sha: Option<String>,
    #[serde(default)]
    pub(super) user: Option<WireUser>,
    #[serde(default)]
    pub(super) merged_by: Option<WireUser>,
    pub(super) head: WireSide,
    pub(super) base: WireSide,
}

#[derive(Deserialize)]
pub(super) struct WireSide {
    pub(super) r#ref: String,
    pub(super) sha: String,
    #[serde(default)]
    pub(super) repo: Option<WireRepository>,
}

#[derive(Deserialize, PartialEq)]
pub(super) struct WireRepository {
    #[serde(default)]
    pub(super) full_name: String,
}

impl WirePullRequest {
    /// Whether it comes from another repository, or from one that is gone.
    pub(super) fn is_from_fork(&self) -> bool {
        self.head.repo != self.base.repo
    }
}

impl GitHub {
    /// What somebody may do in a repository.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked.
    pub async fn permission(&self, repository: &Repository, login: &str) -> Result<Permission, GitHubError> {
        #[derive(Deserialize)]
        struct Wire {
            permission: String,
        }
        let path = format!("{}/collaborators/{}/permission", repository.path(), segment(login));
        match self.get::<Wire>(&path, "metadata: read").await {
            Ok(wire) => Ok(match wire.permission.as_str() {
                "admin" => Permission::Admin,
                "write" | "maintain" => Permission::Write,
                "read" | "triage" => Permission::Read,
                _ => Permission::None,
            }),
            // Not an account, or none with anything to do here.
            Err(error) if error.is_not_found() => Ok(Permission::None),
            Err(error) => Err(error),
        }
    }

    /// Whether somebody is an active member of a team.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked. That the token may not know is no error but an answer; GitHub
    /// says "not found" both for that and for no membership.
    pub async fn membership(&self, org: &str, slug: &str, login: &str) -> Result<MembershipAnswer, GitHubError> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default)]
            state: String,
        }
        const NEEDS: &str = "members: read (which a job's own token never has)";
        let team = format!("/orgs/{}/teams/{}", segment(org), segment(slug));
        let path = format!("{team}/memberships/{}", segment(login));
        match self.get::<Wire>(&path, NEEDS).await {
            Ok(wire) if wire.state == "active" => Ok(MembershipAnswer::Member),
            Ok(_) => Ok(MembershipAnswer::NotMember),
            Err(error) if error.is_not_found() => {
                // Only a token that sees the team tells us who is not in it.
                match self.get::<serde::de::IgnoredAny>(&team, NEEDS).await {
                    Ok(_) => Ok(MembershipAnswer::NotMember),
                    Err(error) if error.is_not_told() => Ok(MembershipAnswer::NotTold { why: error.to_string() }),
                    Err(error) => Err(error),
                }
            }
            Err(error) if error.is_not_told() => Ok(MembershipAnswer::NotTold { why: error.to_string() }),
            Err(error) => Err(error),
        }
    }

    /// All files of a commit, by Git's own object names.
    ///
    /// # Errors
    ///
    /// When there is no such commit, it holds more files than GitHub lists, or GitHub cannot be
    /// asked.
    pub async fn files(&self, repository: &Repository, sha: &str) -> Result<Files, GitHubError> {
        #[derive(Deserialize)]
        struct Tree {
            #[serde(default)]
            truncated: bool,
            tree: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            path: String,
            mode: String,
            r#type: String,
            sha: String,
        }
        let path = format!("{}/git/trees/{}?recursive=1", repository.path(), segment(sha));
        let found: Tree = self.get(&path, "contents: read").await?;
        if found.truncated {
            let why = "the commit holds more files than GitHub lists".to_owned();
            return Err(GitHubError::Unreadable { method: "GET", path, why });
        }
        let files = found.tree.into_iter().filter(|entry| entry.r#type != "tree");
        Ok(files.map(|entry| (entry.path, format!("{} {}", entry.mode, entry.sha))).collect())
    }

    /// The newest hundred open pull requests, in one request.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked.
    pub async fn open_pull_requests(&self, repository: &Repository) -> Result<Vec<OpenPullRequest>, GitHubError> {
        #[derive(Deserialize)]
        struct Wire {
            number: u64,
            head: WireSide,
        }
        let path = format!("{}/pulls?state=open&per_page=100", repository.path());
        let found: Vec<Wire> = self.get(&path, "pull-requests: read").await?;
        Ok(found.into_iter().map(|wire| OpenPullRequest { number: wire.number, head_sha: wire.head.sha }).collect())
    }

    /// What a pull request says of itself.
    ///
    /// # Errors
    ///
    /// When there is none, or GitHub cannot be asked.
    pub async fn pull_request(&self, repository: &Repository, number: u64) -> Result<PullRequestDetails, GitHubError> {
        let path = format!("{}/pulls/{number}", repository.path());
        let wire: WirePullRequest = self.get(&path, "pull-requests: read").await?;
        Ok(PullRequestDetails {
            number: wire.number,
            from_fork: wire.is_from_fork(),
            title: wire.title,
            url: wire.html_url,
            open: wire.state == "open",
            merged: wire.merged,
            head_sha: wire.head.sha,
            base_branch: wire.base.r#ref,
            base_sha: wire.base.sha,
            merge_commit: wire.merge_commit_sha,
        })
    }
}
