//! Equal changes that have other effects: with plans as real Terraform writes them, and the text of
//! their configuration.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{LINEAGE, differences};
use crate::configuration::{Configuration, Module};
use crate::plan::read_plan;
use crate::record::*;

const MAIN: &str = r#"
variable "command" {}
variable "region" {}
variable "token" { sensitive = true }
variable "unread" {}
locals { place = "in ${var.region}" }
provider "aws" {
  region = var.region
  token  = var.token
}
provider "aws" {
  alias  = "west"
  region = "us-west-1"
}
resource "aws_instance" "a" {
  provisioner "local-exec" {
    command = "./run.sh ${var.command}"
  }
}
resource "aws_instance" "calm" {}
"#;

/// One case: what is planned, with what.
struct Case {
    lineage: Option<&'static str>,
    text: String,
    plan: Value,
    script: &'static str,
    environment: BTreeMap<&'static str, &'static str>,
    origin: RecordOrigin,
}

impl Default for Case {
    fn default() -> Self {
        let reference = |name: &str| json!({"references": [name]});
        let plan = json!({
            "format_version": "1.2",
            "variables": {"command": {"value": "date"}, "region": {"value": "eu-west-1"},
                          "token": {"value": "t-1"}, "unread": {"value": 1}},
            "resource_changes": [
                {"address": "aws_instance.a", "mode": "managed", "type": "aws_instance", "name": "a",
                 "change": {"actions": ["create"], "before": null, "after": {"x": 1}}},
            ],
            "configuration": {
                "provider_config": {
                    "aws": {"name": "aws", "full_name": "registry.terraform.io/hashicorp/aws",
                            "expressions": {"region": reference("var.region"), "token": reference("var.token")}},
                    "aws.west": {"name": "aws", "alias": "west", "expressions": {"region": {"constant_value": "us-west-1"}}},
                },
                "root_module": {
                    "resources": [
                        {"address": "aws_instance.a", "mode": "managed", "type": "aws_instance", "name": "a",
                         "provider_config_key": "aws",
                         "provisioners": [{"type": "local-exec", "expressions": {"command": reference("var.command")}}]},
                        {"address": "aws_instance.calm", "mode": "managed", "type": "aws_instance", "name": "calm",
                         "provider_config_key": "aws.west"},
                    ],
                    "variables": {"command": {}, "region": {}, "token": {"sensitive": true}, "unread": {}},
                },
            },
        });
        Self {
            lineage: Some(LINEAGE),
            text: MAIN.to_owned(),
            plan,
            script: "date",
            environment: BTreeMap::new(),
            origin: RecordOrigin::default(),
        }
    }
}

impl Case {
    fn variable(mut self, name: &str, value: &str) -> Self {
        self.plan["variables"][name]["value"] = value.into();
        self
    }

    fn text(mut self, old: &str, new: &str) -> Self {
        assert!(self.text.contains(old), "{old}");
        self.text = self.text.replace(old, new);
        self
    }

    fn plan(mut self, pointer: &str, value: Value) -> Self {
        *self.plan.pointer_mut(pointer).unwrap() = value;
        self
    }

    fn record(&self) -> Record {
        let mut fingerprinter = Fingerprinter::new(FingerprintKey::new(self.lineage));
        let summary = read_plan(self.plan.to_string().as_bytes(), &mut [&mut fingerprinter]).unwrap();
        let mut module = Module::at("/x");
        module.add("main.tf", self.text.as_bytes());
        let mut configuration = Configuration::default();
        configuration.add("", module);
        let followed = Followed::new(&summary.effects, &configuration);
        let mut files = FilesBeside::new();
        if followed.wanted().modules.contains("") {
            let mut digest = [0; 32];
            digest[..self.script.len()].copy_from_slice(self.script.as_bytes());
            files.entry(String::new()).or_default().insert("run.sh".to_owned(), digest);
        }
        let observed = followed
            .observe(fingerprinter.key(), &files, &|name| self.environment.get(name).map(|value| (*value).to_owned()));
        let origin = RecordOrigin {
            head_sha: "1".repeat(40),
            lineage_digest: FingerprintKey::new(self.lineage).lineage_digest(),
            ..self.origin.clone()
        };
        Record::new(origin, fingerprinter.with_effects(observed).finish_plan(&summary))
    }
}

