//! Child processes, ports, and where things are built.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// What a finished process left behind.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Both streams, as a person sees them.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Fails with both streams unless the process exited 0.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "the process failed:\n{}", self.text());
        self
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Finished {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", command.get_program().display()));
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Cargo's target directory, found from the running program, so that tests and the demo share it.
pub fn target_dir() -> PathBuf {
    let program = std::env::current_exe().expect("the running program has a path");
    // `<target>/<profile>/deps/<program>`, or `examples` for the demo.
    program.ancestors().nth(3).expect("the program runs from cargo's target directory").to_owned()
}

/// A loopback port that was free a moment ago; another process may take it before its user does.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a loopback port is free")
        .port()
}

/// A loopback port that refuses connections as long as this process lives: it is taken, so that nobody
/// else gets it, and nobody listens.
pub fn dead_port() -> u16 {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket can be made");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a loopback port is free");
    let port = socket.local_addr().expect("a bound socket has an address").port();
    let _taken: &'static mut _ = Box::leak(Box::new(socket));
    port
}

/// Looks every 50 ms until `found` gives something; fails after `timeout`.
#[track_caller]
pub fn wait_for<T>(what: &str, timeout: Duration, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {timeout:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The runtime behind the servers and clients of the harness, shared by all tests of a process. A
/// thread of its own drives it; tests use the handle.
pub fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    })
}
