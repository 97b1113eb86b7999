//! The policies that `docs/threat-model.md` prints, given to users of an AWS that enforces them, for
//! several root modules and named workspaces: enough for each role's work, and for nothing else.

use serde_json::{Value, json};

use crate::harness::files::{DEV, PROD, PROD_KEY, PROD_LOCK, backend};
use crate::harness::ministack::Ministack;
use crate::harness::runner::Step;
use crate::harness::world::World;
use crate::lock_store::table;

const DEV_KEY: &str = "dev/app/terraform.tfstate";
const BLUE_KEY: &str = "env:/blue/prod/app/terraform.tfstate";
const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// The policy under a heading, for these states: each resource with `KEY` in it stands for each of them.
fn printed(heading: &str, bucket: &str, keys: &[&str]) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/threat-model.md");
    let page = std::fs::read_to_string(path).expect("the page can be read");
    let (_, section) = page.split_once(heading).expect("the heading is there");
    let (_, block) = section.split_once("```json\n").expect("a policy follows");
    let (block, _) = block.split_once("```").expect("the policy ends");
    let mut policy: Value = serde_json::from_str(block).expect("the policy is JSON");
    let statements = policy["Statement"].as_array_mut().expect("there are statements");
    statements.retain(|statement| statement["Sid"] != "UseTheKey");
    for statement in statements {
        for name in ["/Resource", "/NotResource", "/Condition/ForAllValues:StringEquals/dynamodb:LeadingKeys"] {
            let Some(place) = statement.pointer_mut(name) else { continue };
            let printed = place.clone();
            let one = |value: &Value| {
                let text = value.as_str().expect("a resource is a text").replace("BUCKET", bucket);
                text.replace("REGION:ACCOUNT", "us-east-1:000000000000").replace("TABLE", bucket)
            };
            let texts = match &printed {
                Value::Array(all) => all.iter().map(one).collect(),
                text => vec![one(text)],
            };
            let each = |text: String| -> Vec<String> {
                if text.contains("KEY") {
                    keys.iter().map(|key| text.replace("KEY", key)).collect()
                } else {
                    vec![text]
                }
            };
            *place = json!(texts.into_iter().flat_map(each).collect::<Vec<_>>());
        }
    }
    policy
}

/// A policy with the statements under another heading: in place of those with the same names, or added.
fn amended(mut policy: Value, heading: &str, bucket: &str, keys: &[&str]) -> Value {
    let statements = policy["Statement"].as_array_mut().expect("there are statements");
    for statement in printed(heading, bucket, keys)["Statement"].as_array().expect("there are statements") {
        statements.retain(|other| other["Sid"] != statement["Sid"]);
        statements.push(statement.clone());
    }
    policy
}

/// A world whose AWS enforces policies, with both environments applied, and a workspace in production.
fn guarded() -> (Ministack, World) {
    let ministack = Ministack::start(&[("AUTH", "true")]);
    let world = World::with_bucket(ministack.bucket());
    world.laptop().apply().succeeded();
    world.laptop().within(DEV).apply().succeeded();
    world.laptop().initialised(&["workspace", "new", "blue"]).succeeded();
    (ministack, world)
}

fn with<'a>(step: Step<'a>, (key, secret): &(String, String)) -> Step<'a> {
    step.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret)
}

/// Keys that a role for production must not write: of others, and of its own what is not its work.
fn forbidden_to_both() -> Vec<String> {
    let mut keys = vec![
        DEV_KEY.to_owned(),
        format!("{DEV_KEY}.tflock"),
        format!("stategate/{DEV_KEY}/plans/{SHA}.json"),
        format!("stategate/{DEV_KEY}/audit/2026-11-20T12:00:00.500000000Z-apply.json"),
        format!("env:/green/{PROD_KEY}"),
        format!("env:/green/{PROD_KEY}.tflock"),
        format!("stategate/env:/green/{PROD_KEY}/plans/{SHA}.json"),
        format!("env:/blue/x/{PROD_KEY}"),
    ];
    keys.extend([PROD_KEY, BLUE_KEY].map(|key| format!("stategate/{key}/x.json")));
    keys
}

#[test]
fn the_printed_plan_role_plans_and_writes_nothing_else() {
    let (ministack, world) = guarded();
    let mut policy = printed("### The plan role", &world.bucket.name, &[PROD_KEY, BLUE_KEY]);
    // Whatever else the role was given, such as by another policy.
    let wide =
        json!({ "Sid": "Careless", "Effect": "Allow", "Action": ["s3:PutObject", "s3:DeleteObject"], "Resource": "*" });
    let careful = ministack.user("planner", &policy);
    policy["Statement"].as_array_mut().unwrap().push(wide);
    let careless = ministack.user("careless", &policy);
    let number = world.new_image();
    for who in [&careful, &careless] {
        with(Step::plan(&world, number), who).run().exits(0);
        with(Step::plan(&world, number), who).with("workspace", "blue").run().exits(0);
        for key in forbidden_to_both() {
            assert!(!world.bucket.may_put(who, &key), "{key}");
        }
        for key in [PROD_KEY, BLUE_KEY] {
            let ours = format!("stategate/{key}");
            for key in [
                key.to_owned(),
                format!("{ours}/audit/2026-11-20T12:00:00.500000000Z-apply.json"),
                format!("{ours}/audit/{key}/plans/z-apply.json"),
                format!("{ours}/rescued/7-1.kept"),
            ] {
                assert!(!world.bucket.may_put(who, &key), "{key}");
            }
            assert!(world.bucket.may_put(who, &format!("{ours}/plans/{SHA}.json")), "{ours}");
        }
    }
    assert!(!world.bucket.may_get(&careful, DEV_KEY), "another root module's state is not readable");
    assert!(world.bucket.may_get(&careful, PROD_KEY));
}