#[track_caller]
fn refused(case: &Case, expected: &str) {
    let (reviewed, now) = (Case { lineage: case.lineage, ..Case::default() }.record(), case.record());
    assert_ne!(reviewed.plan.fingerprint, now.plan.fingerprint);
    assert_eq!(differences(&compare(&[reviewed], &now, &[])), [expected]);
}

/// Equal, with the notes that are told all the same.
#[track_caller]
fn told(reviewed: &Case, now: &Case, expected: &[&str]) {
    let (reviewed, now) = (reviewed.record(), now.record());
    assert_eq!(reviewed.plan.fingerprint, now.plan.fingerprint);
    let Comparison::Equal { notes } = compare(&[reviewed], &now, &[]) else { panic!("they differ") };
    let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes.len(), expected.len(), "{notes:?}");
    for (note, words) in notes.iter().zip(expected) {
        assert!(note.contains(words), "{words:?} in {notes:?}");
    }
}

const TOKEN: &str = "`var.token` was not compared";

#[test]
fn another_value_for_a_provisioner_or_a_provider_is_refused_by_name() {
    let changed = "changed since the review, though the plan reads the same:";
    let run = format!("the provisioners of aws_instance.a {changed}");
    let provider = format!("the configuration of the provider aws {changed}");
    refused(&Case::default().variable("command", "curl"), &format!("{run} `var.command`"));
    refused(&Case::default().text("./run.sh", "./other.sh"), &format!("{run} `its blocks`"));
    refused(&Case::default().text("command = ", "when = destroy\ncommand = "), &format!("{run} `its blocks`"));
    refused(&Case { script: "curl", ..Case::default() }, &format!("{run} `run.sh`"));
    refused(&Case::default().variable("region", "ap-south-1"), &format!("{provider} `var.region`"));
    refused(
        &Case::default().text("region = var.region", "region = \"x-${var.region}\""),
        &format!("{provider} `its block`"),
    );
    let unkeyed = Case { lineage: None, ..Case::default().variable("command", "curl") };
    refused(&unkeyed, &format!("{run} `var.command`"));
}

#[test]
fn another_provider_for_the_same_change_is_refused() {
    let key = "/configuration/root_module/resources/0/provider_config_key";
    let west = Case::default().plan(key, json!("aws.west"));
    let found = differences(&compare(&[Case::default().record()], &west.record(), &[]));
    assert_eq!(
        found,
        [
            "the configuration of the provider aws.west: not in the reviewed plan",
            "the configuration of the provider aws: in the reviewed plan only",
        ]
    );
    // Both are in use, and only who works on what is another.
    let both = json!([
        {"address": "aws_instance.a", "mode": "managed", "type": "aws_instance", "name": "a",
         "change": {"actions": ["update"], "before": {"x": 2}, "after": {"x": 1}}},
        {"address": "aws_instance.calm", "mode": "managed", "type": "aws_instance", "name": "calm",
         "change": {"actions": ["update"], "before": {"x": 2}, "after": {"x": 1}}},
    ]);
    let one = Case::default().plan("/resource_changes", both);
    let other = Case::default()
        .plan("/resource_changes", one.plan["resource_changes"].clone())
        .plan(key, json!("aws.west"))
        .plan("/configuration/root_module/resources/1/provider_config_key", json!("aws"));
    let found = differences(&compare(&[one.record()], &other.record(), &[]));
    assert_eq!(
        found,
        ["the configuration of the provider aws.west changed since the review, though the plan reads \
        the same: `its use by aws_instance.a`, `its use by aws_instance.calm`"]
    );
}

#[test]
fn a_provider_that_a_module_inherits_is_the_root_modules() {
    let key = "/configuration/root_module/resources/0/provider_config_key";
    let mut own = Case::default().plan(key, json!("module.m:aws"));
    own.plan["configuration"]["provider_config"]["module.m:aws"] = json!({"name": "aws", "module_address": "module.m"});
    told(&Case::default(), &own, &[TOKEN]);
    own.plan["configuration"]["provider_config"]["module.m:aws"]["expressions"] = json!({"region": {}});
    assert_ne!(own.record().plan.fingerprint, Case::default().record().plan.fingerprint);
}

