//! What stays behind of everything that was done to a state.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::backend::Place;
use crate::plan::PlanSummary;

/// The result of an apply that left nothing of the configuration for later.
const APPLIED: &str = "applied";

/// The result of one that was told to leave something.
const APPLIED_IN_PART: &str = "applied in part";

/// The flags of `plan`, of Terraform and OpenTofu, that leave nothing of the configuration for later. Of
/// a flag that is not here, nobody knows.
const LEAVES_NOTHING: [&str; 22] = [
    "allow-deferral",
    "compact-warnings",
    "concise",
    "consolidate-errors",
    "consolidate-warnings",
    "deprecation",
    "detailed-exitcode",
    "generate-config-out",
    "input",
    "json",
    "json-into",
    "lock",
    "lock-timeout",
    "no-color",
    "out",
    "parallelism",
    "refresh",
    "replace",
    "show-sensitive",
    "state",
    "var",
    "var-file",
];

/// One thing that was done, by whom and why; kept beside the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// What: `apply`, `unlock`, `freeze`, `break-stale-lock`, …
    pub action: String,
    /// When.
    pub at: Timestamp,
    /// Who asked for it: a login, or `user@host`.
    pub actor: String,
    /// Why, where a reason is asked for.
    pub reason: Option<String>,
    /// The lock it was about, as it was found.
    pub lock: Option<Value>,
    /// The run that did it.
    pub run_url: Option<String>,
    /// The pull request it belongs to.
    pub pull_request: Option<u64>,
    /// The commit of the branch that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What came of it: `applied`, `failed`, `removed`, …
    pub result: String,
}

impl AuditRecord {
    /// Its key in the state's bucket; keys sort by time.
    pub fn object_key(&self, state_key: &str) -> String {
        Place::beside(state_key).trail_entry(self.at, &self.action)
    }

    /// Reads an entry of the trail beside a state. `home` is this repository's page on its server.
    ///
    /// `None` for whatever we would not have written there: a key of another shape, content that
    /// does not belong to the key, or an entry of another repository, whose numbers are not ours.
    pub fn read(place: &Place, key: &str, bytes: &[u8], home: &str) -> Option<Self> {
        let named = place.read_trail_entry(key)?;
        let entry: Self = serde_json::from_slice(bytes).ok()?;
        let is_of_key = entry.at == named.at && place.trail_entry(entry.at, &entry.action) == key;
        let is_ours = match &entry.run_url {
            Some(url) => is_below(url, home),
            // On a laptop: no run, and nothing of a repository's.
            None => entry.pull_request.is_none() && entry.commit.is_none(),
        };
        (is_of_key && is_ours).then_some(entry)
    }

    /// Whether all that was merged by then was applied.
    pub fn applied_everything(&self) -> bool {
        self.action == "apply" && self.result == APPLIED
    }

    /// Whether it is a place on the branch where everything before it is applied.
    pub fn is_mark(&self) -> bool {
        // What came from nowhere on the branch is no place on it to stop at.
        self.applied_everything() && (self.pull_request.is_some() || self.commit.is_some())
    }

    /// The bytes to store.
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys cannot fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Whether a page is one of a repository's; GitHub takes names in any case.
fn is_below(url: &str, home: &str) -> bool {
    let below = url.split_at_checked(home.len());
    below.is_some_and(|(start, rest)| start.eq_ignore_ascii_case(home) && rest.starts_with('/'))
}

/// The result of an apply that ended well, by its plan and all arguments that the plan was made with,
/// those of the environment included.
pub fn applied(plan: &PlanSummary, plan_args: &[String]) -> &'static str {
    // Not every version says in the plan that it is a part, and none does of `-refresh-only`, `-destroy`
    // and `-invoke`.
    let narrows = |word: &String| {
        let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
        word.starts_with('-') && !LEAVES_NOTHING.contains(&name)
    };
    let is_part = plan.complete == Some(false) || plan.counts.deferred > 0 || plan_args.iter().any(narrows);
    if is_part { APPLIED_IN_PART } else { APPLIED }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "https://github.com/acme/infra";

    fn entry() -> AuditRecord {
        AuditRecord {
            action: "apply".to_owned(),
            at: "2026-11-20T12:00:00.5Z".parse().unwrap(),
            actor: "octocat".to_owned(),
            reason: None,
            lock: None,
            run_url: Some(format!("{HOME}/actions/runs/7/attempts/1")),
            pull_request: Some(42),
            commit: Some("c0ffee".to_owned()),
            result: APPLIED.to_owned(),
        }
    }

