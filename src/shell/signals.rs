//! SIGINT and SIGTERM, as the runner and people send them, and SIGHUP, as a terminal does that is
//! closed. The first one asks us to stop; later ones are only counted, because a second interrupt
//! makes Terraform drop its state.

use std::fs;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Whether somebody asked us to stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cancel(watch::Receiver<bool>);

impl Cancel {
    /// Starts listening; from here on a signal no longer kills the process.
    ///
    /// # Errors
    /// The signal handlers cannot be installed.
    pub fn listen() -> io::Result<Cancel> {
        let (sender, receiver) = watch::channel(false);
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        // Outside a runner no clean-up step would find the lock of a process that it killed.
        let mut hangups = if ignores_hangups() { None } else { Some(signal(SignalKind::hangup())?) };
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = interrupts.recv() => "SIGINT",
                    _ = terminations.recv() => "SIGTERM",
                    () = received(hangups.as_mut()) => "SIGHUP",
                };
                if sender.send_replace(true) {
                    tracing::info!("{name} again: still finishing safely, the lock is released at the end");
                } else {
                    tracing::warn!("{name}: stopping; Terraform is given the time to finish what it writes");
                }
            }
        });
        Ok(Cancel(receiver))
    }

    /// Whether we were asked to stop.
    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when we are asked to stop, or at once when we were.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|requested| *requested).await.is_err() {
            // The listener ends only with the process.
            std::future::pending::<()>().await;
        }
    }

    /// The receiver itself, for code that knows no signals.
    pub fn receiver(&self) -> watch::Receiver<bool> {
        self.0.clone()
    }
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether we were started by `nohup`: who listens undoes it. Only Linux tells.
fn ignores_hangups() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
