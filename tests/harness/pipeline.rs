//! Our own release workflow, run as far as one machine can: the scripts of a job's steps in order, in
//! the shell and with the variables that the runner gives, against a bare repository for GitHub's Git
//! and a stand-in for its CLI. What the harness does not understand fails the test.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use yaml_serde::Value;

use super::downloads::program;
use super::process::{Finished, run};

/// Where the archives of all releases are below, as the harness's GitHub has it.
pub const DOWNLOADS: &str = "https://github.com/acme/stategate/releases/download";

/// What `package.sh` packs, and `install.sh` asks for.
pub const TARGETS: [&str; 4] =
    ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "x86_64-apple-darwin", "aarch64-apple-darwin"];

/// A repository with this project's scripts, on GitHub and checked out, and what its workflow leaves.
#[derive(Debug)]
pub struct Pipeline {
    scratch: TempDir,
    workflow: Value,
}

/// How a job ended: the first step that failed, and what all said.
#[derive(Debug)]
pub struct Ended {
    pub failed: Option<String>,
    pub log: String,
    pub outputs: BTreeMap<String, String>,
    pub summary: String,
}

impl Pipeline {
    /// A commit of main with this version in `Cargo.toml` and this `CHANGELOG.md`.
    pub fn new(version: &str, changelog: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(root.join(".github/workflows/release.yml")).expect("release.yml can be read");
        let workflow = yaml_serde::from_str(&text).expect("release.yml is YAML");
        let scratch = tempfile::Builder::new().prefix("stategate-release-").tempdir().expect("a directory can be made");
        let pipeline = Self { scratch, workflow };
        let work = pipeline.path("work");
        fs::create_dir_all(work.join("scripts")).expect("the directory can be made");
        for file in [
            "LICENSE-MIT",
            "LICENSE-APACHE",
            "scripts/install.sh",
            "scripts/package.sh",
            "scripts/release.txt",
            "scripts/run.sh",
        ] {
            fs::copy(root.join(file), work.join(file)).expect("the file can be copied");
        }
        fs::write(work.join("Cargo.toml"), format!("[package]\nname = \"stategate\"\nversion = \"{version}\"\n"))
            .expect("the file can be written");
        fs::write(work.join("CHANGELOG.md"), changelog).expect("the file can be written");
        pipeline.git(&["init", "--quiet", "--bare", "--initial-branch=main", "origin.git"]);
        for words in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["add", "."],
            &["commit", "--quiet", "--message", "All of it"],
            &["push", "--quiet", "../origin.git", "main"],
        ] {
            pipeline.git(&[&["-C", "work"], words].concat());
        }
        program(&pipeline.path("bin/gh"), include_str!("gh.py"));
        pipeline
    }

    pub fn path(&self, name: &str) -> PathBuf {
        let path = self.scratch.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in a directory")).expect("the directory can be made");
        path
    }

    /// Git, where the repositories are.
    #[track_caller]
    pub fn git(&self, words: &[&str]) -> String {
        let mut git = Command::new("git");
        git.current_dir(self.scratch.path()).args(["-c", "user.name=octocat", "-c", "user.email=octocat@github.com"]);
        run(git.args(words).env("GIT_CONFIG_GLOBAL", "/dev/null")).succeeded().stdout.trim().to_owned()
    }

    /// What main's newest commit is.
    pub fn main(&self) -> String {
        self.git(&["-C", "origin.git", "rev-parse", "main"])
    }

    pub fn tags(&self) -> Vec<String> {
        self.git(&["-C", "origin.git", "tag"]).lines().map(str::to_owned).collect()
    }

    /// The releases by tag, as the stand-in keeps them.
    pub fn releases(&self) -> serde_json::Value {
        let text = fs::read_to_string(self.path("releases.json")).unwrap_or_else(|_| "{}".to_owned());
        serde_json::from_str(&text).expect("the stand-in writes JSON")
    }

    /// The writing calls since the last look, in order.
    pub fn calls(&self) -> Vec<String> {
        let file = self.path("calls.txt");
        let calls = fs::read_to_string(&file).unwrap_or_default().lines().map(str::to_owned).collect();
        drop(fs::remove_file(file));
        calls
    }

    /// What a job needs, all of it.
    pub fn needs(&self, job: &str) -> Vec<String> {
        let direct = match &self.workflow["jobs"][job]["needs"] {
            Value::String(one) => vec![one.clone()],
            Value::Sequence(some) => some.iter().map(text).collect(),
            _ => Vec::new(),
        };
        let further = direct.iter().flat_map(|name| self.needs(name)).collect::<Vec<_>>();
        [direct, further].concat()
    }

    /// The values that a job's matrix has for this name.
    pub fn matrix(&self, job: &str, name: &str) -> Vec<String> {
        let include = self.workflow["jobs"][job]["strategy"]["matrix"]["include"].as_sequence();
        include.expect("the job has a matrix").iter().map(|entry| text(&entry[name])).collect()
    }

    /// The binaries as the jobs `build` upload them: scripts that say for whom they are.
    pub fn built(&self) {
        for target in TARGETS {
            let script = format!("#!/bin/sh\necho \"stategate 1.2.3 ran: $*\"\necho 'for {target}'\n");
            let name = format!("stategate-{target}");
            program(&self.path(&format!("artifacts/{name}/{name}")), &script);
        }
    }

    /// Runs a job in a fresh checkout of main, with these variables for the stand-in.
    pub fn job(&self, name: &str, needs: &BTreeMap<String, String>, variables: &[(&str, &str)]) -> Ended {
        let job = &self.workflow["jobs"][name];
        let work = self.path(&format!("runner/{name}/work"));
        drop(fs::remove_dir_all(self.path(&format!("runner/{name}"))));
        self.git(&[
            "clone",
            "--quiet",
            "--depth=1",
            &format!("file://{}", self.path("origin.git").display()),
            &work.display().to_string(),
        ]);
        let mut ended = Ended { failed: None, log: String::new(), outputs: BTreeMap::new(), summary: String::new() };
        let mut steps = Outputs::new();
        for step in job["steps"].as_sequence().expect("the job has steps") {
            let filled = |text: &str| fill(text, needs, &steps);
            if !runs(&step["if"], ended.failed.is_some(), &steps) {
                continue;
            }
            if let Some(uses) = step["uses"].as_str() {
                self.use_action(uses.split('@').next().unwrap_or_default(), &step["with"], &work);
                continue;
            }
            let own = self.path(&format!("runner/{name}/temp"));
            fs::create_dir_all(&own).expect("the directory can be made");
            let (output, summary) = (own.join("output"), own.join("summary"));
            fs::write(&output, "").expect("the file can be written");
            let script = text(&step["run"]);
            assert!(!script.contains("${{"), "an expression in a script can be an injection: {script}");
            fs::write(own.join("step.sh"), script).expect("the file can be written");
            let mut bash = Command::new("/bin/bash");
            bash.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(own.join("step.sh")).current_dir(&work);
            bash.env_clear()
                .env("PATH", format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap_or_default()))
                .env("HOME", &own)
                .env("GH_STANDIN", self.scratch.path())
                .env("GITHUB_OUTPUT", &output)
                .env("GITHUB_REPOSITORY", "acme/stategate")
                .env("GITHUB_SERVER_URL", "https://github.com")
                .env("GITHUB_SHA", self.main())
                .env("GITHUB_STEP_SUMMARY", &summary)
                .env("RUNNER_TEMP", &own)
                .envs(variables.iter().copied());
            for place in [job, step] {
                for (name, value) in place["env"].as_mapping().into_iter().flatten() {
                    bash.env(text(name), filled(&text(value)));
                }
            }
            let Finished { code, stdout, stderr } = run(&mut bash);
            ended.log.push_str(&(stdout + &stderr));
            if code != Some(0) && ended.failed.is_none() {
                ended.failed = Some(text(&step["name"]));
            }
            if let Some(id) = step["id"].as_str() {
                steps.insert(id.to_owned(), pairs(&fs::read_to_string(&output).expect("the outputs can be read")));
            }
            ended.summary = fs::read_to_string(&summary).unwrap_or_default();
        }
        for (name, value) in job["outputs"].as_mapping().into_iter().flatten() {
            ended.outputs.insert(format!("check.{}", text(name)), fill(&text(value), needs, &steps));
        }
        ended
    }

    fn use_action(&self, action: &str, with: &Value, work: &Path) {
        let input = |name: &str| with[name].as_str().map(|path| work.join(path.trim_end_matches('/')));
        let kept = self.path("artifacts/x").with_file_name("");
        match action {
            // It is checked out; nothing can be signed here.
            "actions/checkout" | "actions/attest-build-provenance" => {}
            "actions/download-artifact" => {
                let to = input("path").expect("artifacts go somewhere");
                fs::create_dir_all(&to).expect("the directory can be made");
                let every = fs::read_dir(&kept).expect("there are artifacts").flatten().map(|entry| entry.path());
                let one = with["name"].as_str().map(|name| vec![kept.join(name)]);
                for artifact in one.unwrap_or_else(|| every.collect()) {
                    copy(&artifact, &to);
                }
            }
            "actions/upload-artifact" => {
                let to = kept.join(text(&with["name"]));
                drop(fs::remove_dir_all(&to));
                fs::create_dir_all(&to).expect("the directory can be made");
                copy(&input("path").expect("artifacts come from somewhere"), &to);
            }
            other => panic!("the harness does not know the action {other}"),
        }
    }
}

