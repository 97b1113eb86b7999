//! The event that started the run: the few fields of its payload that decide something.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use thiserror::Error;

/// Why the event could not be read.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say what each field is")]
pub enum EventError {
    #[error("GITHUB_ACTIONS is `true`, but these variables of a job are not set: {}", .0.join(", "))]
    VariablesMissing(Vec<&'static str>),
    #[error("the variable {name} is not a number: {value}")]
    NotANumber { name: &'static str, value: String },
    #[error("failed to read the event file {path} (GITHUB_EVENT_PATH): {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the event file {path} is not the payload of a `{event}` event: {source}")]
    NotThisEvent { path: PathBuf, event: String, source: serde_path_to_error::Error<serde_json::Error> },
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// `pull_request` and `pull_request_target`.
    PullRequest(PullRequestEvent),
    /// `push`.
    Push(PushEvent),
    /// `merge_group`: the group's head commit and the branch it is for.
    MergeGroup {
        /// The commit that would become the branch's tip.
        head_sha: String,
        /// The branch's tip that the group is built on.
        base_sha: String,
        /// The full name of the branch.
        base_ref: String,
    },
    /// Any other event, `workflow_dispatch` among them: it names no commit of its own.
    Other,
}

/// A pull request's event.
#[derive(Debug, Clone)]
pub struct PullRequestEvent {
    /// What happened to it, such as `synchronize` or `closed`.
    pub action: String,
    /// Its number.
    pub number: u64,
    /// The head commit: what people review.
    pub head_sha: String,
    /// The base branch's commit.
    pub base_sha: String,
    /// The base branch's short name.
    pub base_ref: String,
    /// Whether the head is in another repository, or in one that is gone.
    pub from_fork: bool,
    /// Its author's login.
    pub author: String,
    /// Who did what the event tells: on `synchronize`, who pushed. A re-run keeps it.
    pub sender: String,
    /// Whether it is merged.
    pub merged: bool,
    /// The commit that merged it.
    pub merge_commit_sha: Option<String>,
}

/// A push.
#[derive(Debug, Clone)]
pub struct PushEvent {
    /// The branch's or tag's full name.
    pub git_ref: String,
    /// The tip before; all zeros for a new branch.
    pub before: String,
    /// The tip after.
    pub after: String,
    /// Whether history was rewritten.
    pub forced: bool,
    /// Whether the ref is new.
    pub created: bool,
    /// Whether the ref is gone.
    pub deleted: bool,
}

impl Event {
    /// Reads the payload of the event `name` from the runner's event file.
    ///
    /// # Errors
    /// The file is missing, or does not hold such a payload.
    pub fn read(name: &str, path: Option<PathBuf>) -> Result<Event, EventError> {
        if !matches!(name, "pull_request" | "pull_request_target" | "push" | "merge_group") {
            return Ok(Event::Other);
        }
        let path = path.ok_or_else(|| EventError::VariablesMissing(vec!["GITHUB_EVENT_PATH"]))?;
        let text = fs::read(&path).map_err(|source| EventError::Unreadable { path: path.clone(), source })?;
        parse(name, &text).map_err(|source| EventError::NotThisEvent { path, event: name.to_owned(), source })
    }
}

fn parse(name: &str, text: &[u8]) -> Result<Event, serde_path_to_error::Error<serde_json::Error>> {
    Ok(match name {
        "push" => {
            let push: wire::Push = wire::read(text)?;
            Event::Push(PushEvent {
                git_ref: push.git_ref,
                before: push.before,
                after: push.after,
                forced: push.forced,
                created: push.created,
                deleted: push.deleted,
            })
        }
        "merge_group" => {
            let group = wire::read::<wire::MergeGroupPayload>(text)?.merge_group;
            Event::MergeGroup { head_sha: group.head_sha, base_sha: group.base_sha, base_ref: group.base_ref }
        }
        _ => {
            let payload: wire::PullRequestPayload = wire::read(text)?;
            let pull = payload.pull_request;
            Event::PullRequest(PullRequestEvent {
                action: payload.action,
                number: pull.number,
                head_sha: pull.head.sha,
                base_sha: pull.base.sha,
                base_ref: pull.base.git_ref,
                from_fork: match &pull.head.repo {
                    wire::Home::Untold => false,
                    wire::Home::Gone => true,
                    head @ wire::Home::Of(_) => *head != pull.base.repo,
                },
                author: pull.user.map(|user| user.login).unwrap_or_default(),
                sender: payload.sender.map(|user| user.login).unwrap_or_default(),
                merged: pull.merged.unwrap_or(false),
                merge_commit_sha: pull.merge_commit_sha,
            })
        }
    })
}

/// The payloads as GitHub sends them.
mod wire {
    use serde::Deserializer;

    use super::Deserialize;

    pub(super) fn read<'text, T: Deserialize<'text>>(
        text: &'text [u8],
    ) -> Result<T, serde_path_to_error::Error<serde_json::Error>> {
        serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(text))
    }

    #[derive(Deserialize)]
    pub(super) struct Push {
        #[serde(rename = "ref")]
        pub(super) git_ref: String,
        pub(super) before: String,
        pub(super) after: String,
        #[serde(default)]
        pub(super) forced: bool,
        #[serde(default)]
        pub(super) created: bool,
        #[serde(default)]
        pub(super) deleted: bool,
    }

    #[derive(Deserialize)]
    pub(super) struct MergeGroupPayload {
        pub(super) merge_group: MergeGroup,
    }

    #[derive(Deserialize)]
    pub(super) struct MergeGroup {
        pub(super) head_sha: String,
        pub(super) base_sha: String,
        pub(super) base_ref: String,
    }

    #[derive(Deserialize)]
    pub(super) struct PullRequestPayload {
        #[serde(default)]
        pub(super) action: String,
        pub(super) pull_request: PullRequest,
        pub(super) sender: Option<User>,
    }

    #[derive(Deserialize)]
    pub(super) struct PullRequest {
        pub(super) number: u64,
        pub(super) head: Side,
        pub(super) base: Side,
        pub(super) user: Option<User>,
        pub(super) merged: Option<bool>,
        pub(super) merge_commit_sha: Option<String>,
    }

    #[derive(Deserialize)]
    pub(super) struct Side {
        pub(super) sha: String,
        #[serde(rename = "ref")]
        pub(super) git_ref: String,
        #[serde(default)]
        pub(super) repo: Home,
    }

    /// The repository of a side. GitHub's payloads always have one, or `null`; those that people
    /// write for a local runner may leave it out.
    #[derive(Default, PartialEq)]
    pub(super) enum Home {
        #[default]
        Untold,
        Gone,
        Of(String),
    }

    impl<'de> Deserialize<'de> for Home {
        fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
            let repository = Option::<Repository>::deserialize(value)?;
            Ok(repository.map_or(Self::Gone, |repository| Self::Of(repository.full_name)))
        }
    }

