//! Most of these texts are read by Terraform in another way than it looks. All of them are valid: each was
//! run with Terraform.

use super::*;

fn reads(files: &[(&str, &str)]) -> Reads {
    let mut module = Module::at("");
    for (name, text) in files {
        module.add(name, text.as_bytes());
    }
    let mut configuration = Configuration::default();
    configuration.add("", module);
    configuration.provisioners("", "terraform_data", "x")
}

/// A provisioner whose command is the word `GOOD`.
const RUNS: &str = "resource \"terraform_data\" \"x\" {\n provisioner \"local-exec\" {\n command = \"GOOD\"\n }\n}\n";

/// The same resource with a command that never changes, and that never runs.
const DECOY: &str = "resource \"terraform_data\" \"x\" {\n provisioner \"local-exec\" {\n command = \"decoy\"\n }\n}\n";

#[test]
fn no_spelling_hides_a_provisioner_from_the_comparison() {
    let in_comment = format!("locals {{\n a = \"${{/*\"*/1}}\"\n #\n}}\n{RUNS}locals {{\n b = 1\n # }}\"\n}}\n{DECOY}");
    let in_comment = in_comment.replace(DECOY, &format!("/* {DECOY} */"));
    let in_heredoc = format!(
        "locals {{\n a = <<EOT\n${{/*\nEOT\n}}\n{DECOY}locals {{\n z = <<ZZ\n*/ 1}}\nEOT\n}}\n{RUNS}locals {{\n b = <<ZZ\nZZ\n}}\n"
    );
    let twice = r#"{"resource": {"terraform_data": {"x": {"provisioner": {"local-exec": {"command": "GOOD"}}}}},
        "resource": {"terraform_data": {"y": {}}}}"#;
    let cases: [(&str, Vec<(&str, String)>); 6] = [
        ("a comment in a template", vec![("main.tf", in_comment)]),
        ("a heredoc's mark in a comment", vec![("main.tf", in_heredoc)]),
        ("a label with an escape", vec![("main.tf", RUNS.replace("\"x\"", r#""\u0078""#))]),
        ("an override with two dots", vec![("main.tf", DECOY.to_owned()), ("y.z_override.tf", RUNS.to_owned())]),
        ("a JSON key twice", vec![("main.tf.json", twice.to_owned())]),
        ("a plain block", vec![("main.tf", RUNS.to_owned())]),
    ];
    for (what, files) in cases {
        let good: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let other: Vec<(&str, String)> =
            files.iter().map(|(name, text)| (*name, text.replace("GOOD", "other"))).collect();
        let other: Vec<(&str, &str)> = other.iter().map(|(name, text)| (*name, text.as_str())).collect();
        assert_ne!(good, other, "{what}");
        assert_ne!(reads(&good), reads(&other), "{what}");
    }
}

#[test]
fn no_spelling_hides_a_variable_from_the_comparison() {
    let runs = RUNS.replace("GOOD", "${var.cmd}");
    let cases: [(&str, Vec<(&str, String)>); 6] = [
        ("a comment in the name", vec![("main.tf", runs.replace("var.", "var./*c*/"))]),
        ("a file that is not understood", vec![("main.tf", DECOY.to_owned()), ("main_override.tf", runs.clone())]),
        ("a label with an escape", vec![("main.tf", runs.replace("\"x\"", r#""\u0078""#))]),
        (
            "a JSON key twice",
            vec![(
                "main.tf.json",
                r#"{"resource": {"terraform_data": {"x": {"provisioner": {"local-exec": {"command": "${v\u0061r.cmd}"}}}}}, "resource": {}}"#.to_owned(),
            )],
        ),
        (
            "an escape before the name in JSON",
            vec![("main.tf.json", r#"{"resource": {"terraform_data": {"x": {"provisioner": {"local-exec": {"command": "${\nvar.cmd}"}}}}}}"#.to_owned())],
        ),
        ("a plain block", vec![("main.tf", runs)]),
    ];
    for (what, files) in cases {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let reads = reads(&files);
        assert!(reads.variables.contains(&"cmd".to_owned()), "{what}: {reads:?}");
    }
}

fn of(modules: &[(&str, &str)]) -> Configuration {
    let mut configuration = Configuration::default();
    for (call_path, text) in modules {
        let mut module = Module::at(*call_path);
        module.add("main.tf", text.as_bytes());
        configuration.add(call_path, module);
    }
    configuration
}

#[test]
fn a_default_counts_wherever_it_is_declared() {
    let runs = RUNS.replace("GOOD", "${var.cmd}");
    for declared in [
        "variable \"cmd\" { default = \"GOOD\" }",
        "variable \"cmd\" {\n type = object({ run = optional(string, \"GOOD\") })\n}",
    ] {
        let child = format!("{runs}{declared}");
        let read = |child: &str| {
            let call = "module \"m\" {\n source = \"x\"\n cmd = null\n}";
            of(&[("", call), ("m", child)]).provisioners("m", "terraform_data", "x")
        };
        assert_ne!(read(&child), read(&child.replace("GOOD", "other")), "{declared}");
    }
    let root = |default: &str| {
        let declared = format!("variable \"cmd\" {{\n type = object({{ run = optional(string, \"{default}\") }})\n}}");
        of(&[("", &format!("{runs}{declared}"))]).provisioners("", "terraform_data", "x")
    };
    assert_ne!(root("GOOD"), root("other"));
}

#[test]
fn a_provider_is_followed_into_what_is_ephemeral() {
    let text = r#"
provider "aws" { token = ephemeral.vault_secret.x.data }
ephemeral "vault_secret" "x" {
  path  = "GOOD"
  place = var.place
  token = var.token
}
"#;
    let reads = |text: &str| of(&[("", text)]).provider("", "aws", None);
    assert_ne!(reads(text), reads(&text.replace("GOOD", "other")));
    let mut variables = reads(text).variables;
    variables.sort();
    assert_eq!(variables, ["place", "token"]);
    assert!(!of(&[("", text)]).is_read_beside_providers("token"));
}

#[test]
fn an_alias_with_an_escape_can_be_any() {
    let text = "provider \"aws\" {\n alias = \"w\\u0065st\"\n region = \"GOOD\"\n}";
    let reads = |text: &str| of(&[("", text)]).provider("", "aws", Some("west"));
    assert_ne!(reads(text), reads(&text.replace("GOOD", "other")));
}

#[test]
fn a_long_chain_of_names_ends() {
    let mut text = RUNS.replace("GOOD", "${local.a0}");
    text.push_str("locals {\n");
    for at in 0..10_000 {
        text.push_str(&format!("a{at} = local.a{}\n", at + 1));
    }
    text.push_str("a10000 = var.cmd\n}");
    let reads = of(&[("", &text)]).provisioners("", "terraform_data", "x");
    assert_eq!(reads.variables, ["cmd"]);
}

#[test]
fn the_calls_to_a_module_are_read_from_its_address() {
    assert_eq!(call_path(""), "");
    assert_eq!(call_path("module.a"), "a");
    assert_eq!(call_path(r#"module.a["x.module.y]\""].module.b[0]"#), "a.b");
}

#[test]
fn json_is_split_as_hcl_is() {
    let text = r#"{"resource": {"t": {"n": [{"provisioner": [{"local-exec": {"command": "x"}}], "count": 2}]}},
        "locals": {"a": 1}, "provider": {"aws": [{"region": "x"}, {"alias": "y"}]}}"#;
    let mut module = Module::at("m");
    module.add("main.tf.json", text.as_bytes());
    let body = module.block("resource", &["t", "n"]).unwrap();
    assert!(body.iter().any(|item| item.block("provisioner").is_some()));
    assert_eq!(module.blocks("provider").count(), 2);
    assert_eq!(split::attribute(module.block("locals", &[]).unwrap(), "a"), Some("1"));
}
