//! The runner: starts the action's steps as GitHub's does, with the same variables, files and shell,
//! cancels them with the same signals, and sweeps up what they leave.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::action::{Action, ActionStep};
use super::files::{PROD, PROD_LOCK};
use super::github::WORKFLOW_PERMISSIONS;
use super::github::events::Event;
use super::laptop::{Sign, scrubbed};
pub use super::outcome::Outcome;
use super::outcome::outputs;
use super::process::wait_for;
use super::terraform;
use super::world::World;

/// How long a step may take; the clean-up step alone waits for minutes, and tests share a machine.
const LONGEST: Duration = Duration::from_mins(10);

/// The program under test: what `STATEGATE_TEST_BINARY` names (a packed release), else cargo's own,
/// which it names to tests and builds beside the demo.
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("STATEGATE_TEST_BINARY") {
        return fs::canonicalize(&named)
            .unwrap_or_else(|error| panic!("STATEGATE_TEST_BINARY {}: {error}", named.display()));
    }
    let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("stategate"));
    option_env!("CARGO_BIN_EXE_stategate")
        .map(PathBuf::from)
        .or_else(beside)
        .expect("the demo runs from cargo's directory")
}

/// A workflow run to be: one job that uses the action once.
pub struct Step<'a> {
    pub(super) world: &'a World,
    command: &'static str,
    event: Event,
    inputs: BTreeMap<String, String>,
    variables: BTreeMap<String, Option<String>>,
    token: Option<String>,
    rerun: Option<u64>,
    terraform: PathBuf,
    cleans_up: bool,
    lets_go: bool,
    /// Steps of the same job that run when this one failed.
    later: Vec<Step<'a>>,
}

impl<'a> Step<'a> {
    /// `stategate plan` in production, started by a pull request.
    pub fn plan(world: &'a World, number: u64) -> Self {
        Self::new(world, "plan", world.github.pull_request_event(number, "opened"))
    }

    /// `stategate apply` in production, started by a push.
    pub fn apply(world: &'a World, push: &super::github::story::Push) -> Self {
        Self::new(world, "apply", world.github.push_event(push))
    }

    /// `stategate unlock` in production, started by hand.
    pub fn unlock(world: &'a World, actor: &str) -> Self {
        Self::new(world, "unlock", world.github.dispatch_event(actor))
    }

    /// Any command for any event.
    pub fn new(world: &'a World, command: &'static str, event: Event) -> Self {
        let step = Self {
            world,
            command,
            event,
            inputs: BTreeMap::new(),
            variables: BTreeMap::new(),
            token: None,
            rerun: None,
            terraform: terraform::terraform().to_owned(),
            cleans_up: true,
            lets_go: true,
            later: Vec::new(),
        };
        step.with("working-directory", PROD)
    }

    /// An input of the action.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.inputs.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A variable of the job.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), Some(value.to_owned()));
        self
    }

    /// A variable that the job does not have.
    pub fn without_env(mut self, name: &str) -> Self {
        self.variables.insert(name.to_owned(), None);
        self
    }

    /// A token with other permissions than the README's workflows have.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Another attempt of a run there was.
    pub fn rerun_of(mut self, run: u64) -> Self {
        self.rerun = Some(run);
        self
    }

    /// A job with another version of Terraform, one that the harness brings.
    pub fn with_terraform(mut self, version: &str) -> Self {
        self.terraform = terraform::version(version);
        self
    }

    /// The action's main step alone.
    pub fn without_cleanup(mut self) -> Self {
        self.cleans_up = false;
        self
    }

    /// A step that leaves its lock to the clean-up step, though nobody kills it.
    pub fn leaving_its_lock(mut self) -> Self {
        self.lets_go = false;
        self
    }

    /// A later step of the same job, with `if: failure() || cancelled()`.
    pub fn after_failure(mut self, later: Step<'a>) -> Self {
        self.later.push(later);
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Outcome {
        self.start().finish()
    }

    /// Starts it and returns at once.
    pub fn start(self) -> Running<'a> {
        // Runs of other worlds and other test processes must not be swept up with this one.
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let github = &self.world.github;
        let Event { name, sha, head_ref, actor, .. } = &self.event;
        let branch = if head_ref.is_empty() { "main" } else { head_ref };
        // A run for a pull request belongs to its head, not to the test merge that it checks out.
        let head = self.event.payload["pull_request"]["head"]["sha"].as_str().unwrap_or(sha);
        let run = self.rerun.unwrap_or_else(|| github.start_run(self.command, name, head, branch, actor));
        let attempt = if self.rerun.is_some() { github.rerun(run, actor) } else { 1 };
        let token = self.token.clone().unwrap_or_else(|| github.workflow_token(WORKFLOW_PERMISSIONS));

        let place = self.world.place("runner");
        let workspace = self.world.checkout(&self.event, place.join("work")).root;
        for directory in ["temp", "tool-cache", "home"] {
            fs::create_dir_all(place.join(directory)).expect("the runner's directory can be made");
        }
        fs::write(place.join("event.json"), self.event.payload.to_string()).expect("the event can be written");

        let action = Action::read();
        let inputs = self.inputs_of(&action, &token);
        let mut job = Running {
            github,
            place,
            workspace,
            inputs,
            action,
            run,
            attempt,
            tracking: format!("github_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)),
            name: "step".to_owned(),
            step: self,
            process: None,
        };
        job.process = Some(job.spawn(0));
        job
    }

    fn inputs_of(&self, action: &Action, token: &str) -> BTreeMap<String, String> {
        let mut inputs = self.inputs.clone();
        inputs.insert("command".to_owned(), self.command.to_owned());
        inputs.insert("binary-path".to_owned(), binary().display().to_string());
        action.inputs(&inputs, token)
    }
}

