//! The program: parse, log, dispatch, render the error, exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use stategate::error::Error;
use stategate::{cli, commands, log};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match cli::parse(arguments.iter().cloned()) {
        Ok(cli) => cli,
        Err(error) => {
            let printed = log::usage(&error, cli::mistake(&error, &arguments).as_ref());
            return if printed.is_ok() { exit_code(error.exit_code()) } else { ExitCode::FAILURE };
        }
    };
    log::start();
    warn_of_variables();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Error::Unexpected(error.to_string())),
    };
    let result = runtime.block_on(commands::run(cli));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// A variable that is misspelt would have no effect, and nobody would know.
fn warn_of_variables() {
    for (name, near) in cli::unknown_variables(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())) {
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        tracing::warn!("the variable {name} has no effect: no flag has that name{near}");
    }
}

/// Says what happened; never a hard exit, so that destructors run.
fn fail(error: &Error) -> ExitCode {
    match log::failure(error) {
        Ok(()) => ExitCode::from(error.exit_code()),
        Err(_) => ExitCode::FAILURE,
    }
}

fn exit_code(code: i32) -> ExitCode {
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
