//! `plan` on a pull request: the comment, the record, the summary, the outputs, and the lock.

use crate::harness::files::{PROD, PROD_KEY};
use crate::harness::runner::Step;
use crate::harness::world::World;

const MARKER: &str = "<!-- stategate:environments/prod@default -->";

#[test]
fn a_pull_request_is_told_what_would_change() {
    let world = World::applied();
    let number = world.pull_request("Web 2.0", |files| {
        let main = format!("{PROD}/main.tf");
        files.replace(&main, "web:1.0", "web:2.0");
        files.replace(&main, "  replicas = 1\n", "  replicas = 1\n  region   = \"eu-north-1\"\n");
        for name in ["queue", "mail"] {
            files.append(&main, &format!("resource \"terraform_data\" \"{name}\" {{\n  input = \"jobs\"\n}}\n"));
        }
    });
    let step = Step::plan(&world, number).run().exits(0);

    let comment = world.github.comment(number);
    assert!(comment.starts_with(MARKER), "{comment}");
    for told in ["terraform_data.queue", "module.web.terraform_data.service", "module.worker.terraform_data.service"] {
        assert!(comment.contains(told), "{told} is not told:\n{comment}");
        assert!(step.summary.contains(told), "{told} is not in the summary:\n{}", step.summary);
    }
    let counts = ["add", "change", "replace", "destroy"].map(|name| step.output(name));
    assert_eq!(counts, ["2", "1", "1", "0"]);
    assert_eq!((step.output("result"), step.output("has-changes")), ("planned", "true"));
    assert_eq!((step.output("approved"), step.output("lock-holder")), ("false", ""));
    assert!(step.output("comment-url").starts_with(&format!("https://github.com/acme/infra/pull/{number}#")));
    let summary: serde_json::Value = serde_json::from_str(step.output("summary-json")).unwrap();
    assert_eq!(summary["counts"]["replace"], 1);
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn the_record_of_what_was_reviewed_stands_beside_the_state() {
    let (world, number) = World::planned();
    let head = world.head(number);
    let record = world.bucket.get(&format!("stategate/{PROD_KEY}/plans/{head}.json")).expect("a record for the head");
    let record = String::from_utf8(record).unwrap();
    assert!(record.contains("module.web.terraform_data.service"), "{record}");
    assert!(!record.contains("web:1.1"), "a record holds no values: {record}");
}

#[test]
fn no_changes_is_one_calm_line() {
    let world = World::applied();
    let number = world.pull_request("A comment", |files| files.append(&format!("{PROD}/main.tf"), "# calm\n"));
    let step = Step::plan(&world, number).run().exits(0);
    assert_eq!((step.output("result"), step.output("has-changes")), ("no-changes", "false"));
    let comment = world.github.comment(number);
    assert!(comment.to_lowercase().contains("no changes"), "{comment}");
}

#[test]
fn the_comment_is_edited_in_place_and_others_are_left_alone() {
    let world = World::applied();
    let number = world.new_image();
    let copied = format!("{MARKER}\nnot ours");
    world.github.write_comment(number, "octocat", &copied);
    world.github.write_comment(number, "some-app[bot]", &copied);
    Step::plan(&world, number).run().exits(0);
    world.push_to(number, |files| files.replace(&format!("{PROD}/main.tf"), "web:1.1", "web:1.2"));
    let again = Step::new(&world, "plan", world.github.pull_request_event(number, "synchronize"));
    again.run().exits(0);

    let comments = world.github.comments(number);
    assert_eq!(comments.len(), 3, "{comments:#?}");
    assert_eq!(comments[0].body, copied);
    assert_eq!(comments[1].body, copied);
    assert!(comments[2].body.contains("web:1.2") && !comments[2].body.contains("web:1.1"), "{}", comments[2].body);
}

#[test]
fn a_plan_that_fails_is_told_and_leaves_no_lock() {
    let world = World::applied();
    let number = world.pull_request("A broken rule", |files| {
        let check = "resource \"terraform_data\" \"checked\" {\n  lifecycle {\n    precondition {\n      condition     = length(module.web.image) > 100\n      error_message = \"the name is too short\"\n    }\n  }\n}\n";
        files.append(&format!("{PROD}/main.tf"), check);
    });
    let step = Step::plan(&world, number).run().exits(14).says("the name is too short");
    assert_eq!(step.output("result"), "failed");
    assert!(world.github.comment(number).contains("the name is too short"), "{}", world.github.comment(number));
    assert!(world.bucket.locks().is_empty());
}

#[test]
fn a_comment_that_github_refuses_is_not_written_twice() {
    let world = World::applied();
    let number = world.new_image();
    world.github.lose_answers(1, "POST", "/comments", 502);
    let step = Step::plan(&world, number).run();
    assert_eq!(world.github.comments(number).len(), 1, "{}", step.log);
    assert!(step.summary.contains("module.web.terraform_data.service"), "the plan stands in the summary");
    assert!(world.bucket.locks().is_empty());
}
