//! Our comment on a pull request: found again, edited in place, never somebody else's.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Call, GitHub, Method, Repository, parse};
use super::error::GitHubError;

const NEEDS: &str = "pull-requests: write";

/// Says who the token belongs to.
const VIEWER: &str = "query Viewer { viewer { login } }";

/// Folds a comment away, as outdated.
const MINIMIZE: &str = "mutation Minimize($id: ID!) {
  minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) {
    minimizedComment { isMinimized minimizedReason }
  }
}";

/// The author of comments written with a job's own token.
const ACTIONS: &str = "github-actions[bot]";

/// Where a comment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentRef {
    /// Its number in REST.
    pub id: u64,
    /// Its name in GraphQL.
    pub node_id: String,
    /// Its place on the pull request's page.
    pub url: String,
}

/// One of our comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Where it is.
    pub at: CommentRef,
    /// What it says now.
    pub body: String,
}

#[derive(Deserialize)]
struct Wire {
    id: u64,
    #[serde(default)]
    node_id: String,
    #[serde(default)]
    html_url: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<WireUser>,
    #[serde(default)]
    performed_via_github_app: Option<WireApp>,
}

#[derive(Deserialize)]
struct WireUser {
    #[serde(default)]
    login: String,
    #[serde(default)]
    r#type: String,
}

#[derive(Deserialize)]
struct WireApp {
    #[serde(default)]
    slug: Option<String>,
}

impl From<Wire> for Comment {
    fn from(wire: Wire) -> Self {
        Self {
            at: CommentRef { id: wire.id, node_id: wire.node_id, url: wire.html_url },
            body: wire.body.unwrap_or_default(),
        }
    }
}

impl GitHub {
    /// Finds our comment with this marker as its first line: the oldest, others are folded away.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked.
    pub async fn find_comment(
        &self,
        repository: &Repository,
        pull_request: u64,
        marker: &str,
    ) -> Result<Option<Comment>, GitHubError> {
        let mut ours = self.our_comments(repository, pull_request, marker, None).await?.into_iter();
        let oldest = ours.next();
        for other in ours {
            self.minimize(&other.at).await;
        }
        let at = oldest.as_ref().map(|comment| comment.at.clone());
        self.remember(repository, pull_request, marker, at).await;
        Ok(oldest)
    }

    /// Writes our comment: edits the one with this marker, or creates it.
    ///
    /// Of several with the same marker (two jobs began at once) the oldest stays, and whoever sees
    /// the others folds them away: the later of two writers always does.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked, or refuses the comment.
    pub async fn upsert_comment(
        &self,
        repository: &Repository,
        pull_request: u64,
        marker: &str,
        body: &str,
    ) -> Result<CommentRef, GitHubError> {
        let body = if first_line(body) == marker { body.to_owned() } else { format!("{marker}\n{body}") };
        let place = (repository.to_string(), pull_request, marker.to_owned());
        let known = self.known_comments.lock().await.get(&place).cloned();
        if let Some(Some(known)) = &known {
            match self.edit_comment(repository, known, &body).await {
                // Somebody deleted it: then a new one is made.
                Err(error) if error.is_not_found() => {}
                edited => return edited,
            }
        }
        // That there is none was seen a moment ago, and what came since is seen below.
        let ours = match known {
            Some(None) => Vec::new(),
            _ => self.our_comments(repository, pull_request, marker, None).await?,
        };
        let written = match ours.split_first() {
            Some((oldest, others)) => self.edit_oldest(repository, oldest, others, &body).await?,
            None => self.create_only(repository, pull_request, marker, &body).await?,
        };
        self.remember(repository, pull_request, marker, Some(written.clone())).await;
        Ok(written)
    }

    /// Creates our comment, unless another job was quicker.
    async fn create_only(
        &self,
        repository: &Repository,
        pull_request: u64,
        marker: &str,
        body: &str,
    ) -> Result<CommentRef, GitHubError> {
        let created = self.create_comment(repository, pull_request, marker, body).await?;
        let ours = match self.our_comments(repository, pull_request, marker, Some(created.id)).await {
            Ok(ours) => ours,
            Err(error) => {
                tracing::warn!(%error, "whether another job wrote the same comment could not be told");
                return Ok(created);
            }
        };
        match ours.split_first() {
            Some((oldest, others)) if oldest.at.id < created.id => {
                self.edit_oldest(repository, oldest, others, body).await
            }
            _ => Ok(created),
        }
    }

    async fn edit_oldest(
        &self,
        repository: &Repository,
        oldest: &Comment,
        others: &[Comment],
        body: &str,
    ) -> Result<CommentRef, GitHubError> {
        let edited = self.edit_comment(repository, &oldest.at, body).await?;
        for other in others {
            self.minimize(&other.at).await;
        }
        Ok(edited)
    }

    /// Writes a comment that stays as it is, such as a note on a holder's pull request.
    ///
    /// `marker` is its first line and must be its own (name the run and attempt in it), so that it
    /// can be told whether it was written when the answer was lost.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked, or refuses the comment.
    pub async fn add_comment(
        &self,
        repository: &Repository,
        pull_request: u64,
        marker: &str,
        body: &str,
    ) -> Result<CommentRef, GitHubError> {
        let body = format!("{marker}\n{body}");
        self.create_comment(repository, pull_request, marker, &body).await
    }

