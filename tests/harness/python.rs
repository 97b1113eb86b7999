//! The Python side of the harness: the AWS stand-in and GitHub's schemas come from `PyPI`, installed
//! once into a virtual environment under `target/`.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::process::{run, target_dir};

/// What is installed. `githubkit` does not start with the newest `hishel` that it asks for.
const REQUIREMENTS: &[&str] = &[
    "ministack==1.5.33",
    "githubkit==0.16.1",
    "githubkit-schemas-2022-11-28==26.10.21",
    "hishel==1.4.0",
    "pydantic==2.14.3",
    "grpcio==1.85.3",
    "msgpack==1.2.4",
];

/// The interpreter of the virtual environment, which is made on first use. Test processes that start
/// at the same time wait for each other, and an interrupted installation is begun again.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let mut hasher = DefaultHasher::new();
        REQUIREMENTS.hash(&mut hasher);
        let directory = harness_dir().join(format!("python-{:016x}", hasher.finish()));
        let python = directory.join("bin/python");
        once(&directory.with_extension("lock"), &directory.join("installed"), || install(&directory, &python));
        python
    })
}

/// Where the harness keeps what is made once and shared by all processes.
pub fn harness_dir() -> PathBuf {
    let directory = target_dir().join("harness");
    fs::create_dir_all(&directory).expect("the harness's directory can be made");
    directory
}

/// Runs `make` unless `marker` exists; one process at a time, and the marker comes last.
pub fn once(lock: &Path, marker: &Path, make: impl FnOnce()) {
    let lock = File::create(lock).expect("the lock file can be made");
    lock.lock().expect("the lock file can be locked");
    if !marker.exists() {
        make();
        fs::write(marker, "").expect("the marker can be written");
    }
}

/// Says what takes its time now.
pub fn announce(what: &str) {
    // Straight to the stream: a test's own output is only shown when it fails.
    io::stderr().write_all(format!("harness: {what}\n").as_bytes()).expect("standard error can be written");
}

fn install(directory: &Path, python: &Path) {
    let what = REQUIREMENTS.join(" ");
    announce(&format!("installing {what} into {} (once, about half a minute)", directory.display()));
    if directory.exists() {
        fs::remove_dir_all(directory).expect("an unfinished virtual environment can be removed");
    }
    let venv = Command::new("python3").args(["-m", "venv"]).arg(directory).output();
    let made = venv.as_ref().is_ok_and(|output| output.status.success());
    assert!(
        made,
        "the tests need python3 (3.11 or newer) with venv; on Debian: apt-get install python3 python3-venv ({venv:?})"
    );
    let pip = run(Command::new(python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile"])
        .args(REQUIREMENTS));
    assert_eq!(pip.code, Some(0), "pip could not install {}:\n{}", REQUIREMENTS.join(" "), pip.text());
}

/// Starts a program on a terminal of its own, types Ctrl-C once the text in `sys.argv[1]` is
/// there (never, when that is empty), and passes on what it shows and how it ends. The terminal is
/// as wide as `COLUMNS` says; without it, it does not know.
pub const ON_TERMINAL: &str = r"
import fcntl, os, pty, struct, sys, termios
wanted = sys.argv[1].encode()
pid, terminal = pty.fork()
if pid == 0:
    if 'COLUMNS' in os.environ:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(os.environ['COLUMNS']), 0, 0))
    os.execv(sys.argv[2], sys.argv[2:])
shown = b''
while True:
    try:
        chunk = os.read(terminal, 65536)
    except OSError:
        break
    if not chunk:
        break
    before, shown = shown, shown + chunk
    if wanted and wanted in shown and wanted not in before:
        os.write(terminal, b'\x03')
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";
