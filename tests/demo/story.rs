//! The story: two pull requests, a colleague, a lost machine, and nothing that reaches production
//! unapproved.

use std::thread;
use std::time::Duration;

use super::gallery;
use super::harness::files::{PROD, PROD_KEY, PROD_LOCK};
use super::harness::github::story::Push;
use super::harness::process::wait_for;
use super::harness::runner::{Outcome, Running, Step};
use super::harness::world::World;
use super::play::Play;
use super::stage::{Kind, Stage};

const MAIN: &str = "environments/prod/main.tf";
const PLATFORM: &str = include_str!("platform.tf");
const PASSWORDS: [&str; 2] = ["correct-horse-battery", "staple-of-the-month"];
const PATIENCE: Duration = Duration::from_mins(1);

/// Plays everything; panics where a claim does not hold.
pub(crate) fn play(stage: &mut Stage) {
    // A scope waits for what it started, whatever happens, so nothing is left running.
    thread::scope(|scope| {
        let others = thread::Builder::new().name("the other kinds of comment".to_owned());
        let others = others.spawn_scoped(scope, gallery::play).expect("a thread starts");
        play_steps(stage);
        stage.gallery.extend(others.join().expect("the other kinds are played"));
    });
}

fn play_steps(stage: &mut Stage) {
    let world = World::new();
    world.main.write(&format!("{PROD}/platform.tf"), PLATFORM);
    world.laptop().apply().succeeded();
    let mut play = Play { stage, world: &world, signs: world.place("signs") };

    let first = play.planned();
    let running = play.kept_out(first);
    let second = play.waits(running.run);
    play.both_planned(first, second, running);
    let (push, blocked) = play.blocked(first);
    play.applied(first, &push, &blocked);
    let (pushed, dead) = play.killed(second);
    let id = play.status(second, &dead);
    play.unlocked(second, &id);
    play.done(second, &pushed, &dead);
}

impl<'a> Play<'a> {
    fn planned(&mut self) -> u64 {
        self.stage.scene(
            "A pull request changes production, and is planned",
            "octocat moves the service web to another region and halves its replicas. The workflow takes Terraform's \
             own lock, plans, tells the pull request, and gives the lock back. What is destroyed or replaced comes \
             first, each with its reason.",
        );
        let number = self.world.pull_request("Move web to eu-north-1", |files| {
            files.replace(MAIN, "  replicas = 2\n", "  replicas = 1\n  region   = \"eu-north-1\"\n");
            let platform = format!("{PROD}/platform.tf");
            files.replace(&platform, "[\"s3:GetObject\"]", "[\"s3:GetObject\", \"s3:PutObject\"]");
            files.replace(&platform, PASSWORDS[0], PASSWORDS[1]);
        });
        let plan = Step::plan(self.world, number).run();
        self.ran("octocat", &format!("on pull_request #{number}"), "stategate plan", &plan);
        let comment = self.tell(number, "The pull request, planned");
        self.keep("A plan with danger", number);

        self.claim("the plan succeeds (exit 0)", plan.code == Some(0));
        let caution = comment.split("[!CAUTION]").nth(1).unwrap_or_default().split("\n\n").next().unwrap_or_default();
        let named = ["module.web.terraform_data.service", "module.web.terraform_data.replica"];
        let named = named.iter().all(|address| caution.contains(address));
        self.claim("a caution block names the replaced service and the destroyed replica", named);
        let counts = ["replace", "destroy", "change", "add"].map(|name| plan.output(name));
        self.claim("the step's outputs count 1 replace, 1 destroy, 2 changes, 0 adds", counts == ["1", "1", "2", "0"]);
        let told = [&comment, &plan.log, &plan.summary, plan.output("summary-json")];
        let leaked = PASSWORDS.iter().any(|password| told.iter().any(|text| text.contains(password)));
        self.claim("the new password appears nowhere: not in comment, summary, log or outputs", !leaked);
        self.claim_free();
        let keys = self.world.bucket.keys();
        let record = keys.iter().any(|key| key.starts_with(&format!("stategate/{PROD_KEY}/plans/")));
        self.claim("a record of what is to be reviewed stands beside the state", record);
        number
    }

