//! `stategate lock`: freeze a state for maintenance until somebody unlocks it.

use jiff::Timestamp;

use super::again;
use super::audit;
use super::holder::row;
use super::locking;
use super::report::Report;
use super::session::{Purpose, Root, Session};
use crate::cli::{LockCommand, Reporting};
use crate::error::Error;
use crate::shell::runner::{Outputs, write_out};
use stategate_core::advice::{lock_id, unlock_by_workflow};
use stategate_core::lock_info::{Operation, one_line};

pub(super) async fn run(command: LockCommand) -> Result<(), Error> {
    let reason = command.reason.clone().ok_or_else(|| reason_missing(&command))?;
    let session = Session::begin(&command.target)?;
    let root = Root::open(&session, Purpose::Lock).await?;
    let mut report = Report::new(&session, &Reporting::NONE);
    let mut footprint = session.footprint(root.terraform.module().directory())?;
    // No clean-up step has anything to tell about it.
    footprint.set_concluded()?;
    let freeze = Operation::Freeze { reason: reason.clone() };
    let held = locking::take(&session, &root, &command.locking, &freeze, &mut footprint, &mut report).await?;
    // Where a lock excludes nobody, a freeze would only seem to.
    if let Err(error) = held.check_store().await {
        let released = locking::release(held, &mut footprint, &mut report).await;
        return locking::both(Err(error.into()), released, &mut report);
    }
    // From here on it is meant to stay: the clean-up step must not find it.
    let info = held.keep();
    locking::forget(&mut footprint, &info.path);
    let recorded = audit::write(
        &session,
        &root.bucket,
        &audit::Entry {
            action: "freeze",
            at: Timestamp::now(),
            reason: Some(&reason),
            lock: Some(&info),
            pull_request: None,
            commit: None,
            result: "locked",
        },
    )
    .await;
    // The state is frozen, recorded or not, and whoever did it needs the ID.
    let mut outputs = Outputs::default();
    outputs.set("lock-id", &info.id);
    outputs.write().map_err(Error::StepOutputs)?;
    let end = if session.host.run().is_some() {
        format!("To end it, {}.", unlock_by_workflow(&lock_id(&info.id)))
    } else {
        format!("End it with `stategate unlock --lock-id {} --reason TEXT{}`.", info.id, again::target(&session.target))
    };
    let frozen = format!("{} is frozen: {}\n", one_line(&info.path), one_line(&reason));
    write_out(&(frozen + &row("lock ID", &info.id) + &row("next", &end))).map_err(Error::Output)?;
    recorded
}

fn reason_missing(command: &LockCommand) -> Error {
    let again = format!("lock{}{}", again::target(&command.target), again::locking(&command.locking));
    Error::ReasonMissing { command: "lock", again }
}
