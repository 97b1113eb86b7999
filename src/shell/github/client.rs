//! Sending requests: what is said with each, how long we wait, what is sent again.

use std::collections::HashMap;
use std::time::Duration;

use http::Uri;
use octocrab::Octocrab;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

pub(super) use super::answer::parse;
use super::answer::{Answer, plain};
use super::comments::CommentRef;
use super::error::GitHubError;
use super::transport;
use crate::net::{Exchange, Trouble};
use stategate_core::network::Network;

/// A renamed repository is one redirect away.
const MOST_REDIRECTS: usize = 3;
/// However often GitHub says that a rate limit is over at once.
const MOST_TRIES: u32 = 20;

/// How GitHub is reached.
#[derive(Debug, Clone)]
pub struct Connection {
    /// `GITHUB_API_URL`; on an Enterprise Server it ends in `/api/v3`.
    pub api_url: String,
    /// `GITHUB_GRAPHQL_URL`.
    pub graphql_url: String,
    /// The token.
    pub token: SecretString,
    /// Proxies and certificates.
    pub network: Network,
    /// How long to wait for what.
    pub pauses: Pauses,
}

/// How long to wait for what.
#[derive(Debug, Clone)]
pub struct Pauses {
    /// The most that a connection may take, through a proxy and TLS included.
    pub connect: Duration,
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
            connect: Duration::from_secs(10),
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
    client: Octocrab,
    api_url: Uri,
    /// An Enterprise Server has GraphQL beside its REST API, not below it.
    graphql_url: Uri,
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
        f.debug_struct("GitHub").field("api_url", &self.api_url).field("token", &"***").finish_non_exhaustive()
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
    pub(super) fn name(self) -> &'static str {
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

impl GitHub {
    /// Prepares a connection; nothing is sent yet. Must be called within the async runtime.
    ///
    /// # Errors
    ///
    /// When a URL or the token cannot be one.
    pub fn connect(connection: Connection) -> Result<Self, GitHubError> {
        let setup = |why: String| GitHubError::Setup { why };
        let Connection { api_url, graphql_url, token, network, pauses } = connection;
        let secret = token.expose_secret();
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(setup("the token is empty or holds white space".to_owned()));
        }
        let url = |text: &str| {
            let url = text.trim_end_matches('/').parse::<Uri>().ok();
            url.filter(|url| matches!(url.scheme_str(), Some("https" | "http")) && url.host().is_some())
                .ok_or_else(|| setup(format!("`{text}` is not a URL")))
        };
        Ok(Self {
            client: transport::client(&network, pauses.connect),
            api_url: url(&api_url)?,
            graphql_url: url(&graphql_url)?,
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

    /// Gets all pages of a list; `list` takes the items from a page.
    pub(super) async fn get_all<P: DeserializeOwned, T>(
        &self,
        path: &str,
        needs: &str,
        list: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>, GitHubError> {
        let mut all = Vec::new();
        let and = if path.contains('?') { '&' } else { '?' };
        // Ten thousand is more than GitHub keeps of anything we list; it ends a server that
        // promises further pages for ever.
        for page in 1..=100 {
            let path = format!("{path}{and}per_page=100&page={page}");
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
        let reply = self.graphql_reply(query, variables, needs).await?;
        let fatal = reply
            .errors
            .iter()
            .find(|error| !error.path.iter().any(|step| step.as_str().is_some_and(|step| may_fail.contains(&step))));
        if let Some(error) = fatal {
            return Err(GitHubError::GraphQl { message: plain(&error.message), needs: needs.to_owned() });
        }
        serde_path_to_error::deserialize(reply.data).map_err(|error| GitHubError::Unreadable {
            method: "POST",
            path: self.graphql_url.path().to_owned(),
            why: error.to_string(),
        })
    }

    /// Asks GraphQL, and leaves it to the caller what each error means.
    pub(super) async fn graphql_reply(
        &self,
        query: &str,
        variables: Value,
        needs: &str,
    ) -> Result<GraphQlReply, GitHubError> {
        let body = serde_json::json!({ "query": query, "variables": variables });
        let call = Call { method: Method::GraphQl, path: self.graphql_url.path(), body: Some(&body), needs };
        parse(&call, &self.send(call).await?.body)
    }

    /// Sends a request until it has an answer that sending it again would not better. Only what
    /// may be repeated is; whoever writes looks whether it was done before writing again.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Answer, GitHubError> {
        let mut tries = 0;
        let mut waited = Duration::ZERO;
        let mut pauses = self.pauses.tries.iter();
        loop {
            tries += 1;
            let answering = tokio::time::timeout(self.pauses.answer, self.once(call, tries));
            let outcome = match answering.await {
                Ok(outcome) => outcome,
                Err(_) => Err(Trouble::Connection(format!("no answer in {} s", self.pauses.answer.as_secs()))),
            };
            let is_final = matches!(&outcome, Err(trouble) if trouble.is_final());
            let error = match outcome {
                Ok(answer) if answer.is_rate_limited(call.method) => {
                    let pause = answer.rate_limit_pause(waited, self.pauses.rate_limit_least);
                    if waited + pause > self.pauses.rate_limit || tries >= MOST_TRIES {
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
                Err(trouble) => {
                    let (method, path) = (call.method.name(), call.path.to_owned());
                    GitHubError::Unreachable { method, path, tries, trouble }
                }
            };
            match pauses.next() {
                Some(pause) if call.method.may_repeat() && !is_final => {
                    detail!(path = call.path, %error, "asking GitHub again");
                    tokio::time::sleep(*pause).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Sends it once, and again where GitHub says that the thing is elsewhere now.
    async fn once(&self, call: Call<'_>, attempt: u32) -> Result<Answer, Trouble> {
        let mut to = match call.method {
            Method::GraphQl => self.graphql_url.clone(),
            _ => format!("{}{}", self.api_url.to_string().trim_end_matches('/'), call.path)
                .parse()
                .map_err(|error| Trouble::Connection(format!("{} is not a path: {error}", call.path)))?,
        };
        for _ in 0..=MOST_REDIRECTS {
            let method = call.method.name();
            let exchange = Exchange::begin(method, &to, attempt);
            let sent = transport::send(&self.client, &self.token, method, &to, call.body).await;
            exchange.end(sent.as_ref().map(|answer| answer.status));
            let answer = sent?;
            match answer.redirect(&to) {
                Some(next) => to = next,
                None => return Ok(answer),
            }
        }
        Err(Trouble::Connection(format!("GitHub sends us on more than {MOST_REDIRECTS} times")))
    }
}

#[derive(Deserialize)]
pub(super) struct GraphQlReply {
    #[serde(default)]
    pub(super) data: Value,
    #[serde(default)]
    pub(super) errors: Vec<GraphQlError>,
}

#[derive(Deserialize)]
pub(super) struct GraphQlError {
    #[serde(default)]
    message: String,
    #[serde(default)]
    pub(super) r#type: Option<String>,
    #[serde(default)]
    pub(super) path: Vec<Value>,
}
