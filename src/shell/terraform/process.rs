//! Terraform at work: the process that we started and, when that was a wrapper, the Terraform that
//! outlives it. One interrupt, and the end only when nobody is left who can touch the state.
//!
//! Who gets the interrupt? The process that is Terraform, and the one that we started only where no
//! Terraform is seen yet. Wrappers treat a signal as they like: `timeout` sends it twice, bash not at
//! all, dash and Python die. Terraform takes a second one for "exit at once" and loses what it writes.
//! When Terraform has not said within a few seconds that it was interrupted, the Terraforms that were
//! not there before get the signal; nobody gets it twice.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Child;
use tokio::time::{Instant, sleep_until};

use crate::shell::processes::{self, Ended, ProcessGroup, Survivor};

/// What Terraform and `OpenTofu` print at the first interrupt.
pub(super) const INTERRUPT_RECEIVED: &str = "Interrupt received";

/// How long a wrapper has to pass the interrupt on; the runner kills us after ten seconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often we look whether anybody is left.
const LOOK: Duration = Duration::from_millis(500);

/// The process that we started, and its group.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: Option<u32>,
    group: Option<ProcessGroup>,
    status: Option<ExitStatus>,
    interrupted: Option<Instant>,
    /// Who got an interrupt.
    signalled: Vec<u32>,
    /// Those who came later were interrupted too.
    passed_on: bool,
    told: bool,
    next_look: Instant,
}

impl Process {
    /// Right after its start.
    pub(super) fn new(child: Child) -> Process {
        let pid = child.id();
        Process {
            child,
            pid,
            group: pid.and_then(ProcessGroup::of),
            status: None,
            interrupted: None,
            signalled: Vec::new(),
            passed_on: false,
            told: false,
            next_look: Instant::now(),
        }
    }

    /// Waits until nobody is left; may be dropped and called again. The status is that of the
    /// process that we started.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = match self.status {
            Some(status) => status,
            None => *self.status.insert(self.child.wait().await?),
        };
        loop {
            sleep_until(self.next_look).await;
            if self.survivors().is_empty() {
                return Ok(status);
            }
            self.next_look = Instant::now() + LOOK;
        }
    }

    /// Sends the one interrupt.
    pub(super) fn interrupt(&mut self) {
        self.interrupted = Some(Instant::now());
        let terraforms = self.terraforms();
        match (self.pid, self.status) {
            (Some(pid), None) if terraforms.is_empty() => self.send(pid),
            _ => terraforms.iter().for_each(|terraform| self.send(terraform.pid)),
        }
    }

    /// Kills it with its whole group, its providers and whatever a wrapper started.
    pub(super) fn kill(&mut self) {
        if let (Some(pid), None) = (self.pid, self.status)
            && let Err(error) = processes::kill_group(pid)
        {
            tracing::warn!("failed to stop Terraform: {error}");
        }
    }

    /// From when on the interrupt should have reached Terraform; `None` without one, and when it
    /// was passed on already.
    pub(super) fn unheard_from(&self) -> Option<Instant> {
        self.interrupted.filter(|_| !self.passed_on).map(|at| at + PATIENCE)
    }

    /// Interrupts the Terraforms that got no interrupt yet.
    pub(super) fn pass_on(&mut self) {
        self.passed_on = true;
        let mut others = self.terraforms();
        others.retain(|other| !self.signalled.contains(&other.pid));
        for other in others {
            tracing::info!("passing the interrupt on to {} (process {})", other.name, other.pid);
            self.send(other.pid);
        }
    }

    fn terraforms(&self) -> Vec<Survivor> {
        self.group.as_ref().map(ProcessGroup::terraforms).unwrap_or_default()
    }

    fn send(&mut self, pid: u32) {
        if self.signalled.contains(&pid) {
            return;
        }
        self.signalled.push(pid);
        if let Err(error) = processes::interrupt(pid) {
            tracing::warn!("failed to pass the interrupt on to Terraform: {error}");
        }
    }

    fn survivors(&mut self) -> Vec<processes::Survivor> {
        let of_itself = self.interrupted.is_none() && self.status.is_some_and(|status| status.code().is_some());
        let ended = if of_itself { Ended::OfItself } else { Ended::ByForce };
        let survivors = self.group.as_ref().map(|group| group.survivors(ended)).unwrap_or_default();
        if let Some(survivor) = survivors.first().filter(|_| !self.told) {
            self.told = true;
            tracing::warn!(
                "the program that was started as Terraform has ended, but {} (process {}) goes on; waiting for its end",
                survivor.name,
                survivor.pid
            );
        }
        survivors
    }
}
