//! What newer versions of Terraform can plan, with a provider that has all of it: it is counted as
//! Terraform counts it, means the same twice, and tells no secret.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::files::{Files, PROD};
use crate::harness::lab::{Lab, REQUIRED};
use crate::harness::laptop::Laptop;
use crate::harness::process::wait_for;
use crate::harness::runner::Step;
use crate::harness::world::World;

/// A configuration, the one that it becomes, and the words that the plan has beside.
struct Case {
    name: &'static str,
    before: &'static str,
    after: &'static str,
    words: &'static [&'static str],
}

const fn case(name: &'static str, before: &'static str, after: &'static str) -> Case {
    Case { name, before, after, words: &[] }
}

const A: &str = "resource \"lab_item\" \"a\" {\n  name  = \"a\"\n  value = \"one\"\n}\n";
const TWO: &str = "resource \"lab_item\" \"a\" {\n  name  = \"a\"\n  value = \"two\"\n}\n";
const CALLS: &str = "resource \"lab_item\" \"a\" {\n  name  = \"a\"\n  value = \"two\"\n  lifecycle {\n    action_trigger {\n      \
    events  = [before_update, after_update]\n      actions = [action.lab_call.c[\"x y\"]]\n    }\n  }\n}\naction \"lab_call\" \"c\" {\n  \
    for_each = toset([\"x y\"])\n  config { message = \"c\" }\n}\n";

const CASES: [Case; 24] = [
    case("create", "", A),
    case("nothing", A, A),
    case("update", A, TWO),
    case("output", "output \"x\" { value = 1 }", "output \"x\" { value = 2 }"),
    case("destroy", A, ""),
    case("replace", A, "resource \"lab_item\" \"a\" {\n  name = \"a\"\n  kind = \"other\"\n}\n"),
    case(
        "create before destroy",
        A,
        "resource \"lab_item\" \"a\" {\n  name = \"a\"\n  kind = \"other\"\n  lifecycle { create_before_destroy = true }\n}\n",
    ),
    Case { name: "asked for", before: A, after: A, words: &["-replace=lab_item.a"] },
    case("forgotten", A, "removed {\n  from = lab_item.a\n  lifecycle { destroy = false }\n}\n"),
    case("removed", A, "removed {\n  from = lab_item.a\n  lifecycle { destroy = true }\n}\n"),
    case(
        "moved",
        A,
        "moved {\n  from = lab_item.a\n  to   = lab_item.b\n}\nresource \"lab_item\" \"b\" {\n  name  = \"a\"\n  value = \"one\"\n}\n",
    ),
    case(
        "moved and updated",
        A,
        "moved {\n  from = lab_item.a\n  to   = lab_item.b\n}\nresource \"lab_item\" \"b\" {\n  name  = \"a\"\n  value = \"two\"\n}\n",
    ),
    case(
        "moved to another type",
        "resource \"lab_plain\" \"p\" {\n  name = \"p\"\n}\n",
        "moved {\n  from = lab_plain.p\n  to   = lab_item.p\n}\nresource \"lab_item\" \"p\" {\n  name = \"p\"\n}\n",
    ),
    case(
        "imported",
        "",
        "import {\n  to = lab_item.i\n  id = \"i-1\"\n}\nresource \"lab_item\" \"i\" {\n  name = \"i\"\n}\n",
    ),
    case(
        "imported by identity",
        "",
        "import {\n  to       = lab_item.i\n  identity = { id = \"i-1\" }\n}\nresource \"lab_item\" \"i\" {\n  name = \"i\"\n}\n",
    ),
    case(
        "from count to for_each",
        "resource \"lab_plain\" \"p\" {\n  count = 2\n  name  = \"p\"\n}\n",
        "resource \"lab_plain\" \"p\" {\n  for_each = toset([\"x\", \"ü\\\"y\"])\n  name     = \"p\"\n}\n",
    ),
    case(
        "write-only",
        "resource \"lab_item\" \"w\" {\n  name             = \"w\"\n  token_wo         = \"hunter2hunter2\"\n  token_wo_version = 1\n}\n",
        "resource \"lab_item\" \"w\" {\n  name             = \"w\"\n  token_wo         = \"hunter3hunter3\"\n  token_wo_version = 2\n}\n",
    ),
    case("ephemeral", "", "ephemeral \"lab_token\" \"t\" { input = \"x\" }\n"),
    case(
        "failing check",
        A,
        "resource \"lab_item\" \"a\" {\n  name  = \"a\"\n  value = \"one\"\n}\ncheck \"c\" {\n  assert {\n    condition     = lab_item.a.value == \"two\"\n    error_message = \"it is not two\"\n  }\n}\n",
    ),
    case(
        "read while it applies",
        A,
        "resource \"lab_item\" \"a\" {\n  name  = \"a\"\n  value = \"two\"\n}\ndata \"lab_reading\" \"r\" { name = \"r${lab_item.a.revision}\" }\noutput \"r\" { value = data.lab_reading.r.content }\n",
    ),
    case("function", "", "output \"x\" { value = provider::lab::shout(\"x\") }\n"),
    Case { name: "a part", before: A, after: TWO, words: &["-target=lab_item.a"] },
    Case { name: "all destroyed", before: A, after: A, words: &["-destroy"] },
    case("actions", A, CALLS),
];

