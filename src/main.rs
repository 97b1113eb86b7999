//! The program: parse, log, dispatch, render the error, exit code.

use std::io::Write as _;
use std::process::ExitCode;

use stategate::error::Error;
use stategate::shell::runner::LogWriter;
use stategate::{cli, commands, log};

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            let printed = error.print();
            return if printed.is_ok() { exit_code(error.exit_code()) } else { ExitCode::FAILURE };
        }
    };
    log::start();
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

/// What happened, why, and what to do next; never a hard exit, so that destructors run.
fn fail(error: &Error) -> ExitCode {
    let mut text = format!("error: {}\n", log::harmless(&error.to_string()));
    let cause = error.cause();
    if !cause.is_empty() {
        text.push_str(&format!("  why: {}\n", log::harmless(&cause)));
    }
    text.push_str(&format!("  next: {}\n", log::harmless(&error.hint())));
    match LogWriter.write_all(text.as_bytes()) {
        Ok(()) => ExitCode::from(error.exit_code()),
        Err(_) => ExitCode::FAILURE,
    }
}

fn exit_code(code: i32) -> ExitCode {
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
