//! Lines of Terraform and what becomes of each.

use super::*;

#[track_caller]
fn check(line: &str, said: &Said) {
    assert_eq!(Transcript::default().hear(line), *said);
}

#[test]
fn each_kind_of_line_is_told_when_it_may_be() {
    check(
        r#"{"@message":"\nInterrupt received.\nhunter2","type":"log"}"#,
        &Said::Notice("Interrupt received. It ends in order; please wait, or data may be lost."),
    );
    check(r#"{"@message":"a provider's words","type":"log"}"#, &Said::Words("a provider's words".to_owned()));
    check(r#"{"@message":"new","type":"not_known_yet"}"#, &Said::Words("new".to_owned()));
    for kind in ["version", "planned_change", "planned_action_invocation", "resource_drift", "outputs"] {
        check(&format!(r#"{{"@message":"x","type":"{kind}"}}"#), &Said::Nothing);
    }
    let summary = |operation: &str| {
        let changes = format!(r#"{{"add":1,"change":0,"import":2,"remove":3,"operation":"{operation}"}}"#);
        format!(r#"{{"@message":"s","type":"change_summary","changes":{changes}}}"#)
    };
    check(&summary("plan"), &Said::Nothing);
    let applied = "Apply complete! Resources: 2 imported, 1 added, 0 changed, 3 destroyed.";
    check(&summary("apply"), &Said::Progress(applied.to_owned()));
    check(&summary("destroy"), &Said::Progress("Destroy complete! Resources: 3 destroyed.".to_owned()));
    check(&summary("hunter2"), &Said::Words("s".to_owned()));
    for (counts, told) in [
        (r#","action_invocation":2"#, "3 destroyed. Actions: 2 invoked."),
        (r#","action_invocation":1,"action_fail":1"#, "3 destroyed. Actions: 1 invoked, 1 failed."),
        (r#","action_invocation":0,"forget":1"#, "3 destroyed, 1 forgotten."),
    ] {
        let changes = format!(r#"{{"add":1,"change":0,"remove":3,"operation":"apply"{counts}}}"#);
        let line = format!(r#"{{"@message":"s","type":"change_summary","changes":{changes}}}"#);
        check(&line, &Said::Progress(format!("Apply complete! Resources: 1 added, 0 changed, {told}")));
    }
}

#[test]
fn progress_is_told_by_addresses_and_numbers_alone() {
    let hook = r#""resource":{"addr":"a.b[\"c\"]"},"provisioner":"local-exec","id_key":"id","id_value":"hunter2","output":"hunter2""#;
    for (kind, fields, told) in [
        ("apply_start", r#""action":"delete""#, Some("Destroying...")),
        ("apply_progress", r#""action":"create","elapsed_seconds":10"#, Some("Still creating... [10s elapsed]")),
        ("apply_complete", r#""action":"update","elapsed_seconds":3"#, Some("Modifications complete after 3s")),
        ("apply_errored", r#""action":"read","elapsed_seconds":0"#, Some("Read errored after 0s")),
        ("ephemeral_op_start", r#""action":"open""#, Some("Opening...")),
        ("provision_start", r#""x":1"#, Some("Provisioning with 'local-exec'...")),
        ("provision_complete", r#""x":1"#, Some("(local-exec) Provisioning complete")),
        ("refresh_start", r#""x":1"#, Some("Refreshing state...")),
        ("provision_progress", r#""x":1"#, None),
        ("apply_start", r#""action":"frobnicate""#, None),
        ("apply_start", r#""x":1"#, None),
        ("action_progress", r#""action":"create""#, None),
        ("ephemeral_action_started", r#""Msg":"Opening...""#, Some("Opening...")),
        ("ephemeral_action_complete", r#""Msg":"Open complete""#, Some("Open complete")),
        ("ephemeral_action_complete", r#""Msg":"hunter2""#, None),
    ] {
        let words = format!("m{kind}");
        let line = format!(r#"{{"@message":"{words}","type":"{kind}","hook":{{{hook},{fields}}}}}"#);
        let told = told.map(|told| Said::Progress(format!("a.b[\"c\"]: {told}")));
        check(&line, &told.unwrap_or(Said::Words(words)));
    }
    check(r#"{"@message":"x","type":"apply_start","hook":{}}"#, &Said::Words("x".to_owned()));
}

#[test]
fn what_is_completed_is_counted_by_its_address() {
    let mut transcript = Transcript::default();
    for (kind, action) in [
        ("apply_start", "delete"),
        ("apply_complete", "delete"),
        ("apply_complete", "create"),
        ("apply_complete", "read"),
        ("apply_errored", "update"),
        ("provision_complete", "create"),
    ] {
        let hook = format!(r#"{{"resource":{{"addr":"a.b"}},"action":"{action}"}}"#);
        transcript.hear(&format!(r#"{{"@message":"x","type":"{kind}","hook":{hook}}}"#));
    }
    assert_eq!(*transcript.completed(), [("a.b".to_owned(), 2)].into());
}

#[test]
fn what_is_not_json_of_terraform_is_text() {
    for line in ["", "plain", "{", "[1]", "null", r#"{"type":"diagnostic"}"#, r#"{"@message":1,"type":"log"}"#] {
        check(line, &Said::Text(line.to_owned()));
    }
    let mut transcript = Transcript::default();
    transcript.hear("a wrapper's noise");
    assert!(!transcript.is_json());
    transcript.hear(r#"{"@message":"Terraform 1.11.4","type":"version"}"#);
    assert!(transcript.is_json());
    assert_eq!(transcript.text(), "a wrapper's noise\n");
    for _ in 0..300 {
        transcript.hear(&"x".repeat(1024));
    }
    assert!(transcript.text().len() <= MOST_TEXT + 100);
    assert!(transcript.text().ends_with(" more lines that are not Terraform's)\n"));
    let mut tofu = Transcript::default();
    tofu.hear(r#"{"@level":"info","@message":"OpenTofu 1.6.0","@module":"tofu.ui","tofu":"1.6.0","type":"version","ui":"1.2"}"#);
    assert!(tofu.is_json());
}

#[test]
fn a_dumped_state_is_kept_and_not_told() {
    // None of these numbers fits a type of ours; a float would make others of them.
    for number in ["7", "12345678901234567890123", "0.1000000000000000000001", "1e400"] {
        let mut transcript = Transcript::default();
        let state = format!(r#"{{"version": 4,"serial":{number}}}"#);
        let line = format!(r#"{{"@message":"Emergency state dump","type":"log","state":{state}}}"#);
        assert_eq!(transcript.hear(&line), Said::Nothing);
        assert!(transcript.is_json());
        assert_eq!(transcript.take_state(), Some(Dump::Whole(state)));
    }
}

#[test]
fn a_dumped_state_that_is_cut_off_is_not_told() {
    let mut transcript = Transcript::default();
    let line = r#"{"@level":"info","@message":"Emergency state dump","type":"log","state":{"outputs":"hunter2"#;
    assert_eq!(transcript.hear(line), Said::Text(CUT.to_owned()));
    assert_eq!(transcript.text(), format!("{CUT}\n"));
    assert_eq!(transcript.take_state(), Some(Dump::Cut(r#"{"outputs":"hunter2"#.to_owned())));
    transcript.hear(r#"{"@level":"info","@message":"a \"state\":","type":"log","x":"#);
    assert_eq!(transcript.take_state(), None, "what is cut off need not be a state");
}

#[test]
fn an_apply_tells_its_own_end() {
    let changes = |operation: &str| {
        let counts = format!(r#"{{"add":1,"change":0,"remove":0,"operation":"{operation}"}}"#);
        format!(r#"{{"@message":"s","type":"change_summary","changes":{counts}}}"#)
    };
    let diagnostic = |severity: &str| {
        format!(r#"{{"@message":"","type":"diagnostic","diagnostic":{{"severity":"{severity}","summary":"S"}}}}"#)
    };
    let progress = r#"{"@message":"x","type":"apply_complete","hook":{}}"#.to_owned();
    for (line, tells) in [
        (changes("apply"), true),
        (changes("destroy"), true),
        (changes("plan"), false),
        (diagnostic("error"), true),
        (diagnostic("warning"), false),
        (progress, false),
    ] {
        let mut transcript = Transcript::default();
        transcript.hear(&line);
        assert_eq!((transcript.tells_its_end(), transcript.breaks_off()), (tells, !tells), "{line}");
    }
    let mut forced = Transcript::default();
    forced.hear(&diagnostic("error"));
    forced.hear(r#"{"@message":"\nTwo interrupts received. Exiting immediately.","type":"log"}"#);
    assert!(forced.breaks_off(), "its error says only that it was interrupted twice");
    let mut text = Transcript::default();
    text.hear("Error: as it says it to people");
    assert!(!text.breaks_off());
}

#[test]
fn terraforms_own_words_say_that_the_state_is_not_saved() {
    let diagnostic = |summary: &str| {
        format!(r#"{{"@message":"","type":"diagnostic","diagnostic":{{"severity":"error","summary":"{summary}"}}}}"#)
    };
    for (line, says) in [
        (diagnostic("Failed to save state"), true),
        (diagnostic("Failed to persist state to backend"), true),
        (diagnostic("creating: Failed to save state"), false),
        ("\u{2502} Error: Failed to persist state to backend".to_owned(), true),
        ("Failed to save state".to_owned(), false),
    ] {
        let mut transcript = Transcript::default();
        transcript.hear(&line);
        assert_eq!(transcript.says_state_is_not_saved(), says, "{line}");
    }
}

#[test]
fn a_failure_is_told_by_the_errors_and_standard_error() {
    let mut transcript = Transcript::default();
    transcript.hear(r#"{"@message":"","type":"diagnostic","diagnostic":{"severity":"warning","summary":"W"}}"#);
    transcript.hear(r#"{"@message":"","type":"diagnostic","diagnostic":{"severity":"error","summary":"E"}}"#);
    assert_eq!(transcript.diagnostics().len(), 2);
    assert_eq!(transcript.failure("crashed\n"), "Error: E\n\ncrashed\n");
    assert_eq!(Transcript::default().failure("as it was\n"), "as it was\n");
}

#[test]
fn the_version_says_whether_there_is_json() {
    for version in ["0.15.3", "0.15.4-beta1", "1.0.0", "1.11.4", "1.6.0-alpha2+dev", "2.0.0"] {
        assert!(speaks_json(version), "{version}");
    }
    for version in ["0.11.15", "0.12.31", "0.15.2", "unknown", "", "1"] {
        assert!(!speaks_json(version), "{version}");
    }
}

#[test]
fn arguments_that_change_the_form_are_left_out() {
    let given = ["-json", "--json=false", "-detailed-exitcode", "-var", "json", "-var=json=1", "-jsonx"];
    let given: Vec<String> = given.map(str::to_owned).to_vec();
    assert_eq!(without_form(&given), ["-var", "json", "-var=json=1", "-jsonx"]);
}
