//! The lock's body: Terraform's lock info, byte for byte as Terraform itself would write it.
//!
//! `OpenTofu`'s DynamoDB unlock compares these bytes, and both tools print the fields to whoever
//! finds a state locked. So the wire form is fixed: seven fields, this order, Go's escaping. What
//! stategate wants to say lives inside `Who`, `Operation` and `Info`.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::harmless::is_active;

/// Longest `Who` or `Info` we write. Terraform prints them in an error message; a reason pasted
/// from a chat must not fill a colleague's terminal.
const LONGEST_TEXT: usize = 400;

/// Who holds a lock that names nobody.
const UNNAMED: &str = "somebody who left no name";

/// What precedes the reason of a freeze in `Info`.
const FREEZE: &str = "freeze: ";

/// Who holds a state, doing what, since when. Fields of a lock that somebody else wrote are
/// hostile text: escape them before showing them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockInfo {
    /// The lock ID, unique per acquisition (a UUID in practice).
    pub id: String,
    /// `OperationTypePlan`, `OperationTypeApply`, `freeze`, or what another tool writes.
    pub operation: String,
    /// Free text; in our locks the pull request and the run.
    pub info: String,
    /// `user@host`, or `octocat via GitHub Actions (acme/infra)`.
    pub who: String,
    /// The version of Terraform in use.
    pub version: String,
    /// RFC 3339, by the holder's clock, as it stands on the wire.
    pub created: String,
    /// Bucket and state key, joined by `/`.
    pub path: String,
}

/// The body of a lock is not lock info that names an ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the lock's body is not readable lock info: {0}")]
pub struct UnreadableLock(String);

/// What a lock is taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `terraform plan`.
    Plan,
    /// `terraform apply`.
    Apply,
    /// A maintenance freeze, until somebody unlocks the state.
    Freeze {
        /// Why, in the words of whoever froze it; shown to everyone who is kept out.
        reason: String,
    },
}

impl Operation {
    /// The word on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Operation::Plan => "OperationTypePlan",
            Operation::Apply => "OperationTypeApply",
            Operation::Freeze { .. } => "freeze",
        }
    }
}

/// On whose behalf a lock is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A run of GitHub Actions.
    Run {
        /// The login of the person who started it.
        actor: String,
        /// The run.
        run: RunRef,
        /// The pull request it serves, in the run's repository.
        pull_request: Option<u64>,
    },
    /// A person at a terminal.
    Person {
        /// The user's name on that machine.
        user: String,
        /// The machine's name.
        host: String,
    },
}

/// One attempt of one run of GitHub Actions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunRef {
    /// Scheme and host, such as `https://github.com`, without a slash at the end. In a lock that
    /// was read it is whatever its writer claims: ask only the server you trust.
    pub server_url: String,
    /// Owner and name, such as `acme/infra`.
    pub repository: String,
    /// The run's number, the same for all attempts.
    pub run_id: u64,
    /// The attempt, from 1.
    pub attempt: u32,
}

impl RunRef {
    /// The page that shows this attempt.
    pub fn url(&self) -> String {
        let Self { server_url, repository, run_id, attempt } = self;
        format!("{server_url}/{repository}/actions/runs/{run_id}/attempts/{attempt}")
    }

    /// Reads what [`RunRef::url`] writes, and nothing else.
    pub fn parse(url: &str) -> Option<RunRef> {
        let (scheme, rest) = url.split_once("://")?;
        if scheme != "https" && scheme != "http" {
            return None;
        }
        let mut parts = rest.split('/');
        let host = parts.next().filter(|host| is_plain(host, ".-:[]"))?;
        let owner = parts.next().filter(|owner| is_plain(owner, "-_."))?;
        let name = parts.next().filter(|name| is_plain(name, "-_."))?;
        let fixed = |part: Option<&str>, word: &str| (part? == word).then_some(());
        fixed(parts.next(), "actions")?;
        fixed(parts.next(), "runs")?;
        let run_id = number(parts.next()?)?;
        fixed(parts.next(), "attempts")?;
        let attempt = u32::try_from(number(parts.next()?)?).ok()?;
        if parts.next().is_some() {
            return None;
        }
        Some(RunRef {
            server_url: format!("{scheme}://{host}"),
            repository: format!("{owner}/{name}"),
            run_id,
            attempt,
        })
    }
}

impl fmt::Display for RunRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

