//! Sending requests: what is said with each, how long we wait, what is sent again.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use octocrab::Octocrab;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use super::comments::CommentRef;
use super::error::GitHubError;

/// How GitHub is reached.
#[derive(Debug, Clone)]
pub struct Connection {
    /// `GITHUB_API_URL`; on an Enterprise Server it ends in `/api/v3`.
    pub api_url: String,
    /// `GITHUB_GRAPHQL_URL`.
    pub graphql_url: String,
    /// The token.
    pub token: SecretString,
    /// How long to wait for what.
    pub pauses: Pauses,
}

/// How long to wait for what.
#[derive(Debug, Clone)]
pub struct Pauses {
    /// The most that one answer may take.
    pub answer: Duration,
    /// Before each further try of a request that may be sent again.
    pub tries: Vec<Duration>,
    /// Before each further look for the pull request of a fresh commit, which GitHub's index does
    /// not know at once.
    pub index: Vec<Duration>,
    /// The most to wait for a rate limit, in all, for one request.
    pub rate_limit: Duration,
    /// The least to wait for a rate limit of which GitHub does not say how long it lasts.
    pub rate_limit_least: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(30),
            tries: [500, 2_000, 5_000].map(Duration::from_millis).to_vec(),
            index: [1, 2, 4, 8, 15].map(Duration::from_secs).to_vec(),
            rate_limit: Duration::from_mins(3),
            rate_limit_least: Duration::from_mins(1),
        }
    }
}

/// A repository's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    /// Who owns it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Its name, without its owner.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The start of its paths in the API.
    pub(super) fn path(&self) -> String {
        format!("/repos/{}/{}", segment(&self.owner), segment(&self.name))
    }
}

impl std::fmt::Display for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl std::str::FromStr for Repository {
    type Err = GitHubError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.chars().all(|c| c == '.')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        match text.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => Err(GitHubError::NotARepository { name: text.to_owned() }),
        }
    }
}

/// A part of a path, with everything encoded that could make it more than one.
pub(super) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            let digits =
                [byte >> 4, byte & 15].into_iter().filter_map(|nibble| char::from_digit(u32::from(nibble), 16));
            encoded.extend(digits.map(|digit| digit.to_ascii_uppercase()));
        }
    }
    encoded
}

/// A connection to GitHub with one token.
pub struct GitHub {
    rest: Octocrab,
    /// An Enterprise Server has GraphQL beside its REST API, not below it.
    graphql: Octocrab,
    graphql_path: String,
    token: SecretString,
    pub(super) pauses: Pauses,
    /// The login of the token's owner; `None` when it may not ask.
    pub(super) viewer: OnceCell<Option<String>>,
    /// Where our comments are, once looked for, so that an edit needs no search; `None` when there
    /// was none.
    pub(super) known_comments: Mutex<HashMap<(String, u64, String), Option<CommentRef>>>,
}

impl std::fmt::Debug for GitHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitHub")
            .field("graphql_path", &self.graphql_path)
            .field("token", &"***")
            .finish_non_exhaustive()
    }
}

/// A request.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Option<&'a Value>,
    /// The permission it needs, as a workflow's `permissions:` spells it.
    pub(super) needs: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Patch,
    Post,
    /// A GraphQL query, or a mutation that does no harm twice.
    GraphQl,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Patch => "PATCH",
            Self::Post | Self::GraphQl => "POST",
        }
    }

    /// Whether sending it twice does what sending it once does.
    fn may_repeat(self) -> bool {
        self != Self::Post
    }
}

/// An answer, with what we use of its headers.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) has_next_page: bool,
    /// GitHub's clock.
    pub(super) date: Option<Timestamp>,
    has_links: bool,
    retry_after: Option<u64>,
    limit_remaining: Option<u64>,
    limit_reset: Option<i64>,
    accepted_permissions: Option<String>,
}

