//! `stategate status`: who holds the lock, since when, is that run alive, what to do.

use serde_json::{Value, json};

use super::holder::{self, Holder, row};
use super::session::{Purpose, Root, Session};
use crate::cli::StatusCommand;
use crate::error::Error;
use crate::shell::lock_store::read_locks;
use crate::shell::runner::{Outputs, write_out};
use stategate_core::harmless;
use stategate_core::liveness::{Liveness, RunState};
use stategate_core::lock_info::one_line;

pub(super) async fn run(command: StatusCommand) -> Result<(), Error> {
    let session = Session::begin(&command.target)?;
    let root = Root::open(&session, Purpose::Look).await?;
    let holders = holder::look_up(&session, &root.bucket, read_locks(&root.bucket).await?).await;
    let path = root.bucket.backend().path();
    let text = if command.json {
        format!("{}\n", harmless::json(&status_json(&holders)))
    } else {
        status_text(&path, &holders, true)
    };
    write_out(&text).map_err(Error::Output)?;
    let mut outputs = Outputs::default();
    if let Some(info) = holders.first().and_then(Holder::info) {
        outputs.set("lock-id", &info.id);
        outputs.set("lock-holder", one_line(&info.who));
    }
    outputs.write().map_err(Error::StepOutputs)
}

/// The holders as people read them: who, since when, whether that is alive and what to do; then the
/// lock as the store has it. What to do is left out where an error tells it.
pub(super) fn status_text(path: &str, holders: &[Holder], tells_next: bool) -> String {
    if holders.is_empty() {
        return format!("{path} is not locked\n");
    }
    let is_frozen = holders.iter().any(|holder| holder.freeze_reason().is_some());
    let mut text = format!("{path} is {}\n", if is_frozen { "frozen" } else { "locked" });
    for holder in holders {
        text.extend(["\n", &holder_rows(holder)]);
        if tells_next {
            // Ours, with others' words in it cleaned and cut already: the command at its end stays whole.
            push_row(&mut text, "next", &holder.next_step());
        }
        text.extend(["\n", &lock_rows(holder)]);
    }
    text
}

fn holder_rows(holder: &Holder) -> String {
    let mut rows = String::new();
    let mut row = |name: &str, value: &str| push_row(&mut rows, name, &one_line(value));
    let freeze = holder.freeze_reason();
    match (&holder.seen.body, freeze) {
        (Ok(info), Some(reason)) => {
            row("frozen by", &info.holder());
            row("why", reason);
        }
        (Ok(info), None) => {
            row("held by", &info.holder());
            let parts = [holder.work(), info.info.clone()];
            row("doing", &parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": "));
        }
        (Err(raw), _) => row("held by", &format!("somebody whose lock cannot be read: {raw:?}")),
    }
    row("since", &holder.since_words());
    if freeze.is_none() {
        row("alive", &liveness_words(holder));
    }
    rows
}

/// The lock as its store has it.
fn lock_rows(holder: &Holder) -> String {
    let mut rows = String::new();
    let mut row = |name: &str, value: &str| push_row(&mut rows, name, &one_line(value));
    if let Ok(info) = &holder.seen.body {
        row("lock ID", &info.id);
        row("created", &info.created);
        row("version", &info.version);
    }
    row("store", holder.seen.store.as_str());
    row("etag", holder.seen.etag.as_deref().unwrap_or_default());
    rows
}

fn push_row(rows: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        rows.push_str(&row(name, value));
    }
}

fn liveness_words(holder: &Holder) -> String {
    match holder.liveness() {
        _ if holder.is_kept == Some(true) => "no, its apply is over: the lock stays on purpose".to_owned(),
        Liveness::Alive => "yes: that run is at work".to_owned(),
        Liveness::Finishing { until } => format!("finished; it may clean up until {}", holder::clock(until)),
        Liveness::Dead if holder.is_run_over() => "no, finished: the lock is stale".to_owned(),
        Liveness::Dead => "no, its job is finished: the lock is stale".to_owned(),
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
            RunState::Found(attempt) => (Some(attempt.status.as_str()), attempt.conclusion.as_deref()),
            RunState::NotFound if holder.liveness() == Liveness::Dead => (Some("deleted"), None),
            RunState::NotFound | RunState::Unknown { .. } => (None, None),
        };
        json!({ "url": run.url(), "status": status, "conclusion": conclusion })
    });
    let stale = match holder.liveness() {
        // Left on purpose, it is no forgotten one.
        Liveness::Dead => Some(holder.is_kept != Some(true)),
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
        // The same names, so that a program need not ask which there are.
        Err(raw) => json!({
            "store": store, "id": null, "who": null, "operation": null, "info": null,
            "version": null, "created": null, "path": null,
            "etag": etag, "age_seconds": age, "run": run, "stale": stale, "raw": raw,
        }),
    }
}