impl LockInfo {
    /// Our own lock info. `id` must be new for every acquisition: being alone in naming it is
    /// how a client recognizes its own lock after an answer was lost.
    pub fn ours(
        id: String,
        operation: &Operation,
        origin: &Origin,
        terraform_version: &str,
        created: Timestamp,
        path: String,
    ) -> LockInfo {
        let who = match origin {
            Origin::Run { actor, run, .. } => {
                format!("{actor} via GitHub Actions ({})", run.repository)
            }
            Origin::Person { user, host } => format!("{user}@{host}"),
        };
        let mut info = match origin {
            Origin::Run { run, pull_request: Some(number), .. } => {
                format!("{}#{number} {}", run.repository, run.url())
            }
            Origin::Run { run, pull_request: None, .. } => {
                format!("{} {}", run.repository, run.url())
            }
            Origin::Person { .. } => String::new(),
        };
        if let Operation::Freeze { reason } = operation {
            if !info.is_empty() {
                info.push(' ');
            }
            info.push_str(FREEZE);
            info.push_str(reason);
        }
        LockInfo {
            id,
            operation: operation.as_str().to_owned(),
            info: one_line(&info),
            who: one_line(&who),
            version: terraform_version.to_owned(),
            created: go_timestamp(created),
            path,
        }
    }

    /// Reads a lock's body as Terraform reads it: unknown fields are ignored, missing ones are
    /// empty, names match in any case. Only a readable, non-empty `ID` is demanded.
    pub fn parse(body: &[u8]) -> Result<LockInfo, UnreadableLock> {
        if body.is_empty() {
            return Err(UnreadableLock("it is empty".to_owned()));
        }
        let text = String::from_utf8_lossy(body);
        let fields: Map<String, Value> =
            serde_json::from_str(&text).map_err(|error| UnreadableLock(error.to_string()))?;
        let id = text_field(&fields, "ID")?;
        if id.is_empty() {
            return Err(UnreadableLock("it has no ID".to_owned()));
        }
        Ok(LockInfo {
            id,
            operation: text_field(&fields, "Operation")?,
            info: text_field(&fields, "Info")?,
            who: text_field(&fields, "Who")?,
            version: text_field(&fields, "Version")?,
            created: text_field(&fields, "Created")?,
            path: text_field(&fields, "Path")?,
        })
    }

    /// The bytes Terraform would write for the same lock: Go's `json.Marshal`, no newline.
    pub fn to_go_json(&self) -> String {
        let fields = [
            ("ID", &self.id),
            ("Operation", &self.operation),
            ("Info", &self.info),
            ("Who", &self.who),
            ("Version", &self.version),
            ("Created", &self.created),
            ("Path", &self.path),
        ];
        let mut json = String::with_capacity(320);
        for (at, (name, value)) in fields.into_iter().enumerate() {
            json.push(if at == 0 { '{' } else { ',' });
            push_go_string(&mut json, name);
            json.push(':');
            push_go_string(&mut json, value);
        }
        json.push('}');
        json
    }

    /// Whom to name as the holder. Other programs may leave `Who` empty.
    pub fn holder(&self) -> String {
        let who = one_line(&self.who);
        if who.trim().is_empty() { UNNAMED.to_owned() } else { who }
    }

    /// When the holder says it took the lock, by the holder's own clock. Good for a person's
    /// eyes, never a reason to call a lock expired.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.created.parse().ok()
    }

    /// The run that holds the lock, when `Info` is in the form we write.
    pub fn run(&self) -> Option<RunRef> {
        self.info.split_whitespace().take(2).find_map(RunRef::parse)
    }

    /// The pull request that holds the lock, as repository and number, when `Info` is in the
    /// form we write.
    pub fn pull_request(&self) -> Option<(String, u64)> {
        let (repository, pull_request) = self.info.split_whitespace().next()?.split_once('#')?;
        let (owner, name) = repository.split_once('/')?;
        if !is_plain(owner, "-_.") || !is_plain(name, "-_.") {
            return None;
        }
        Some((repository.to_owned(), number(pull_request)?))
    }

    /// The reason of a maintenance freeze; `None` for every other lock.
    pub fn freeze_reason(&self) -> Option<&str> {
        if self.operation != "freeze" {
            return None;
        }
        Some(self.info.split_once(FREEZE).map_or(self.info.as_str(), |(_, reason)| reason))
    }
}

/// RFC 3339 in UTC with up to nine decimals and no zeros at their end, as Go prints a time.
pub fn go_timestamp(at: Timestamp) -> String {
    at.to_string()
}

/// A field's text, whatever the case of its name, as Go finds it.
fn text_field(fields: &Map<String, Value>, name: &str) -> Result<String, UnreadableLock> {
    let found =
        fields.get(name).or_else(|| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v));
    match found {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(UnreadableLock(format!("{name} is not a string"))),
    }
}

/// Go's JSON string: `<`, `>`, `&` and the two line separators are escaped beside what JSON
/// itself demands, everything else stands as it is.
fn push_go_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                write!(json, "\\u{:04x}", u32::from(c)).unwrap_or_default();
            }
            _ => json.push(c),
        }
    }
    json.push('"');
}

/// One line for people's terminals: no control or bidirectional characters, no doubled blanks,
/// bounded. Whatever a lock says is shown like this.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || is_active(c)) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    match line.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Not empty, and only ASCII letters, digits and the given punctuation.
fn is_plain(text: &str, punctuation: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || punctuation.contains(c))
}

/// A decimal number from 1, without sign or leading zero: one number has one spelling.
fn number(text: &str) -> Option<u64> {
    if text.starts_with('0') || !text.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests;
