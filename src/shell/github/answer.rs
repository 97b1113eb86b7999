//! What GitHub answered, and what it means: success, a refusal, a rate limit, another place.

use std::time::Duration;

use http::{HeaderMap, Uri};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::client::{Call, GraphQlError, GraphQlReply, Method};
use super::error::GitHubError;

/// Not even when GitHub says "after 0 seconds" do we ask at once.
const SHORTEST: Duration = Duration::from_secs(1);

/// An answer, with what we use of its headers.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) has_next_page: bool,
    /// GitHub's clock.
    pub(super) date: Option<Timestamp>,
    pub(super) has_links: bool,
    location: Option<String>,
    retry_after: Option<u64>,
    limit_remaining: Option<u64>,
    limit_reset: Option<i64>,
    accepted_permissions: Option<String>,
}

impl Answer {
    pub(super) fn new(status: u16, headers: &HeaderMap, body: String) -> Answer {
        let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let link = header("link");
        Answer {
            status,
            has_next_page: link.as_ref().is_some_and(|l| l.contains("rel=\"next\"")),
            has_links: link.is_some(),
            location: header("location").filter(|_| matches!(status, 301 | 302 | 307 | 308)),
            date: header("date").and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()),
            retry_after: header("retry-after").and_then(|v| v.parse().ok()),
            limit_remaining: header("x-ratelimit-remaining").and_then(|v| v.parse().ok()),
            limit_reset: header("x-ratelimit-reset").and_then(|v| v.parse().ok()),
            accepted_permissions: header("x-accepted-github-permissions"),
            body,
        }
    }

    /// Where the same request is to be sent instead, as for a renamed repository; never to another
    /// host, which would get the token.
    pub(super) fn redirect(&self, from: &Uri) -> Option<Uri> {
        let location = self.location.as_deref()?;
        let text = if location.starts_with('/') {
            format!("{}://{}{location}", from.scheme_str()?, from.authority()?)
        } else {
            location.to_owned()
        };
        let to = text.parse::<Uri>().ok()?;
        (to.scheme() == from.scheme() && to.authority() == from.authority()).then_some(to)
    }

    pub(super) fn is_rate_limited(&self, method: Method) -> bool {
        let says_so = || self.message().to_ascii_lowercase().contains("rate limit");
        match self.status {
            429 => true,
            403 => self.retry_after.is_some() || self.limit_remaining == Some(0) || says_so(),
            200 if method == Method::GraphQl => serde_json::from_str::<GraphQlReply>(&self.body).is_ok_and(|reply| {
                let is_limit = |e: &GraphQlError| e.r#type.as_deref() == Some("RATE_LIMITED");
                reply.errors.iter().any(is_limit)
            }),
            _ => false,
        }
    }

    /// What GitHub asks for; where it does not say, at least `least`, and more each time.
    pub(super) fn rate_limit_pause(&self, waited: Duration, least: Duration) -> Duration {
        if let Some(seconds) = self.retry_after {
            return Duration::from_secs(seconds).max(least.min(SHORTEST));
        }
        match (self.limit_remaining, self.limit_reset) {
            (Some(0), Some(reset)) => {
                let now = self.date.unwrap_or_else(Timestamp::now).as_second();
                // One more second: GitHub counts in whole ones.
                Duration::from_secs(u64::try_from(reset - now).unwrap_or(0) + 1)
            }
            _ => least.max(waited * 2),
        }
    }

    pub(super) fn rate_limit_error(&self, call: Call<'_>, pause: Duration) -> GitHubError {
        let now = self.date.unwrap_or_else(Timestamp::now);
        GitHubError::RateLimited {
            method: call.method.name(),
            path: call.path.to_owned(),
            until: now.checked_add(pause).ok(),
            message: self.message(),
        }
    }

    pub(super) fn error(&self, call: Call<'_>) -> GitHubError {
        let method = call.method.name();
        let path = call.path.to_owned();
        let message = self.message();
        // GitHub names the permissions itself on some answers: `issues=write; pull_requests=write`.
        let needs = || match &self.accepted_permissions {
            Some(accepted) => plain(&accepted.replace('_', "-").replace('=', ": ")),
            None => call.needs.to_owned(),
        };
        match self.status {
            401 => GitHubError::Unauthorized { method, path, message },
            403 => GitHubError::Forbidden { method, path, needs: needs(), message },
            404 => GitHubError::NotFound { method, path, needs: call.needs.to_owned(), message },
            422 => GitHubError::Invalid { method, path, message },
            status => GitHubError::Status { method, path, status, message },
        }
    }

    /// GitHub's own words, or the start of whatever else came.
    fn message(&self) -> String {
        #[derive(Deserialize)]
        struct Message {
            message: String,
        }
        match serde_json::from_str::<Message>(&self.body) {
            Ok(said) => plain(&said.message),
            Err(_) if self.body.trim().is_empty() => "no further words".to_owned(),
            Err(_) => plain(&self.body),
        }
    }
}

/// Reads an answer's JSON.
pub(super) fn parse<T: DeserializeOwned>(call: &Call<'_>, body: &str) -> Result<T, GitHubError> {
    let mut json = serde_json::Deserializer::from_str(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| GitHubError::Unreadable {
        method: call.method.name(),
        path: call.path.to_owned(),
        why: error.to_string(),
    })
}

/// A text from outside as one short line without control characters.
pub(super) fn plain(text: &str) -> String {
    const MOST: usize = 300;
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        line.push('…');
    }
    line.trim().to_owned()
}
