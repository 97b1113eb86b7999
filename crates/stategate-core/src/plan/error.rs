//! Why a document is not a plan that we can read, where, and what to do about it.
//!
//! The messages never quote the document: until all of it is read, nobody knows what of it is
//! secret.

use std::io::Read;

use super::scan::{Position, ScanError, Scanner};

/// How far a document that is no JSON is looked through for some, in bytes.
const LOOKED_THROUGH: usize = 256 * 1024;

const LARGER: &str = "this is larger than anything that Terraform writes";

/// Why a document is not a plan that we can read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The stream broke.
    #[error("the plan JSON could not be read: {0}")]
    Read(#[source] std::io::Error),
    /// Nothing but white space.
    #[error("the plan JSON is empty")]
    Empty,
    /// Terraform's own plan file, which is a zip archive.
    #[error("this is a plan file in Terraform's binary format, not its JSON")]
    BinaryPlan,
    /// Text in UTF-16, as older versions of `PowerShell` redirect it.
    #[error("the plan JSON is encoded in UTF-16")]
    Utf16,
    /// A state, as stored or as `terraform show -json` prints it.
    #[error("this is a state, not a plan")]
    State,
    /// The log that `terraform plan -json` prints while it plans.
    #[error("this is the log of a running command (`-json`), not a plan")]
    Log,
    /// JSON without any part of a plan.
    #[error("this JSON is not a plan: it has no `planned_values` and no `resource_changes`{}", looks_like(*.kind))]
    NotAPlan {
        /// What it seems to be instead.
        kind: Option<&'static str>,
    },
    /// Text for people, without any JSON in it.
    #[error("this is text, not JSON")]
    Text,
    /// Neither text nor a plan file.
    #[error("this is binary data, not JSON")]
    Binary,
    /// Text around the JSON.
    #[error(
        "line {}, column {}: there is text {} the plan JSON", .at.line, .at.column,
        if *.after { "after" } else { "before" }
    )]
    Noise {
        /// Where it begins.
        at: Position,
        /// Whether it follows the JSON.
        after: bool,
    },
    /// The document ends too early.
    #[error("line {}, column {}: the plan JSON ends in the middle{}", .at.line, .at.column, in_path(.path))]
    Truncated {
        /// Where it ends.
        at: Position,
        /// The value it ends in, as a JSON path; empty at the top.
        path: String,
    },
    /// Not JSON, or not of a plan's shape.
    #[error("line {}, column {}: {problem}{}", .at.line, .at.column, in_path(.path))]
    Malformed {
        /// Where.
        at: Position,
        /// The value it is in, as a JSON path; empty at the top.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

/// Whether an object of JSON begins on a line: Terraform's own text has brackets too, but no
/// `"key":`.
fn has_an_object(text: &str) -> bool {
    let mut begin = 0;
    text.split_inclusive('\n').any(|line| {
        let at = begin + line.len() - line.trim_start().len();
        begin += line.len();
        let inner = text.get(at..).and_then(|rest| rest.strip_prefix('{'));
        let key = inner.and_then(|inner| inner.trim_start().strip_prefix('"')?.split_once('"'));
        key.is_some_and(|(_, after)| after.trim_start().starts_with(':'))
    })
}

fn looks_like(kind: Option<&str>) -> String {
    kind.map(|kind| format!("; it looks like {kind}")).unwrap_or_default()
}

fn in_path(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" (in `{path}`)") }
}

