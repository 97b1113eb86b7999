//! The Terraform (or OpenTofu) process: find it, run it, stream its output, pass an interrupt on.
//!
//! It runs in a process group of its own, so that a Ctrl-C on a terminal does not reach it twice;
//! a second interrupt would make it exit at once and lose what it was writing. It may also be a
//! wrapper that ends before the real Terraform does: see `process`.

mod debug_log;
mod exit;
mod files;
mod process;
mod showing;
mod tail;

use std::cell::Cell;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tempfile::NamedTempFile;
use thiserror::Error;
use tokio::process::Command;
use tokio::time::Instant;

use stategate_core::record::Executable;

pub use self::exit::Exit;
pub use self::files::Configuration;
use self::process::Process;
pub use self::showing::Showing;
use self::tail::{Lines, Tail};

/// How often Terraform's output is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Variables that Terraform's children must not see: our token, and the files through which a
/// step speaks to the runner. Whoever wrote the configuration could forge our outputs with them.
const WITHHELD: [&str; 6] =
    ["STATEGATE_GITHUB_TOKEN", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"];

/// The commands that get `TF_CLI_ARGS`: those whose flags it is meant for. Terraform itself gives it to
/// every command, and `show` or `version` would fail on a flag of `plan`. `TF_CLI_ARGS_show` and the
/// like are left alone.
const TAKE_CLI_ARGS: [&str; 3] = ["init", "plan", "apply"];

/// Why Terraform could not be run.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say what each field is")]
pub enum TerraformError {
    #[error("the working directory {path} does not exist")]
    NoDirectory { path: PathBuf },
    #[error("the working directory {path} is not a directory")]
    NotADirectory { path: PathBuf },
    #[error("found neither `terraform` nor `tofu` on PATH")]
    NotOnPath,
    #[error("the Terraform executable {path} does not exist or cannot be executed")]
    NotExecutable { path: PathBuf },
    #[error("{path} is a wrapper that swallows signals, and the real executable is not beside it")]
    Wrapper { path: PathBuf },
    #[error("failed to start {path}: {source}")]
    NotStarted { path: PathBuf, source: io::Error },
    #[error("failed to keep Terraform's output in a temporary file: {source}")]
    Output { source: io::Error },
    #[error("failed to wait for {path}: {source}")]
    Lost { path: PathBuf, source: io::Error },
    #[error("{command} {exit}")]
    Failed { command: String, exit: Exit, stderr: String },
    #[error("cancelled")]
    Stopped,
}

impl TerraformError {
    /// The same failure with Terraform's words passed through `scrub`.
    #[must_use]
    pub fn map_stderr(self, scrub: impl Fn(&str) -> String) -> TerraformError {
        match self {
            TerraformError::Failed { command, exit, stderr } => {
                TerraformError::Failed { command, exit, stderr: scrub(&stderr) }
            }
            other => other,
        }
    }
}

/// A root module in one workspace, as Terraform's own files describe it.
#[derive(Debug, Clone)]
pub struct RootModule {
    directory: PathBuf,
    workspace: Option<String>,
}

/// How Terraform is stopped.
#[derive(Debug, Clone, Copy)]
enum Stop {
    /// By one interrupt: it finishes what it writes.
    Interrupt,
    /// At once, with all that it started.
    Kill,
}

/// A Terraform executable, bound to a root module and a workspace.
#[derive(Debug, Clone)]
pub struct Terraform {
    executable: PathBuf,
    module: RootModule,
}

/// How a run of Terraform ended.
#[derive(Debug)]
pub struct Finished {
    /// The words of the command, for messages.
    pub command: String,
    /// Its exit status.
    pub status: ExitStatus,
    /// Whether we passed an interrupt on to it.
    pub interrupted: bool,
    /// The end of its standard output: whole lines, a few MiB.
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
    /// What it printed, in full.
    pub output: Output,
}

/// The files that Terraform printed to, which only we can read; they go with this value. One that
/// is killed leaves them to the clean-up step, which may find the only copy of a state there.
#[derive(Debug)]
pub struct Output {
    stdout: NamedTempFile,
    _stderr: NamedTempFile,
}

impl Output {
    /// Lets the standard output stay on the disk. Where it is.
    ///
    /// # Errors
    /// It cannot be kept.
    pub fn keep(self) -> io::Result<PathBuf> {
        Ok(self.stdout.keep()?.1)
    }
}

impl Finished {
    /// Turns a failure into an error.
    ///
    /// # Errors
    /// Terraform did not exit with 0.
    pub fn check(self) -> Result<Finished, TerraformError> {
        match Exit::of(self.status) {
            None => Ok(self),
            Some(exit) => Err(self.failed(exit)),
        }
    }

    /// The same where Terraform also says what it did: an error that it reports is a failure, whatever
    /// its exit code.
    ///
    /// # Errors
    /// Terraform did not exit with 0, or it reported an error.
    pub fn check_report(self, reports_error: bool) -> Result<Finished, TerraformError> {
        self.check()
            .and_then(|finished| if reports_error { Err(finished.failed(Exit::DespiteError)) } else { Ok(finished) })
    }

    fn failed(self, exit: Exit) -> TerraformError {
        TerraformError::Failed { command: self.command, exit, stderr: self.stderr }
    }
}

impl RootModule {
    /// Looks the directory up; `workspace` overrides Terraform's own choice.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn find(directory: &Path, workspace: Option<&str>) -> Result<RootModule, TerraformError> {
        match fs::metadata(directory) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(TerraformError::NotADirectory { path: directory.to_owned() }),
            Err(_) => return Err(TerraformError::NoDirectory { path: directory.to_owned() }),
        }
        let absolute = fs::canonicalize(directory)
            .map_err(|source| TerraformError::NotStarted { path: directory.to_owned(), source })?;
        Ok(RootModule { directory: absolute, workspace: workspace.map(str::to_owned) })
    }

    /// The root module's absolute path.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The workspace that Terraform will use here: ours, `TF_WORKSPACE`, the selected one, `default`.
    pub fn workspace(&self) -> String {
        let chosen = self.workspace.clone().or_else(|| env::var("TF_WORKSPACE").ok().filter(|name| !name.is_empty()));
        chosen
            .or_else(|| {
                let selected = fs::read_to_string(self.data_directory().join("environment")).ok()?;
                Some(selected.trim().to_owned()).filter(|name| !name.is_empty())
            })
            .unwrap_or_else(|| "default".to_owned())
    }

    /// The effective backend configuration that `init` wrote; `None` when `init` has not run.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn backend_file(&self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.data_directory().join("terraform.tfstate")) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The state that Terraform could not upload and left beside the configuration.
    pub fn errored_state(&self) -> PathBuf {
        self.directory.join("errored.tfstate")
    }

    /// Where Terraform keeps what it downloaded: `.terraform`, unless `TF_DATA_DIR` says otherwise.
    pub fn data_directory(&self) -> PathBuf {
        // A relative TF_DATA_DIR is relative to the root module; joining an absolute one replaces it.
        self.directory
            .join(env::var_os("TF_DATA_DIR").filter(|name| !name.is_empty()).unwrap_or_else(|| ".terraform".into()))
    }
}

