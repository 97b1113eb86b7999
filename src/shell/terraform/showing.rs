//! `terraform show -json`, whose output is read while it is written: a plan can be large, and a
//! pipe needs no room on the disk.
//!
//! A wrapper can leave something in the background that holds the pipe open. So the output ends
//! when the process that we started has ended and the pipe is empty, not only when it is closed.

use std::io::{self, Read, Seek as _};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Exit, TerraformError, tail};
use crate::shell::processes;

/// How often a silent process is asked whether it has ended.
const LOOK: Duration = Duration::from_millis(50);

/// How often one that has closed its output is: it ends in a moment.
const SOON: Duration = Duration::from_millis(2);

/// A running `terraform show -json`.
#[derive(Debug)]
pub struct Showing {
    child: Child,
    /// Its standard error; a file never fills up, and is read when it has ended.
    stderr: std::fs::File,
    command: String,
}

impl Showing {
    /// Starts it. `words` name the command in messages.
    pub(super) fn start(mut command: Command, words: String) -> Result<Showing, TerraformError> {
        let stderr = tempfile::tempfile_in(tail::directory());
        let failed = |source| TerraformError::Output { source };
        let (stderr, writer) = stderr.and_then(|file| Ok((file.try_clone()?, file))).map_err(failed)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(writer);
        match command.spawn() {
            Ok(child) => Ok(Showing { child, stderr, command: words }),
            Err(source) => Err(TerraformError::NotStarted { path: command.get_program().into(), source }),
        }
    }

    /// Reads the plan JSON while it is written. Blocks; run it where blocking is allowed. Once it
    /// `is_cancelled`, Terraform is killed: it only reads, and takes no notice of an interrupt.
    ///
    /// # Errors
    /// Terraform failed, or was cancelled. What `read` returned about the JSON is only worth
    /// something otherwise.
    pub fn read<T>(
        mut self,
        is_cancelled: impl Fn() -> bool,
        read: impl FnOnce(&mut dyn Read) -> T,
    ) -> Result<T, TerraformError> {
        let lost = |source| TerraformError::Lost { path: self.command.clone().into(), source };
        let pipe = self.child.stdout.take();
        let mut output =
            Output { pipe, child: &mut self.child, status: None, is_cancelled: &is_cancelled, is_stopped: false };
        let result = read(&mut output);
        // What the reader left unread (an error stopped it) must not stop Terraform.
        drop(io::copy(&mut output, &mut io::sink()));
        let status = output.end().map_err(lost)?;
        if output.is_stopped {
            return Err(TerraformError::Stopped);
        }
        let Some(exit) = Exit::of(status) else { return Ok(result) };
        let mut stderr = Vec::new();
        if let Err(error) = self.stderr.rewind().and_then(|()| self.stderr.read_to_end(&mut stderr)) {
            stderr = error.to_string().into_bytes();
        }
        Err(TerraformError::Failed {
            command: self.command,
            exit,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        })
    }
}

/// The standard output of a process, up to its end or the pipe's, whichever comes first.
struct Output<'a> {
    pipe: Option<ChildStdout>,
    child: &'a mut Child,
    status: Option<ExitStatus>,
    is_cancelled: &'a dyn Fn() -> bool,
    /// It was killed because it is cancelled; nothing more is read then.
    is_stopped: bool,
}

impl Output<'_> {
    /// Looks whether it has ended, or shall.
    fn look(&mut self) -> io::Result<()> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        if self.status.is_none() && !self.is_stopped && (self.is_cancelled)() {
            self.is_stopped = true;
            self.pipe = None;
            // With all that it started.
            processes::kill_group(self.child.id())?;
        }
        Ok(())
    }

    /// Waits for the end of the process.
    fn end(&mut self) -> io::Result<ExitStatus> {
        // A pipe that cannot be read any more must not stop it.
        self.pipe = None;
        loop {
            self.look()?;
            match self.status {
                Some(status) => return Ok(status),
                None => sleep(SOON),
            }
        }
    }
}

impl Read for Output<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let look = Timespec { tv_sec: 0, tv_nsec: i64::from(LOOK.subsec_nanos()) };
        loop {
            // Asked before the look into the pipe: what it wrote before its end is there then.
            self.look()?;
            let Some(pipe) = &mut self.pipe else { return Ok(0) };
            let mut fds = [PollFd::new(&*pipe, PollFlags::IN)];
            match poll(&mut fds, Some(&look)) {
                Ok(0) if self.status.is_some() => return Ok(0),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return pipe.read(buffer),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::time::Instant;

    use super::*;

    fn shell(script: &str) -> Showing {
        let mut command = Command::new("sh");
        command.args(["-c", script]).process_group(0);
        Showing::start(command, "terraform show".to_owned()).unwrap()
    }

    fn text(output: &mut dyn Read) -> String {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn what_holds_the_output_in_the_background_is_not_waited_for() {
        let started = Instant::now();
        // Far more than a pipe holds, and the last of it right before the end.
        let showing = shell("sleep 120 & head -c 300000 /dev/zero | tr '\\0' x; echo $! >&2; printf end; exit 0");
        let mut stderr = showing.stderr.try_clone().unwrap();
        let output = showing.read(|| false, text).unwrap();
        assert_eq!(output.len(), 300_003);
        assert!(output.ends_with("end"));
        assert!(started.elapsed() < Duration::from_mins(1), "it waited for what is in the background");
        stderr.rewind().unwrap();
        Command::new("kill").arg(text(&mut stderr).trim()).status().unwrap();
    }

    #[test]
    fn a_pause_in_the_output_is_not_its_end() {
        assert_eq!(shell("printf a; sleep 0.3; printf b").read(|| false, text).unwrap(), "ab");
    }

    #[test]
    fn a_failure_tells_its_standard_error_and_a_reader_that_stops_does_not_stop_it() {
        let showing = shell("head -c 300000 /dev/zero; echo 'Error: no plan' >&2; exit 3");
        let Err(TerraformError::Failed { exit, stderr, .. }) = showing.read(|| false, |_| ()) else {
            panic!("it failed")
        };
        assert_eq!((exit, stderr.as_str()), (Exit::Code(3), "Error: no plan\n"));
    }

    #[test]
    fn who_cancels_does_not_wait_for_its_end_whatever_it_does_with_signals() {
        for script in ["trap '' INT TERM; sleep 301", "printf '{'; sleep 301 & wait", "exec >&-; sleep 301"] {
            let started = Instant::now();
            let cancelled = || started.elapsed() > LOOK * 3;
            assert!(matches!(shell(script).read(cancelled, text), Err(TerraformError::Stopped)), "{script}");
            assert!(started.elapsed() < Duration::from_mins(1), "it was waited for: {script}");
        }
    }
}
