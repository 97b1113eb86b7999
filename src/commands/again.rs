//! The flags that a printed command repeats, so that it is about the same state when it is copied
//! into a shell.

use std::path::Path;

use crate::cli::{Locking, Target};
use stategate_core::advice::{quoted, without_secret};

/// Which state, and how Terraform is run for it: what was not left as it is by default, each with a
/// blank before it.
pub(super) fn target(target: &Target) -> String {
    let mut flags = String::new();
    let mut push = |flag: &str, value: &str| flags.extend([" ", flag, " ", &quoted(value)]);
    if target.working_directory != Path::new(".") {
        push("--working-directory", &target.working_directory.to_string_lossy());
    }
    if let Some(workspace) = &target.workspace {
        push("--workspace", workspace);
    }
    if let Some(executable) = &target.terraform_bin {
        push("--terraform-bin", &executable.to_string_lossy());
    }
    if !target.init {
        push("--init", "false");
    }
    if let Some(words) = target.init_args.as_ref().filter(|words| !words.0.is_empty()) {
        let words: Vec<String> = words.0.iter().map(|word| quoted(&without_secret(word)).into_owned()).collect();
        push("--init-args", &words.join(" "));
    }
    flags
}

/// How the lock is waited for, likewise.
pub(super) fn locking(locking: &Locking) -> String {
    let mut flags = String::new();
    if locking.lock_timeout != Locking::USUAL_TIMEOUT {
        flags.push_str(&format!(" --lock-timeout {}s", locking.lock_timeout.as_secs()));
    }
    if locking.break_stale_lock {
        flags.push_str(" --break-stale-lock");
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, parse};

    fn lock(words: impl IntoIterator<Item = String>) -> (Target, Locking) {
        let words = ["stategate", "lock"].map(str::to_owned).into_iter().chain(words);
        match parse(words.map(Into::into)).unwrap().command {
            Command::Lock(command) => (command.target, command.locking),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_printed_command_is_about_the_same_state() {
        let given = [
            "--working-directory=my roots/prod",
            "--workspace=eu",
            "--terraform-bin=tofu",
            "--init=false",
            "--init-args=-backend-config=prod.hcl -backend-config='key=a b'",
            "--lock-timeout=90s",
            "--break-stale-lock",
        ];
        let (same_target, same_locking) = lock(given.map(str::to_owned));
        let printed = target(&same_target) + &locking(&same_locking);
        assert!(
            printed.contains("--working-directory 'my roots/prod' --workspace eu --terraform-bin tofu"),
            "{printed}"
        );
        let again = lock(shell_words::split(&printed).unwrap());
        assert_eq!(format!("{again:?}"), format!("{:?}", (same_target, same_locking)));
        let (usual_target, usual_locking) = lock([]);
        assert_eq!(target(&usual_target) + &locking(&usual_locking), "");
    }
}
