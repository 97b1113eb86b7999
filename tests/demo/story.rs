//! The story of two pull requests, told and checked.

use std::time::Duration;

use crate::harness::files::{PROD, PROD_KEY, PROD_LOCK};
use crate::harness::laptop::Sign;
use crate::harness::process::wait_for;
use crate::harness::runner::Step;
use crate::harness::world::World;
use crate::tell::Tale;

const PATIENCE: Duration = Duration::from_mins(1);

/// Plays it all.
pub(crate) fn play(world: &World, tale: &mut Tale) {
    world.laptop().apply().succeeded();
    let first = planned_while_others_want_in(world, tale);
    let search = first.second;
    refused_then_applied(world, tale, first.number);
    killed_and_unlocked(world, tale, search);
}

struct Opened {
    number: u64,
    second: u64,
}

fn planned_while_others_want_in(world: &World, tale: &mut Tale) -> Opened {
    let main = format!("{PROD}/main.tf");
    let sign = Sign::new(&world.place("signs"));

    tale.chapter("A pull request changes production, and takes the lock");
    let number = world.pull_request("Web 2.0", |files| {
        files.replace(&main, "web:1.0", "web:2.0");
        files.replace(&main, "replicas = 2", "replicas = 1");
        files.replace(&main, "  replicas = 1\n}\n\noutput", "  replicas = 1\n  region   = \"eu-north-1\"\n}\n\noutput");
        files.append(
            &main,
            "resource \"terraform_data\" \"queue\" {\n  input = { name = \"jobs\", retention = \"14d\" }\n}\n",
        );
    });
    tale.say(&format!(
        "octocat opens #{number}: a new image, one replica less, a move to another region, and a queue. \
         The job takes Terraform's own lock on the production state and begins to plan."
    ));
    let slow = sign.slow_to_plan().display().to_string();
    let plan = Step::plan(world, number).with("terraform-bin", &slow).start();
    let lock = wait_for("the lock", PATIENCE, || world.bucket.json(PROD_LOCK));
    tale.claim(
        &format!("the bucket holds {PROD_LOCK}, in Terraform's own format, and it names #{number}"),
        lock["Info"].as_str().is_some_and(|info| info.starts_with(&format!("acme/infra#{number} "))),
    );

    tale.chapter("A colleague's plain Terraform is kept out, and learns why");
    tale.say("While that plan runs, a colleague on a laptop types `terraform plan`, without knowing of stategate.");
    let laptop = world.laptop();
    let kept_out = laptop.plan();
    tale.terminal("a laptop, in infra/environments/prod", "terraform plan", &kept_out.text());
    tale.claim("Terraform refuses to plan", kept_out.code == Some(1));
    tale.claim(
        "Terraform's own message names the pull request, the person and the run",
        [
            format!("acme/infra#{number}"),
            "octocat via GitHub Actions".to_owned(),
            format!("/actions/runs/{}", plan.run),
        ]
        .iter()
        .all(|told| kept_out.stderr.contains(told.as_str())),
    );

    tale.chapter("A second pull request waits, and says for whom");
    let second = world.pull_request("A search service", |files| files.write(&format!("{PROD}/search.tf"), SEARCH));
    tale.say(&format!("octocat opens #{second} for the same state. Its job may wait three seconds for the lock."));
    let waiting = Step::plan(world, second).with("lock-timeout", "3s").start();
    let waits = wait_for("the comment of the one that waits", PATIENCE, || {
        world.github.comments(second).first().map(|comment| comment.body.clone())
    });
    tale.comment(second, &waits);
    let reported = waiting.finish();
    tale.run(&format!("plan #{second}"), &reported);
    let comment = world.github.comment(second);
    tale.comment(second, &comment);
    tale.claim("the job ends with exit code 10: the lock is held", reported.code == Some(10));
    tale.claim(
        "the comment names the holder, its pull request and its run, and says that it is alive",
        ["octocat via GitHub Actions", &format!("#{number}"), &format!("/actions/runs/{}", plan.run), "alive"]
            .iter()
            .all(|told| comment.contains(told)),
    );
    sign.go_on();
    let planned = plan.finish();

    tale.chapter("The plan is there, with the danger on top");
    tale.say(&format!("The plan of #{number} is done, and its lock released. This is what a reviewer reads."));
    tale.run(&format!("plan #{number}"), &planned);
    let comment = world.github.comment(number);
    tale.comment(number, &comment);
    tale.claim("the job ends well, and the state is free", planned.code == Some(0) && world.bucket.locks().is_empty());
    tale.claim(
        "what would be destroyed and replaced stands before everything else",
        dangers_first(
            &comment,
            &["module.web.terraform_data.replica[1]", "module.worker.terraform_data.service"],
            "terraform_data.queue",
        ),
    );
    Opened { number, second }
}