impl GitHub {
    /// Prepares a connection; nothing is sent yet. Must be called within the async runtime.
    ///
    /// # Errors
    ///
    /// When a URL or the token cannot be one, or the machine has no CA certificates.
    pub fn connect(connection: Connection) -> Result<Self, GitHubError> {
        let setup = |why: String| GitHubError::Setup { why };
        let Connection { api_url, graphql_url, token, pauses } = connection;
        let secret = token.expose_secret();
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(setup("the token is empty or holds white space".to_owned()));
        }
        let api_url = api_url.trim_end_matches('/');
        let build = |base: &str| {
            Octocrab::builder()
                .base_uri(base)
                .map_err(|error| setup(format!("`{base}` is not a URL: {}", causes(&error))))?
                .personal_token(token.clone())
                .add_retry_config(octocrab::service::middleware::retry::RetryConfig::None)
                .set_connect_timeout(Some(pauses.answer))
                .set_read_timeout(Some(pauses.answer))
                .set_write_timeout(Some(pauses.answer))
                .build()
                .map_err(|error| setup(causes(&error)))
        };
        for url in [api_url, &graphql_url] {
            if !url.starts_with("https://") && !url.starts_with("http://") {
                return Err(setup(format!("`{url}` is not a URL")));
            }
        }
        let rest = build(api_url)?;
        let (graphql, graphql_path) = match graphql_url.strip_prefix(api_url) {
            Some(path) if path.starts_with('/') => (rest.clone(), path.to_owned()),
            _ => {
                let (base, path) = graphql_url
                    .rsplit_once('/')
                    .filter(|(base, _)| !base.ends_with('/'))
                    .ok_or_else(|| setup(format!("`{graphql_url}` has no path")))?;
                (build(base)?, format!("/{path}"))
            }
        };
        Ok(Self {
            rest,
            graphql,
            graphql_path,
            token,
            pauses,
            viewer: OnceCell::new(),
            known_comments: Mutex::new(HashMap::new()),
        })
    }

    /// Gets one thing.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, needs: &str) -> Result<T, GitHubError> {
        let call = Call { method: Method::Get, path, body: None, needs };
        parse(&call, &self.send(call).await?.body)
    }

    /// Gets all pages of a list; `path` has no query yet, and `list` takes the items from a page.
    pub(super) async fn get_all<P: DeserializeOwned, T>(
        &self,
        path: &str,
        needs: &str,
        list: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>, GitHubError> {
        let mut all = Vec::new();
        // Ten thousand is more than GitHub keeps of anything we list; it ends a server that
        // promises further pages for ever.
        for page in 1..=100 {
            let path = format!("{path}?per_page=100&page={page}");
            let call = Call { method: Method::Get, path: &path, body: None, needs };
            let answer = self.send(call).await?;
            let items = list(parse(&call, &answer.body)?);
            let is_full = items.len() >= 100;
            all.extend(items);
            if !answer.has_next_page && (answer.has_links || !is_full) {
                return Ok(all);
            }
        }
        Err(GitHubError::Unreadable { method: "GET", path: path.to_owned(), why: "the list does not end".to_owned() })
    }

    /// Asks GraphQL. Errors below a field named in `may_fail` leave that field empty and no more.
    pub(super) async fn graphql<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: Value,
        needs: &str,
        may_fail: &[&str],
    ) -> Result<T, GitHubError> {
        let body = serde_json::json!({ "query": query, "variables": variables });
        let call = Call { method: Method::GraphQl, path: &self.graphql_path, body: Some(&body), needs };
        let answer = self.send(call).await?;
        let reply: GraphQlReply = parse(&call, &answer.body)?;
        let fatal = reply
            .errors
            .iter()
            .find(|error| !error.path.iter().any(|step| step.as_str().is_some_and(|step| may_fail.contains(&step))));
        if let Some(error) = fatal {
            return Err(GitHubError::GraphQl { message: plain(&error.message), needs: needs.to_owned() });
        }
        serde_path_to_error::deserialize(reply.data).map_err(|error| GitHubError::Unreadable {
            method: "POST",
            path: self.graphql_path.clone(),
            why: error.to_string(),
        })
    }

    /// Sends a request until it has an answer that sending it again would not better.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Answer, GitHubError> {
        let mut tries = 0;
        let mut waited = Duration::ZERO;
        let mut pauses = self.pauses.tries.iter();
        loop {
            tries += 1;
            let outcome = match tokio::time::timeout(self.pauses.answer, self.once(call)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("no answer in {} s", self.pauses.answer.as_secs())),
            };
            let error = match outcome {
                Ok(answer) if answer.is_rate_limited(call.method) => {
                    let pause = answer.rate_limit_pause(waited, self.pauses.rate_limit_least);
                    if waited + pause > self.pauses.rate_limit {
                        return Err(answer.rate_limit_error(call, pause));
                    }
                    tracing::warn!(path = call.path, seconds = pause.as_secs(), "GitHub's rate limit: waiting");
                    tokio::time::sleep(pause).await;
                    waited += pause;
                    // Such a request was turned away, not carried out: any may be sent again.
                    continue;
                }
                Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer),
                Ok(answer) if answer.status >= 500 => answer.error(call),
                Ok(answer) => return Err(answer.error(call)),
                Err(why) => GitHubError::Unreachable {
                    method: call.method.name(),
                    path: call.path.to_owned(),
                    tries,
                    why: self.scrub(&why),
                },
            };
            match pauses.next() {
                Some(pause) if call.method.may_repeat() => {
                    tracing::debug!(path = call.path, %error, "asking GitHub again");
                    tokio::time::sleep(*pause).await;
                }
                _ => return Err(error),
            }
        }
    }

    async fn once(&self, call: Call<'_>) -> Result<Answer, String> {
        let sent = match call.method {
            Method::Get => self.rest._get(call.path).await,
            Method::Patch => self.rest._patch(call.path, call.body).await,
            Method::Post => self.rest._post(call.path, call.body).await,
            Method::GraphQl => self.graphql._post(call.path, call.body).await,
        };
        let response = sent.map_err(|error| causes(&error))?;
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let link = header("link");
        Ok(Answer {
            status: response.status().as_u16(),
            has_next_page: link.as_ref().is_some_and(|l| l.contains("rel=\"next\"")),
            has_links: link.is_some(),
            date: header("date").and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()),
            retry_after: header("retry-after").and_then(|v| v.parse().ok()),
            limit_remaining: header("x-ratelimit-remaining").and_then(|v| v.parse().ok()),
            limit_reset: header("x-ratelimit-reset").and_then(|v| v.parse().ok()),
            accepted_permissions: header("x-accepted-github-permissions"),
            body: self.rest.body_to_string(response).await.map_err(|error| causes(&error))?,
        })
    }

    /// Takes the token out of a text that should never have held it.
    fn scrub(&self, text: &str) -> String {
        plain(&text.replace(self.token.expose_secret(), "***"))
    }
}

#[derive(Deserialize)]
struct GraphQlReply {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Vec<GraphQlError>,
}

#[derive(Deserialize)]
struct GraphQlError {
    #[serde(default)]
    message: String,
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    path: Vec<Value>,
}

impl Answer {
    fn is_rate_limited(&self, method: Method) -> bool {
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
    fn rate_limit_pause(&self, waited: Duration, least: Duration) -> Duration {
        if let Some(seconds) = self.retry_after {
            return Duration::from_secs(seconds);
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

    fn rate_limit_error(&self, call: Call<'_>, pause: Duration) -> GitHubError {
        let now = self.date.unwrap_or_else(Timestamp::now);
        GitHubError::RateLimited {
            method: call.method.name(),
            path: call.path.to_owned(),
            until: now.checked_add(pause).ok(),
            message: self.message(),
        }
    }

    fn error(&self, call: Call<'_>) -> GitHubError {
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

/// An error's own words and those of what caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        // octocrab repeats its cause, and appends a backtrace.
        let said = said.lines().next().unwrap_or_default().to_owned();
        if !words.iter().any(|word| word.contains(&said)) {
            words.push(said);
        }
        next = error.source();
    }
    words.join(": ")
}