impl Terraform {
    /// Finds the executable: `bin` when given, else `terraform`, else `tofu` on PATH; behind a
    /// wrapper the real one.
    ///
    /// # Errors
    /// The executable does not exist, or only a wrapper does.
    pub fn find(bin: Option<&Path>, module: RootModule) -> Result<Terraform, TerraformError> {
        let executable = match bin {
            Some(name) if name.components().count() == 1 => {
                on_path(name).ok_or_else(|| TerraformError::NotExecutable { path: name.to_owned() })?
            }
            Some(path) => fs::canonicalize(path)
                .ok()
                .filter(|path| is_executable(path))
                .ok_or_else(|| TerraformError::NotExecutable { path: path.to_owned() })?,
            None => on_path(Path::new("terraform"))
                .or_else(|| on_path(Path::new("tofu")))
                .ok_or(TerraformError::NotOnPath)?,
        };
        Ok(Terraform { executable: behind_wrapper(executable)?, module })
    }

    /// The root module.
    pub fn module(&self) -> &RootModule {
        &self.module
    }

    /// Whether a script stands before it, which may do more than to start it.
    pub fn is_script(&self) -> bool {
        script(&self.executable).is_some()
    }

    /// What it is, by its name: `OpenTofu` answers all questions as Terraform does.
    pub fn kind(&self) -> Executable {
        let is_tofu = |name: &OsStr| name.to_string_lossy().contains("tofu");
        if self.is_script() {
            Executable::Script
        } else if self.executable.file_name().is_some_and(is_tofu) {
            Executable::OpenTofu
        } else {
            Executable::Terraform
        }
    }

