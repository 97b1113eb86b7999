//! What ends before its end, and what people are told then: what failed, what is changed by now, and
//! what to do; the same in the comment, the summary and the log.

use crate::harness::fault_proxy::{Fault, FaultProxy};
use crate::harness::files::{PROD, PROD_LOCK};
use crate::harness::ministack::Ministack;
use crate::harness::runner::Step;
use crate::harness::world::World;

/// Two resources, of which the second one fails until the sign is there.
fn second_fails(sign: &str) -> String {
    format!(
        r#"resource "terraform_data" "first" {{
  input = "first"
}}

resource "terraform_data" "second" {{
  input = terraform_data.first.output
  provisioner "local-exec" {{
    command = "test -e '{sign}' || {{ echo cannot reach the moon >&2; exit 3; }}"
  }}
}}
"#
    )
}

#[track_caller]
fn all_in(text: &str, told: &[&str]) {
    for told in told {
        assert!(text.contains(told), "{told:?} is not told:\n{text}");
    }
}

/// The same text without what only Markdown needs.
fn plain(text: &str) -> String {
    text.replace(['`', '*'], "")
}

#[test]
fn an_apply_that_fails_half_way_says_how_far_it_came_and_the_way_on_works() {
    let world = World::applied();
    let sign = world.place("sign").join("mended");
    let more = second_fails(&sign.display().to_string());
    let number = world.pull_request("Two", |files| files.write(&format!("{PROD}/more.tf"), &more));
    Step::plan(&world, number).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    let failed = Step::apply(&world, &push).run().exits(14);
    let comment = world.github.comment(number);
    let next = "Where the code is wrong, mend it in a new pull request: its plan shows what is left, too. Where it is \
                not (a limit, an outage), re-run the plan job, which shows what is left, then this job; the approval \
                still counts.";
    for text in [&comment, &failed.summary] {
        all_in(
            text,
            &[
                "### ❌ `environments/prod`: the apply failed, 1 of 2 changes completed · 2 to add\n",
                "**terraform apply exited with code 1**",
                "local-exec provisioner error, with `terraform_data.second`, at `environments/prod/more.tf:7`\n",
                "1 of 2 changes completed, as far as Terraform's log tells; the state has what was done.",
                next,
                "→ [the plan job](",
                "[re-run this job](",
            ],
        );
    }
    all_in(&failed.log, &[&format!("next: {next} → the plan job (http"), " · re-run this job (http"]);

    // The rest is not what was reviewed, as the next step says.
    std::fs::write(&sign, "").unwrap();
    Step::apply(&world, &push).rerun_of(failed.run).refused(12).says("terraform_data.first would be left alone");
    Step::plan(&world, number).run().exits(0);
    Step::apply(&world, &push).rerun_of(failed.run).run().exits(0);
}

#[test]
fn what_fails_before_the_apply_says_that_nothing_was_changed() {
    let world = World::applied();
    let wrong = "resource \"terraform_data\" \"x\" {\n  imput = 1\n}\n";
    let number = world.pull_request("Wrong", |files| files.write(&format!("{PROD}/more.tf"), wrong));
    let failed = Step::plan(&world, number).run().exits(14);
    let comment = world.github.comment(number);
    all_in(
        &comment,
        &[
            "❌ `environments/prod`: the plan failed, nothing was changed\n",
            "Unsupported argument, at `environments/prod/more.tf:2`\n",
        ],
    );
    let next = "Fix what Terraform reports and push again; if the code is right, re-run.";
    for text in [&comment, &failed.summary, &failed.log] {
        all_in(text, &[next]);
    }
    let number = world.pull_request("Half", |files| files.write(&format!("{PROD}/more.tf"), "resource {"));
    Step::plan(&world, number).run().exits(14);
    all_in(&world.github.comment(number), &["failed before the plan, nothing was changed\n", "more.tf:1`\n"]);
}

#[test]
fn a_lock_that_cannot_be_taken_is_told_as_that() {
    let mut bucket = Ministack::shared().bucket();
    let proxy = FaultProxy::start(&bucket.endpoint, |seen| {
        let is_lock = seen.method == "PUT" && seen.path.split('?').next().is_some_and(|path| path.ends_with(PROD_LOCK));
        if is_lock { Fault::Status(403, "AccessDenied") } else { Fault::None }
    });
    bucket.endpoint.clone_from(&proxy.endpoint);
    let world = World::with_bucket(bucket);
    let number = world.new_image();
    Step::plan(&world, number).run().exits(20);
    all_in(&world.github.comment(number), &["the lock could not be taken, nothing was changed\n", "**Next:**"]);
}

#[test]
fn a_cancelled_apply_says_how_far_it_came() {
    let world = World::applied();
    let (number, push, _sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
    let cancelled = step.cancel().exits(130);
    let next = "Re-run the plan job, which shows what is left, then this job; the approval still counts.";
    let comment = world.github.comment(number);
    all_in(&comment, &["cancelled during the apply, 0 of 1 change completed · 1 to add\n", next]);
    all_in(&cancelled.log, &[&format!("next: {next}")]);
}

#[test]
fn an_apply_whose_machine_is_lost_has_said_before_what_to_do_then() {
    let world = World::applied();
    let (number, push, sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
    let dead = step.vanish();
    sign.go_on();
    let comment = world.github.comment(number);
    let id = world.bucket.json(PROD_LOCK).expect("the lock is left")["ID"].as_str().unwrap().to_owned();
    let run = format!("→ [that run]({}", dead.url());
    all_in(
        &comment,
        &[
            "applying · ",
            &format!("lock id `{id}`"),
            "**Next:** nothing to do",
            "runs `unlock` without a lock-id",
            &run,
        ],
    );
}

#[test]
fn the_log_of_a_plan_ends_with_the_next_step_of_its_comment() {
    let world = World::applied();
    let number = world.new_image();
    let planned = Step::plan(&world, number).run().exits(0);
    let comment = plain(&world.github.comment(number));
    let next = comment.lines().find_map(|line| line.strip_prefix("Next: ")).unwrap().trim_end_matches('\\').to_owned();
    assert!(next.contains("then merge"), "{next}");
    for text in [&planned.summary, &planned.log] {
        all_in(&plain(text), &[&next]);
    }
    let review = format!("→ review #{number} (http");
    let last = planned.log.lines().rfind(|line| line.starts_with("next: ")).unwrap_or_default();
    all_in(&plain(last), &[&next, &review]);
}
