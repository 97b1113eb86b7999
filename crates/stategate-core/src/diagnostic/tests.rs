//! A diagnostic reads like Terraform's own, hides what it is told to hide, and finds its line of the code.

use serde_json::json;

use super::*;

/// As Terraform 1.11 writes it.
fn precondition() -> Value {
    json!({
        "severity": "error",
        "summary": "Resource precondition failed",
        "detail": "It must be 2.",
        "address": "terraform_data.s",
        "range": {"filename": "main.tf", "start": {"line": 14, "column": 19, "byte": 246}, "end": {"line": 14, "column": 52, "byte": 279}},
        "snippet": {
            "context": "resource \"terraform_data\" \"s\"",
            "code": "      condition = var.n == 2",
            "start_line": 14,
            "highlight_start_offset": 18,
            "highlight_end_offset": 51,
            "values": [{"traversal": "var.n", "statement": "is 1"}]
        }
    })
}

fn warning(file: &str) -> Diagnostic {
    let json = json!({
        "severity": "warning", "summary": "Old", "detail": "", "range": {"filename": file, "start": {"line": 3}},
    });
    Diagnostic::from_json(&json, Some("environments/prod")).unwrap()
}

#[test]
fn it_reads_like_terraforms_own() {
    let diagnostic = Diagnostic::from_json(&precondition(), None).unwrap();
    let expected = "\
Error: Resource precondition failed

  with terraform_data.s,
  on main.tf line 14, in resource \"terraform_data\" \"s\":
  14:       condition = var.n == 2
    ├────────────────
    │ var.n is 1

It must be 2.
";
    assert_eq!(diagnostic.text(), expected);
}

#[test]
fn a_field_that_is_missing_or_of_another_kind_costs_that_field_only() {
    let read = |json: Value| Diagnostic::from_json(&json, None);
    let bare = read(json!({"severity": "fatal", "summary": "S", "detail": 3, "range": null, "snippet": []})).unwrap();
    assert_eq!((bare.severity, bare.text().as_str()), (Severity::Warning, "Warning: S\n"));
    for none in [json!(null), json!("x"), json!({}), json!({"severity": "error"}), json!({"summary": "S"})] {
        assert_eq!(read(none), None);
    }
}

#[test]
fn a_scrub_reaches_every_text() {
    let mut json = precondition();
    json["detail"] = json!("a secret");
    json["summary"] = json!("the secret");
    json["address"] = json!("x[\"secret\"]");
    json["range"]["filename"] = json!("secret.tf");
    json["snippet"] = json!({
        "context": "secret", "code": "secret", "start_line": 1, "values": [{"traversal": "x", "statement": "is secret"}],
    });
    let diagnostic = Diagnostic::from_json(&json, None).unwrap();
    assert_eq!(diagnostic.text().matches("secret").count(), 7);
    let scrubbed = diagnostic.map(|text| text.replace("secret", "-"));
    assert!(!format!("{scrubbed:?}").contains("secret"), "{scrubbed:?}");
}

#[test]
fn a_file_is_named_from_the_root_of_the_repository() {
    for (root, file, expected) in [
        ("environments/prod", "main.tf", Some("environments/prod/main.tf")),
        ("environments/prod", "../../modules/x/y.tf", Some("modules/x/y.tf")),
        ("", "./main.tf", Some("main.tf")),
        ("environments/prod", "../../../outside.tf", None),
        ("environments/prod", "/etc/x.tf", None),
        ("environments/prod", ".terraform/modules/web/main.tf", None),
    ] {
        assert_eq!(file_in_repository(root, file).as_deref(), expected, "{root} {file}");
    }
}

#[test]
fn only_files_of_the_repository_are_annotated() {
    let annotated = annotations(&[warning("main.tf"), warning("../../../x.tf")], Severity::Warning, 10);
    assert_eq!(annotated.len(), 1);
    assert_eq!(annotated[0].place, Some(("environments/prod/main.tf".to_owned(), 3)));
    assert_eq!((annotated[0].title.as_str(), annotated[0].message.as_str()), ("Old", "Old"));
    assert!(annotations(&[warning("main.tf")], Severity::Error, 10).is_empty());
}

#[test]
fn more_annotations_than_github_shows_are_a_number() {
    let of = |count: usize| annotations(&vec![warning("main.tf"); count], Severity::Warning, MOST_ANNOTATIONS);
    assert_eq!(of(10).len(), 10);
    assert!(of(10).iter().all(|annotation| annotation.place.is_some()));
    let many = of(23);
    assert_eq!(many.len(), 10);
    assert!(many[9].place.is_none() && many[9].message.contains("14 more"), "{:?}", many[9]);
}

#[test]
fn long_text_is_cut_at_a_character() {
    let json = json!({
        "severity": "error", "summary": "ü".repeat(500), "detail": "ß".repeat(9_000),
        "range": {"filename": "a.tf", "start": {"line": 1}},
    });
    let diagnostic = Diagnostic::from_json(&json, Some("")).unwrap();
    let annotated = annotations(&[diagnostic], Severity::Error, 1);
    assert_eq!(annotated[0].title.chars().count(), TITLE + 1);
    assert_eq!(annotated[0].message.chars().count(), MESSAGE + 1);
}