    /// The same Terraform in another workspace.
    #[must_use]
    pub fn in_workspace(&self, workspace: &str) -> Terraform {
        let mut other = self.clone();
        other.module.workspace = Some(workspace.to_owned());
        other
    }

    /// Runs Terraform and hands each line of its output to `on_line`. When `cancelled` resolves, it
    /// gets one SIGINT; then we wait as long as Terraform takes, also when it was a wrapper that we
    /// started and that has ended.
    ///
    /// # Errors
    /// It cannot be started or waited for. A failing exit status is not an error here.
    pub async fn run(
        &self,
        arguments: &[String],
        cancelled: impl Future<Output = ()>,
        on_start: impl FnMut(u32),
        on_line: impl FnMut(&str),
    ) -> Result<Finished, TerraformError> {
        self.run_until(arguments, (cancelled, Stop::Interrupt), on_start, on_line).await
    }

    /// Runs a command of Terraform's that only reads. When `cancelled` resolves, it is killed: it
    /// has nothing to finish, and takes no notice of an interrupt.
    ///
    /// # Errors
    /// It cannot be started or waited for, or was cancelled. A failing exit status is not an error
    /// here.
    pub async fn ask(
        &self,
        arguments: &[String],
        cancelled: impl Future<Output = ()>,
    ) -> Result<Finished, TerraformError> {
        let finished = self.run_until(arguments, (cancelled, Stop::Kill), |_| {}, |_| {}).await?;
        if finished.interrupted { Err(TerraformError::Stopped) } else { Ok(finished) }
    }

    async fn run_until(
        &self,
        arguments: &[String],
        (cancelled, stop): (impl Future<Output = ()>, Stop),
        mut on_start: impl FnMut(u32),
        mut on_line: impl FnMut(&str),
    ) -> Result<Finished, TerraformError> {
        let failed = |source| TerraformError::Output { source };
        // Only an apply prints a state, as its last resort: on one line, of which nothing may be lost.
        let lines = if arguments.first().is_some_and(|word| word == "apply") { Lines::Whole } else { Lines::Bounded };
        let (mut out, mut err) = (Tail::begin(lines).map_err(failed)?, Tail::begin(lines).map_err(failed)?);
        let child = Command::from(self.command(arguments))
            .stdin(Stdio::null())
            .stdout(out.writer().map_err(failed)?)
            .stderr(err.writer().map_err(failed)?)
            .spawn()
            .map_err(|source| TerraformError::NotStarted { path: self.executable.clone(), source })?;
        let mut cancelled = pin!(cancelled);
        if let Some(pid) = child.id() {
            on_start(pid);
        }
        let mut process = Process::new(child);
        let says_so = Cell::new(false);
        let mut on_line = |line: &str| {
            says_so.set(says_so.get() || line.contains(process::INTERRUPT_RECEIVED));
            on_line(line);
        };
        let mut interrupted = false;
        // Output that cannot be followed is no reason to leave a Terraform at work.
        let mut followed = Ok(());
        let status = loop {
            let unheard = process.unheard_from().filter(|_| !says_so.get());
            tokio::select! {
                ended = process.wait() => {
                    break ended.map_err(|source| TerraformError::Lost { path: self.executable.clone(), source })?;
                }
                () = &mut cancelled, if !interrupted => {
                    interrupted = true;
                    match stop {
                        Stop::Interrupt => process.interrupt(),
                        Stop::Kill => process.kill(),
                    }
                }
                () = tokio::time::sleep_until(unheard.unwrap_or_else(Instant::now)), if unheard.is_some() => {
                    process.pass_on();
                }
                () = tokio::time::sleep(LOOK), if followed.is_ok() => {
                    followed = out.follow(&mut on_line).and_then(|()| err.follow(&mut on_line));
                }
            }
        };
        followed.map_err(failed)?;
        let (stdout, out) = out.finish(&mut on_line).map_err(failed)?;
        let (stderr, err) = err.finish(&mut on_line).map_err(failed)?;
        let output = Output { stdout: out, _stderr: err };
        Ok(Finished { command: self.words(arguments), status, interrupted, stdout, stderr, output })
    }

