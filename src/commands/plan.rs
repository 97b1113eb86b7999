//! `stategate plan`: lock, plan, tell, record, release.

use jiff::Timestamp;

use super::locking;
use super::planning;
use super::report::Report;
use super::session::{Root, Session};
use crate::cli::{CommentMode, PlanCommand};
use crate::core::comment::Phase;
use crate::core::lock_info::Operation;
use crate::error::Error;
use crate::shell::runner::{Event, Run};

pub(super) async fn run(command: PlanCommand) -> Result<(), Error> {
    let session = Session::begin(&command.target)?;
    let mut report = Report::new(&session, &command.reporting);
    let result = plan(&session, &command, &mut report).await;
    report.conclude(&session, result).await
}

async fn plan(session: &Session, command: &PlanCommand, report: &mut Report) -> Result<(), Error> {
    if let Some(run) = session.host.run()
        && let Standing::WithoutSecrets(why) = place(run, command, report)?
    {
        tracing::warn!("{why}");
        report.notes.push(why);
        report.pull_requests.clear();
        report.phase = Phase::Skipped;
        return Ok(());
    }
    let root = Root::open(session).await?;
    let mut footprint = session.footprint(root.terraform.directory())?;
    let held = locking::take(session, &root, &command.locking, &Operation::Plan, &mut footprint, report).await?;
    let plan_file = planning::make(session, &root, &held, command.planning.plan_args.as_ref(), &mut footprint).await;
    // Everything that follows reads the plan file only; the lock goes first, whatever happened.
    let released = locking::release(held, &mut footprint, report).await;
    let plan_file = plan_file?;
    released?;
    planning::read(session, &root, &plan_file, Visitor::default(), report).await?;
    Ok(())
}
