//! A release of the action that can be installed: a copy of its scripts with sums of their own, an
//! archive with a script for a binary, and a server on loopback that gives it or fails to.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::action::Action;
use super::process::{Finished, run};

/// The version that the copy of the action names.
pub const VERSION: &str = "1.2.3";

/// The archive for the machine that `uname` is made to tell.
pub const ARCHIVE: &str = "stategate-x86_64-unknown-linux-musl.tar.gz";

/// The programs that the installation uses, but for curl and the one that makes the SHA-256.
const PROGRAMS: &[&str] =
    &["bash", "cat", "chmod", "cp", "cut", "env", "gzip", "mkdir", "mktemp", "mv", "rm", "sh", "tar", "touch", "tr"];

/// What the server answers to one request.
#[derive(Debug, Clone)]
pub enum Answer {
    File(Vec<u8>),
    /// The length of the whole, but only half of it.
    Half(Vec<u8>),
    /// Half of it without a word on the length.
    HalfUnsaid(Vec<u8>),
    Status(u16),
    Redirect(String),
    /// The connection stays open, and nothing comes.
    Silence,
}

/// A server that gives its answers one after the other, the last one for good.
#[derive(Debug)]
pub struct Server {
    pub port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
        let port = listener.local_addr().expect("the server has an address").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answers, log) = (answers.clone(), Arc::clone(&log));
                std::thread::spawn(move || serve(&stream, &answers, &log));
            }
        });
        Self { port, seen }
    }

    /// The heads of all requests so far.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no test fails while it holds the log").clone()
    }
}

fn serve(mut stream: &TcpStream, answers: &[Answer], log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|length| length > 0) {}
    let number = {
        let mut log = log.lock().expect("no test fails while it holds the log");
        log.push(head);
        log.len() - 1
    };
    let length = |bytes: &[u8]| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", bytes.len());
    let (head, body): (String, &[u8]) = match answers.get(number).or(answers.last()).expect("the server has an answer")
    {
        Answer::File(bytes) => (length(bytes), bytes),
        Answer::Half(bytes) => (length(bytes), &bytes[..bytes.len() / 2]),
        Answer::HalfUnsaid(bytes) => ("HTTP/1.1 200 OK\r\n".to_owned(), &bytes[..bytes.len() / 2]),
        Answer::Status(status) => (format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n"), &[]),
        Answer::Redirect(to) => (format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n"), &[]),
        Answer::Silence => {
            // Until the client gives up.
            let _end = reader.read_line(&mut String::new());
            return;
        }
    };
    // A client that has gone away needs no answer.
    let _gone = stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes());
    let _gone = stream.write_all(body);
}

/// The action as a release has it, on a runner of its own.
#[derive(Debug)]
pub struct Release {
    scratch: TempDir,
    pub archive: Vec<u8>,
}