/// The action at work.
pub struct Running<'a> {
    step: Step<'a>,
    github: &'a super::github::FakeGithub,
    action: Action,
    inputs: BTreeMap<String, String>,
    place: PathBuf,
    pub workspace: PathBuf,
    pub run: u64,
    pub attempt: u64,
    tracking: String,
    /// What its files are called.
    name: String,
    process: Option<Child>,
}

impl Running<'_> {
    /// What the log has so far.
    pub fn log(&self) -> String {
        read(&self.file(0, "log"))
    }

    /// Waits until the log has a text.
    #[track_caller]
    pub fn wait_for_log(&mut self, text: &str) {
        let log = self.file(0, "log");
        let process = self.process.as_mut().expect("the step runs");
        wait_for(&format!("{text:?} in the log"), Duration::from_mins(1), || {
            let found = read(&log).contains(text);
            let ended = !found && process.try_wait().is_ok_and(|status| status.is_some());
            assert!(!ended, "the step ended without saying {text:?}:\n{}", read(&log));
            found.then_some(())
        });
    }

    /// Waits until Terraform applies, and makes what takes its time.
    #[track_caller]
    pub fn wait_for_apply(&self) {
        let stat = PathBuf::from(format!("/proc/{}/stat", self.pid()));
        wait_for("the apply to begin", Duration::from_mins(2), || {
            // Nobody has waited for it yet, so it is there as a zombie.
            let ended = read(&stat).rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z'));
            let begun = self.log().contains("Provisioning with");
            assert!(begun || !ended, "the step ended before its apply began:\n{}", self.log());
            begun.then_some(())
        });
    }

    /// The pid of the step's entry process, which is all that the runner signals.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the step runs").id()
    }

    /// What marks all processes of the job in their environment.
    pub fn tracking(&self) -> String {
        format!("RUNNER_TRACKING_ID={}", self.tracking)
    }

    /// The job's Terraforms that plan or apply.
    pub fn terraforms(&self) -> BTreeSet<String> {
        terraforms(&self.tracking())
    }

    /// Sends one signal to the entry process.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a pid");
        // A process that has just ended needs no signal.
        let _gone = kill_process(pid, signal);
    }

    /// What the runner does when somebody cancels: SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL, each to
    /// the entry process alone; then the clean-up step.
    pub fn cancel(mut self) -> Outcome {
        for (signal, patience) in [(Signal::INT, 7_500), (Signal::TERM, 2_500), (Signal::KILL, 60_000)] {
            self.signal(signal);
            let deadline = Instant::now() + Duration::from_millis(patience);
            let process = self.process.as_mut().expect("the step runs");
            while Instant::now() < deadline {
                if process.try_wait().expect("the step can be waited for").is_some() {
                    return self.end(true);
                }
                sleep(Duration::from_millis(20));
            }
        }
        panic!("the step outlived SIGKILL");
    }

    /// The machine is gone, with all processes, and no clean-up step runs.
    pub fn vanish(mut self) -> Outcome {
        self.signal(Signal::KILL);
        self.sweep();
        self.step.cleans_up = false;
        self.end(true)
    }

    /// Waits for its end; then the clean-up step. Fails when that finds a lock of a step that nobody
    /// killed.
    pub fn finish(self) -> Outcome {
        self.end(false)
    }

    /// The clean-up step of a killed step, whose Terraform works until the sign: until then the lock
    /// must stay.
    #[track_caller]
    pub fn finish_after(self, sign: &Sign) -> Outcome {
        let world = self.step.world;
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| self.finish());
            sleep(Duration::from_secs(3));
            assert_eq!(world.bucket.locks(), [PROD_LOCK], "the lock stays while Terraform works");
            sign.go_on();
            waiting.join().expect("the clean-up step ends")
        })
    }

    fn end(mut self, cancelled: bool) -> Outcome {
        let mut process = self.process.take().expect("the step runs");
        let status = self.end_of("step", &mut process, 0);
        let code = status.code();
        let cleanup = self.clean_up(code != Some(0));
        let (_, cleaned) = cleanup.clone().unwrap_or_default();
        let is_left = code.is_some() && cleaned.contains("released the lock");
        assert!(!(is_left && self.step.lets_go), "the step left its lock:\n{}\n{cleaned}", self.log());
        let later = std::mem::take(&mut self.step.later);
        let later = later.into_iter().enumerate().filter(|_| code != Some(0));
        let later = later.map(|(index, step)| self.run_later(index, step)).collect();
        self.sweep();
        let conclusion = match code {
            _ if cancelled => "cancelled",
            Some(0) => "success",
            _ => "failure",
        };
        self.github.finish_run(self.run, conclusion);
        let log =
            format!("{}{}", self.log(), status.signal().map_or(String::new(), |number| format!("(signal {number})")));
        let outputs = outputs(&read(&self.file(0, "output")));
        if outputs.contains_key("result") {
            assert!(outputs.keys().eq(self.action.outputs.keys()), "a result sets every output: {outputs:?}");
        }
        Outcome {
            code,
            log,
            outputs,
            summary: read(&self.file(0, "summary")),
            cleanup,
            later,
            run: self.run,
            attempt: self.attempt,
        }
    }

    /// Runs a further step of this job to its end: the same run, the same files.
    fn run_later(&self, index: usize, step: Step<'_>) -> (Option<i32>, String) {
        let token = step.token.clone().unwrap_or_else(|| self.github.workflow_token(WORKFLOW_PERMISSIONS));
        let mut job = Running {
            github: self.github,
            place: self.place.clone(),
            workspace: self.workspace.clone(),
            inputs: step.inputs_of(&self.action, &token),
            action: Action::read(),
            run: self.run,
            attempt: self.attempt,
            tracking: self.tracking.clone(),
            name: format!("later-{index}"),
            step,
            process: None,
        };
        let mut process = job.spawn(0);
        let status = job.end_of("later step", &mut process, 0);
        job.process = Some(process);
        (status.code(), job.log())
    }

    fn clean_up(&self, failed: bool) -> Option<(Option<i32>, String)> {
        let step = self.action.runs.steps.get(1)?;
        if !self.step.cleans_up || !step.runs(&self.inputs, failed) {
            return None;
        }
        let status = self.end_of("clean-up step", &mut self.spawn(1), 1);
        Some((status.code(), read(&self.file(1, "log"))))
    }

    /// Waits for a step's end. One that takes longer than any test means it to is killed.
    fn end_of(&self, what: &str, process: &mut Child, index: usize) -> ExitStatus {
        let deadline = Instant::now() + LONGEST;
        loop {
            if let Some(status) = process.try_wait().expect("a step can be waited for") {
                return status;
            }
            if Instant::now() >= deadline {
                let _gone = process.kill();
                let _status = process.wait();
                self.sweep();
                panic!("the {what} did not end within {LONGEST:?}:\n{}", read(&self.file(index, "log")));
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Starts a step of the action: bash with the runner's options, on a file with the step's script.
    fn spawn(&self, index: usize) -> Child {
        let step: &ActionStep = &self.action.runs.steps[index];
        assert_eq!(step.shell, "bash");
        assert!(!step.run.contains("${{"), "an expression in a script can be an injection: {}", step.run);
        let script = self.file(index, "sh");
        fs::write(&script, &step.run).expect("the script can be written");
        let log = File::create(self.file(index, "log")).expect("the log can be made");
        let mut command = Command::new("/bin/bash");
        command.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(&script);
        self.environment(&mut command, index);
        command.envs(step.variables(&self.inputs));
        command.current_dir(&self.workspace).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("the log can be shared")).stderr(log);
        command.spawn().expect("bash starts")
    }

    fn environment(&self, command: &mut Command, index: usize) {
        scrubbed(command, &self.place.join("home"), &self.step.terraform);
        let Event { name, sha, git_ref, head_ref, base_ref, actor, .. } = &self.step.event;
        let triggering = actor;
        let path = |name: &str| self.place.join(name).display().to_string();
        let own_file = |kind: &str| {
            let file = self.file(index, kind);
            File::create(&file).expect("the step's file can be made");
            file.display().to_string()
        };
        let (owner, repository) = {
            let state = self.github.state();
            (state.owner.clone(), state.slug())
        };
        let ref_name = git_ref.trim_start_matches("refs/heads/").trim_start_matches("refs/pull/").to_owned();
        let variables = [
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_ACTION", "__acme_stategate".to_owned()),
            ("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR").to_owned()),
            ("GITHUB_ACTOR", actor.clone()),
            ("GITHUB_API_URL", self.github.api_url()),
            ("GITHUB_BASE_REF", base_ref.clone()),
            ("GITHUB_ENV", own_file("env")),
            ("GITHUB_EVENT_NAME", (*name).to_owned()),
            ("GITHUB_EVENT_PATH", path("event.json")),
            ("GITHUB_GRAPHQL_URL", self.github.graphql_url()),
            ("GITHUB_HEAD_REF", head_ref.clone()),
            ("GITHUB_JOB", self.step.command.to_owned()),
            ("GITHUB_OUTPUT", own_file("output")),
            ("GITHUB_PATH", own_file("path")),
            ("GITHUB_REF", git_ref.clone()),
            ("GITHUB_REF_NAME", ref_name),
            ("GITHUB_REF_TYPE", "branch".to_owned()),
            ("GITHUB_REPOSITORY", repository),
            ("GITHUB_REPOSITORY_OWNER", owner),
            ("GITHUB_RETENTION_DAYS", "90".to_owned()),
            ("GITHUB_RUN_ATTEMPT", self.attempt.to_string()),
            ("GITHUB_RUN_ID", self.run.to_string()),
            ("GITHUB_RUN_NUMBER", "1".to_owned()),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
            ("GITHUB_SHA", sha.clone()),
            ("GITHUB_STATE", own_file("state")),
            ("GITHUB_STEP_SUMMARY", own_file("summary")),
            ("GITHUB_TRIGGERING_ACTOR", triggering.clone()),
            ("GITHUB_WORKFLOW", self.step.command.to_owned()),
            ("GITHUB_WORKSPACE", self.workspace.display().to_string()),
            ("RUNNER_ARCH", "X64".to_owned()),
            ("RUNNER_ENVIRONMENT", "github-hosted".to_owned()),
            ("RUNNER_NAME", "GitHub Actions 1".to_owned()),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_TEMP", path("temp")),
            ("RUNNER_TOOL_CACHE", path("tool-cache")),
            ("RUNNER_TRACKING_ID", self.tracking.clone()),
        ];
        command.envs(variables);
        for (name, value) in &self.step.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }

    fn file(&self, index: usize, kind: &str) -> PathBuf {
        self.place.join("temp").join(format!("{}-{index}.{kind}", self.name))
    }

    /// Kills what a job left running, found by the tracking ID in its environment, as the runner does.
    fn sweep(&self) {
        let mark = self.tracking();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = process.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
            if let (true, Some(pid)) = (is_marked(&process.path(), &mark), pid) {
                let _gone = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(process) = self.process.as_mut() {
            let _gone = process.kill();
            let _status = process.wait();
            self.sweep();
        }
    }
}

/// The Terraforms that plan or apply in the job with this mark.
pub fn terraforms(mark: &str) -> BTreeSet<String> {
    let works = |path: &Path| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        let words: Vec<_> = line.split(|byte| *byte == 0).collect();
        words.first().is_some_and(|word| word.ends_with(b"terraform"))
            && words.get(1).is_some_and(|word| *word == b"plan" || *word == b"apply")
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|process| process.path());
    let ours = processes.filter(|path| works(path) && is_marked(path, mark));
    ours.map(|path| path.display().to_string()).collect()
}

/// Whether a process, named by its directory in `/proc`, has this in its environment.
fn is_marked(process: &Path, mark: &str) -> bool {
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
