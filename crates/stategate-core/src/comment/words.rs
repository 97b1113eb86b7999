//! Small pieces of text: counts, times, reasons.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::escape::clip;
use super::ink::Ink;
use super::view::Phase;
use crate::plan::{Counts, Kind, ResourceSummary};

/// `1 resource`, `2 resources`.
pub(super) fn many(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {one}s", grouped(count)) }
}

/// A number with its thousands apart.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `a, b and c`.
pub(super) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// `21 Nov 2026 09:14:02 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %b %Y %H:%M:%S UTC").to_string()
}

/// `21 Nov 09:14`.
pub(super) fn short_moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %b %H:%M").to_string()
}

/// `09:14:02 UTC`, with its date where that is not today's.
pub(super) fn time_or_moment(at: Timestamp, now: Timestamp) -> String {
    let (zoned, now) = (at.to_zoned(TimeZone::UTC), now.to_zoned(TimeZone::UTC));
    if zoned.date() == now.date() { zoned.strftime("%H:%M:%S UTC").to_string() } else { moment(at) }
}

/// `2 h 5 min`, `31 s`.
pub(super) fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds == 0 => "less than a second".to_owned(),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} d"),
        _ => format!("{days} d {hours} h"),
    }
}

/// From one moment to another; nothing when the clock went back.
pub(super) fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_second() - from.as_second()).unwrap_or(0)
}

/// The counts in words, what is lost and all the rest; `done` for after an apply.
pub(super) fn counts(counts: &Counts, done: bool) -> (Vec<String>, Vec<String>) {
    let words = |verbs: &[(usize, &str, &str)]| -> Vec<String> {
        let some = verbs.iter().filter(|(count, ..)| *count > 0);
        some.map(|(count, future, past)| format!("{} {}", grouped(*count), if done { past } else { future })).collect()
    };
    let lost = words(&[
        (counts.destroy, "to destroy", "destroyed"),
        (counts.replace, "to replace", "replaced"),
        (counts.forget, "to forget", "forgotten"),
    ]);
    let mut rest = words(&[
        (counts.add, "to add", "added"),
        (counts.change, "to change", "changed"),
        (counts.import, "to import", "imported"),
        (counts.moved, "to move", "moved"),
        (counts.read, "to read", "read"),
    ]);
    if counts.actions > 0 {
        rest.push(many(counts.actions, "action"));
    }
    if counts.outputs > 0 {
        rest.push(format!("{} {}", many(counts.outputs, "output"), if done { "changed" } else { "to change" }));
    }
    (lost, rest)
}

/// What will happen to a resource, as a verb.
pub(super) fn verb(kind: Kind) -> &'static str {
    match kind {
        Kind::Destroy => "destroy",
        Kind::Replace => "replace",
        Kind::Forget => "forget",
        Kind::Unknown => "unknown action",
        Kind::Update => "change",
        Kind::Create => "add",
        Kind::Read => "read",
        Kind::NoOp => "keep",
    }
}

/// Terraform's symbol for what happens.
pub(super) fn symbol(resource: &ResourceSummary) -> &'static str {
    let first = resource.actions.first().map(String::as_str);
    match resource.kind {
        Kind::Destroy => "-",
        Kind::Replace => match (first, resource.actions.last().map(String::as_str)) {
            (Some("create"), Some("forget")) => "+/.",
            (Some("forget"), _) => "./+",
            (Some("create"), _) => "+/-",
            _ => "-/+",
        },
        Kind::Forget => " .",
        Kind::Unknown => "?",
        Kind::Update => "~",
        Kind::Create => "+",
        Kind::Read => "<=",
        Kind::NoOp => " ",
    }
}

