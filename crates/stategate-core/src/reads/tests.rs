//! What is found, and what is not, in all that a configuration may be written like.

use proptest::prelude::*;

use super::*;

/// The places of a text below `root` and `module`, or `None` for anything.
fn places(reads: &Reads) -> Option<Vec<String>> {
    let name = |(base, path): &(Base, String)| {
        let base = if *base == Base::Root { "root" } else { "module" };
        if path.starts_with('/') { path.clone() } else { format!("{base}/{path}") }
    };
    (!reads.anything).then(|| reads.places.iter().map(name).collect())
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found = places(&in_hcl(text)).unwrap_or_else(|| panic!("{text}: anything"));
    for place in expected {
        assert!(found.contains(&(*place).to_owned()), "{text}: {place} is not in {found:?}");
    }
    let is_elsewhere = |place: &&String| place.contains("..");
    assert_eq!(
        found.iter().any(|place| is_elsewhere(&place)),
        expected.iter().any(|place| place.contains("..")),
        "{text}: {found:?}"
    );
}

#[track_caller]
fn check_anything(text: &str) {
    assert!(in_hcl(text).anything, "{text}: {:?}", in_hcl(text));
}

#[test]
fn a_path_outside_of_the_module_is_found() {
    check(r#"x = file("../../config/x.json")"#, &["root/../../config/x.json"]);
    check(r#"x = core::file("../x")"#, &["root/../x"]);
    check(r#"x = filebase64("${path.module}/../x.zip")"#, &["module/../x.zip"]);
    check(r#"x = file("${path.root}/../x")"#, &["root/../x"]);
    check(r#"x = file("${path.cwd}/../x")"#, &["root/../x"]);
    check(r#"x = templatefile("${path.module}/../cfg/${var.env}.json", {})"#, &["module/../cfg"]);
    check(r#"for_each = fileset("../rules", "*.yml")"#, &["root/../rules"]);
    check(r#"for_each = fileset("${path.module}/../rules", "**")"#, &["module/../rules"]);
    check(r#"source_dir = "${path.module}/../../lambdas/a""#, &["module/../../lambdas/a"]);
    check(r#"source_dir = "../lambdas/a""#, &["root/../lambdas/a", "module/../lambdas/a"]);
    check(r#"command = "cd ../scripts/x && make""#, &["root/../scripts/x"]);
    check("command = <<-EOT\n  cd ../scripts/x\n  EOT\nx = 1", &["root/../scripts/x"]);
    check(r#"x = file("\u002e\u002e/x")"#, &["root/../x"]);
    check(r#"x = jsondecode(file(abspath("../x")))"#, &["root/../x"]);
    check("x = file(\n  # why\n  \"../x\"\n)", &["root/../x"]);
    check(r#"x = "a ${file("../x")} b""#, &["root/../x"]);
    check(r#"x = "a %{ if true }${file("../x")}%{ endif }""#, &["root/../x"]);
    check(r#"x = file("/srv/x")"#, &["/srv/x"]);
}

#[test]
fn what_stays_below_the_module_leads_nowhere_else() {
    for text in [
        r#"x = file("x.json")"#,
        r#"x = file("${path.module}/x.json")"#,
        r#"for_each = fileset(path.module, "*.json")"#,
        r#"x = templatefile("${path.module}/t/${each.key}.tpl", { dir = path.module })"#,
        r#"name = "a..b ${var.x}-${var.y} 1...2""#,
        "# file(\"../x\")\nx = 1",
        "/* file(\"../x\") */ x = 1",
        "// file(\"../x\")",
        "x = basename(abspath(path.root))",
        r#"x = "${var.prefix}/a/b""#,
        "x = [for f in fileset(path.module, \"x/*\") : file(\"${path.module}/${f}\")]",
    ] {
        check(text, &[]);
    }
}

#[test]
fn a_modules_source_opens_no_other_path() {
    let text = "module \"a\" {\n  source = \"../..\"\n}\nmodule \"b\" {\n  source = \"../../b\"\n}\n\
        x = file(\"${path.module}/${each.key}.json\")\n";
    check(text, &["root/../../b"]);
    check(r#"source = "../lambda.zip""#, &["root/../lambda.zip"]);
    check_anything(r#"source = "${file(var.x)}""#);
}

#[test]
fn where_an_expression_decides_it_may_be_anything() {
    for text in [
        "x = file(var.path)",
        "x = file(local.paths[0])",
        "x = file(each.value)",
        r#"x = file("${var.dir}/x")"#,
        r#"x = file(var.a ? "x" : "y")"#,
        r#"x = file(join("/", ["a", "b"]))"#,
        r#"x = file(format("%s/x", path.module))"#,
        r#"x = file(["x"][0])"#,
        r#"x = "${var.dir}/../x""#,
        "x = dirname(path.module)",
        r#"x = replace(path.module, "/modules.*/", "")"#,
        r#"x = join("/", [path.module, "..", ".."])"#,
        r#"up = "../..""#,
        r#"x = fileset("a", "../*.yml")"#,
        // The key may be what another string says.
        "x = file(\"${path.module}/${each.key}\")\nfor_each = toset([\"../../a\"])",
    ] {
        check_anything(text);
    }
    assert!(in_hcl(&"\"${".repeat(10_000)).anything, "too deep to follow");
}

#[test]
fn json_is_read_in_every_string_whatever_stands_twice() {
    let found = in_json(r#"{"a": "${file(\"../x\")}", "a": {"b": ["${path.module}/../y", "\u002e./z/w"]}}"#);
    let places = places(&found).unwrap();
    for place in ["root/../x", "module/../y", "root/../z/w"] {
        assert!(places.contains(&place.to_owned()), "{places:?}");
    }
    assert!(in_json(r#"{"a": "${file(var.x)}"}"#).anything);
    assert!(!in_json(r#"{"a": "plain ${var.x}"}"#).anything);
}

#[test]
fn a_template_can_read_further() {
    assert_eq!(in_template("a ${file(\"../x\")} b").places, [(Base::Root, "../x".to_owned())].into());
}

fn local_exec(command: &str) -> String {
    format!("resource \"a\" \"b\" {{\n  provisioner \"local-exec\" {{\n    command = \"{command}\"\n  }}\n}}\n")
}

fn may_be_anything(reads: &Reads) -> bool {
    reads.anything || reads.has_programs && reads.has_shell_path
}

#[test]
fn a_command_with_a_path_of_the_shell_may_read_anything() {
    for command in [
        "sh $GITHUB_WORKSPACE/a/run.sh",
        "sh \\\"$GITHUB_WORKSPACE\\\"/a/run.sh",
        "sh $${GITHUB_WORKSPACE}/a/run.sh",
        "sh $${DIR:-x}/a/run.sh",
        "python3 -c 'import os; os.environ[\\\"GITHUB_WORKSPACE\\\"]'",
        "sh $(dirname $PWD)/a/run.sh",
        "sh `dirname $PWD`/a/run.sh",
        "echo $(cat $PWD/../x)",
        "D=$(dirname $(pwd)); sh $D/run.sh",
        "cd \\\"$DIR\\\" && make",
        "cd $(git rev-parse --show-toplevel) && make",
        "make -C $DIR",
        ". $SCRIPT",
        "sh ~/work/infra/infra/run.sh",
        "sh ~+/run.sh",
        "sh /home/runner/work/infra/infra/run.sh",
        "X=/__w/infra/infra/a:/bin make",
        "sh file:///srv/infra/run.sh",
        "sh /proc/self/cwd/../run.sh",
        "sh /usr/../home/x",
        "sh ${var.dir}/run.sh",
    ] {
        let text = local_exec(command);
        assert!(may_be_anything(&in_hcl(&text)), "{text}: {:?}", in_hcl(&text));
        let json = serde_json::json!({"resource": {"a": {"b": {"provisioner": {"local-exec": {
            "command": command.replace("\\\"", "\"")
        }}}}}});
        assert!(may_be_anything(&in_json(&json.to_string())), "{json}");
    }
    for text in [
        "data \"external\" \"a\" {\n  program = [\"/home/runner/x\"]\n}",
        "data external a {\n  program = [\"/home/runner/x\"]\n}",
        "r a b {\n  provisioner local-exec { command = \"${ { a = 1 }.a } /home/runner/x\" }\n}",
        "action \"local_command\" \"a\" {\n  config {\n    command = \"/home/runner/x\"\n  }\n}",
        "r \"a\" \"b\" {\n  provisioner \"local-exec\" {\n    command = local.x\n  }\n}\nlocals {\n  x = \"sh $DIR/x\"\n}",
        "r \"a\" \"b\" {\n  provisioner \"local-exec\" {\n    command = <<-E\n      sh $DIR/x\n    E\n  }\n}",
        "r \"a\" \"b\" {\n  provisioner \"local-exec\" {\n    command     = \"x\"\n    working_dir = \"/srv/x\"\n  }\n}",
    ] {
        assert!(may_be_anything(&in_hcl(text)), "{text}: {:?}", in_hcl(text));
    }
}

#[test]
fn an_ordinary_command_reads_nothing_else() {
    for command in [
        "echo \\\"$NAME\\\" >> /tmp/x/mark",
        "/bin/sh -c 'echo $NAME'",
        "/usr/bin/env bash run.sh > /dev/null 2>&1",
        "sh ${path.module}/run.sh $NAME",
        "curl https://$HOST/a https://${var.host}/b",
        "aws s3 cp x s3://$BUCKET/x",
        "aws iam get-role arn:aws:iam::$ACCOUNT:role/x",
        "ssh -i ~/.ssh/id_rsa x",
        "echo made=${a.b.id}; exit 3",
        "echo $(date) `date` $$",
    ] {
        let text = local_exec(command);
        assert!(!may_be_anything(&in_hcl(&text)), "{text}: {:?}", in_hcl(&text));
    }
    let beside =
        format!("a {{\n  path = \"/healthz\"\n  version = \"~> 5.0\"\n}}\n{}b = \"/srv/x\"\n", local_exec("x"));
    assert!(!may_be_anything(&in_hcl(&beside)), "{:?}", in_hcl(&beside));
    assert!(!may_be_anything(&in_hcl("user_data = \"sh $HOME/x\"")), "nothing starts it here");
}

fn words() -> impl Strategy<Value = String> {
    let pieces = [
        "file(",
        "\"",
        "${",
        "}",
        "../",
        "..",
        "path.module",
        "path.root",
        "/x",
        "<<EOT\n",
        "EOT\n",
        "\n",
        "\\",
        "#",
        "/*",
        "*/",
        "//",
        ")",
        "(",
        "[",
        "{",
        "$${",
        "%{",
        "var.x",
        ",",
        " ",
        "é",
        "fileset(",
        "templatefile(",
        "\\u002e",
        "core::",
        ":",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_stops_the_reader(text in prop_oneof![words(), any::<String>()]) {
        in_hcl(&text);
        in_json(&text);
        in_template(&text);
    }

    /// Whatever stands around it, a whole expression in a whole configuration is found.
    #[test]
    fn a_read_is_found_among_other_code(
        before in proptest::sample::select(vec!["", "a = 1\n", "# \"\n", "/* \" */\n", "a = \"x ${var.y} }\"\n", "a = <<E\n\" ${var.x}\nE\n", "b { c = [1, \"d\"] }\n"]),
        call in proptest::sample::select(vec![
            "file(\"../p/q\")", "templatefile(\"../p/q\", {})", "filebase64sha256( \"../p/q\" )", "fileset(\"../p/q\", \"*\")",
            "file(\"${path.root}/../p/q\")", "file(\"../p/q\")", "fileexists(\"../p/q\")",
        ]),
        around in proptest::sample::select(vec!["X", "[X]", "{ a = X }", "jsondecode(X)", "\"a ${X} b\"", "[for k, v in yamldecode(X) : k]", "a ? X : null", "merge({}, X, {})"]),
    ) {
        let text = format!("{before}r \"a\" \"b\" {{\n  x = {}\n}}\n", around.replace('X', call));
        let found = in_hcl(&text);
        prop_assert!(
            found.anything || found.places.iter().any(|(base, path)| *base == Base::Root && path == "../p/q"),
            "{}: {:?}", text, found
        );
        prop_assert!(!found.anything, "{}: {:?}", text, found);
    }
}
