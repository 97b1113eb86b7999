//! One file a command: gather facts, ask the core, act.

mod again;
mod apply;
mod applying;
mod audit;
mod beside;
mod completions;
mod confirm;
mod freeze;
mod gate;
mod holder;
mod inputs;
mod locking;
mod pending;
mod plan;
mod planning;
mod reach;
mod release;
pub mod render;
mod report;
mod rescue;
mod review;
mod running;
mod session;
mod status;
mod unlock;
mod variables;

use std::fs::File;
use std::io::{self, BufReader, Read};

use jiff::Timestamp;

use crate::cli::{Cli, Command, RenderCommand};
use crate::error::Error;
use crate::shell::runner::write_out;
use stategate_core::comment;

/// Runs what was asked for.
///
/// # Errors
/// Every failure is an [`Error`], with its exit code and its remedy.
pub async fn run(cli: Cli) -> Result<(), Error> {
    match cli.command {
        Command::Plan(command) => Box::pin(plan::run(command)).await,
        Command::Apply(command) => Box::pin(apply::run(command)).await,
        Command::Unlock(command) => unlock::run(command).await,
        Command::Release(command) => release::run(command).await,
        Command::Lock(command) => Box::pin(freeze::run(command)).await,
        Command::Status(command) => status::run(command).await,
        Command::Render(command) => render(&command),
        Command::Completions(command) => completions::completions(command.shell),
        Command::Man(command) => completions::man(command.command.as_deref()),
    }
}

fn render(command: &RenderCommand) -> Result<(), Error> {
    let workspace = command.workspace.as_deref().unwrap_or("default");
    let default_id = comment::default_id(&command.working_directory, workspace);
    let options = render::RenderOptions {
        root: &command.working_directory,
        workspace,
        environment: command.environment.as_deref(),
        comment_id: command.comment_id.as_deref().unwrap_or(&default_id),
        budget: command.budget,
        json: command.json,
        now: Timestamp::now(),
    };
    let input: Box<dyn Read> = if command.plan_json.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        let path = &command.plan_json;
        let unreadable = |source| Error::FileUnreadable { path: path.clone(), source };
        let file = File::open(path).map_err(unreadable)?;
        // A directory can be opened, and only reading it fails.
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()));
        }
        Box::new(BufReader::new(file))
    };
    let text = render::render(input, &options)?;
    write_out(&text).map_err(Error::Output)
}
