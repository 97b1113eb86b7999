//! SIGINT and SIGTERM, as the runner and people send them. The first one asks us to stop; later
//! ones are only counted, because a second interrupt makes Terraform drop its state.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
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
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = interrupts.recv() => "SIGINT",
                    _ = terminations.recv() => "SIGTERM",
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