/// The numbers of Terraform's line `Plan: 1 to import, 2 to add, …`; all 0 where it has none.
fn plan_line(text: &str) -> [u64; 5] {
    let line = text.lines().find(|line| line.starts_with("Plan: ")).unwrap_or_default();
    let words: Vec<&str> = line.split([' ', ',', '.']).collect();
    ["add", "change", "destroy", "import", "invoke"].map(|verb| {
        let at = words.iter().position(|word| *word == verb);
        at.and_then(|at| words.get(at - 2)?.parse().ok()).unwrap_or_default()
    })
}

/// What `stategate render --json` says of a plan.
fn rendered(laptop: &Laptop, plan: &str) -> Value {
    let json = laptop.terraform(&["show", "-json", plan]).succeeded().stdout;
    laptop.files.write(&format!("{}/plan.json", laptop.directory), &json);
    let summary = laptop.stategate(&["render", "--plan-json", "plan.json", "--json"]).succeeded().stdout;
    serde_json::from_str(&summary).unwrap()
}

#[test]
fn counts_are_those_of_terraforms_plan_line() {
    let world = World::new();
    let scratch = world.place("cases");
    let mut seen = [0; 5];
    for (number, Case { name, before, after, words }) in CASES.into_iter().enumerate() {
        let lab = Lab::start(world.place("lab"));
        lab.item(
            "lab_item",
            &json!({"id": "i-1", "kind": null, "labels": null, "name": "i", "password": null,
            "revision": 1, "token_wo": null, "token_wo_version": null, "value": null}),
        );
        let files = Files { root: scratch.clone() };
        let directory = format!("case-{number}");
        let write = |text: &str| files.write(&format!("{directory}/main.tf"), &format!("{REQUIRED}{text}"));
        write(before);
        let laptop = lab.laptop(Laptop::new(files.clone(), world.scratch()).within(&directory));
        laptop.apply().succeeded();
        write(after);
        let plan = [&["plan", "-input=false", "-no-color", "-out=p"], words].concat();
        let planned = laptop.terraform(&plan).succeeded();
        let summary = rendered(&laptop, "p");
        let count = |name: &str| summary["counts"][name].as_u64().unwrap_or_default();
        let replaced = count("replace");
        let counts =
            [count("add") + replaced, count("change"), count("destroy") + replaced, count("import"), count("actions")];
        let told = plan_line(&planned.stdout);
        assert_eq!(counts, told, "{name}: {summary}\n{}", planned.stdout);
        seen.iter_mut().zip(told).for_each(|(sum, one)| *sum += one);
        assert_eq!(summary["unknown_actions"], json!([]), "{name}");
        assert_eq!(count("drift"), 0, "{name}: {summary}");
        assert_eq!(summary["actions"].as_array().map_or(0, Vec::len) as u64, count("actions"), "{name}");
    }
    assert!(seen.iter().all(|sum| *sum > 0), "a count is in no case: {seen:?}");
}

/// Everything at once, in production.
const ALL: &str = r#"
variable "given" {
  type      = string
  ephemeral = true
  default   = "given-in-secret"
}
ephemeral "lab_token" "t" { input = var.given }
resource "lab_item" "w" {
  name             = "w"
  value            = "one"
  password         = "hunter2hunter2"
  token_wo         = ephemeral.lab_token.t.value
  token_wo_version = 1
}
resource "lab_plain" "p" {
  name = "p"
}
"#;

const CHANGED: &str = r#"
moved {
  from = lab_plain.p
  to   = lab_item.p
}
resource "lab_item" "p" {
  name = "p"
}
import {
  to       = lab_item.i
  identity = { id = "i-1" }
}
resource "lab_item" "i" {
  name = "i"
}
"#;

