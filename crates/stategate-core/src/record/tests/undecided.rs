//! Values that a plan does not know, and the code that sets them.

use serde_json::{Value, json};

use super::{LINEAGE, differences};
use crate::configuration::{Configuration, Module};
use crate::plan::read_plan;
use crate::record::*;

const MAIN: &str = r#"
variable "word" {}
locals { word = "good" }
module "m" {
  source = "./m"
  word   = "${local.word} ${uuid()}"
}
resource "terraform_data" "calm" {
  triggers_replace = "calm"
}
action "x_run" "go" {
  config { target = "${module.m.id} act" }
}
output "told" { value = "${module.m.id} told" }
"#;

const CHILD: &str = r#"
variable "word" {}
resource "x_thing" "b" {
  name  = "constant"
  input = "${terraform_data.a.id} ${var.word} own"
  volume {
    size = 1
  }
  dynamic "disk" {
    for_each = ["d"]
    content { label = "${terraform_data.a.id} disk" }
  }
}
data "external" "late" { program = ["sh", terraform_data.a.id, "late"] }
output "id" { value = terraform_data.a.id }
"#;

struct Case {
    texts: [String; 2],
    unknown: Value,
    value: &'static str,
}

fn case() -> Case {
    let unknown = json!({"id": true, "input": true, "volume": [{"id": true}], "disk": [{"id": true, "label": true}]});
    Case { texts: [MAIN, CHILD].map(str::to_owned), unknown, value: "v" }
}

impl Case {
    fn with(mut self, old: &str, new: &str) -> Self {
        assert!(self.texts.iter().any(|text| text.contains(old)), "{old}");
        self.texts = self.texts.map(|text| text.replace(old, new));
        self
    }

    fn record(&self) -> Record {
        let created = |module: Option<&str>, mode: &str, r#type: &str, name: &str, unknown: &Value| {
            json!({"address": format!("{mode} {name}"), "module_address": module, "mode": mode, "type": r#type, "name": name,
                "change": {"actions": [if mode == "data" { "read" } else { "create" }], "before": null,
                    "after": {"name": "constant"}, "after_unknown": unknown}})
        };
        let plan = json!({
            "variables": {"word": {"value": self.value}},
            "resource_changes": [
                created(Some("module.m"), "managed", "x_thing", "b", &self.unknown),
                created(Some("module.m"), "data", "external", "late", &json!({"program": true, "result": true})),
                created(None, "managed", "terraform_data", "calm", &json!({"id": true})),
            ],
            "action_invocations": [{"address": "action.x_run.go", "type": "x_run", "name": "go",
                "config_values": {}, "config_unknown": {"config": {"target": true}}, "invoke_action_trigger": {}}],
            "output_changes": {"told": {"actions": ["create"], "before": null, "after_unknown": true}},
        });
        let mut fingerprinter = Fingerprinter::new(FingerprintKey::new(Some(LINEAGE)));
        let summary = read_plan(plan.to_string().as_bytes(), &mut [&mut fingerprinter]).unwrap();
        let mut configuration = Configuration::default();
        for (call_path, text) in ["", "m"].into_iter().zip(&self.texts) {
            let mut module = Module::at(call_path);
            module.add("main.tf", text.as_bytes());
            configuration.add(call_path, module);
        }
        let followed = Followed::new(&summary.effects, &configuration);
        let observed = followed.observe(fingerprinter.key(), &FilesBeside::new(), &|_| None);
        let origin = RecordOrigin {
            head_sha: "1".repeat(40),
            lineage_digest: FingerprintKey::new(Some(LINEAGE)).lineage_digest(),
            ..RecordOrigin::default()
        };
        Record::new(origin, fingerprinter.with_effects(observed).finish_plan(&summary))
    }
}

#[track_caller]
fn refused(now: &Case, expected: &str) {
    let found = differences(&compare(&[case().record()], &now.record(), &[]));
    assert_eq!(found.len(), 1, "{found:?}");
    let (address, part) = expected.split_once(' ').unwrap();
    assert_eq!(found[0], format!("{address}: what is decided during the apply is set by other code: `{part}`"));
}

#[test]
fn other_code_for_an_unknown_value_is_refused_by_name() {
    let b = "module.m.x_thing.b";
    refused(&case().with(" own", " evil"), &format!("{b} its input"));
    refused(&case().with(" disk\"", " evil\""), &format!("{b} its dynamic"));
    refused(&case().with("\"good\"", "\"evil\""), &format!("{b} local.word"));
    refused(&case().with("${uuid()}", "${uuid()} evil"), &format!("{b} var.word in module m"));
    refused(&case().with("\"late\"]", "\"evil\"]"), "module.m.data.external.late its program");
    refused(&case().with(" act\"", " evil\""), "action.x_run.go its config");
    refused(&case().with(" told\"", " evil\""), "output.told its value");
}

#[test]
fn code_that_sets_nothing_unknown_makes_no_difference() {
    for (old, new) in [("\"calm\"\n", "\"other\"\n"), ("size = 1", "size = 2"), ("\"constant\"", "\"x\"")] {
        let equal = compare(&[case().record()], &case().with(old, new).record(), &[]);
        assert!(matches!(equal, Comparison::Equal { .. }), "{old}: {:?}", differences(&equal));
    }
    let other = Case { value: "other", ..case() };
    assert!(matches!(compare(&[case().record()], &other.record(), &[]), Comparison::Equal { .. }));
}

#[test]
fn of_an_object_only_the_unknown_members_count() {
    let of = |object: &str| {
        let mut case = case().with("\"${terraform_data.a.id} ${var.word} own\"", object);
        case.unknown["input"] = json!({"now": true});
        case.record()
    };
    let reviewed = [of("{\n now = timestamp()\n set = toset([1, 2])\n}")];
    let equal = compare(&reviewed, &of("{\n set = toset([2, 1]), now = timestamp()\n}"), &[]);
    assert!(matches!(equal, Comparison::Equal { .. }), "{:?}", differences(&equal));
    let other = compare(&reviewed, &of("{\n now = uuid()\n set = toset([1, 2])\n}"), &[]);
    assert!(differences(&other)[0].ends_with("`its input`"));
}

#[test]
fn a_variable_that_an_unknown_value_reads_is_compared() {
    let reads = |value| Case { value, ..case().with("${local.word}", "${var.word}") };
    let found = differences(&compare(&[reads("v").record()], &reads("evil").record(), &[]));
    assert_eq!(found, ["module.m.x_thing.b: what is decided during the apply is set by other code: `var.word`"]);
    assert!(matches!(compare(&[reads("v").record()], &reads("v").record(), &[]), Comparison::Equal { .. }));
}

#[test]
fn an_override_may_set_any_unknown_value() {
    let record = |word: &str| {
        let mut case = case().with("input = ", "other = ");
        case.texts[1].push_str(&format!("check \"{word}\" {{\n  x = <<EOT\n"));
        case.record()
    };
    assert_ne!(record("good").plan.fingerprint, record("evil").plan.fingerprint);
}
