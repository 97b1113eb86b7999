//! A colleague's laptop: plain Terraform, and the same stategate outside GitHub Actions.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::files::{Files, PROD};
use super::ministack::Ministack;
use super::process::{Finished, run, wait_for};
use super::runner::binary;
pub use super::terraform::terraform;
use super::terraform::version;

/// A checkout, and a shell in one of its root modules.
#[derive(Debug, Clone)]
pub struct Laptop {
    pub files: Files,
    pub directory: String,
    home: PathBuf,
    terraform: PathBuf,
    variables: Vec<(String, String)>,
}

/// A shell script in Terraform's place, in a directory of its own; the real one is `$TERRAFORM`.
pub fn stand_in(directory: &Path, script: &str) -> PathBuf {
    let program = directory.join("tf");
    let script = format!("#!/bin/bash\nTERRAFORM='{}'\n{script}", terraform().display());
    fs::write(&program, script).expect("the script can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the script can be made executable");
    program
}

/// What any program of a world is started with: nothing of this machine but where programs are, and
/// this Terraform.
pub fn scrubbed(command: &mut Command, home: &Path, terraform: &Path) {
    let directory = terraform.parent().expect("a program is in a directory");
    command
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", directory.display()))
        .env("HOME", home)
        .env("CHECKPOINT_DISABLE", "1")
        .envs(Ministack::credentials());
}

impl Laptop {
    pub fn new(files: Files, scratch: &Path) -> Self {
        let home = scratch.join("home");
        fs::create_dir_all(&home).expect("a home can be made");
        let terraform = terraform().to_owned();
        Self { files, directory: PROD.to_owned(), home, terraform, variables: Vec::new() }
    }

    /// The same shell with another version of Terraform, one that the harness brings.
    pub fn with_terraform(mut self, number: &str) -> Self {
        self.terraform = version(number);
        self
    }

    /// The same shell in another root module.
    pub fn within(mut self, directory: &str) -> Self {
        directory.clone_into(&mut self.directory);
        self
    }

    /// The same shell with a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Plain Terraform.
    pub fn terraform(&self, arguments: &[&str]) -> Finished {
        run(self.command(&self.terraform).args(arguments))
    }

    /// `terraform init`, then a command without questions.
    pub fn initialised(&self, arguments: &[&str]) -> Finished {
        self.terraform(&["init", "-input=false", "-no-color"]).succeeded();
        self.terraform(arguments)
    }

    pub fn plan(&self) -> Finished {
        self.initialised(&["plan", "-input=false", "-no-color"])
    }

    pub fn apply(&self) -> Finished {
        self.initialised(&["apply", "-input=false", "-no-color", "-auto-approve"])
    }

    /// stategate outside GitHub Actions.
    pub fn stategate(&self, arguments: &[&str]) -> Finished {
        run(self.command(&binary()).args(arguments))
    }

    /// The state as Terraform reads it.
    pub fn state(&self) -> Value {
        let pulled = self.initialised(&["state", "pull"]).succeeded();
        serde_json::from_str(&pulled.stdout).unwrap_or(Value::Null)
    }

    /// A `terraform apply` that holds the lock until it is told to go on.
    pub fn hold_lock(&self) -> Holding {
        let sign = Sign::new(&self.home);
        self.files.write(&format!("{}/slow.tf", self.directory), &sign.slow_resource("slow"));
        self.terraform(&["init", "-input=false"]).succeeded();
        let log = sign.file.with_extension("log");
        let out = File::create(&log).expect("a log can be made");
        let process = self
            .command(&self.terraform)
            .args(["apply", "-input=false", "-no-color", "-auto-approve"])
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("the log can be shared"))
            .stderr(out)
            .spawn()
            .expect("terraform starts");
        wait_for("the slow apply to begin", Duration::from_secs(30), || {
            fs::read_to_string(&log).is_ok_and(|text| text.contains("Provisioning with")).then_some(())
        });
        Holding { process, sign }
    }

    /// Any command, in the root module's directory.
    pub fn run(&self, mut command: Command) -> Finished {
        run(self.dress(&mut command))
    }

    /// A command in the root module's directory.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        self.dress(&mut command);
        command
    }

    fn dress<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        scrubbed(command, &self.home, &self.terraform);
        command.current_dir(self.files.root.join(&self.directory)).env("USER", "colleague").envs(self.variables.clone())
    }
}

/// A slow `terraform apply` under its lock; it ends when told so, or when dropped.
#[derive(Debug)]
pub struct Holding {
    process: Child,
    sign: Sign,
}

impl Holding {
    /// Lets it finish and gives its lock back.
    pub fn finish(mut self) {
        self.sign.go_on();
        let status = self.process.wait().expect("terraform ends");
        assert!(status.success(), "the slow apply failed");
    }

    /// Kills it: the lock stays behind.
    pub fn kill(mut self) {
        self.process.kill().expect("terraform can be killed");
        self.process.wait().expect("terraform is gone");
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.sign.go_on();
        let _status = self.process.wait();
    }
}

/// What a slow resource waits for before it is created; given at the latest when dropped.
#[derive(Debug)]
pub struct Sign {
    file: PathBuf,
}

impl Sign {
    /// A sign of its own in a directory.
    pub fn new(directory: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let directory = directory.canonicalize().expect("the directory exists");
        Self { file: directory.join(format!("go-{}", NEXT.fetch_add(1, Ordering::Relaxed))) }
    }

    /// A resource whose creation takes until the sign is given.
    pub fn slow_resource(&self, name: &str) -> String {
        let file = self.file.display();
        format!(
            r#"resource "terraform_data" "{name}" {{
  input = "{name}"
  provisioner "local-exec" {{
    command = "while [ ! -e '{file}' ]; do sleep 0.1; done"
  }}
}}
"#
        )
    }

    /// A `terraform` in a directory of its own that plans only when the sign is given, and is the
    /// real one in everything else: a plan of a large state takes its time.
    pub fn slow_to_plan(&self) -> PathBuf {
        let directory = self.file.with_extension("bin");
        let (program, file, terraform) = (directory.join("terraform"), self.file.display(), terraform().display());
        let script = format!(
            "#!/bin/sh\nfor word in \"$@\"; do\n  if [ \"$word\" = plan ]; then\n    while [ ! -e '{file}' ]; do sleep 0.1; done\n  fi\ndone\nexec '{terraform}' \"$@\"\n"
        );
        fs::create_dir_all(&directory).expect("the directory can be made");
        fs::write(&program, script).expect("the script can be written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the script can be made executable");
        program
    }

    pub fn go_on(&self) {
        // Where the directory has gone, nothing waits any more.
        let _gone = fs::write(&self.file, "");
    }
}

impl Drop for Sign {
    fn drop(&mut self) {
        self.go_on();
    }
}