impl PlanError {
    /// What to do about it, a sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read(_) => "Check that the file exists, is a file and may be read.",
            Self::Empty => "Write it with `terraform show -json PLANFILE`, and look whether that command failed.",
            Self::BinaryPlan => "Turn it into JSON first: `terraform show -json PLANFILE`.",
            Self::Utf16 => "Save it as UTF-8; in PowerShell: `| Out-File -Encoding utf8`.",
            Self::State | Self::NotAPlan { .. } | Self::Binary => {
                "Give the JSON of a saved plan: `terraform plan -out PLANFILE`, then \
                 `terraform show -json PLANFILE`."
            }
            Self::Text => "Terraform prints JSON only when asked: `terraform show -json PLANFILE`.",
            Self::Log => {
                "Save the plan with `terraform plan -out PLANFILE`, then give the output of \
                 `terraform show -json PLANFILE`."
            }
            Self::Noise { .. } => {
                "A wrapper around terraform prints into its output; with \
                 hashicorp/setup-terraform, set `terraform_wrapper: false`."
            }
            Self::Truncated { .. } => "The command that wrote it was cut off, or the disk is full; write it again.",
            Self::Malformed { .. } => "Write it again with `terraform show -json PLANFILE`, and change nothing in it.",
        }
    }

    /// What can be told from the first bytes.
    pub(super) fn check_head<R: Read>(scanner: &mut Scanner<R>) -> Result<(), Self> {
        match scanner.head(4)? {
            [b'P', b'K', 3 | 5 | 7, ..] => return Err(Self::BinaryPlan),
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => return Err(Self::Utf16),
            [0xEF, 0xBB, 0xBF, ..] => scanner.bump(3),
            _ => {}
        }
        match scanner.peek()? {
            None => Err(Self::Empty),
            Some(b'{') => Ok(()),
            Some(_) => Err(Self::not_an_object(scanner)?),
        }
    }

    /// Something else than an object stands at the beginning: what is it?
    fn not_an_object<R: Read>(scanner: &mut Scanner<R>) -> Result<Self, ScanError> {
        let at = scanner.position();
        let head = scanner.head(LOOKED_THROUGH)?;
        let whole = head.len() < LOOKED_THROUGH;
        let text = match std::str::from_utf8(head) {
            Ok(text) => text,
            // The cut may have gone through a character.
            Err(error) if !whole && error.error_len().is_none() => {
                head.get(..error.valid_up_to()).and_then(|head| std::str::from_utf8(head).ok()).unwrap_or_default()
            }
            Err(_) => return Ok(Self::Binary),
        };
        // A plan's own keys, and what wrappers write.
        let marks = ["\"format_version\"", "\"resource_changes\"", "\"planned_values\"", "[command]", "::debug::"];
        Ok(if text.contains('\0') {
            Self::Binary
        } else if has_an_object(text) || marks.iter().any(|mark| text.contains(mark)) {
            Self::Noise { at, after: false }
        } else if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
            Self::NotAPlan { kind: None }
        } else {
            Self::Text
        })
    }

    /// After the document, there is only white space.
    pub(super) fn check_tail<R: Read>(scanner: &mut Scanner<R>) -> Result<(), Self> {
        match scanner.peek()? {
            None => Ok(()),
            Some(_) => Err(Self::Noise { at: scanner.position(), after: true }),
        }
    }

    /// A value of the wrong type or form, `inner` telling where inside it.
    pub(super) fn wrong_value(start: Position, path: &str, inner: &serde_json::Error) -> Self {
        let at = if inner.line() <= 1 {
            Position { line: start.line, column: start.column + inner.column().saturating_sub(1) }
        } else {
            Position { line: start.line + inner.line() - 1, column: inner.column() }
        };
        let says = |words| inner.to_string().contains(words);
        let problem = match inner.classify() {
            serde_json::error::Category::Data => "a value of another type than a plan has here",
            _ if says("invalid unicode code point") => "this is not UTF-8",
            _ if says("number out of range") || says("recursion limit") => LARGER,
            _ => "this is not valid JSON",
        };
        let path = if path == "." { String::new() } else { path.to_owned() };
        Self::Malformed { at, path, problem: problem.to_owned() }
    }

    /// A key stands there again: some take the first, some the last.
    pub(super) fn twice(at: Position) -> Self {
        Self::Malformed { at, path: String::new(), problem: "the same key stands here twice".to_owned() }
    }

    /// The same error, inside the value that `outer` leads to.
    pub(super) fn within(self, outer: &str) -> Self {
        let join = |inner: String| match (outer.is_empty(), inner.is_empty()) {
            (true, _) => inner,
            (_, true) => outer.to_owned(),
            _ if inner.starts_with('[') => format!("{outer}{inner}"),
            _ => format!("{outer}.{inner}"),
        };
        match self {
            Self::Truncated { at, path } => Self::Truncated { at, path: join(path) },
            Self::Malformed { at, path, problem } => Self::Malformed { at, path: join(path), problem },
            other => other,
        }
    }
}

impl From<ScanError> for PlanError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Read(error) => Self::Read(error),
            ScanError::Truncated(at) => Self::Truncated { at, path: String::new() },
            ScanError::Unexpected { at, expected } => Self::Malformed {
                at,
                path: String::new(),
                problem: format!("this is not valid JSON, {expected} is expected"),
            },
            ScanError::WrongType { at, expected } => {
                Self::Malformed { at, path: String::new(), problem: format!("{expected} is expected") }
            }
            ScanError::TooLarge(at) => Self::Malformed { at, path: String::new(), problem: LARGER.to_owned() },
        }
    }
}
