//! What Terraform warns of stands in the comment, short, and never at the cost of a danger.

use serde_json::json;

use super::*;
use crate::diagnostic::Diagnostic;

fn of(summary: &str, file: &str, line: u64, detail: &str) -> Diagnostic {
    let json = json!({
        "severity": "warning", "summary": summary, "detail": detail, "range": {"filename": file, "start": {"line": line}},
    });
    Diagnostic::from_json(&json, Some("environments/prod")).unwrap()
}

#[test]
fn the_same_warning_is_one_line_with_its_places() {
    let plan = read(QUIET);
    let warnings = (1..=8).map(|line| of("Argument is deprecated", "main.tf", line, "Use another.")).collect();
    let text = comment(&CommentView { warnings, ..view(Some(&plan)) }, COMMENT_BUDGET);
    assert!(text.contains("**Terraform has 8 warnings**"), "{text}");
    assert!(
        text.contains("- `Argument is deprecated`, 8 times: `environments/prod/main.tf:1`")
            && text.contains(", 3 more"),
        "{text}"
    );
    assert!(text.contains("Use another."), "the details are folded, not lost: {text}");
}

#[test]
fn a_failed_check_is_told_once() {
    let plan = plan_of(&json!({
        "format_version": "1.2",
        "resource_changes": [],
        "checks": [{"status": "fail", "address": {"to_display": "check.c"}, "instances": [
            {"status": "fail", "address": {"to_display": "check.c"}, "problems": [{"message": "It is down."}]}]}],
    }));
    let warnings = vec![of("Check block assertion failed", "main.tf", 3, "It is down.")];
    let text = comment(&CommentView { warnings: warnings.clone(), ..view(Some(&plan)) }, COMMENT_BUDGET);
    assert_eq!(text.matches("It is down.").count(), 1, "{text}");
    let without = comment(&CommentView { warnings, ..view(Some(&read(QUIET))) }, COMMENT_BUDGET);
    assert!(without.contains("environments/prod/main.tf:3"), "{without}");
}

#[test]
fn warnings_never_crowd_out_a_danger() {
    let changes: Vec<_> = (0..400)
        .map(
            |n| json!({"address": format!("a.b[{n}]"), "change": {"actions": ["delete"], "before": {}, "after": null}}),
        )
        .collect();
    let plan = plan_of(&json!({"format_version": "1.2", "resource_changes": changes}));
    let warnings: Vec<_> =
        (0..500).map(|n| of(&format!("Warning {n} {}", "w".repeat(500)), "main.tf", n, &"d".repeat(2_000))).collect();
    let text = comment(&CommentView { warnings, ..view(Some(&plan)) }, 20_000);
    assert!(text.chars().count() <= 20_000);
    for n in 0..400 {
        assert!(text.contains(&format!("`a.b[{n}]`")), "a.b[{n}] is lost:\n{text}");
    }
}