    #[test]
    fn an_entry_counts_only_under_the_key_we_would_give_it() {
        let place = Place::beside("prod/app.tfstate");
        let read = |key: &str, entry: &AuditRecord| AuditRecord::read(&place, key, entry.to_json().as_bytes(), HOME);
        let entry = entry();
        let key = entry.object_key("prod/app.tfstate");
        assert_eq!(key, "stategate/prod/app.tfstate/audit/2026-11-20T12:00:00.500000000Z-apply.json");
        assert_eq!(read(&key, &entry), Some(entry.clone()));
        assert!(entry.is_mark());
        let trail = place.trail();
        for forged in [
            format!("{trail}prod/app.tfstate/plans/z-apply.json"),
            format!("{trail}2026-11-20T12:00:00.500000000Z-x/plans/z-apply.json"),
            format!("{trail}z-apply.json"),
            format!("{trail}2026-11-20T12:00:00.5Z-apply.json"),
            format!("{trail}2026-11-20T12:00:00.500000000Z-apply.json.json"),
            format!("{trail}2026-11-20T12:00:00.500000000Zapply.json"),
            format!("{trail}2026-11-20T12:00:00.500000000Z-.json"),
            format!("{trail}2026-11-20T12:00:00.500000001Z-apply.json"),
            format!("{trail}2026-11-20T12:00:00.500000000Z-break-stale-lock.json"),
            format!("{trail}2026-13-20T12:00:00.500000000Z-apply.json"),
            format!(
                "{trail}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}-apply.json"
            ),
            key.replace("prod/", "env:/prod/"),
            key.replace("/audit/", "/plans/"),
        ] {
            assert_eq!(read(&forged, &entry), None, "{forged}");
        }
    }

    #[test]
    fn an_entry_of_another_repository_does_not_count() {
        let place = Place::beside("k");
        let check = |run_url: Option<&str>, counts: bool| {
            let entry = AuditRecord { run_url: run_url.map(str::to_owned), ..entry() };
            let read = AuditRecord::read(&place, &entry.object_key("k"), entry.to_json().as_bytes(), HOME);
            assert_eq!(read.is_some(), counts, "{run_url:?}");
        };
        check(Some("https://github.com/Acme/infra/actions/runs/7/attempts/1"), true);
        check(Some("https://github.com/acme/infra-2/actions/runs/7/attempts/1"), false);
        check(Some("https://github.com/acme/infra"), false);
        check(Some("https://github.example/acme/infra/actions/runs/7/attempts/1"), false);
        check(Some(""), false);
        check(None, false);
    }

    #[test]
    fn an_entry_from_a_laptop_is_read_but_is_no_mark() {
        let entry = AuditRecord { run_url: None, pull_request: None, commit: None, ..entry() };
        let read =
            AuditRecord::read(&Place::beside("k"), &entry.object_key("k"), entry.to_json().as_bytes(), HOME).unwrap();
        assert!(!read.is_mark());
    }

    #[test]
    fn what_leaves_something_for_later_is_a_part() {
        let whole = PlanSummary { complete: Some(true), ..PlanSummary::default() };
        let part = PlanSummary { complete: Some(false), ..PlanSummary::default() };
        let check = |plan: &PlanSummary, words: &[&str], expected: &str| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(applied(plan, &words), expected, "{words:?}");
        };
        check(&part, &[], APPLIED_IN_PART);
        for words in [&[][..], &["-var", "target=a"], &["-var-file=destroy.tfvars", "-refresh=false"], &["-replace=a"]]
        {
            check(&whole, words, APPLIED);
            // OpenTofu and older versions of Terraform say nothing.
            check(&PlanSummary::default(), words, APPLIED);
        }
        for word in [
            "-target=a",
            "--target",
            "-target-file=a",
            "-exclude=a",
            "-exclude-file=a",
            "-refresh-only",
            "--destroy",
            "-destroy=true",
            "-invoke=action.a.b",
            "--invoke",
            "-of-a-later-version",
        ] {
            check(&whole, &["-var=a=b", word], APPLIED_IN_PART);
            check(&PlanSummary::default(), &[word], APPLIED_IN_PART);
        }
    }
}
