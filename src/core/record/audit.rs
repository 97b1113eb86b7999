//! What stays behind of everything that was done to a state.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// What came of it: `applied`, `failed`, `removed`, …
    pub result: String,
}

impl AuditRecord {
    /// Its key in the state's bucket; keys sort by time.
    pub fn object_key(&self, state_key: &str) -> String {
        let action: String = self.action.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        format!("stategate/{state_key}/audit/{:.9}-{action}.json", self.at)
    }

    /// The bytes to store.
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys cannot fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}