#[test]
fn what_no_effect_reads_makes_no_difference() {
    let calm = Case::default();
    told(&calm, &calm, &[TOKEN]);
    told(&calm, &Case::default().variable("unread", "2"), &[TOKEN]);
    told(&calm, &Case::default().text("\"aws_instance\" \"calm\" {}", "\"aws_instance\" \"calm\" { y = 1 }"), &[TOKEN]);
    told(&calm, &Case::default().text("in ${var", "at ${var"), &[TOKEN]);
    told(&calm, &Case::default().text("us-west-1", "us-west-2"), &[TOKEN]);
    // Provisioners run when something comes or goes, and only then.
    let update = json!({"actions": ["update"], "before": {"x": 2}, "after": {"x": 1}});
    let update = |case: Case| case.plan("/resource_changes/0/change", update.clone());
    told(&update(Case::default()), &update(Case::default().variable("command", "curl")), &[TOKEN]);
}

#[test]
fn a_token_that_only_a_provider_reads_is_named_and_not_compared() {
    told(&Case::default(), &Case::default().variable("token", "t-2"), &[TOKEN]);
    let shared = |case: Case| case.text("\"calm\" {}", "\"calm\" { secret_wo = var.token }");
    let found = differences(&compare(
        &[shared(Case::default()).record()],
        &shared(Case::default().variable("token", "2")).record(),
        &[],
    ));
    assert!(found[0].ends_with("`var.token`"), "{found:?}");
    let run = |case: Case| case.text("./run.sh", "./run.sh ${var.token}");
    let found = differences(&compare(
        &[run(Case::default()).record()],
        &run(Case::default().variable("token", "2")).record(),
        &[],
    ));
    assert!(found[0].starts_with("the provisioners of aws_instance.a"), "{found:?}");
    // Without a key nothing secret is recorded, and that is told.
    let unkeyed = |case| Case { lineage: None, ..run(case) };
    told(
        &unkeyed(Case::default()),
        &unkeyed(Case::default().variable("token", "2")),
        &["sensitive values were not compared"],
    );
}

#[test]
fn other_versions_modules_and_files_are_told_of_an_equal_plan() {
    let origin = |version: &str, digit: &str| RecordOrigin {
        terraform_version: Some(version.to_owned()),
        providers: [("p".to_owned(), version.to_owned())].into(),
        content_digest: Some(digit.to_owned()),
        modules: [("far".to_owned(), digit.to_owned())].into(),
        state: Some("s3://b/k".to_owned()),
        ..RecordOrigin::default()
    };
    let (then, now) = (
        Case { origin: origin("1.11.4", "1"), ..Case::default() },
        Case { origin: origin("1.15.5", "2"), ..Case::default() },
    );
    told(
        &then,
        &now,
        &[
            TOKEN,
            "it was planned with Terraform 1.11.4, and is with 1.15.5 now; the plan means the same",
            "the provider p was 1.11.4, and is 1.15.5 now; the plan means the same",
            "the module far comes from outside of the repository, and its content changed",
            "files that reach this apply changed since the review",
        ],
    );
    let elsewhere = RecordOrigin { state: Some("s3://b/copy".to_owned()), ..origin("1.11.4", "1") };
    let elsewhere = Case { origin: elsewhere, ..Case::default() };
    let found = differences(&compare(&[then.record()], &elsewhere.record(), &[]));
    assert_eq!(found, ["the state is s3://b/copy, and the reviewed plan was made for s3://b/k"]);
}

