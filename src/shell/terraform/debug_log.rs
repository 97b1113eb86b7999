//! Terraform's debug log goes to a file. On standard error it would stand in every failure, with
//! whatever a provider sends and gets, and nobody knows what in it is secret.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::tail;

/// What turns the log on: for all of it, or a part.
const LEVELS: [&str; 3] = ["TF_LOG", "TF_LOG_CORE", "TF_LOG_PROVIDER"];

/// Where Terraform writes its log to; without it, to standard error.
const PATH: &str = "TF_LOG_PATH";

/// Names a file for the log, unless there is none or somebody did. Where a file cannot be made
/// there is no log.
pub(super) fn keep_to_a_file(command: &mut Command) {
    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let given = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let is_on = LEVELS.iter().any(|name| given(name).is_some_and(|level| !level.eq_ignore_ascii_case("off")));
    if !is_on || given(PATH).is_some() {
        return;
    }
    match FILE.get_or_init(|| begin(&tail::directory())) {
        Some(file) => {
            command.env(PATH, file);
        }
        None => {
            for name in LEVELS {
                command.env_remove(name);
            }
        }
    }
}

/// Makes the file, readable by us alone, and says where it is.
fn begin(directory: &Path) -> Option<PathBuf> {
    let made = tempfile::Builder::new().prefix("stategate-terraform-").suffix(".log").tempfile_in(directory);
    match made.and_then(|file| Ok(file.keep().map_err(io::Error::from)?.1)) {
        Ok(file) => {
            tracing::info!("TF_LOG is set: Terraform's debug log is in {}; it can hold secrets", file.display());
            Some(file)
        }
        Err(error) => {
            tracing::warn!("TF_LOG is set, and there is no place for Terraform's debug log: {error}");
            None
        }
    }
}