    #[derive(Deserialize)]
    pub(super) struct Repository {
        pub(super) full_name: String,
    }

    #[derive(Deserialize)]
    pub(super) struct User {
        pub(super) login: String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_request_from_a_fork_or_a_deleted_repository_is_a_fork() {
        let payload = |head_repo: &str| {
            format!(
                r#"{{"action":"opened","pull_request":{{"number":7,"user":null,"merged":false,"merge_commit_sha":null,
                "head":{{"sha":"aa","ref":"x"{head_repo}}},"base":{{"sha":"bb","ref":"main","repo":{{"full_name":"acme/infra"}}}}}}}}"#
            )
        };
        for (repository, expected) in [
            (r#","repo":{"full_name":"acme/infra"}"#, false),
            (r#","repo":{"full_name":"octocat/infra"}"#, true),
            (r#","repo":null"#, true),
            ("", false),
        ] {
            let Event::PullRequest(event) = parse("pull_request", payload(repository).as_bytes()).unwrap() else {
                unreachable!()
            };
            assert_eq!(event.from_fork, expected, "{repository}");
            assert_eq!((event.number, event.head_sha.as_str()), (7, "aa"));
        }
    }

    #[test]
    fn an_error_names_the_place() {
        let error = parse("push", br#"{"ref":"refs/heads/main","before":5}"#).unwrap_err();
        assert!(error.to_string().contains("before"), "{error}");
    }
}
