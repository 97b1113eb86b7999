//! What an approver should know of approvals that count: which plan they were given to.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::reviews::Tally;
use crate::record::{PlannedSince, Record};

/// Differences that are named.
const NAMED: usize = 4;

/// Tells of approvals that are older than the reviewed plan (`record`) of the commit: it was planned
/// again after them. They count, for they were given to the commit; but what was read may not be
/// what is there now.
pub fn older_than_plan(tally: &Tally, record: &Record) -> Vec<String> {
    let Some(made_at) = record.origin.made_at.filter(|_| record.origin.head_sha == tally.head) else {
        return Vec::new();
    };
    // One that was given to an earlier commit is proven to be of the same plan.
    let counted = tally.counted.iter().filter(|counted| counted.commit == tally.head);
    let told = counted.filter_map(|counted| told(&counted.login, record.planned_since(counted.at?), made_at));
    told.collect()
}

fn told(who: &str, since: PlannedSince, made_at: Timestamp) -> Option<String> {
    let at = made_at.to_zoned(TimeZone::UTC).strftime("%-d %b %H:%M UTC");
    match since {
        PlannedSince::Same { again: false } => None,
        PlannedSince::Same { again: true } => {
            Some(format!("{who} approved before the plan was made again ({at}); it is the same plan"))
        }
        PlannedSince::First => Some(format!("{who} approved before this plan was made ({at})")),
        PlannedSince::Other { differences } => {
            let mut named: Vec<String> = differences.iter().take(NAMED).map(ToString::to_string).collect();
            if differences.len() > NAMED {
                named.push(format!("and {} more", differences.len() - NAMED));
            }
            let named = named.join("; ").replace("the reviewed plan", "the approved plan");
            Some(format!("{who} approved another plan, before it was made again ({at}). What differs: {named}"))
        }
    }
}