/// Why it happens, in words; empty when Terraform gives no reason.
pub(super) fn reason(resource: &ResourceSummary, ink: &Ink<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    match resource.action_reason.as_deref() {
        Some("replace_because_tainted") => parts.push("it is tainted".to_owned()),
        Some("replace_by_request") => parts.push("asked for with `-replace`".to_owned()),
        Some("replace_by_triggers") => {
            parts.push("something in its `replace_triggered_by` changes".to_owned());
        }
        Some("delete_because_no_resource_config") => {
            parts.push("no longer in the configuration".to_owned());
        }
        Some("delete_because_no_module") => {
            parts.push("its module is no longer in the configuration".to_owned());
        }
        Some("delete_because_wrong_repetition") => {
            parts.push("`count` or `for_each` was added or taken away".to_owned());
        }
        Some("delete_because_count_index") => parts.push("beyond the new `count`".to_owned()),
        Some("delete_because_each_key") => {
            parts.push("its key is no longer in `for_each`".to_owned());
        }
        Some("delete_because_no_move_target") => {
            parts.push("moved to an address that is not in the configuration".to_owned());
        }
        Some("read_because_config_unknown" | "read_because_dependency_pending") => {
            parts.push("what it reads is known only then".to_owned());
        }
        Some("read_because_check_nested") => parts.push("for a check".to_owned()),
        Some("delete_because_enabled_false") => parts.push("its `enabled` is false".to_owned()),
        Some("forgot_because_lifecycle_destroy_in_config") => {
            parts.push("the configuration has `destroy = false`".to_owned());
        }
        Some("forgot_because_lifecycle_destroy_in_state") => {
            parts.push("the configuration had `destroy = false` when it was last applied".to_owned());
        }
        Some("replace_because_cannot_update" | "") | None => {}
        Some(other) => parts.push(in_words(other).unwrap_or_else(|| ink.code(other, 80))),
    }
    if resource.kind == Kind::Replace && !resource.forced_by.is_empty() {
        parts.push(forced_by(&resource.forced_by, ink));
    }
    match &*resource.actions {
        [first, second] if first == "create" && second == "delete" => {
            parts.push("the new one is created first".to_owned());
        }
        [first, second] if first == "create" && second == "forget" || first == "forget" && second == "create" => {
            parts.push("the old one is left behind, unmanaged".to_owned());
        }
        _ => {}
    }
    if resource.kind == Kind::Forget {
        parts.push("the real object stays".to_owned());
    }
    if resource.kind == Kind::Unknown {
        parts.push(format!("actions {}", ink.code(&resource.actions.join(", "), 80)));
    }
    if let Some(key) = &resource.deposed {
        parts.push(format!("the deposed object {}, left over from an earlier replacement", ink.code(key, 40)));
    }
    parts.join("; ")
}

/// A reason that we do not know, in the words of Terraform's that it is made of; `None` when it is not
/// made of words.
fn in_words(reason: &str) -> Option<String> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let (_, why) = reason.split_once("_because_")?;
    (why.len() <= 80 && why.split('_').all(is_word)).then(|| format!("because {}", why.replace('_', " ")))
}

fn forced_by(paths: &[String], ink: &Ink<'_>) -> String {
    const SHOWN: usize = 3;
    let mut names: Vec<String> = paths.iter().take(SHOWN).map(|path| ink.code(path, 80)).collect();
    if paths.len() > SHOWN {
        names.push(format!("{} more", paths.len() - SHOWN));
    }
    format!("{} {} replacement", listed(&names), if paths.len() == 1 { "forces" } else { "force" })
}

impl Phase {
    /// The word for it in the life of a change, and in what is stored of it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::WaitingForLock => "waiting for the lock",
            Self::Locked => "locked out",
            Self::Planned => "planned",
            Self::NoChanges => "no changes",
            Self::Approved => "approved",
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Blocked => "blocked",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Unlocked => "lock removed",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        const ALL: [Phase; 13] = [
            Phase::WaitingForLock,
            Phase::Locked,
            Phase::Planned,
            Phase::NoChanges,
            Phase::Approved,
            Phase::Applying,
            Phase::Applied,
            Phase::Blocked,
            Phase::Refused,
            Phase::Failed,
            Phase::Cancelled,
            Phase::Skipped,
            Phase::Unlocked,
        ];
        ALL.into_iter().find(|phase| phase.word() == word)
    }
}

/// The first characters of a hash, enough to recognise it.
pub(super) fn short_hash(hash: &str, length: usize) -> String {
    if hash.chars().all(|char| char.is_ascii_alphanumeric()) {
        hash.chars().take(length).collect()
    } else {
        clip(hash, length)
    }
}