    async fn remember(&self, repository: &Repository, pull_request: u64, marker: &str, at: Option<CommentRef>) {
        let place = (repository.to_string(), pull_request, marker.to_owned());
        self.known_comments.lock().await.insert(place, at);
    }

    /// Our comments with this marker, the oldest first; `created` is one that is known to be ours.
    async fn our_comments(
        &self,
        repository: &Repository,
        pull_request: u64,
        marker: &str,
        created: Option<u64>,
    ) -> Result<Vec<Comment>, GitHubError> {
        let path = format!("{}/issues/{pull_request}/comments", repository.path());
        let all: Vec<Wire> = self.get_all(&path, NEEDS, |page: Vec<Wire>| page).await?;
        let mut ours: Vec<Wire> = all
            .into_iter()
            .filter(|comment| first_line(comment.body.as_deref().unwrap_or_default()) == marker)
            .collect();
        if ours.iter().any(|comment| Some(comment.id) != created) {
            let viewer = self.viewer().await?;
            ours.retain(|comment| Some(comment.id) == created || is_ours(comment, viewer.as_deref()));
        }
        ours.sort_by_key(|comment| comment.id);
        Ok(ours.into_iter().map(Comment::from).collect())
    }

    /// The login of the token's owner; `None` when the token may not ask.
    async fn viewer(&self) -> Result<Option<String>, GitHubError> {
        #[derive(Deserialize)]
        struct Reply {
            viewer: Viewer,
        }
        #[derive(Deserialize)]
        struct Viewer {
            login: String,
        }
        let viewer = self
            .viewer
            .get_or_try_init(|| async {
                match self.graphql::<Reply>(VIEWER, json!({}), "contents: read", &[]).await {
                    Ok(reply) => Ok(Some(reply.viewer.login)),
                    Err(
                        error @ (GitHubError::Unreachable { .. }
                        | GitHubError::Unauthorized { .. }
                        | GitHubError::RateLimited { .. }),
                    ) => Err(error),
                    Err(error) => {
                        detail!(%error, "whose token this is was not told");
                        Ok(None)
                    }
                }
            })
            .await?;
        Ok(viewer.clone())
    }

    async fn edit_comment(
        &self,
        repository: &Repository,
        at: &CommentRef,
        body: &str,
    ) -> Result<CommentRef, GitHubError> {
        let path = format!("{}/issues/comments/{}", repository.path(), at.id);
        let body = json!({ "body": body });
        let call = Call { method: Method::Patch, path: &path, body: Some(&body), needs: NEEDS };
        let wire: Wire = parse(&call, &self.send(call).await?.body)?;
        Ok(Comment::from(wire).at)
    }

    /// Creates a comment, once: when the answer is lost, it is looked for before it is sent again.
    async fn create_comment(
        &self,
        repository: &Repository,
        pull_request: u64,
        marker: &str,
        body: &str,
    ) -> Result<CommentRef, GitHubError> {
        let path = format!("{}/issues/{pull_request}/comments", repository.path());
        let request = json!({ "body": body });
        let call = Call { method: Method::Post, path: &path, body: Some(&request), needs: NEEDS };
        let mut pauses = self.pauses.tries.iter();
        loop {
            let created = match self.send(call).await {
                Ok(answer) => parse::<Wire>(&call, &answer.body),
                Err(error) => Err(error),
            };
            let error = match created {
                Ok(wire) => return Ok(Comment::from(wire).at),
                Err(error) if error.leaves_open() => error,
                Err(error) => return Err(error),
            };
            let Some(pause) = pauses.next() else {
                return Err(error);
            };
            tokio::time::sleep(*pause).await;
            let found = self.our_comments(repository, pull_request, marker, None).await?;
            if let Some(comment) = found.into_iter().next_back() {
                return Ok(comment.at);
            }
        }
    }

    /// Folds one of our comments away; that this fails is no reason to fail anything.
    async fn minimize(&self, at: &CommentRef) {
        let minimized: Result<Value, GitHubError> =
            self.graphql(MINIMIZE, json!({ "id": at.node_id }), NEEDS, &[]).await;
        if let Err(error) = minimized {
            tracing::warn!(comment = %at.url, %error, "an older comment could not be folded away");
        }
    }
}

fn first_line(body: &str) -> &str {
    body.lines().next().unwrap_or_default()
}

/// Whether we wrote it. GraphQL names an app without the `[bot]` that REST appends.
fn is_ours(comment: &Wire, viewer: Option<&str>) -> bool {
    let Some(user) = &comment.user else {
        return false;
    };
    let is_bot = user.r#type == "Bot";
    if let Some(viewer) = viewer {
        let app = user.login.strip_suffix("[bot]").filter(|_| is_bot);
        return user.login.eq_ignore_ascii_case(viewer) || app.is_some_and(|login| login.eq_ignore_ascii_case(viewer));
    }
    // A token that may not ask who it is belongs to a job.
    let app = comment.performed_via_github_app.as_ref();
    let slug = app.and_then(|app| app.slug.as_deref());
    is_bot && user.login == ACTIONS && slug.is_none_or(|slug| slug == "github-actions")
}