#[test]
fn the_printed_apply_role_applies_and_writes_nothing_of_others() {
    let (ministack, world) = guarded();
    let keys = [PROD_KEY, BLUE_KEY];
    let planner = ministack.user("planner", &printed("### The plan role", &world.bucket.name, &keys));
    let applier = ministack.user("applier", &printed("### The apply role", &world.bucket.name, &keys));
    for workspace in ["default", "blue"] {
        let number = world.pull_request(workspace, |files| {
            let text = format!("resource \"terraform_data\" \"of_{workspace}\" {{}}\n");
            files.write(&format!("{PROD}/{workspace}.tf"), &text);
        });
        with(Step::plan(&world, number), &planner).with("workspace", workspace).run().exits(0);
        world.approve(number);
        let push = world.merge(number);
        with(Step::apply(&world, &push), &applier).with("workspace", workspace).run().exits(0);
    }
    for key in forbidden_to_both() {
        assert!(!world.bucket.may_put(&applier, &key), "{key}");
    }
    for key in keys {
        let record = format!("stategate/{key}/plans/{SHA}.json");
        assert!(!world.bucket.may_put(&applier, &record), "{record}");
    }
    assert!(!world.bucket.may_get(&applier, DEV_KEY));
}

#[test]
fn the_printed_plan_role_that_breaks_stale_locks_writes_no_other_trail() {
    let (ministack, world) = guarded();
    let name = &world.bucket.name;
    let usual = printed("### The plan role", name, &[PROD_KEY]);
    let may_break = amended(usual.clone(), "### A plan role that breaks stale locks", name, &[PROD_KEY]);
    let (usual, may_break) = (ministack.user("usual", &usual), ministack.user("breaker", &may_break));
    let (_, push, sign) = world.slow_change();
    let step = Step::apply(&world, &push).start();
    step.wait_for_apply();
    let dead = step.vanish();
    sign.go_on();
    world.github.finish_run_before(dead.run, "cancelled", 7);
    let number = world.new_image();
    let entry = "-break-stale-lock.json";
    let made_up = format!("stategate/{PROD_KEY}/audit/2026-11-20T12:00:00.500000000Z{entry}");
    assert!(!world.bucket.may_put(&usual, &made_up), "the other statements are needed");
    let plan = Step::plan(&world, number).with("break-stale-lock", "true").with("lock-timeout", "0s");
    with(plan, &may_break).run().exits(0);
    assert!(world.bucket.keys().iter().any(|key| key.ends_with(entry)), "it is in the trail");
    assert!(world.bucket.get(PROD_LOCK).is_none(), "it was removed, and the plan's own was released");
    for key in [
        format!("stategate/{PROD_KEY}/audit/2026-11-20T12:00:00.500000000Z-apply.json"),
        format!("stategate/{PROD_KEY}/audit/2026-11-20T12:00:00.500000000Z-unlock.json"),
        format!("stategate/{PROD_KEY}/rescued/7-1.kept"),
        PROD_KEY.to_owned(),
    ] {
        assert!(!world.bucket.may_put(&may_break, &key), "{key}");
    }
}

/// The stand-in knows no `dynamodb:LeadingKeys`, so what holds here is which calls each role needs.
#[test]
fn the_printed_roles_lock_in_a_dynamodb_table() {
    let ministack = Ministack::start(&[("AUTH", "true")]);
    let world = World::with_bucket(ministack.bucket());
    let name = &world.bucket.name;
    table(&ministack, name);
    let text = backend(&world.bucket, PROD_KEY, &format!("    dynamodb_table = \"{name}\"\n"));
    world.main.write(&format!("{PROD}/backend.tf"), &text);
    world.laptop().apply().succeeded();
    let without = printed("### The plan role", name, &[PROD_KEY]);
    let heading = "### With a DynamoDB table";
    let plans = ministack.user("planner", &amended(without.clone(), heading, name, &[PROD_KEY]));
    let mut policy = amended(printed("### The apply role", name, &[PROD_KEY]), heading, name, &[PROD_KEY]);
    let statements = policy["Statement"].as_array_mut().unwrap();
    let digest = statements.iter_mut().find(|statement| statement["Sid"] == "ReadTheDigest").unwrap();
    digest["Action"] = json!(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"]);
    let applies = ministack.user("applier", &policy);
    let number = world.new_image();
    with(Step::plan(&world, number), &ministack.user("without", &without)).run().exits(20).says("dynamodb:");
    with(Step::plan(&world, number), &plans).run().exits(0);
    world.approve(number);
    with(Step::apply(&world, &world.merge(number)), &applies).run().exits(0);
    assert!(world.bucket.locks().is_empty());
}
