//! What is marked sensitive once is nowhere to be read.

use serde_json::json;

use super::*;
use crate::plan::{SENSITIVE, Secrets};
use crate::redact::is_open_part;
use crate::sentence::Sentence;

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
    clean(&plan.to_summary_json(usize::MAX));
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
            is_usage: false,
            error: Some(warning(&hostile)),
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
fn a_secret_in_another_spelling_is_hidden() {
    let secrets = Secrets::from_values(["hunter2-before", "pass word/ä&=+%", "line one\nline two\n"]);
    let hidden = [
        // base64 of it alone, behind a name, before more, for URLs, and without padding.
        "aHVudGVyMi1iZWZvcmU=",
        "YXBwOmh1bnRlcjItYmVmb3Jl",
        "dXNlcjpodW50ZXIyLWJlZm9yZTpzYWx0",
        "eDpodW50ZXIyLWJlZm9yZQ",
        "cGFzcyB3b3JkL8OkJj0rJQ==",
        "cGFzcyB3b3JkL8OkJj0rJQ",
        "bGluZSBvbmUKbGluZSB0d28K",
        // hexadecimal
        "68756e746572322d6265666f7265",
        "0068756E746572322D6265666F726500",
        // percent-encoded, as a form and as a path
        "https://x.example/?p=pass+word%2F%C3%A4%26%3D%2B%25&q=1",
        "pass%20word%2f%c3%a4%26=%2B%25",
    ];
    for text in hidden {
        let scrubbed = secrets.scrub(text);
        assert_eq!(scrubbed, SENSITIVE, "{text}");
        assert_eq!(secrets.scrub(&format!("a = \"{text}\" # b")), format!("a = \"{SENSITIVE}\" # b"));
    }
    for text in [
        "aGFybWxlc3MgdGV4dCBoZXJl",
        "terraform_data.a_long_name/with-parts+more",
        "100%25 and %zz%",
        "cafebabecafebabe",
    ] {
        assert_eq!(secrets.scrub(text), text);
    }
    // JSON in JSON.
    let secrets = Secrets::from_values(["quote\"inside"]);
    let nested = json!({"a": json!({"b": "quote\"inside"}).to_string()}).to_string();
    assert!(!secrets.scrub(&nested).contains("inside"), "{}", secrets.scrub(&nested));
}

#[test]
fn sensitive_variables_of_modules_at_any_depth_count() {
    let variable =
        |default: &str| json!({"pw": {"sensitive": true, "default": default}, "open": {"default": "open-default"}});
    let inner = json!({"variables": variable("default-two"), "module_calls": {}});
    let outer = json!({
        "module_calls": {"two": {"module": inner, "expressions": {"pw": {"constant_value": "given-two"}, "open": {"constant_value": "open-two"}}}},
        "variables": variable("default-one"),
    });
    let plan = plan_of(&json!({
        "resource_changes": [{"address": "a.b", "change": {"actions": ["create"], "after": {
            "x": "default-one default-two given-one given-two open-two open-default"}}}],
        "configuration": {"root_module": {"module_calls": {"one": {
            "source": "./one", "expressions": {"pw": {"constant_value": "given-one"}}, "module": outer}}}},
    }));
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    let hidden = [SENSITIVE; 4].join(" ");
    assert!(text.contains(&format!("\"{hidden} open-two open-default\"")), "{text}");
}

