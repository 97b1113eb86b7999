//! Credentials that are known by their looks, or by the name of their variable.
//!
//! What a plan marks as sensitive is known by its value (`plan::Secrets`); this is for the words of
//! errors and logs, which nobody marks.

mod variables;

use std::borrow::Cow;

pub use variables::credentials_in;

/// What stands in place of a credential.
const HIDDEN: &str = "***";

/// What the secret parameters of an address are called: those of AWS's presigned ones, and of tokens.
const PARAMETERS: [&str; 13] = [
    "x-amz-signature",
    "x-amz-security-token",
    "x-amz-credential",
    "signature",
    "sig",
    "token",
    "access_token",
    "private_token",
    "client_secret",
    "secret",
    "password",
    "api_key",
    "apikey",
];

/// How tokens begin that say what they are: GitHub's, GitLab's, Slack's.
const TOKENS: [&str; 10] = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "xapp-"];

/// The least that stands after such a beginning, or after `Bearer`.
const SHORTEST: usize = 16;

/// Whether a part of a credential that is JSON, such as a cloud's key file, is no secret by its name:
/// where something is, and whose. An address can hold a password.
pub fn is_open_part(name: &str, text: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = ["url", "uri", "endpoint", "domain", "host", "region", "type", "email", "name", "project", "_id"];
    let names = ["clientid", "tenantid", "subscriptionid"];
    let is_named = names.contains(&name.as_str()) || ends.iter().any(|end| name.ends_with(end));
    is_named && !name.contains("secret") && password_in(text).is_none() && !text.contains('?')
}

/// The password in an address such as a proxy's.
pub fn password_in(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://").unwrap_or(("", address));
    let (user, _) = rest.get(..end_of_authority(rest))?.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    Some(password).filter(|password| !password.is_empty())
}

/// The text without credentials that can be told by their looks: user and password in a web
/// address, secret parameters of one, authorization headers, tokens and private keys.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for pass in [users, parameters, authorizations, tokens, private_keys] {
        if let Some(redacted) = pass(&text) {
            text = Cow::Owned(redacted);
        }
    }
    text
}

/// `https://user:password@host`: who it is is no concern of a log either, and can be a token. Any
/// other scheme's user (`ssh://git@host`) is none of its own.
fn users(text: &str) -> Option<String> {
    replaced(text, "://", |before, after| {
        let (user, _) = after.get(..end_of_authority(after))?.rsplit_once('@')?;
        let is_web = before.ends_with("http") || before.ends_with("https");
        match user.split_once(':') {
            _ if is_web => Some((0, user.len())),
            Some((name, _)) => Some((name.len() + 1, user.len())),
            None => None,
        }
    })
}

fn end_of_authority(text: &str) -> usize {
    text.find(|char: char| char.is_whitespace() || "/?#\"'`<>()[]{}|\\,".contains(char)).unwrap_or(text.len())
}

fn parameters(text: &str) -> Option<String> {
    replaced(text, "=", |before, after| {
        let start = before.rfind(['?', '&', ';']).map(|at| at + 1)?;
        let name = before.get(start..)?.to_ascii_lowercase();
        PARAMETERS.contains(&name.as_str()).then(|| (0, end_of_value(after)))
    })
}

fn end_of_value(text: &str) -> usize {
    text.find(|char: char| char.is_whitespace() || "&\"'`<>\\#".contains(char)).unwrap_or(text.len())
}

/// `Authorization: …` up to the end of the line, and `Bearer …` and `Basic …` anywhere.
fn authorizations(text: &str) -> Option<String> {
    let header = replaced(text, ":", |before, after| {
        let name = before.trim_end_matches(['"', '\\']).to_ascii_lowercase();
        name.ends_with("authorization").then(|| (0, after.find('\n').unwrap_or(after.len())))
    });
    let scheme = |text: &str, word: &'static str| {
        replaced(text, word, |_, after| {
            let end = after.find(|char: char| !is_of_token(char) && !"./+=~".contains(char)).unwrap_or(after.len());
            (end >= SHORTEST && after.get(..end)?.contains(|char: char| char.is_ascii_digit())).then_some((0, end))
        })
    };
    let mut found = header;
    for word in ["Bearer ", "bearer ", "Basic ", "basic "] {
        found = scheme(found.as_deref().unwrap_or(text), word).or(found);
    }
    found
}

fn tokens(text: &str) -> Option<String> {
    let mut found = None;
    for start in TOKENS {
        let next = replaced(found.as_deref().unwrap_or(text), start, |_, after| {
            let end = after.find(|char: char| !is_of_token(char)).unwrap_or(after.len());
            (end >= SHORTEST).then_some((0, end))
        });
        found = next.or(found);
    }
    found
}

fn is_of_token(char: char) -> bool {
    char.is_ascii_alphanumeric() || "_-".contains(char)
}