    /// Starts `terraform show -json PLANFILE`; its standard output is the plan JSON.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn show_json(&self, plan_file: &Path) -> Result<Showing, TerraformError> {
        self.show(&["-json", "-no-color", &plan_file.display().to_string()])
    }

    /// Starts `terraform show -json`; its standard output is the JSON of the state.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn show_state(&self) -> Result<Showing, TerraformError> {
        self.show(&["-json", "-no-color"])
    }

    fn show(&self, words: &[&str]) -> Result<Showing, TerraformError> {
        let arguments: Vec<String> = ["show"].iter().chain(words).map(|word| (*word).to_owned()).collect();
        Showing::start(self.command(&arguments), self.words(&arguments))
    }

    fn command(&self, arguments: &[String]) -> std::process::Command {
        use std::os::unix::process::CommandExt;
        let mut command = std::process::Command::new(&self.executable);
        command
            .args(arguments)
            .current_dir(&self.module.directory)
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .process_group(0);
        if let Some(workspace) = &self.module.workspace {
            command.env("TF_WORKSPACE", workspace);
        }
        for name in WITHHELD {
            command.env_remove(name);
        }
        if !arguments.first().is_some_and(|word| TAKE_CLI_ARGS.contains(&word.as_str())) {
            command.env_remove("TF_CLI_ARGS");
        }
        debug_log::keep_to_a_file(&mut command);
        command
    }

    fn words(&self, arguments: &[String]) -> String {
        let name = self.executable.file_name().map_or_else(|| "terraform".into(), |name| name.to_string_lossy());
        let name = name.trim_end_matches("-bin");
        format!("{name} {}", arguments.first().map_or("", String::as_str))
    }
}

fn on_path(name: &Path) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|directory| directory.join(name)).find(|path| is_executable(path))
}

/// setup-terraform and setup-opentofu put a script for Node.js in the executable's place, and the
/// executable beside it with `-bin` after its name. The script swallows signals and mixes lines of its
/// own into the output, so it is never run. Other scripts (a version manager's) are the user's choice.
fn behind_wrapper(executable: PathBuf) -> Result<PathBuf, TerraformError> {
    let Some(first_line) = script(&executable) else { return Ok(executable) };
    let itself = fs::canonicalize(&executable).unwrap_or_else(|_| executable.clone());
    let mut name = itself.file_name().unwrap_or_default().to_owned();
    name.push("-bin");
    let real = itself.with_file_name(name);
    match first_line.contains("node") {
        _ if is_executable(&real) => Ok(real),
        true => Err(TerraformError::Wrapper { path: executable }),
        false => Ok(executable),
    }
}

/// The first line of a script; `None` for a program.
fn script(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut head = [0; 64];
    let length = fs::File::open(path).and_then(|mut file| file.read(&mut head)).ok()?;
    let head = String::from_utf8_lossy(head.get(..length)?).into_owned();
    head.starts_with("#!").then(|| head.lines().next().unwrap_or_default().to_owned())
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
