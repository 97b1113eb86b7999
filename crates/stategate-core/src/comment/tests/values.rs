//! Values whose difference is easily lost: JSON in a string, and numbers of many digits.

use serde_json::json;

use super::*;

/// The comment on an update of one attribute, each value as JSON.
fn updated(before: &str, after: &str) -> String {
    let plan = format!(
        r#"{{"format_version":"1.2","resource_changes":[{{"address":"a_b.c","type":"a_b","name":"c","change":
        {{"actions":["update"],"before":{{"x":{before}}},"after":{{"x":{after}}}}}}}]}}"#
    );
    comment(&view(Some(&read(&plan))), COMMENT_BUDGET)
}

fn texts(before: &str, after: &str) -> String {
    updated(&json!(before).to_string(), &json!(after).to_string())
}

const FORMATTING: &str = "only its white space or order changes";

#[test]
fn json_text_that_a_consumer_may_read_otherwise_is_not_told_as_formatting() {
    for (before, after, shown) in [
        (r#"{"S":["deny"]}"#, r#"{"S":["allow"],"S":["deny"]}"#, "allow"),
        (r#"{"S":"deny","v":1}"#, r#"{"S":"deny","s":"allow","v":1}"#, "allow"),
        (r#"{"a":1}"#, r#"{"a":1,"b":null}"#, "b = null"),
        (r#"{"a":1,"b":null}"#, r#"{"a":1}"#, "b = null"),
        (r#"{"a":[1]}"#, r#"{"a":[1,null]}"#, "null"),
        (r#"{"a":1}"#, r#"{"a":1.0}"#, "1 -> 1.0"),
        (r#"{"a":1.0}"#, r#"{"a":1e0}"#, "1.0 -> 1e0"),
        (r#"{"a":null}"#, r#"{"a":"null"}"#, r#"null -> "null""#),
        (
            r#"{"a":0.12345678901234567891}"#,
            r#"{"a":0.12345678901234567892}"#,
            "0.12345678901234567891 -> 0.12345678901234567892",
        ),
        (r#"{"a":18446744073709551617}"#, r#"{"a":"18446744073709551617"}"#, r#"18446744073709551617 -> ""#),
    ] {
        let text = texts(before, after);
        assert!(!text.contains(FORMATTING), "{before} -> {after}\n{text}");
        assert!(text.contains(shown), "{shown} of {before} -> {after}\n{text}");
    }
}

#[test]
fn json_text_that_means_the_same_is_told_as_formatting() {
    for (before, after) in [
        (r#"{"a":1,"b":[null]}"#, r#"{ "b": [ null ], "a": 1 }"#),
        (r#"{"a":1.50}"#, r#"{"a": 1.50}"#),
        (r#"{"a":"<"}"#, r#"{"a":"\u003c"}"#),
    ] {
        assert!(texts(before, after).contains(FORMATTING), "{before} -> {after}");
    }
}

#[test]
fn numbers_of_many_digits_are_shown_digit_by_digit() {
    for (before, after) in [
        ("1.7912729440486075", "1.7912729440486077"),
        ("0.6046602879796196", "0.6046602879796197"),
        ("9007199254740993.5", "9007199254740993.25"),
        ("18446744073709551617", "18446744073709551618"),
    ] {
        let text = updated(before, after);
        assert!(text.contains(&format!("x = {before} -> {after}")), "{text}");
    }
    let text = updated("18446744073709551617", r#""18446744073709551617""#);
    assert!(text.contains(r#"18446744073709551617 -> "18446744073709551617""#), "{text}");
}

#[test]
fn a_sensitive_number_of_many_digits_is_hidden_digit_by_digit() {
    for number in ["1.7912729440486075", "0.12345678901234567891", "18446744073709551617"] {
        let plan = format!(
            r#"{{"format_version":"1.2","resource_changes":[{{"address":"a_b.c","type":"a_b","name":"c","change":
            {{"actions":["create"],"before":null,"after":{{"pin":{number},"copy":"the pin is {number}"}},
            "after_sensitive":{{"pin":true}}}}}}]}}"#
        );
        let text = comment(&view(Some(&read(&plan))), COMMENT_BUDGET);
        assert!(!text.contains(number) && text.contains("the pin is (sensitive value)"), "{text}");
    }
}
