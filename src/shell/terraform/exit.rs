//! How Terraform ended: by a code of its own, or by a signal.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

const SIGINT: i32 = 2;
const SIGKILL: i32 = 9;

/// The signals by which a program ends that did not mean to; their numbers are the same everywhere.
const NAMES: [(i32, &str); 10] = [
    (1, "SIGHUP"),
    (SIGINT, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (6, "SIGABRT"),
    (8, "SIGFPE"),
    (SIGKILL, "SIGKILL"),
    (11, "SIGSEGV"),
    (13, "SIGPIPE"),
    (15, "SIGTERM"),
];

fn name_of(signal: i32) -> Option<&'static str> {
    NAMES.into_iter().find(|(number, _)| *number == signal).map(|(_, name)| name)
}

/// The end of a Terraform that failed. A script around it may exit with 0 all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It exited with 0 and reported an error all the same, as some versions do when a variables file
    /// is missing.
    DespiteError,
}

impl Exit {
    /// From what the system says. `None`: it ended well.
    pub fn of(status: ExitStatus) -> Option<Exit> {
        match status.code() {
            Some(0) => None,
            Some(code) => Some(Exit::Code(code)),
            None => Some(Exit::Signal(status.signal().unwrap_or_default())),
        }
    }

    /// The number of the signal that ended it. A shell in between tells a signal as a code of 128
    /// and its number.
    pub fn signal(self) -> Option<i32> {
        match self {
            Exit::Signal(number) => Some(number),
            Exit::Code(code) => Some(code - 128).filter(|number| name_of(*number).is_some()),
            Exit::DespiteError => None,
        }
    }

    /// Whether it was killed without a warning, as the system does when there is no memory left.
    pub fn is_kill(self) -> bool {
        self.signal() == Some(SIGKILL)
    }

    /// Whether our interrupt ended what we started: a wrapper that does not wait for its Terraform.
    pub fn is_interrupt(self) -> bool {
        self.signal() == Some(SIGINT)
    }

    /// Whether it ended in the middle of its work: by a signal, or because it crashed (Terraform
    /// exits with 11 then, and the runtime of Go, for want of memory say, with 2).
    pub fn is_abrupt(self) -> bool {
        self.signal().is_some() || matches!(self, Exit::Code(2 | 11))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, self.signal()) {
            (Exit::Code(0), _) => return f.write_str("exited with code 0, though it did not come to a good end"),
            (Exit::Code(code), None) => return write!(f, "exited with code {code}"),
            (Exit::Code(code), Some(signal)) => write!(f, "exited with code {code}, killed by signal {signal}")?,
            (Exit::DespiteError, _) => return f.write_str("exited with code 0, though it reported an error"),
            (Exit::Signal(signal), _) => write!(f, "was killed by signal {signal}")?,
        }
        if let Some(name) = self.signal().and_then(name_of) {
            write!(f, " ({name})")?;
        }
        f.write_str(if self.is_kill() { ", often because the machine has no memory left" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_is_told_as_what_it_is() {
        for (status, told, is_abrupt) in [
            (0x100, "exited with code 1", false),
            (0x200, "exited with code 2", true),
            (0xb00, "exited with code 11", true),
            (127 << 8, "exited with code 127", false),
            (9, "was killed by signal 9 (SIGKILL), often because the machine has no memory left", true),
            (11, "was killed by signal 11 (SIGSEGV)", true),
            (0x80 | 6, "was killed by signal 6 (SIGABRT)", true),
            (25, "was killed by signal 25", true),
            (
                137 << 8,
                "exited with code 137, killed by signal 9 (SIGKILL), often because the machine has no memory left",
                true,
            ),
            (130 << 8, "exited with code 130, killed by signal 2 (SIGINT)", true),
        ] {
            let exit = Exit::of(ExitStatus::from_raw(status)).unwrap();
            assert_eq!((exit.to_string().as_str(), exit.is_abrupt()), (told, is_abrupt), "{status:#x}");
        }
        assert_eq!(Exit::of(ExitStatus::from_raw(0)), None);
        assert!(Exit::Code(130).is_interrupt() && Exit::Signal(2).is_interrupt() && !Exit::Signal(9).is_interrupt());
    }
}
