//! On a terminal a person is asked before anything is applied, as Terraform asks.

use std::io::{self, IsTerminal as _, Write as _};

use tokio::sync::oneshot;

use super::report::Report;
use super::session::{Root, Session};
use crate::cli::Words;
use crate::error::Error;
use crate::log::harmless;

/// Shows what would be done and waits for a typed `yes`. A job, and whatever has no terminal to
/// ask on, is not asked: there the gate decides alone.
pub(super) async fn confirm(
    session: &Session,
    root: &Root,
    apply_args: Option<&Words>,
    report: &Report,
) -> Result<(), Error> {
    let has_person = io::stdin().is_terminal() && io::stderr().is_terminal();
    // Terraform's own flag for not being asked.
    let is_waived = apply_args.is_some_and(|args| args.0.iter().any(|arg| arg.ends_with("-auto-approve")));
    if session.host.run().is_some() || !has_person || is_waived {
        return Ok(());
    }
    let backend = root.bucket.backend();
    let state = harmless(&format!("s3://{}/{}", backend.bucket, backend.state_key()));
    let question = format!(
        "\n{}\n\nApply this to {state}? No pull request stands behind it.\nOnly `yes` applies it: ",
        report.verdict().trim_end(),
    );
    let mut terminal = io::stderr();
    terminal.write_all(question.as_bytes()).and_then(|()| terminal.flush()).map_err(Error::Output)?;
    tokio::select! {
        answer = line() => if answer.trim() == "yes" { Ok(()) } else { Err(Error::NotConfirmed) },
        () = session.cancel.wait() => Err(Error::Cancelled),
    }
}

/// A line that somebody types; empty at the end of the input. On a thread that nobody waits for,
/// because nothing ends a read from a terminal.
async fn line() -> String {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        // Nobody listens any more when the run was interrupted meanwhile.
        drop(sender.send(read.map(|_| line).unwrap_or_default()));
    });
    receiver.await.unwrap_or_default()
}