/// What each step that had an id has put out so far.
type Outputs = BTreeMap<String, BTreeMap<String, String>>;

/// A text with its expressions' values.
fn fill(text: &str, needs: &BTreeMap<String, String>, steps: &Outputs) -> String {
    let Some((before, rest)) = text.split_once("${{") else { return text.to_owned() };
    let (expression, after) = rest.split_once("}}").expect("an expression is closed");
    let path: Vec<&str> = expression.trim().split('.').collect();
    // A step that did not run, or did not come so far, has put out nothing.
    let output = |step: &str, name: &str| steps.get(step).and_then(|step| step.get(name)).cloned().unwrap_or_default();
    let value = match path[..] {
        ["github", "token"] => Some("ghs_the_job_s_token".to_owned()),
        ["needs", job, "outputs", name] => needs.get(&format!("{job}.{name}")).cloned(),
        ["steps", step, "outputs", name] => Some(output(step, name)),
        _ => None,
    };
    let value = value.unwrap_or_else(|| panic!("the harness does not know the expression {expression:?}"));
    format!("{before}{value}{}", fill(after, needs, steps))
}

/// Whether a step runs: enough of GitHub's conditions for the workflow's.
fn runs(condition: &Value, failed: bool, steps: &Outputs) -> bool {
    match condition.as_str() {
        // The repository here is public.
        None | Some("${{ !github.event.repository.private }}") => !failed,
        Some("(failure() || cancelled()) && steps.publish.outputs.began == 'true'") => {
            failed && steps.get("publish").and_then(|outputs| outputs.get("began")).is_some_and(|began| began == "true")
        }
        Some(other) => panic!("the harness does not know the condition {other:?}"),
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().map(|line| line.split_once('=').expect("an output is name=value"));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-R").arg(from.join(".")).arg(to)).succeeded();
}

/// A scalar as the runner hands it on.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        other => panic!("this is no text: {other:?}"),
    }
}