#[test]
fn of_several_reviewed_plans_each_effect_is_in_one() {
    let one = Case::default();
    let calm = json!([{"address": "aws_instance.calm", "mode": "managed", "type": "aws_instance", "name": "calm",
         "change": {"actions": ["update"], "before": {"x": 2}, "after": {"x": 1}}}]);
    let other = Case::default().plan("/resource_changes", calm.clone());
    let both = [one.plan["resource_changes"].as_array().unwrap().clone(), calm.as_array().unwrap().clone()].concat();
    let both = Case::default().plan("/resource_changes", both.into());
    let reviewed = [one.record(), other.record()];
    assert!(matches!(compare(&reviewed, &both.record(), &[]), Comparison::Equal { .. }));
    let found = differences(&compare(&reviewed, &both.variable("command", "curl").record(), &[]));
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_record_holds_no_value_of_what_is_compared() {
    let json = Case::default().variable("command", "hush-hush").variable("token", "t-0").record().to_json();
    for secret in ["hush-hush", "t-0", "./run.sh", "eu-west-1", LINEAGE] {
        assert!(!json.contains(secret), "{secret} in {json}");
    }
    let record = Case::default().record();
    assert_eq!(Record::from_json("x", record.to_json().as_bytes()), Ok(record));
}

#[test]
fn a_region_of_the_environment_counts_where_the_provider_names_none() {
    let open = || {
        let case = Case::default().text("  region = var.region\n", "");
        case.plan("/configuration/provider_config/aws/expressions", json!({}))
    };
    let in_region = |case: Case, name: &'static str, region: &'static str| Case {
        environment: BTreeMap::from([(name, region), ("GOOGLE_REGION", region)]),
        ..case
    };
    let reviewed = in_region(open(), "AWS_REGION", "eu-west-1").record();
    let now = in_region(open(), "AWS_REGION", "us-west-1").record();
    let expected = ["the configuration of the provider aws changed since the review, though the plan reads the same: \
         `the environment's region`"];
    assert_eq!(differences(&compare(std::slice::from_ref(&reviewed), &now, &[])), expected);
    assert_ne!(reviewed.plan.fingerprint, now.plan.fingerprint);
    assert_eq!(differences(&compare(&[reviewed], &open().record(), &[])), expected);
    // By another name it is the same region; and what the block names, the environment does not decide.
    let (one, other) = ("AWS_REGION", "AWS_DEFAULT_REGION");
    told(&in_region(open(), one, "eu-west-1"), &in_region(open(), other, "eu-west-1"), &[TOKEN]);
    told(&in_region(Case::default(), one, "eu-west-1"), &in_region(Case::default(), one, "x"), &[TOKEN]);
}

#[test]
fn another_account_is_a_difference_and_an_unknown_one_is_told() {
    let of = |account: Option<&str>| Case {
        origin: RecordOrigin { account: account.map(str::to_owned), ..RecordOrigin::default() },
        ..Case::default()
    };
    let (one, other) = (of(Some("111111111111")), of(Some("222222222222")));
    assert_eq!(
        differences(&compare(&[one.record()], &other.record(), &[])),
        [
            "the credentials belong to the AWS account 222222222222, and the reviewed plan was made with those of 111111111111"
        ]
    );
    told(&one, &one, &[TOKEN]);
    let note = "the AWS account was not compared";
    told(&one, &of(None), &[TOKEN, note]);
    told(&of(None), &other, &[TOKEN, note]);
}

#[test]
fn beyond_a_thousand_provisioned_resources_everything_counts() {
    let many = || {
        let mut case = Case::default().text("./run.sh ${var.command}", "./run.sh");
        for number in 0..=1_000 {
            let name = format!("n{number}");
            let runs = format!("resource \"x\" \"{name}\" {{\n provisioner \"local-exec\" {{}}\n}}\n");
            case.text.push_str(&runs);
            let head = json!({"address": name, "mode": "managed", "type": "x", "name": name});
            let (mut change, mut resource) = (head.clone(), head);
            change["change"] = json!({"actions": ["create"], "before": null, "after": {"x": 1}});
            resource["provisioners"] = json!([{"type": "local-exec", "expressions": {}}]);
            case.plan["resource_changes"].as_array_mut().unwrap().push(change);
            case.plan["configuration"]["root_module"]["resources"].as_array_mut().unwrap().push(resource);
        }
        case
    };
    let found = differences(&compare(&[many().record()], &many().variable("unread", "other").record(), &[]));
    assert!(found.len() == 1 && found[0].ends_with("`var.unread`"), "{found:?}");
    told(&many(), &many().variable("token", "t-2"), &[TOKEN]);
}

/// One text instead of another, with this plan.
#[track_caller]
fn refused_with(plan: &dyn Fn(Case) -> Case, old: &str, new: &str, expected: &str) {
    let (reviewed, now) = (plan(Case::default()), plan(Case::default()).text(old, new));
    let (reviewed, now) = (reviewed.record(), now.record());
    assert_ne!(reviewed.plan.fingerprint, now.plan.fingerprint);
    let found = differences(&compare(&[reviewed], &now, &[]));
    assert_eq!(found, [expected.to_owned()]);
}

const CHANGED: &str = "changed since the review, though the plan reads the same:";

#[test]
fn every_configuration_of_the_provider_that_destroys_what_no_text_has_is_compared() {
    const SOURCE: &str = "registry.terraform.io/hashicorp/aws";
    let gone = |case: Case| {
        let mut case = case.plan(
            "/resource_changes",
            json!([{"address": "module.m.aws_instance.gone", "module_address": "module.m", "mode": "managed",
                "type": "aws_instance", "name": "gone", "provider_name": SOURCE,
                "change": {"actions": ["delete"], "before": {"x": 1}, "after": null}}]),
        );
        case.plan["configuration"]["provider_config"]["aws.west"]["full_name"] = SOURCE.into();
        case
    };
    refused_with(
        &gone,
        "us-west-1",
        "us-west-2",
        &format!("the configuration of the provider aws.west {CHANGED} `its block`"),
    );
    refused_with(
        &gone,
        "region = var.region",
        "region = \"x\"",
        &format!("the configuration of the provider aws {CHANGED} `its block`, `var.region`"),
    );
    // The configuration before the changes says the same.
    let text = gone(Case::default()).plan;
    let turned = format!(
        r#"{{"format_version": "1.2", "configuration": {}, "resource_changes": {}}}"#,
        text["configuration"], text["resource_changes"]
    );
    let keys =
        |plan: &str| read_plan(plan.as_bytes(), &mut []).unwrap().effects.providers.into_keys().collect::<Vec<_>>();
    assert_eq!(keys(&turned), ["aws", "aws.west"]);
    assert_eq!(keys(&text.to_string()), ["aws", "aws.west"]);
    // What the configuration has takes its own provider, and another provider's are no matter.
    let own = |case: Case| gone(case).plan("/resource_changes/0/name", json!("calm"));
    let own = |case: Case| {
        let mut case = own(case);
        case.plan["resource_changes"][0]["module_address"] = Value::Null;
        case
    };
    assert_eq!(keys(&own(Case::default()).plan.to_string()), ["aws.west"]);
    let other = gone(Case::default()).plan("/resource_changes/0/provider_name", json!("registry.terraform.io/x/y"));
    assert_eq!(keys(&other.plan.to_string()), ["y"]);
}

#[test]
fn the_provider_of_an_action_is_compared_and_which_one_it_takes() {
    const SOURCE: &str = "registry.terraform.io/hashicorp/aws";
    let invoked = |case: Case| {
        let mut case = case.plan("/resource_changes", json!([]));
        case.text.push_str("action \"aws_call\" \"c\" {\n provider = aws.west\n}\n");
        case.plan["configuration"]["provider_config"]["aws.west"]["full_name"] = SOURCE.into();
        case.plan["action_invocations"] = json!([{"address": "action.aws_call.c[0]", "type": "aws_call", "name": "c",
            "provider_name": SOURCE, "config_values": {}, "invoke_action_trigger": {}}]);
        case
    };
    refused_with(
        &invoked,
        "us-west-1",
        "us-west-2",
        &format!("the configuration of the provider aws.west {CHANGED} `its block`"),
    );
    refused_with(
        &invoked,
        "provider = aws.west",
        "provider = aws",
        &format!("the provider of action.aws_call.c {CHANGED} `its choice`"),
    );
}

#[test]
fn an_ephemeral_resource_that_a_provisioner_reads_is_followed_to_its_provider() {
    let opens = |case: Case| {
        let mut case = case.text("./run.sh", "./run.sh ${ephemeral.vault_secret.x.data}");
        case.text.push_str("ephemeral \"vault_secret\" \"x\" {\n path = var.unread\n}\n");
        case.text.push_str("provider \"vault\" {\n address = \"good\"\n}\n");
        case.plan["configuration"]["provider_config"]["vault"] = json!({"name": "vault", "full_name": "x/y/vault",
            "expressions": {"address": {"constant_value": "good"}}});
        case
    };
    let run = format!("the provisioners of aws_instance.a {CHANGED}");
    refused_with(&opens, "path = ", "place = ", &format!("{run} `ephemeral.vault_secret.x`"));
    refused_with(
        &opens,
        "\"good\"",
        "\"evil\"",
        &format!("the configuration of the provider vault {CHANGED} `its block`"),
    );
    let other = opens(Case::default()).variable("unread", "2").record();
    let found = differences(&compare(&[opens(Case::default()).record()], &other, &[]));
    assert_eq!(found, [format!("{run} `var.unread`")]);
}