    fn kept_out(&mut self, number: u64) -> Running<'a> {
        self.stage.scene(
            "A colleague's laptop is kept out",
            "octocat sees the destroyed replica, wants it back and pushes again. While that plan runs (the demo holds \
             it, as a large plan would take its minutes), a colleague types a plain terraform plan. The lock is \
             Terraform's own, so Terraform itself says who works here.",
        );
        let back = ("  replicas = 1\n  region", "  replicas = 2\n  region");
        self.push(number, "Keep both replicas", |files| files.replace(MAIN, back.0, back.1));
        let event = self.world.github.pull_request_event(number, "synchronize");
        let slow = self.slow_terraform("plan");
        let running = Step::new(self.world, "plan", event).with("terraform-bin", &slow).start();
        let lock = wait_for("the plan to take its lock", PATIENCE, || self.world.bucket.get(PROD_LOCK));
        let lock = String::from_utf8_lossy(&lock).into_owned();
        let colleague = self.world.laptop().plan();
        self.stage.typed("hubot", "terraform plan", &colleague);
        let error = colleague.stderr.trim();
        self.stage.see(error);
        self.stage.object(PROD_LOCK, &lock);

        self.claim("Terraform refuses (exit 1)", colleague.code == Some(1));
        self.claim("its own error names the pull request", error.contains(&format!("acme/infra#{number}")));
        self.claim("and the run that holds the lock", error.contains(&format!("/actions/runs/{}", running.run)));
        self.claim("and who started it", error.contains("octocat via GitHub Actions"));
        running
    }

    fn waits(&mut self, holder: u64) -> u64 {
        self.stage.scene(
            "A second pull request waits, then says for whom",
            "monalisa opens another pull request meanwhile. Its plan waits for the lock (here 3 seconds, usually 10 \
             minutes) and says so at once; when its time is up it ends with an exit code of its own, and names the \
             holder and the next step.",
        );
        let queue = self.slow_queue();
        let number =
            self.open("monalisa", "A queue for jobs", |files| files.write(&format!("{PROD}/queue.tf"), &queue));
        let running = Step::plan(self.world, number).with("lock-timeout", "3s").start();
        let said = || Some(self.comment(number)).filter(|comment| !comment.is_empty());
        let waiting = wait_for("the comment that it waits", PATIENCE, said);
        self.keep("Waiting for the lock", number);
        self.stage.conversation("While it waits", &self.world.github, number);
        let plan = running.finish();
        self.ran("monalisa", &format!("on pull_request #{number}"), "stategate plan --lock-timeout 3s", &plan);
        let comment = self.tell(number, "When its time is up");
        self.keep("Locked by another run", number);

        self.claim("it said that it waits, before it gave up", waiting.contains("waiting for the lock"));
        self.claim("it ends with exit 10, the code for a held lock", plan.code == Some(10));
        let run = format!("/actions/runs/{holder}");
        let names = |text: &str| text.contains("octocat via GitHub Actions") && text.contains(&run);
        self.claim("comment and log name the holder, and link the run", names(&comment) && names(&plan.log));
        self.claim("the output lock-holder does too", plan.output("lock-holder").contains("octocat"));
        number
    }

    fn both_planned(&mut self, first: u64, second: u64, plan: Running<'a>) {
        self.stage.scene(
            "The first plan ends, the second goes on",
            "octocat's plan ends and gives the lock back; its comment is edited in place, and the destroyed replica is \
             gone from it. monalisa re-runs her plan.",
        );
        self.go_on("plan");
        let plan = plan.finish();
        self.ran("octocat", &format!("on pull_request #{first}"), "stategate plan", &plan);
        let comment = self.tell(first, "The first pull request, planned again");
        self.claim("the plan succeeds (exit 0)", plan.code == Some(0));
        let count = (plan.output("replace"), plan.output("destroy"));
        self.claim("1 replace is left, and no destroy", count == ("1", "0"));
        self.claim("there is still one comment, edited in place", self.world.github.comments(first).len() == 1);
        let gone = !comment.contains("terraform_data.replica");
        self.claim("the replica is not in it any more", gone);

        let again = Step::plan(self.world, second).run();
        self.ran("monalisa", &format!("on pull_request #{second}, re-run"), "stategate plan", &again);
        self.stage.conversation("The second pull request, planned", &self.world.github, second);
        self.claim("the second plan succeeds (exit 0): 1 add", (again.code, again.output("add")) == (Some(0), "1"));
        self.claim_free();
    }

    fn blocked(&mut self, number: u64) -> (Push, Outcome) {
        self.stage.scene(
            "Merged without approval: refused, with reasons",
            "octocat merges before anybody approved. The push to main starts the apply workflow; the gate blocks it, \
             says every reason, shows what would have been done, and does nothing.",
        );
        let before = self.world.bucket.get(PROD_KEY);
        let push = self.merge("octocat", number);
        let apply = Step::apply(self.world, &push).run();
        self.ran("octocat", "on push to main", "stategate apply", &apply);
        let comment = self.tell(number, "The pull request, refused");
        self.keep("Blocked by the gate", number);

        self.claim("it ends with exit 11, the code for a missing approval", apply.code == Some(11));
        let why = comment.contains("approval") && apply.log.contains("approval");
        self.claim("comment and log say what is missing", why);
        let waits = comment.contains("module.web.terraform_data.service");
        self.claim("the comment still shows what waits", waits);
        self.claim("the state is the same, byte for byte", self.world.bucket.get(PROD_KEY) == before);
        self.claim_free();
        (push, apply)
    }

    fn applied(&mut self, number: u64, push: &Push, blocked: &Outcome) {
        self.stage.scene(
            "Approved, and applied",
            "hubot looks at the plan and approves; octocat re-runs the failed job. Main is planned once more under \
             the lock, the plan is compared with the reviewed one, and exactly that plan is applied.",
        );
        let before = self.world.bucket.versions(PROD_KEY);
        self.world.approve(number);
        let apply = Step::apply(self.world, push).rerun_of(blocked.run).run();
        self.ran("octocat", "on push to main, re-run", "stategate apply", &apply);
        let comment = self.tell(number, "The pull request, applied");
        self.keep("Applied", number);

        self.claim("the apply succeeds (exit 0)", apply.code == Some(0));
        self.claim("the comment says so, and who approved", comment.contains("applied") && comment.contains("hubot"));
        self.claim("the state has a new version", self.world.bucket.versions(PROD_KEY) > before);
        self.claim_free();
        let check = self.world.laptop().plan();
        self.stage.typed("hubot", "terraform plan", &check);
        self.claim("a colleague's terraform plan finds nothing left to do", check.stdout.contains("No changes."));
    }

    fn killed(&mut self, number: u64) -> (Push, Outcome) {
        self.stage.scene(
            "A machine is lost in the middle of an apply",
            "monalisa's queue is approved and merged. While it is being created, the runner's machine vanishes: no \
             signal, no clean-up step. Whether the queue exists nobody knows, so the lock must stay.",
        );
        self.world.approve(number);
        let push = self.merge("monalisa", number);
        let mut running = Step::apply(self.world, &push).start();
        running.wait_for_log("Provisioning with");
        self.stage.conversation("While it is applied", &self.world.github, number);
        self.keep("Applying", number);
        let dead = running.vanish();
        self.ran("monalisa", "on push to main", "stategate apply", &dead);

        self.claim("the run was killed", dead.code.is_none());
        self.claim("its lock is left behind", self.world.bucket.locks() == [PROD_LOCK]);
        (push, dead)
    }

    fn status(&mut self, number: u64, dead: &Outcome) -> String {
        self.stage.scene(
            "status says who left it, and what to do",
            "Somebody asks. GitHub says that the run is over, so the lock is stale; and the answer says what to \
             start. (A run's clean-up is given 6 minutes, which the demo does not wait: its GitHub says that the run \
             ended 7 minutes ago. The bucket's clock is the real one, so the lock itself is some seconds old.)",
        );
        // GitHub ends a run whose machine is gone.
        self.world.github.finish_run_before(dead.run, "failure", 7);
        let asked = Step::new(self.world, "status", self.world.github.dispatch_event("hubot")).run();
        self.ran("hubot", "on workflow_dispatch", "stategate status", &asked);
        let lock = self.world.bucket.json(PROD_LOCK).unwrap_or_default();
        let id = lock["ID"].as_str().unwrap_or_default().to_owned();
        self.stage
            .see(asked.log.split_once("is locked").map_or(asked.log.as_str(), |(_, rest)| rest.trim_matches('\n')));

        self.claim("it answers (exit 0)", asked.code == Some(0));
        let who = asked.log.contains("monalisa via GitHub Actions");
        let run = format!("/actions/runs/{}", dead.run);
        let named = who && asked.log.contains(&run) && asked.log.contains(&format!("acme/infra#{number}"));
        self.claim("it names the person, the pull request and the run", named);
        self.claim("it says that the lock is stale", asked.log.contains("stale"));
        let next = format!("Start the workflow that runs `unlock` with lock-id `{id}` and a reason");
        self.claim("and how to remove exactly this lock", !id.is_empty() && asked.log.contains(&next));
        id
    }

    fn unlocked(&mut self, number: u64, id: &str) {
        const REASON: &str = "the runner was lost, nothing works on the state";
        self.stage.scene(
            "unlock removes exactly that lock, with a reason",
            "hubot starts the unlock workflow by hand with the lock's ID and a reason. stategate proves that the \
             holder is dead, removes that lock and no other, writes it down beside the state, and tells the pull \
             request.",
        );
        let unlock = Step::unlock(self.world, "hubot").with("lock-id", id).with("reason", REASON).run();
        let command = format!("stategate unlock --lock-id {id} --reason \"{REASON}\"");
        self.ran("hubot", "on workflow_dispatch", &command, &unlock);
        let last = unlock.log.lines().rev().take(3).collect::<Vec<_>>();
        self.stage.see(&last.into_iter().rev().collect::<Vec<_>>().join("\n"));
        self.stage.conversation("The pull request learns of it", &self.world.github, number);
        if let Some(note) = self.world.github.comments(number).last() {
            self.stage.gallery.push(Kind { name: "A lock was removed by hand", body: note.body.clone() });
        }

        self.claim("it succeeds (exit 0)", unlock.code == Some(0));
        self.claim_free();
        let prefix = format!("stategate/{PROD_KEY}/audit/");
        let keys = self.world.bucket.keys();
        let key = keys.into_iter().find(|key| key.starts_with(&prefix) && key.contains("unlock")).unwrap_or_default();
        let record = self.world.bucket.json(&key).unwrap_or_default();
        self.stage.object(&key, &serde_json::to_string_pretty(&record).unwrap_or_default());
        let kept = (record["actor"].as_str(), record["reason"].as_str()) == (Some("hubot"), Some(REASON));
        self.claim("who and why is kept in the bucket", kept && record["lock"]["ID"] == id);
        let told = self.world.github.comments(number).last().is_some_and(|note| note.body.contains(REASON));
        self.claim("and told on the pull request", told);
    }

    fn done(&mut self, number: u64, push: &Push, dead: &Outcome) {
        self.stage.scene(
            "The lost apply is run again",
            "monalisa re-runs the job. The approval still counts, the plan is still the reviewed one, and this time \
             the queue is created in full.",
        );
        self.go_on("queue");
        let apply = Step::apply(self.world, push).rerun_of(dead.run).run();
        self.ran("monalisa", "on push to main, re-run", "stategate apply", &apply);
        self.tell(number, "The pull request, applied");
        self.claim("the apply succeeds (exit 0)", (apply.code, apply.output("result")) == (Some(0), "applied"));
        self.claim_free();
        let check = self.world.laptop().plan();
        self.stage.typed("hubot", "terraform plan", &check);
        self.claim("nothing is left to do", check.stdout.contains("No changes."));
    }
}
