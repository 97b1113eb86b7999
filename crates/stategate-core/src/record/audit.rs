//! What stays behind of everything that was done to a state.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::PlanSummary;

/// The result of an apply that left nothing of the configuration for later.
const APPLIED: &str = "applied";

/// The result of one that was told to leave something.
const APPLIED_IN_PART: &str = "applied in part";

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
        let action: String = self.action.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        format!("stategate/{state_key}/audit/{:.9}-{action}.json", self.at)
    }

    /// Whether all that was merged by then was applied.
    pub fn applied_everything(&self) -> bool {
        self.action == "apply" && self.result == APPLIED
    }

    /// The bytes to store.
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys cannot fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The result of an apply that ended well, by its plan and all arguments that the plan was made with,
/// those of the environment included.
pub fn applied(plan: &PlanSummary, plan_args: &[String]) -> &'static str {
    // Not every version says in the plan that it is a part, and none does of these last two.
    let narrows = |word: &String| {
        let name = word.trim_start_matches('-');
        let of_target = name.starts_with("target") || name.starts_with("exclude");
        word.starts_with('-') && (of_target || name.starts_with("refresh-only") || name.starts_with("destroy"))
    };
    let is_part = plan.complete == Some(false) || plan.counts.deferred > 0 || plan_args.iter().any(narrows);
    if is_part { APPLIED_IN_PART } else { APPLIED }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for word in
            ["-target=a", "--target", "-target-file=a", "-exclude=a", "-refresh-only", "--destroy", "-destroy=true"]
        {
            check(&whole, &["-var=a=b", word], APPLIED_IN_PART);
            check(&PlanSummary::default(), &[word], APPLIED_IN_PART);
        }
    }
}
