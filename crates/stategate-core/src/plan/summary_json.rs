//! A plan's summary as JSON, for programs.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::action::ActionSummary;
use super::summary::{Counts, PlanSummary, ResourceSummary, is_zero};
use crate::harmless;

impl PlanSummary {
    /// The JSON of `render --json` and of the step output `summary-json`, in at most `limit` bytes:
    /// the least dangerous resources are left out first, then actions; `resources_omitted` and
    /// `actions_omitted` say how many. The counts are always complete.
    pub fn to_summary_json(&self, limit: usize) -> String {
        let (mut resources, mut actions) = (self.resources.len(), self.actions.len());
        loop {
            let summary = self.summary_json_of(resources, actions);
            let is_least = (resources, actions) == (0, 0);
            // Counted before it is written: what a text becomes in JSON can be many times as long.
            if is_least || length(&summary) <= limit {
                let json = harmless::json(&summary);
                if is_least || json.len() <= limit {
                    return json;
                }
            }
            if resources >= actions { resources /= 2 } else { actions /= 2 }
        }
    }

    fn summary_json_of(&self, resources: usize, actions: usize) -> SummaryJson<'_> {
        let mut order: Vec<&ResourceSummary> = self.resources.iter().collect();
        if resources < order.len() {
            order.sort_by_key(|resource| resource.kind);
            order.truncate(resources);
        }
        SummaryJson {
            actions: Actions { plan: self, kept: self.actions.get(..actions).unwrap_or(&self.actions) },
            actions_omitted: self.counts.actions - actions,
            complete: self.complete.unwrap_or(true) && self.counts.deferred == 0,
            counts: &self.counts,
            errored: self.errored,
            resources: Resources { plan: self, order },
            resources_omitted: self.kinds.total() - resources,
            unknown_actions: &self.unknown_actions,
            unknown_actions_omitted: self.unknown_omitted,
        }
    }
}

#[derive(Serialize)]
struct SummaryJson<'a> {
    // Few plans have any.
    #[serde(skip_serializing_if = "Actions::is_empty")]
    actions: Actions<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    actions_omitted: usize,
    complete: bool,
    counts: &'a Counts,
    errored: bool,
    resources: Resources<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    resources_omitted: usize,
    unknown_actions: &'a [String],
    #[serde(skip_serializing_if = "is_zero")]
    unknown_actions_omitted: usize,
}

struct Actions<'a> {
    plan: &'a PlanSummary,
    kept: &'a [ActionSummary],
}

impl Actions<'_> {
    fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

impl Serialize for Actions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.kept.iter().map(|action| ActionJson {
            address: self.plan.scrub_address(&action.address),
            event: action.trigger.event(),
            triggered_by: action.trigger.resource().map(|address| self.plan.scrub_address(address)),
        }))
    }
}

#[derive(Serialize)]
struct ActionJson<'a> {
    address: String,
    event: Option<&'a str>,
    triggered_by: Option<String>,
}

struct Resources<'a> {
    plan: &'a PlanSummary,
    order: Vec<&'a ResourceSummary>,
}

impl Serialize for Resources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // One at a time: all of them in JSON's own terms would take many times as much.
        serializer.collect_seq(self.order.iter().map(|resource| ResourceJson {
            actions: &resource.actions,
            address: self.plan.scrub_address(&resource.address),
            forced_by: resource.forced_by.iter().map(|path| self.plan.secrets.scrub_name(path)).collect(),
            reason: resource.action_reason.as_deref(),
        }))
    }
}

#[derive(Serialize)]
struct ResourceJson<'a> {
    actions: &'a [String],
    address: String,
    forced_by: Vec<Cow<'a, str>>,
    reason: Option<&'a str>,
}

/// How many bytes it has as compact JSON.
fn length(value: &impl Serialize) -> usize {
    struct Counting(usize);

    impl Write for Counting {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut counting = Counting(0);
    // Strings, numbers and maps with string keys cannot fail to be written.
    serde_json::to_writer(&mut counting, value).unwrap_or_default();
    counting.0
}
