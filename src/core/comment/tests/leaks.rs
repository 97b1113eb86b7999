//! What is marked sensitive once is nowhere to be read.

use serde_json::json;

use super::*;
use crate::core::plan::Secrets;

/// What `make.sh` passed as sensitive, and each line of it.
const SECRETS: [&str; 6] = [
    "hunter2-before",
    "hunter2-after",
    "MIIBfirstlineBefore0123456789",
    "secondlineBefore9876543210",
    "MIIBfirstlineAfter0123456789",
    "secondlineAfter9876543210",
];

fn clean(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in:\n{text}");
    }
}

#[test]
fn terraforms_own_text_leaks_and_ours_does_not() {
    assert!(EVERYTHING_TEXT.contains("hunter2-before") && EVERYTHING_TEXT.contains("hunter2-after"));
    let plan = read(EVERYTHING);
    clean(&plan.secrets.scrub(EVERYTHING_TEXT));
    clean(&comment(&view(Some(&plan)), COMMENT_BUDGET));
    clean(&job_summary(&view(Some(&plan)), Some(EVERYTHING_TEXT), SUMMARY_LIMIT));
    clean(&plan.to_summary_json().to_string());
    clean(&format!("{plan:?}"));
    // The copy inside a longer string is still recognisable for what it is.
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    assert!(text.contains("\"postgres://app:(sensitive value)@db-1.internal/app\""), "{text}");
}

#[test]
fn secrets_are_hidden_in_everything_that_is_said() {
    let plan = read(EVERYTHING);
    let hostile = SECRETS.join("\n");
    let failed = CommentView {
        phase: Phase::Failed,
        lock: LockView::Lost { found: hostile.clone() },
        difference: vec![hostile.clone()],
        warnings: vec![warning(&hostile)],
        notes: vec![hostile.clone()],
        failure: Some(FailureView {
            what: hostile.clone(),
            why: hostile.clone(),
            hint: hostile.clone(),
            terraform_error_text: Some(format!("│ {}", SECRETS.join("\n│    "))),
        }),
        outputs: vec![OutputView { name: hostile.clone(), value: Some(json!({"a": hostile, "b": SECRETS})) }],
        ..view(Some(&plan))
    };
    clean(&comment(&failed, COMMENT_BUDGET));
}

#[test]
fn marks_of_state_variables_outputs_drift_and_actions_count() {
    let plan = plan_of(&json!({
        "variables": {"token": {"value": {"inner": "variable-secret"}}, "open": {"value": "not-a-secret"}},
        "resource_changes": [
            {"address": "a.still", "change": {"actions": ["no-op"], "before": {"x": "still-secret"},
             "after": {"x": "still-secret"}, "before_sensitive": {"x": true}, "after_sensitive": {"x": true}}},
            {"address": "a.copy", "change": {"actions": ["create"], "after": {
                "all": "variable-secret still-secret state-secret output-secret drift-secret action-secret default-secret deferred-secret not-a-secret",
                "number": 1_234_567_890}}},
        ],
        "resource_drift": [{"address": "a.d", "change": {"actions": ["update"], "before": {"x": "drift-secret"},
            "before_sensitive": {"x": true}}}],
        "deferred_changes": [{"resource_change": {"address": "a.e", "change": {"actions": ["create"],
            "after": {"x": "deferred-secret"}, "after_sensitive": true}}}],
        "action_invocations": [{"address": "action.a.b", "config_values": {"k": "action-secret"}, "config_sensitive": {"k": true}}],
        "output_changes": {"o": {"actions": ["no-op"], "before": "output-secret", "before_sensitive": true}},
        "prior_state": {"values": {"root_module": {"child_modules": [{"resources": [
            {"address": "data.a.b", "mode": "data", "values": {"pin": 1_234_567_890, "x": ["state-secret"]},
             "sensitive_values": {"pin": true, "x": [true]}}]}]}}},
        "configuration": {"root_module": {"variables": {
            "token": {"sensitive": true, "default": "default-secret"}, "open": {"default": "not-a-secret"}}}},
    }));
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    assert!(!text.contains("-secret ") && text.contains("not-a-secret"), "{text}");
    assert!(!text.contains("1234567890"), "{text}");
}

#[test]
fn the_rule_for_short_and_common_values() {
    let secrets = Secrets::from_values(["s3cr", "ab", "true", "prod", "12345", "123456", "longer-one", "längst"]);
    let cases = [
        ("s3cr", "(sensitive value)"),
        ("x=s3cr;", "x=(sensitive value);"),
        ("as3crb s3cr_", "as3crb s3cr_"),
        ("ab true prod 12345", "ab true prod 12345"),
        ("123456 a123456b", "(sensitive value) a(sensitive value)b"),
        ("xlonger-onex", "x(sensitive value)x"),
        ("zulängst", "zu(sensitive value)"),
    ];
    for (text, expected) in cases {
        assert_eq!(secrets.scrub(text), expected, "{text}");
    }
}

#[test]
fn overlapping_escaped_and_long_values_are_hidden_whole() {
    let secrets = Secrets::from_values(["abcdef", "defghi", "quote\"back\\slash", "dollar${x}", "a<b>&c=d"]);
    let cases = [
        ("abcdefghi", "(sensitive value)"),
        ("abcdefabcdef", "(sensitive value)"),
        (r#"v = "quote\"back\\slash""#, r#"v = "(sensitive value)""#),
        ("dollar$${x}", "(sensitive value)"),
        (r"a\u003cb\u003e\u0026c=d", "(sensitive value)"),
    ];
    for (text, expected) in cases {
        assert_eq!(secrets.scrub(text), expected, "{text}");
    }
    let document = r#"{"user": "application", "password": "inner-password"}"#;
    let secrets = Secrets::from_values([document]);
    assert_eq!(secrets.scrub("password: inner-password"), "password: (sensitive value)");
    let long = "x1y2".repeat(20_000);
    assert_eq!(Secrets::from_values([long.as_str()]).scrub(&format!("<{long}>")), "<(sensitive value)>");
}

#[test]
fn a_key_that_holds_a_secret_is_hidden_but_what_is_destroyed_is_still_named() {
    let plan = plan_of(&json!({"resource_changes": [
        {"address": "module.users.aws_x.users[\"the-secret\"]", "change": {"actions": ["delete"],
         "before": {"x": "the-secret", "y": "module.users"}, "before_sensitive": {"x": true, "y": true}}},
    ]}));
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    assert!(text.contains("**destroy** `module.users.aws_x.users[\"(sensitive value)\"]`"), "{text}");
}

#[test]
fn nothing_of_a_secret_is_in_debug_output() {
    let secrets = Secrets::from_values(["hunter2-before"]);
    assert_eq!(format!("{secrets:?}"), "Secrets(***)");
}
