//! One test's surroundings: a repository on GitHub, its files, its bucket, and a place to work.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tempfile::TempDir;

use super::bucket::Bucket;
use super::files::{Files, PROD, PROD_KEY};
use super::github::FakeGithub;
use super::github::events::{Checkout, Event};
use super::github::story::{MergeMethod, Push};
use super::laptop::{Laptop, Sign};
use super::ministack::Ministack;
use super::process::run;
use super::runner::Step;

/// A team's repository with the services `web` and `worker` in two environments.
#[derive(Debug)]
pub struct World {
    pub github: FakeGithub,
    pub bucket: Bucket,
    /// What main has.
    pub main: Files,
    /// The files of each pull request: what it started from, and what it has.
    pulls: Mutex<BTreeMap<u64, (Files, Files)>>,
    scratch: TempDir,
    next: AtomicU32,
    has_git: AtomicBool,
}

impl World {
    /// With a bucket of its own in the shared AWS stand-in.
    pub fn new() -> Self {
        Self::with_bucket(Ministack::shared().bucket())
    }

    /// With this bucket, whose endpoint may be a proxy's.
    pub fn with_bucket(bucket: Bucket) -> Self {
        let scratch = tempfile::Builder::new().prefix("stategate-").tempdir().expect("a scratch directory can be made");
        let main = Files::team(scratch.path().join("main"), &bucket);
        let github = FakeGithub::start();
        Self {
            github,
            bucket,
            main,
            pulls: Mutex::default(),
            scratch,
            next: AtomicU32::new(1),
            has_git: AtomicBool::new(false),
        }
    }

    /// With the production environment applied already, by a colleague with plain Terraform.
    pub fn applied() -> Self {
        let world = Self::new();
        world.laptop().apply().succeeded();
        world
    }

    /// The same, with a planned pull request for another image.
    pub fn planned() -> (Self, u64) {
        let world = Self::applied();
        let number = world.new_image();
        Step::plan(&world, number).run().exits(0);
        (world, number)
    }

    /// octocat opens a pull request that changes files.
    pub fn pull_request(&self, title: &str, change: impl FnOnce(&Files)) -> u64 {
        let branch = title.to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        let number = self.github.open_pull_request("octocat", &branch, title);
        let base = self.main.copy_to(self.place("base"));
        let branch = self.main.copy_to(self.place("branch"));
        change(&branch);
        self.tell_files(number, &branch);
        self.pulls.lock().expect("no test fails while it holds the files").insert(number, (base, branch));
        number
    }