fn refused_then_applied(world: &World, tale: &mut Tale, number: u64) {
    tale.chapter("Merged without approval: nothing is applied");
    tale.say(&format!("octocat merges #{number} before anybody has looked. The job on main asks the gate."));
    let before = world.bucket.get(PROD_KEY);
    let push = world.merge(number);
    let refused = Step::apply(world, &push).run();
    tale.run("apply on main", &refused);
    let comment = world.github.comment(number);
    tale.comment(number, &comment);
    tale.claim("the job ends with exit code 11: the approval is missing", refused.code == Some(11));
    tale.claim("the state is byte for byte what it was", world.bucket.get(PROD_KEY) == before);
    tale.claim("nothing is left locked", world.bucket.locks().is_empty());

    tale.chapter("Approved: what was reviewed is applied");
    tale.say("hubot reads the plan and approves that commit. The failed job is run again.");
    world.approve(number);
    let applied = Step::apply(world, &push).rerun_of(refused.run).run();
    tale.run("apply on main, second attempt", &applied);
    let comment = world.github.comment(number);
    tale.comment(number, &comment);
    tale.claim(
        "the job ends well, and says that it applied",
        applied.code == Some(0) && applied.output("result") == "applied",
    );
    tale.claim("it is still one comment, edited in place", world.github.comments(number).len() == 1);
    let laptop = world.laptop();
    let image = laptop.initialised(&["output", "-raw", "web_image"]).succeeded().stdout;
    tale.claim("the colleague's Terraform sees the new image", image == "web:2.0");
}

fn killed_and_unlocked(world: &World, tale: &mut Tale, number: u64) {
    tale.chapter("A run is killed and leaves its lock");
    let sign = Sign::new(&world.place("signs"));
    world.push_to(number, |files| {
        files.append(&format!("{PROD}/search.tf"), &sign.slow_resource("migration"));
    });
    tale.say(&format!(
        "octocat adds a migration to #{number}. It is planned, approved and merged, and in the middle of its apply the \
         machine is gone: no clean-up, no last word."
    ));
    Step::new(world, "plan", world.github.pull_request_event(number, "synchronize")).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    let apply = Step::apply(world, &push).start();
    wait_for("the apply to begin", PATIENCE, || apply.log().contains("Provisioning with").then_some(()));
    let killed = apply.vanish();
    tale.run("apply on main", &killed);
    tale.claim("the lock is left behind", world.bucket.locks() == [PROD_LOCK]);

    tale.chapter("Status says whose lock it is, and that nobody is behind it");
    tale.say("Seven minutes later somebody asks.");
    world.github.finish_run_before(killed.run, "cancelled", 7);
    let status = Step::new(world, "status", world.github.dispatch_event("hubot")).run();
    let told = status.log.lines().skip_while(|line| !line.ends_with("is locked")).collect::<Vec<_>>().join("\n");
    tale.terminal("the job `status`", "stategate status", &told);
    tale.claim(
        "it names the holder and calls the lock stale",
        status.code == Some(0) && told.contains("octocat via GitHub Actions") && told.contains("stale"),
    );
    let id = world.bucket.json(PROD_LOCK).expect("the lock is there")["ID"].as_str().expect("an ID").to_owned();
    tale.claim("it says the command that removes exactly this lock", told.contains(&format!("unlock --lock-id {id}")));

    tale.chapter("Unlocked, with a reason, and everybody can read it");
    tale.say("hubot starts the unlock workflow with the lock's ID and a reason.");
    let unlock = Step::unlock(world, "hubot").with("lock-id", &id).with("reason", "the runner was lost").run();
    tale.run("unlock", &unlock);
    let note = world.github.comments(number).last().expect("a note on the pull request").body.clone();
    tale.comment(number, &note);
    tale.claim("the lock is gone", unlock.code == Some(0) && world.bucket.locks().is_empty());
    tale.claim(
        "the pull request says who removed it, and why",
        note.contains("hubot") && note.contains("the runner was lost"),
    );
    let audit = format!("stategate/{PROD_KEY}/audit/");
    let records =
        world.bucket.keys().into_iter().filter(|key| key.starts_with(&audit) && key.contains("unlock")).count();
    tale.claim("the bucket keeps a record of it beside the state", records == 1);

    tale.chapter("The apply is run again, and ends");
    tale.say("The interrupted apply is run again; the plan is still the reviewed one.");
    sign.go_on();
    let again = Step::apply(world, &push).rerun_of(killed.run).run();
    tale.run("apply on main, second attempt", &again);
    tale.claim("what was approved is applied", again.code == Some(0) && again.output("result") == "applied");
    let rest = world.laptop().plan();
    tale.claim("the colleague's `terraform plan` finds nothing left to do", rest.stdout.contains("No changes"));
}

/// Whether each danger is first named before a harmless change is.
fn dangers_first(comment: &str, dangers: &[&str], harmless: &str) -> bool {
    let harmless = comment.find(harmless);
    dangers.iter().all(|danger| {
        let danger = comment.find(danger);
        danger.is_some() && (harmless.is_none() || danger < harmless)
    })
}

const SEARCH: &str = r#"module "search" {
  source   = "../../modules/service"
  name     = "search"
  image    = "search:0.9"
  replicas = 1
}
"#;