fn private_keys(text: &str) -> Option<String> {
    replaced(text, "PRIVATE KEY-----", |before, after| {
        let is_begin =
            before.rfind("-----").and_then(|at| before.get(at..)).is_some_and(|mark| mark.starts_with("-----BEGIN"));
        is_begin.then(|| (0, after.find("-----END").unwrap_or(after.len())))
    })
}

/// The end of what stands before a mark: no name is longer, and a text can have a mark everywhere.
fn last(before: &str) -> &str {
    let mut start = before.len().saturating_sub(64);
    while !before.is_char_boundary(start) {
        start += 1;
    }
    before.get(start..).unwrap_or_default()
}

/// The text with what `find` finds after each `mark` hidden, as a place in what follows the mark;
/// `None` when there is nothing to hide.
fn replaced(text: &str, mark: &str, find: impl Fn(&str, &str) -> Option<(usize, usize)>) -> Option<String> {
    let mut out = String::new();
    let (mut copied, mut from) = (0, 0);
    while let Some(at) = text.get(from..)?.find(mark) {
        let end_of_mark = from + at + mark.len();
        from = end_of_mark;
        let before = last(text.get(copied..end_of_mark - mark.len())?);
        let found = find(before, text.get(end_of_mark..)?);
        if let Some((start, end)) = found.filter(|(start, end)| end > start) {
            out.push_str(text.get(copied..end_of_mark + start)?);
            out.push_str(HIDDEN);
            copied = end_of_mark + end;
            from = copied;
        }
    }
    (copied > 0).then(|| out + text.get(copied..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_by_their_looks() {
        let token = "0123456789abcdefGHIJ";
        let cases = [
            (
                "get git::https://oauth2:hunter2@github.com/a/b?ref=v1 failed",
                "get git::https://***@github.com/a/b?ref=v1 failed",
            ),
            ("https://hunter2@github.com", "https://***@github.com"),
            ("ssh://git@github.com/a git@github.com:a", "ssh://git@github.com/a git@github.com:a"),
            ("postgres://app:hunter2@db/app", "postgres://app:***@db/app"),
            ("(\"http://u:p@w@proxy:3128\")", "(\"http://***@proxy:3128\")"),
            ("https://example.com/a@b?c=d", "https://example.com/a@b?c=d"),
            (
                "https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature=abc&X-Amz-Security-Token=x%2F y",
                "https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature=***&X-Amz-Security-Token=*** y",
            ),
            ("?token=a&b=c&sig=d", "?token=***&b=c&sig=***"),
            ("mytoken=a ?mytoken=a", "mytoken=a ?mytoken=a"),
            ("Authorization: Basic eDp5\nnext", "Authorization:***\nnext"),
            ("{\"authorization\":\"Bearer x\"}", "{\"authorization\":***"),
        ];
        for (text, told) in cases {
            assert_eq!(redact(text), told, "{text}");
            assert_eq!(redact(told), told, "what is hidden stays as it is");
        }
        assert_eq!(redact(&format!("a Bearer {token}.x, b")), "a Bearer ***, b");
        assert_eq!(redact("Basic authentication is off"), "Basic authentication is off");
        assert_eq!(redact(&format!("(ghs_{token})")), "(ghs_***)");
        assert_eq!(redact("ghs_short"), "ghs_short");
        let key = format!("a\n-----BEGIN RSA PRIVATE KEY-----\n{token}\n-----END RSA PRIVATE KEY-----\nb");
        assert_eq!(redact(&key), "a\n-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nb");
    }

    #[test]
    fn a_text_of_nothing_but_marks_is_read_too() {
        for mark in ["=", ":", "://", "é=", "authorization", "PRIVATE KEY-----", "ghp_ ", "Bearer "] {
            let text = mark.repeat(128 * 1024);
            assert!(redact(&text) == text, "{mark}");
        }
    }

    #[test]
    fn what_is_no_secret_in_a_key_file_is_known_by_its_name() {
        for name in
            ["type", "project_id", "token_uri", "client_x509_cert_url", "universe_domain", "client_email", "tenantId"]
        {
            assert!(is_open_part(name, "https://x.example/a"), "{name}");
            assert!(!is_open_part(name, "https://u:p@x.example/a") && !is_open_part(name, "https://x.example/?a=b"));
        }
        for name in ["", "private_key", "clientSecret", "refresh_token", "auth", "secret_id", "secretName", "password"]
        {
            assert!(!is_open_part(name, "x"), "{name}");
        }
    }

    #[test]
    fn the_password_of_a_proxy_is_found() {
        assert_eq!(password_in("http://user:p@ss@proxy:3128/"), Some("p@ss"));
        assert_eq!(password_in("user:pass@proxy:3128"), Some("pass"));
        for none in ["http://proxy:3128", "http://user@proxy", "", "http://proxy/a:b@c"] {
            assert_eq!(password_in(none), None, "{none}");
        }
    }
}
