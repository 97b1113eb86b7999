//! `stategate status`: who holds the lock, since when, is that run alive, what to do.

use serde_json::{Value, json};

use super::holder::{self, Holder};
use super::session::{Purpose, Root, Session};
use crate::cli::StatusCommand;
use crate::core::harmless;
use crate::core::liveness::{Liveness, RunState};
use crate::core::lock_info::one_line;
use crate::error::Error;
use crate::shell::lock_store::read_locks;
use crate::shell::runner::{Outputs, write_out};

pub(super) async fn run(command: StatusCommand) -> Result<(), Error> {
    let session = Session::begin(&command.target)?;
    let root = Root::open(&session, Purpose::Look).await?;
    let holders = holder::look_up(&session, read_locks(&root.bucket).await?).await;
    let path = root.bucket.backend().path();
    let text = if command.json {
        format!("{}\n", harmless::json(&status_json(&holders)))
    } else {
        status_text(&path, &holders)
    };
    write_out(&text).map_err(Error::Output)?;
    let mut outputs = Outputs::default();
    if let Some(info) = holders.first().and_then(Holder::info) {
        outputs.set("lock-id", &info.id);
        outputs.set("lock-holder", one_line(&info.who));
    }
    outputs.write().map_err(Error::StepOutputs)
}

/// The holders as people read them.
pub(super) fn status_text(path: &str, holders: &[Holder]) -> String {
    if holders.is_empty() {
        return format!("{path} is not locked\n");
    }
    let is_frozen = holders.iter().any(|holder| holder.freeze_reason().is_some());
    let mut text = format!("{path} is {}\n", if is_frozen { "frozen" } else { "locked" });
    for holder in holders {
        let mut row = |name: &str, value: &str| {
            if !value.is_empty() {
                text.push_str(&format!("  {name:<10} {}\n", one_line(value)));
            }
        };
        row("store", holder.seen.store.as_str());
        match &holder.seen.body {
            Ok(info) => {
                row("lock ID", &info.id);
                row("who", &info.who);
                row("operation", &info.operation);
                row("info", &info.info);
                row("created", &info.created);
                row("version", &info.version);
            }
            Err(raw) => row("body", &format!("cannot be read: {raw:?}")),
        }
        row("etag", holder.seen.etag.as_deref().unwrap_or_default());
        row("frozen for", holder.freeze_reason().unwrap_or_default());
        row("held for", &holder.seen.age().map(|age| holder::duration(age.as_secs())).unwrap_or_default());
        if holder.freeze_reason().is_none() {
            row("holder", liveness_words(&holder.liveness()).as_str());
        }
        // Ours, with others' words in it cleaned and cut already: the command at its end stays whole.
        text.push_str(&format!("  {:<10} {}\n", "next", holder.next_step()));
    }
    text
}

fn liveness_words(liveness: &Liveness) -> String {
    match liveness {
        Liveness::Alive => "alive".to_owned(),
        Liveness::Finishing { until } => format!("finished, may clean up until {until}"),
        Liveness::Dead => "finished: the lock is stale".to_owned(),
        Liveness::Unknown { why } => format!("unknown: {why}"),
    }
}

/// The holders as programs read them.
fn status_json(holders: &[Holder]) -> Value {
    let locks: Vec<Value> = holders.iter().map(lock_json).collect();
    let advice = holders.first().map_or_else(|| "The state is free.".to_owned(), Holder::next_step);
    json!({ "locked": !holders.is_empty(), "locks": locks, "advice": advice })
}

fn lock_json(holder: &Holder) -> Value {
    let run = holder.run.as_ref().map(|(run, state)| {
        let (status, conclusion) = match state {
            RunState::Alive { status } => (Some(status.as_str()), None),
            RunState::Finished { conclusion, .. } => (Some("completed"), conclusion.as_deref()),
            RunState::Deleted => (Some("deleted"), None),
            RunState::Unknown { .. } => (None, None),
        };
        json!({ "url": run.url(), "status": status, "conclusion": conclusion })
    });
    let stale = match holder.liveness() {
        Liveness::Dead => Some(true),
        Liveness::Alive | Liveness::Finishing { .. } => Some(false),
        Liveness::Unknown { .. } => None,
    };
    let seen = &holder.seen;
    let (store, etag, age) = (seen.store.as_str(), &seen.etag, seen.age().map(|age| age.as_secs()));
    match &seen.body {
        Ok(info) => json!({
            "store": store, "id": info.id, "who": info.who, "operation": info.operation, "info": info.info,
            "version": info.version, "created": info.created, "path": info.path,
            "etag": etag, "age_seconds": age, "run": run, "stale": stale,
        }),
        Err(raw) => json!({
            "store": store, "id": null, "raw": raw, "etag": etag, "age_seconds": age, "run": run, "stale": stale,
        }),
    }
}