#[test]
fn newer_parts_of_a_plan_are_reviewed_and_applied_without_a_secret() {
    let world = World::new();
    let lab = Lab::start(world.place("lab"));
    lab.item(
        "lab_item",
        &json!({"id": "i-1", "kind": null, "labels": null, "name": "i", "password": null,
        "revision": 1, "token_wo": null, "token_wo_version": null, "value": null}),
    );
    let file = format!("{PROD}/lab.tf");
    world.main.write(&file, &format!("{REQUIRED}{ALL}"));
    lab.laptop(world.laptop()).apply().succeeded();
    let number = world.pull_request("More", |files| {
        files.replace(&file, "resource \"lab_plain\" \"p\" {\n  name = \"p\"\n}\n", CHANGED);
        files.replace(&file, "token_wo_version = 1", "token_wo_version = 2");
    });
    let planned = lab.step(Step::plan(&world, number)).run().exits(0);
    let comment = world.github.comment(number);
    for told in [
        ": 1 to change, 1 to import, 1 to move\n",
        "token_wo_version = 1 -> 2",
        "moved from lab_plain.p",
        "imported from ",
    ] {
        assert!(comment.contains(told), "{told:?} is not in\n{comment}");
    }
    for untrue in ["outside of Terraform", "token_wo ", "[!WARNING]"] {
        assert!(!comment.contains(untrue), "{untrue:?} is in\n{comment}");
    }
    let again = lab.step(Step::plan(&world, number)).run().exits(0);
    assert_eq!(planned.output("fingerprint"), again.output("fingerprint"));
    world.approve(number);
    let push = world.merge(number);
    let applied = lab.step(Step::apply(&world, &push)).run().exits(0);
    let tokens: Vec<_> = lab.log().into_iter().filter(|entry| entry["name"] == "w").collect();
    assert_eq!(tokens.last().unwrap()["token"], "token-of-given-in-secret", "the provider got it");
    for text in [&comment, &world.github.comment(number), &planned.log, &applied.log, &applied.summary] {
        for secret in ["given-in-secret", "hunter2hunter2"] {
            assert!(!text.contains(secret), "{secret} is told:\n{text}");
        }
    }
}

#[test]
fn what_drifted_is_told_and_put_back() {
    let world = World::new();
    let lab = Lab::start(world.place("lab"));
    let file = format!("{PROD}/lab.tf");
    world.main.write(&file, &format!("{REQUIRED}{A}"));
    lab.laptop(world.laptop()).apply().succeeded();
    lab.drift("a", "value", &json!("by hand"));
    let number = world.pull_request("More", |files| files.append(&file, "output \"more\" { value = 1 }\n"));
    let planned = lab.step(Step::plan(&world, number)).run().exits(0);
    let comment = world.github.comment(number);
    for told in [
        "1 to change, 1 output to change",
        "1 resource was changed outside of Terraform",
        "value = \"one\" -> \"by hand\"",
    ] {
        assert!(comment.contains(told), "{told:?} is not in\n{comment}");
    }
    assert_eq!(planned.output("change"), "1");
    // As the only thing that is looked for, it is the state's record that changes.
    let only = lab.step(Step::plan(&world, number)).with("plan-args", "-refresh-only").run().exits(0);
    assert_eq!((only.output("change"), only.output("has-changes")), ("0", "true"));
}

#[test]
fn a_slow_creation_that_is_interrupted_once_is_in_the_state() {
    let world = World::new();
    let lab = Lab::start(world.place("lab"));
    let file = format!("{PROD}/lab.tf");
    lab.laptop(world.laptop()).apply().succeeded();
    let slow = "resource \"lab_item\" \"a\" {\n  name = \"a\"\n}\nresource \"lab_item\" \"b\" {\n  name  = \"b\"\n  value = lab_item.a.id\n}\n";
    let number = world.pull_request("Slow", |files| files.write(&file, &format!("{REQUIRED}{slow}")));
    lab.step(Step::plan(&world, number)).run().exits(0);
    world.approve(number);
    let push = world.merge(number);
    lab.hold("a");
    let applying = lab.step(Step::apply(&world, &push)).start();
    lab.wait_for("begin", 1);
    applying.signal(Signal::INT);
    lab.wait_for("stop", 1);
    lab.let_go("a");
    let cancelled = applying.finish().exits(130);
    assert!(cancelled.log.contains("lab_item.a: Creation complete"), "{}", cancelled.log);
    let comment = world.github.comment(number);
    assert!(comment.contains("cancelled during the apply, 1 of 2 changes completed"), "{comment}");
    let state = lab.laptop(world.laptop()).state().to_string();
    assert!(state.contains("\"lab_item\"") && world.bucket.locks().is_empty(), "{state}");
}

#[test]
fn the_lab_ends_with_whoever_started_it() {
    let world = World::new();
    let lab = Lab::start(world.place("lab"));
    let mut orphan = lab.another().spawn().unwrap();
    drop(orphan.stdin.take());
    wait_for("the provider to end", Duration::from_mins(1), || orphan.try_wait().unwrap());
}