    /// A pull request that gives the service `web` in production another image: one change in place.
    pub fn new_image(&self) -> u64 {
        self.pull_request("Web 1.1", |files| files.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1"))
    }

    /// The image of the service `web` in production, as its state has it.
    pub fn image(&self) -> String {
        self.laptop().initialised(&["output", "-raw", "web_image"]).succeeded().stdout
    }

    /// The head commit of a pull request.
    pub fn head(&self, number: u64) -> String {
        self.github.state().pulls[&number].head_sha().to_owned()
    }

    /// Where the reviewed plan of a pull request is kept.
    pub fn record_key(&self, number: u64) -> String {
        format!("stategate/{PROD_KEY}/plans/{}.json", self.head(number))
    }

    /// An approved and merged pull request whose apply goes on only when told.
    pub fn slow_change(&self) -> (u64, Push, Sign) {
        let sign = Sign::new(self.scratch.path());
        let number = self.pull_request("Something slow", |files| {
            files.write(&format!("{PROD}/slow.tf"), &sign.slow_resource("slow"));
        });
        Step::plan(self, number).run().exits(0);
        self.approve(number);
        (number, self.merge(number), sign)
    }

    /// The author pushes a further change to a pull request.
    pub fn push_to(&self, number: u64, change: impl FnOnce(&Files)) -> String {
        self.push_to_as(number, "octocat", change)
    }

    /// Somebody pushes a further change to a pull request.
    pub fn push_to_as(&self, number: u64, by: &str, change: impl FnOnce(&Files)) -> String {
        let (_, branch) = self.files_of(number);
        change(&branch);
        let sha = self.github.push_to_pull_request(number, by);
        self.tell_files(number, &branch);
        sha
    }

    /// Somebody presses "Update branch": GitHub merges main into the pull request's branch.
    pub fn update_branch(&self, number: u64, by: &str) -> String {
        let (base, branch) = self.files_of(number);
        branch.take_changes(&base, &self.main);
        let sha = self.github.update_branch(number, by);
        self.tell_files(number, &branch);
        let new_base = self.main.copy_to(self.place("base"));
        self.pulls.lock().expect("no test fails while it holds the files").insert(number, (new_base, branch));
        sha
    }

    /// GitHub learns the files of a pull request's head commit.
    fn tell_files(&self, number: u64, files: &Files) {
        let head = self.head(number);
        self.github.state().files.insert(head, files.all());
    }

    /// hubot approves the head of a pull request.
    pub fn approve(&self, number: u64) {
        self.github.review(number, "hubot", "APPROVED");
    }

    /// The author merges a pull request; main then has its changes.
    pub fn merge(&self, number: u64) -> Push {
        self.merge_by(MergeMethod::Merge, number)
    }

    /// Merges in another way.
    pub fn merge_by(&self, method: MergeMethod, number: u64) -> Push {
        let (base, branch) = self.files_of(number);
        let before = self.main.all();
        self.main.take_changes(&base, &branch);
        let push = self.github.merge_by(method, number, "octocat");
        let mut state = self.github.state();
        state.files.entry(push.before.clone()).or_insert(before);
        state.files.insert(push.after.clone(), self.main.all());
        drop(state);
        push
    }

    /// `merge_group`: the queue tries these on top of main, and GitHub learns the files of its commits.
    pub fn merge_group(&self, method: MergeMethod, numbers: &[u64]) -> Event {
        let event = self.github.merge_group_event_by(method, numbers);
        let files = self.main.copy_to(self.place("group"));
        let mut trees = vec![(self.github.state().branches["main"].clone(), files.all())];
        let queue = self.github.state().queue.clone();
        for entry in queue {
            let (base, branch) = self.files_of(entry.number);
            files.take_changes(&base, &branch);
            // The first of several has all of it: it makes no difference which of them brought what.
            trees.extend(entry.commits.into_iter().map(|commit| (commit, files.all())));
        }
        self.github.state().files.extend(trees);
        event
    }

    /// The merge queue lands what it holds; main then has the changes of all.
    pub fn land_queue(&self) -> Push {
        let numbers: Vec<u64> = self.github.state().queue.iter().map(|entry| entry.number).collect();
        for number in numbers {
            let (base, branch) = self.files_of(number);
            self.main.take_changes(&base, &branch);
        }
        self.github.land_queue()
    }

    /// A colleague's laptop, with main checked out.
    pub fn laptop(&self) -> Laptop {
        Laptop::new(self.main.copy_to(self.place("laptop")), self.scratch.path())
    }

    /// The files that a run of this event checks out.
    pub fn checkout(&self, event: &Event, into: PathBuf) -> Files {
        let files = self.main.copy_to(into);
        let has_git = self.has_git.load(Ordering::Relaxed);
        if let Some(base) = event.payload.pointer("/pull_request/base/sha").and_then(|sha| sha.as_str())
            && has_git
        {
            commit_files(&files, base);
        }
        if let Checkout::TestMerge(numbers) = &event.checkout {
            for number in numbers {
                let (base, branch) = self.files_of(*number);
                files.take_changes(&base, &branch);
            }
        }
        if has_git {
            commit_files(&files, &event.sha);
        }
        files.write(".git/HEAD", &event.sha);
        files
    }

    /// From now on, checkouts have Git's objects and not only its `HEAD`.
    pub fn with_git(&self) {
        self.has_git.store(true, Ordering::Relaxed);
    }

    /// Where all of it is.
    pub fn scratch(&self) -> &std::path::Path {
        self.scratch.path()
    }

    /// A directory that nothing else uses.
    pub fn place(&self, name: &str) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.scratch.path().join(format!("{number}-{name}"));
        std::fs::create_dir_all(&path).expect("the directory can be made");
        path
    }

    fn files_of(&self, number: u64) -> (Files, Files) {
        self.pulls.lock().expect("no test fails while it holds the files")[&number].clone()
    }
}

/// Makes a Git repository in which `sha`, a commit of the fake GitHub's, has these files.
fn commit_files(files: &Files, sha: &str) {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(&files.root).args(["-c", "user.name=octocat", "-c", "user.email=octocat@github.com"]);
        run(git.args(arguments)).succeeded().stdout.trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    let tree = git(&["write-tree"]);
    let real = git(&["commit-tree", &tree, "-m", "The files"]);
    // A commit cannot be given a name, but it can stand for one.
    files.write(&format!(".git/refs/replace/{sha}"), &real);
}
