//! What can go wrong with GitHub, and what to do about it.

use jiff::Timestamp;

use crate::net::Trouble;

/// GitHub could not be asked, or said no. Never holds the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GitHubError {
    /// The client could not be made.
    #[error("no connection to GitHub can be made: {why}")]
    Setup {
        /// What is wrong.
        why: String,
    },
    /// No answer came.
    #[error("GitHub did not answer {method} {path} ({tries} tries): {trouble}")]
    Unreachable {
        /// The request's method.
        method: &'static str,
        /// The request's path.
        path: String,
        /// How often it was sent.
        tries: u32,
        /// Why not.
        trouble: Trouble,
    },
    /// 401: the token is not (or no longer) one.
    #[error("GitHub refused the token for {method} {path}: {message}")]
    Unauthorized {
        /// The request's method.
        method: &'static str,
        /// The request's path.
        path: String,
        /// GitHub's words.
        message: String,
    },
    /// 403: the token may not do this.
    #[error("the token may not {method} {path}: {message}")]
    Forbidden {
        /// The request's method.
        method: &'static str,
        /// The request's path.
        path: String,
        /// The permission it lacks, as a workflow's `permissions:` spells it.
        needs: String,
        /// GitHub's words.
        message: String,
    },
    /// 404: it is not there, or the token may not see it.
    #[error("GitHub finds nothing for {method} {path}: {message}")]
    NotFound {
        /// The request's method.
        method: &'static str,
        /// The request's path.
        path: String,
        /// The permission that would show it.
        needs: String,
        /// GitHub's words.
        message: String,
    },
    /// 422: the request makes no sense to GitHub.
    #[error("GitHub did not accept {method} {path}: {message}")]
    Invalid {
        /// The request's method.
        method: &'static str,
        /// The request's path.
        path: String,
        /// GitHub's words.
        message: String,
    },
    /// Too many requests, for longer than we wait.
    #[error("GitHub's rate limit is used up for {method} {path}: {message}")]
    RateLimited {
        /// The request's method.
        method: &'static str,
        /// The request's path.
        path: String,
        /// When it may be asked again, if GitHub says so.
        until: Option<Timestamp>,
        /// GitHub's words.
        message: String,
    },
    /// Any other status.
    #[error("GitHub answered {method} {path} with {status}: {message}")]
    Status {
        /// The request's method.
        method: &'static str,
        /// The request's path.
        path: String,
        /// The HTTP status.
        status: u16,
        /// GitHub's words.
        message: String,
    },
    /// The answer is not what GitHub documents.
    #[error("GitHub's answer to {method} {path} cannot be read: {why}")]
    Unreadable {
        /// The request's method.
        method: &'static str,
        /// The request's path.
        path: String,
        /// Where in it, and what is wrong.
        why: String,
    },
    /// GraphQL answered with errors.
    #[error("GitHub's GraphQL answered with an error: {message}")]
    GraphQl {
        /// GitHub's words.
        message: String,
        /// The permission the query needs.
        needs: String,
    },
    /// A repository's name that is none.
    #[error("`{name}` is not a repository's name (`owner/name`)")]
    NotARepository {
        /// What was given.
        name: String,
    },
}

impl GitHubError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Setup { .. } => "check GITHUB_API_URL, GITHUB_GRAPHQL_URL and the token".to_owned(),
            Self::Unreachable {
                trouble: Trouble::Connection(_) | Trouble::Unreached { .. } | Trouble::Slow { .. },
                ..
            } => "check https://www.githubstatus.com and the runner's network (where the way out is a proxy, set \
                 HTTPS_PROXY), then re-run the job"
                .to_owned(),
            Self::Unreachable { trouble, .. } => trouble.hint().to_owned(),
            Self::Unauthorized { .. } => "give a valid token: `github-token: ${{ github.token }}` in the action, or \
                 STATEGATE_GITHUB_TOKEN; the job's own token ends with the job"
                .to_owned(),
            Self::Forbidden { needs, .. } => {
                format!("add `{needs}` to the job's `permissions:`")
            }
            Self::NotFound { needs, .. } => format!(
                "check that it exists; GitHub also says so to a token that may not see it, so \
                 add `{needs}` to the job's `permissions:`"
            ),
            Self::RateLimited { until: Some(at), .. } => {
                format!("re-run the job after {at}, or give a token with a limit of its own")
            }
            Self::RateLimited { until: None, .. } => {
                "re-run the job in some minutes, or give a token with a limit of its own".to_owned()
            }
            Self::GraphQl { needs, .. } => {
                format!("check that the job's `permissions:` have `{needs}`")
            }
            Self::Status { status, .. } if *status >= 500 => {
                "GitHub has trouble: see https://www.githubstatus.com, then re-run the job".to_owned()
            }
            Self::Invalid { .. } | Self::Status { .. } | Self::Unreadable { .. } => {
                "this is not how GitHub's documented API answers: check that GITHUB_API_URL is \
                 GitHub's, and report it if it is"
                    .to_owned()
            }
            Self::NotARepository { .. } => "give it as `owner/name`, as GITHUB_REPOSITORY does".to_owned(),
        }
    }

    /// Whether it is not there, or not for this token.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether a write may have happened all the same.
    pub(super) fn leaves_open(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Unreadable { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// Whether the same may be asked of GitHub's other API: this one was reached, took the token, and
    /// has no answer.
    pub(super) fn is_of_this_api(&self) -> bool {
        self.is_not_told() || matches!(self, Self::Status { .. } | Self::Unreadable { .. })
    }

    /// Whether GitHub says that this token may not be told.
    pub(super) fn is_not_told(&self) -> bool {
        matches!(self, Self::Forbidden { .. } | Self::NotFound { .. } | Self::GraphQl { .. })
    }
}