#[test]
fn a_hostile_plan_leaks_nowhere() {
    // Marked once, and copied to wherever a provider or a configuration could put it.
    let secret = "S3cr\"et$\u{7b}x}/<&>\nsecond-line\nabc\tdef";
    let number = 98_765_432.5;
    let document = json!({"deep": [{"pw": secret}]}).to_string();
    let copies = json!({
        "plain": secret, "inside": format!("x{secret}y"), "json": document, "jsonjson": json!([document]).to_string(),
        "list": [secret, format!("{secret}{secret}")], "number": number, "as_text": "98765432.5",
        "lines": format!("head\n{secret}\ntail"), secret: "key", "base64": "U2VjcmV0",
    });
    let changed = |from: &str, to: &str| json!({"a": copies, "s": from, "t": format!("{from}\n{secret}\n{to}")});
    let plan = json!({
        "resource_changes": [
            {"address": "m.marked", "change": {"actions": ["update"], "before": {"x": secret, "n": number}, "after": {"x": 1},
             "before_sensitive": {"x": true, "n": true}}},
            {"address": format!("module.a[{0}].m.copy[{0}]", json!(secret)), "type": "m", "name": "copy", "mode": "managed",
             "previous_address": format!("m.old[{}]", json!(secret)), "deposed": secret,
             "change": {"actions": ["delete", "create"], "before": changed("a", "b"), "after": changed("c", "d"),
                "importing": {"id": secret}, "replace_paths": [["a", secret]]}},
            {"address": "m.gone", "change": {"actions": ["delete"], "before": copies}},
            {"address": "m.new", "change": {"actions": ["create"], "after": copies}},
        ],
        "resource_drift": [{"address": format!("m.drift[{}]", json!(secret)), "change": {"actions": ["update"], "before": copies, "after": {}}}],
        "output_changes": {"o": {"actions": ["update"], "before": copies, "after": secret}},
        "checks": [{"status": "fail", "address": {"to_display": secret}, "instances": [
            {"status": "fail", "address": {"to_display": format!("check.a[{}]", json!(secret))}, "problems": [{"message": format!("was {secret}")}]}]}],
        "deferred_changes": [{"reason": secret, "resource_change": {"address": format!("m.later[{}]", json!(secret))}}],
    });
    let plan = plan_of(&plan);
    let text = [
        comment(&view(Some(&plan)), COMMENT_BUDGET),
        job_summary(
            &view(Some(&plan)),
            Some(&format!("  + x = <<-EOT\n        {}\n    EOT", secret.replace('\n', "\n        "))),
            SUMMARY_LIMIT,
        ),
        plan.to_summary_json(usize::MAX),
    ];
    for text in text {
        for part in ["S3cr", "second-line", "abc\tdef", "abc    def", "abc\\tdef", "98765432.5"] {
            let shown = text.lines().find(|line| line.contains(part));
            assert!(shown.is_none(), "{part:?} in {shown:?}");
        }
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
fn a_key_file_in_the_environment_hides_its_key_and_no_address() {
    let key = "-----BEGIN PRIVATE KEY-----\nMIIBfirstline0123456789\n-----END PRIVATE KEY-----\n";
    let open = json!({"type": "service_account", "project_id": "acme-prod", "universe_domain": "googleapis.com"});
    let mut file = open.clone();
    file["private_key"] = json!(key);
    file["more"] = json!([{"client_secret": "hunter2-inside"}]);
    for file in [file.to_string(), serde_json::to_string_pretty(&file).unwrap()] {
        let secrets = Secrets::from_credentials([file.as_str(), "plain-token"], is_open_part);
        let told = "google_service_account.a in acme-prod uses storage.googleapis.com";
        assert_eq!(secrets.scrub(told), told);
        for secret in
            ["plain-token", "hunter2-inside", "MIIBfirstline0123456789", file.as_str(), &json!(key).to_string()]
        {
            let told = secrets.scrub(secret);
            assert!(!told.contains(secret.trim_matches('"')), "{told}");
        }
    }
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

#[test]
fn what_cannot_be_searched_for_withholds_every_text_but_names() {
    let large = "x".repeat(300_000);
    let plan = json!({"format_version": "1.2", "resource_changes": [{"address": "a.b[\"key-of-it\"]", "type": "a", "name": "b",
        "change": {"actions": ["delete"], "before": {"big": large, "key": "key-of-it", "open": "in-the-open"}, "after": null,
                   "before_sensitive": {"big": true, "key": true}}}],
        "checks": [{"address": {"to_display": "check.c"}, "status": "fail",
                    "instances": [{"address": {"to_display": "check.c"}, "status": "fail", "problems": [{"message": "says xxx"}]}]}],
        "output_changes": {"o": {"actions": ["create"], "before": null, "after": "of an output"}}});
    let plan = read_plan(plan.to_string().as_bytes(), &mut []).unwrap();
    let secrets = &plan.secrets;
    assert!(secrets.withheld().is_some());
    assert_eq!(secrets.scrub("what Terraform says"), "(withheld)");
    assert_eq!(secrets.scrub_value(&json!({"a": [1, true]})), json!("(withheld)"));
    assert_eq!(plan.scrub_address("a.b[\"key-of-it\"]"), "a.b[\"(sensitive value)\"]");
    let told = comment(&view(Some(&plan)), COMMENT_BUDGET);
    for shown in ["a.b[", "check.c", "o: not shown", "**No values of this plan are shown:**", "300002 bytes"] {
        assert!(told.contains(shown), "{shown}: {told}");
    }
    for hidden in ["in-the-open", "says xxx", "of an output", "key-of-it", "xxx"] {
        assert!(!told.contains(hidden), "{hidden}: {told}");
    }
}

#[test]
fn what_to_do_and_why_is_told_though_values_are_withheld() {
    let change = json!({"actions": ["create"], "before": null, "after": {"big": "x".repeat(300_000)}, "after_sensitive": {"big": true}});
    let plan = plan_of(&json!({"resource_changes": [{"address": "a.b", "type": "a", "name": "b", "change": change}]}));
    assert!(plan.secrets.withheld().is_some());
    let view = CommentView {
        phase: Phase::Blocked,
        gate: Some(GateView {
            required: 1,
            blockers: vec![Sentence::default().pull_request(42).words(" has no approval")],
            next_step: "ask for a review of ".into(),
            ..GateView::default()
        }),
        history: vec![
            event("09:00:00", Phase::Planned),
            LifeEvent { why: Some("0 of 1 approvals".into()), ..event("09:10:00", Phase::Blocked) },
        ],
        ..view(Some(&plan))
    };
    let told = comment(&view, COMMENT_BUDGET);
    for shown in ["has no approval", "ask for a review of", "0 of 1 approvals"] {
        assert!(told.contains(shown), "{shown}: {told}");
    }
    let kept = life_from_comment(&told).pop().and_then(|event| event.why);
    assert_eq!(kept, Some("0 of 1 approvals".into()));
}