impl Release {
    /// Its binary says with which words and as which process it runs.
    pub fn new() -> Self {
        let scratch = tempfile::Builder::new().prefix("stategate-install-").tempdir().expect("a directory can be made");
        let archive = archive(scratch.path(), "#!/bin/sh\necho \"stategate 1.2.3 ran: $*\"\necho \"as $$\"\n");
        let release = Self { scratch, archive };
        for directory in ["tool-cache", "home"] {
            fs::create_dir_all(release.path(directory)).expect("the directory can be made");
        }
        let scripts = release.path("action/scripts");
        fs::create_dir_all(&scripts).expect("the directory can be made");
        for script in ["run.sh", "install.sh"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script);
            fs::copy(from, scripts.join(script)).expect("the script can be copied");
        }
        release.names("http://127.0.0.1:9/nobody/here", &release.archive);
        release.programs("programs", &["curl", "sha256sum"]);
        release.machine("Linux", "x86_64");
        release
    }

    /// What release.txt says.
    pub fn names(&self, download: &str, archive: &[u8]) {
        let sum: String = Sha256::digest(archive).iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("# A comment.\nversion {VERSION}\ndownload {download}\nsha256 {sum} {ARCHIVE}\n");
        fs::write(self.path("action/scripts/release.txt"), text).expect("release.txt can be written");
    }

    /// This commit of the action is no release.
    pub fn names_nothing(&self) {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/release.txt");
        let text = fs::read_to_string(ours).expect("release.txt can be read");
        let comments: String =
            text.lines().filter(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        fs::write(self.path("action/scripts/release.txt"), comments).expect("release.txt can be written");
    }

    /// A directory with only the programs that the installation needs, and these.
    pub fn programs(&self, name: &str, more: &[&str]) -> PathBuf {
        let directory = self.path(name);
        fs::create_dir_all(&directory).expect("the directory can be made");
        for program in PROGRAMS.iter().chain(more) {
            let found =
                ["/usr/bin", "/bin"].iter().map(|place| Path::new(place).join(program)).find(|file| file.exists());
            let found = found.unwrap_or_else(|| panic!("the tests need the program {program}"));
            symlink(found, directory.join(program)).expect("the program can be linked");
        }
        directory
    }

    /// What `uname` tells.
    pub fn machine(&self, system: &str, processor: &str) {
        let directory = self.path("uname");
        fs::create_dir_all(&directory).expect("the directory can be made");
        let script = format!("#!/bin/sh\n[ \"$1\" = -s ] && echo '{system}' || echo '{processor}'\n");
        program(&directory.join("uname"), &script);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// A job on this runner: its own `RUNNER_TEMP`, the shared tool cache.
    pub fn job(&self, name: &str) -> Job<'_> {
        let temp = self.path(&format!("{name}/temp"));
        let work = self.path(&format!("{name}/work"));
        for directory in [&temp, &work] {
            fs::create_dir_all(directory).expect("the directory can be made");
        }
        let path = format!("{}:{}", self.path("uname").display(), self.path("programs").display());
        let variables = [
            ("GITHUB_ACTION_PATH", self.path("action").display().to_string()),
            ("GITHUB_EVENT_NAME", "pull_request".to_owned()),
            ("HOME", self.path("home").display().to_string()),
            ("PATH", path),
            ("RUNNER_TEMP", temp.display().to_string()),
            ("RUNNER_TOOL_CACHE", self.path("tool-cache").display().to_string()),
            ("STATEGATE_COMMAND", "plan".to_owned()),
            ("STATEGATE_GITHUB_TOKEN", TOKEN.to_owned()),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Job { release: self, temp, work, variables }
    }

    /// The archive in the tool cache, where the runner's own tools would look for it.
    pub fn cached(&self) -> PathBuf {
        self.path("tool-cache/stategate").join(VERSION).join("x64").join(ARCHIVE)
    }
}

/// The job's token, which no server may see.
pub const TOKEN: &str = "ghs_the_job_s_token";

/// An archive as the release workflow makes it, with this script for a binary.
pub fn archive(scratch: &Path, script: &str) -> Vec<u8> {
    let directory = scratch.join("archive");
    fs::create_dir_all(&directory).expect("the directory can be made");
    program(&directory.join("stategate"), script);
    fs::write(directory.join("LICENSE-MIT"), "…").expect("the file can be written");
    let file = scratch.join("archive.tar.gz");
    let names = ["stategate", "LICENSE-MIT"];
    run(Command::new("tar").arg("-czf").arg(&file).arg("-C").arg(&directory).args(names)).succeeded();
    fs::read(&file).expect("the archive can be read")
}

/// Writes a program. Never opened for writing here, it cannot be "busy" when another test forks.
pub fn program(file: &Path, script: &str) {
    let source = file.with_extension("source");
    fs::write(&source, script).expect("the script can be written");
    run(Command::new("install").args(["-m", "755"]).arg(&source).arg(file)).succeeded();
}

/// A job that uses the action once.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    release: &'a Release,
    pub temp: PathBuf,
    pub work: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Job<'_> {
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With only these programs besides those that the installation always needs.
    pub fn with_programs(self, name: &str, more: &[&str]) -> Self {
        let programs = self.release.programs(name, more);
        let path = format!("{}:{}", self.release.path("uname").display(), programs.display());
        self.env("PATH", &path)
    }

    /// From this server.
    pub fn from(self, server: &Server) -> Self {
        self.env("STATEGATE_DOWNLOAD_BASE_URL", &format!("http://localhost:{}/releases", server.port))
    }

    /// The action's main step to its end.
    pub fn run(&self) -> Finished {
        run(&mut self.step(0))
    }

    /// The clean-up step to its end.
    pub fn clean_up(&self) -> Finished {
        run(&mut self.step(1))
    }

    /// Starts the main step.
    pub fn start(&self) -> Child {
        let mut step = self.step(0);
        step.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bash starts")
    }

    /// A step of the action as the runner starts it.
    fn step(&self, index: usize) -> Command {
        let script = self.temp.join(format!("step-{index}.sh"));
        let mut file = File::create(&script).expect("the script can be made");
        file.write_all(Action::read().runs.steps[index].run.as_bytes()).expect("the script can be written");
        let mut command = Command::new("/bin/bash");
        command.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(&script);
        command.env_clear().envs(&self.variables).current_dir(&self.work);
        command
    }
}
