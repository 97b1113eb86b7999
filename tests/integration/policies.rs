//! The policies that `docs/threat-model.md` prints, given to users of an AWS that enforces them, for
//! several root modules and named workspaces: enough for each role's work, and for nothing else.

use serde_json::{Value, json};

use crate::harness::files::{DEV, PROD, PROD_KEY};
use crate::harness::ministack::Ministack;
use crate::harness::runner::Step;
use crate::harness::world::World;

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
        for name in ["Resource", "NotResource"] {
            let Some(printed) = statement.get(name).cloned() else { continue };
            let one = |value: &Value| value.as_str().expect("a resource is a text").replace("BUCKET", bucket);
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
            statement[name] = json!(texts.into_iter().flat_map(each).collect::<Vec<_>>());
        }
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
