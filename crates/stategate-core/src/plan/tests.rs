//! What the reader makes of plans that real Terraform wrote, and of what is no plan.

mod slow;

use std::io::Read;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use self::slow::Pieces;
use super::*;

const EVERYTHING: &str = include_str!("../../tests/plans/everything.json");
const EVERYTHING_TEXT: &str = include_str!("../../tests/plans/everything.txt");
const QUIET: &str = include_str!("../../tests/plans/quiet.json");
const DESTROY: &str = include_str!("../../tests/plans/destroy.json");
const TARGET: &str = include_str!("../../tests/plans/target.json");
const STATE: &str = include_str!("../../tests/plans/state.json");

fn read(json: &str) -> PlanSummary {
    read_plan(json.as_bytes(), &mut []).unwrap()
}

fn fails(bytes: &[u8]) -> PlanError {
    read_plan(bytes, &mut []).unwrap_err()
}

/// A plan with these resource changes and nothing else.
fn plan_of(changes: &Value) -> PlanSummary {
    read(&json!({"format_version": "1.2", "resource_changes": changes}).to_string())
}

fn summary_of(plan: &PlanSummary, limit: usize) -> Value {
    serde_json::from_str(&plan.to_summary_json(limit)).unwrap()
}

#[test]
fn counts_what_terraform_counts() {
    let counts = read(EVERYTHING).counts;
    let expected = Counts {
        add: 2,
        change: 5,
        replace: 3,
        destroy: 7,
        import: 1,
        moved: 1,
        forget: 1,
        outputs: 3,
        ..Counts::default()
    };
    assert_eq!(counts, expected);
    // Terraform counts a replace as an add and a destroy.
    let (add, change, destroy) = (counts.add + counts.replace, counts.change, counts.destroy + counts.replace);
    let own = format!(
        "Plan: {} to import, {add} to add, {change} to change, {destroy} to destroy, 1 to forget.",
        counts.import
    );
    assert!(
        EVERYTHING_TEXT.contains(&own) || EVERYTHING_TEXT.contains(own.trim_end_matches(", 1 to forget.")),
        "{own}"
    );
}

#[test]
fn the_summary_follows_the_contract() {
    let summary = summary_of(&read(EVERYTHING), usize::MAX);
    assert_eq!(summary["counts"]["replace"], 3);
    assert_eq!(summary["counts"]["move"], 1);
    assert_eq!(summary["counts"]["drift"], 0);
    let mut counts: Vec<&str> = summary["counts"].as_object().unwrap().keys().map(String::as_str).collect();
    counts.sort_unstable();
    let contract = ["add", "change", "destroy", "drift", "forget", "import", "move", "outputs", "read", "replace"];
    assert_eq!(counts, contract, "what few plans have is counted only where there is one");
    assert_eq!(summary["complete"], true);
    assert_eq!(summary["errored"], false);
    assert_eq!(summary["unknown_actions"], json!([]));
    let resources = summary["resources"].as_array().unwrap();
    let database = resources.iter().find(|one| one["address"] == "terraform_data.database").unwrap();
    assert_eq!(
        *database,
        json!({
            "address": "terraform_data.database",
            "actions": ["delete", "create"],
            "reason": "replace_because_cannot_update",
            "forced_by": ["triggers_replace"],
        })
    );
}

#[test]
fn a_summary_within_a_limit_keeps_the_dangerous_and_says_what_it_left_out() {
    let changes: Vec<Value> = (0..1000)
        .map(|index| {
            let action = if index == 700 { "delete" } else { "create" };
            json!({"address": format!("a.b[{index}]"), "change": {"actions": [action]}})
        })
        .collect();
    let plan = plan_of(&json!(changes));
    assert!(plan.to_summary_json(10_000).len() <= 10_000);
    let summary = summary_of(&plan, 10_000);
    let kept = summary["resources"].as_array().unwrap();
    assert_eq!(kept[0]["address"], "a.b[700]");
    assert_eq!(summary["resources_omitted"], 1000 - kept.len());
    assert_eq!(summary["counts"]["add"], 999);
}

#[test]
fn nothing_to_do_is_told_from_something_unknown() {
    assert!(!read(QUIET).has_changes());
    assert_eq!(read(QUIET).unchanged, 19);
    assert_eq!(read(DESTROY).counts.destroy, 19);
    let target = read(TARGET);
    assert_eq!((target.complete, target.counts.replace), (Some(false), 1));

    let nothing = json!({"format_version": "1.2", "resource_changes": []});
    assert!(!read(&nothing.to_string()).has_changes());
    let cases = [
        ("errored", json!(true)),
        ("complete", json!(false)),
        ("applyable", json!(true)),
        ("format_version", json!("2.0")),
        ("deferred_changes", json!([{"reason": "x", "resource_change": {"address": "a.b"}}])),
        ("action_invocations", json!([{"address": "action.a.b"}])),
        ("frobnicate_changes", json!([{}])),
        ("Resource_Changes", json!([{}])),
        ("resource_changes", json!([{"address": "a.b", "change": {"actions": ["frobnicate"]}}])),
        ("resource_changes", json!([{"address": "a.b", "change": {"actions": []}}])),
        ("output_changes", json!({"x": {"actions": ["frobnicate"]}})),
    ];
    for (key, value) in cases {
        let mut plan = nothing.clone();
        plan[key] = value.clone();
        assert!(read(&plan.to_string()).has_changes(), "{key}: {value}");
    }
}

#[test]
fn every_word_of_terraform_has_its_kind() {
    let cases: [(&[&str], Kind); 11] = [
        (&["no-op"], Kind::NoOp),
        (&["create"], Kind::Create),
        (&["read"], Kind::Read),
        (&["update"], Kind::Update),
        (&["delete"], Kind::Destroy),
        (&["forget"], Kind::Forget),
        (&["delete", "create"], Kind::Replace),
        (&["create", "delete"], Kind::Replace),
        (&["create", "forget"], Kind::Replace),
        (&["frobnicate"], Kind::Unknown),
        (&[], Kind::Unknown),
    ];
    for (words, kind) in cases {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(Kind::of(&words), kind, "{words:?}");
    }
}

/// Visits everything, counting.
#[derive(Default)]
struct Counting {
    resources: Vec<String>,
    outputs: Vec<String>,
}

impl PlanVisitor for Counting {
    fn resource_change(&mut self, change: &ResourceChange) {
        self.resources.push(change.address.clone());
    }

    fn output_change(&mut self, name: &str, _change: &Change) {
        self.outputs.push(name.to_owned());
    }
}

#[test]
fn visitors_see_what_changes_and_nothing_else() {
    let mut seen = Counting::default();
    let plan = read_plan(EVERYTHING.as_bytes(), &mut [&mut seen]).unwrap();
    assert_eq!(seen.resources.len(), plan.resources.len());
    assert!(seen.resources.contains(&"terraform_data.new_name".to_owned()), "a move is a change");
    assert!(!seen.resources.contains(&"terraform_data.still".to_owned()));
    assert_eq!(seen.outputs, ["added", "endpoint", "password"]);
}

#[test]
fn the_form_of_the_document_does_not_matter() {
    let expected = read(EVERYTHING).to_summary_json(usize::MAX);
    let dripping = read_plan(Pieces(EVERYTHING.as_bytes(), 1), &mut []).unwrap();
    assert_eq!(dripping.to_summary_json(usize::MAX), expected);

    // Keys in another order (configuration before variables), with white space and a byte-order mark.
    let value: Value = serde_json::from_str(EVERYTHING).unwrap();
    let pretty = format!("\u{feff}{}\n", serde_json::to_string_pretty(&value).unwrap());
    let pretty = read(&pretty);
    assert_eq!(pretty.to_summary_json(usize::MAX), expected);
    assert_eq!(pretty.unchanged, read(EVERYTHING).unchanged);
    assert!(pretty.secrets.scrub("hunter2-after").contains(SENSITIVE));
}

#[test]
fn missing_and_empty_fields_are_read() {
    let plan = plan_of(&json!([
        {"address": "a.b", "change": {"actions": ["update"], "before": null, "after_unknown": null, "replace_paths": null}},
        {"address": "a.c", "previous_address": null, "deposed": null, "change": {"actions": ["delete"], "importing": null}},
        {"address": "a.d", "previous_address": "a.d", "change": {"actions": ["no-op"]}},
    ]));
    assert_eq!((plan.counts.change, plan.counts.destroy, plan.counts.moved), (1, 1, 0));
    assert_eq!(plan.unchanged, 1);
}

#[test]
fn what_is_no_plan_is_named_with_a_remedy() {
    let cases: [(&[u8], &str, &str); 31] = [
        (b"", "the plan JSON is empty", "terraform show -json PLANFILE"),
        (b" \n\n ", "the plan JSON is empty", "terraform show -json PLANFILE"),
        (b"PK\x03\x04\x14\x00\x08", "binary format", "terraform show -json PLANFILE"),
        (b"\xff\xfe{\x00", "UTF-16", "Out-File -Encoding utf8"),
        (STATE.as_bytes(), "this is a state, not a plan", "terraform plan -out PLANFILE"),
        (b"{\"version\":4,\"terraform_version\":\"1.11.4\",\"serial\":3}", "this is a state", "-out PLANFILE"),
        (b"{\"@level\":\"info\",\"@message\":\"x\"}\n{}", "the log of a running command", "-out PLANFILE"),
        (b"{\"a\":1}", "this JSON is not a plan", "-out PLANFILE"),
        (b"[1, 2]", "this JSON is not a plan", "-out PLANFILE"),
        (b"\"text\"\n", "this JSON is not a plan", "-out PLANFILE"),
        (b"null", "this JSON is not a plan", "-out PLANFILE"),
        (
            b"{\"url\":{\"sensitive\":false,\"type\":\"string\",\"value\":\"x\"}}",
            "it looks like the output of `terraform output -json`",
            "-out PLANFILE",
        ),
        (
            b"{\"format_version\":\"1.0\",\"provider_schemas\":{}}",
            "`terraform providers schema -json`",
            "-out PLANFILE",
        ),
        (
            b"{\"format_version\":\"1.0\",\"valid\":true,\"diagnostics\":[]}",
            "`terraform validate -json`",
            "-out PLANFILE",
        ),
        (
            b"{\"terraform_version\":\"1.11.4\",\"provider_selections\":{}}",
            "`terraform version -json`",
            "-out PLANFILE",
        ),
        (EVERYTHING_TEXT.as_bytes(), "this is text, not JSON", "terraform show -json PLANFILE"),
        (b"No changes. Your infrastructure matches the configuration.\n", "this is text", "terraform show -json"),
        (b"\x1b[31mError:\x1b[0m no plan file", "this is text", "terraform show -json"),
        (b"\x1f\x8b\x08\x00\x00", "this is binary data", "-out PLANFILE"),
        (b"\x00\x01\x02", "this is binary data", "-out PLANFILE"),
        (b"PK\x05\x06", "binary format", "terraform show -json PLANFILE"),
        (b"PK", "this is text", "terraform show -json PLANFILE"),
        (
            b"{\"resource_changes\":[{\"address\":\"a.\xff\",\"change\":{\"actions\":[\"create\"]}}]}",
            "this is not UTF-8 (in `resource_changes[0].address`)",
            "Write it again",
        ),
        (b"[command]/bin/terraform show\n{}", "line 1, column 1: there is text before", "terraform_wrapper: false"),
        (b"::debug::x {\"resource_changes\":[]}", "line 1, column 1: there is text before", "terraform_wrapper: false"),
        (b"Warning: x\n\n  {\n\"a\": 1}", "line 1, column 1: there is text before", "terraform_wrapper: false"),
        (b"{\"resource_changes\":[]}\n::debug::x", "line 2, column 1: there is text after", "terraform_wrapper: false"),
        (
            b"{\"planned_values\":{},\"output_changes\":[{\"actions\":[\"delete\"]}]}",
            "line 1, column 39: an object is expected (in `output_changes`)",
            "Write it again",
        ),
        (
            b"{\"resource_changes\":[{\"change\":{\"actions\":[\"update\"],\"after\":{\"x\":1e400}}}]}",
            "this is larger than anything that Terraform writes (in `resource_changes[0].change.after.x`)",
            "Write it again",
        ),
        (
            b"{\"planned_values\":{},\n\"resource_changes\":[{\"addr",
            "line 2, column 27: the plan JSON ends in the middle (in `resource_changes[0]`)",
            "cut off",
        ),
        (
            b"{\"planned_values\":{]",
            "line 1, column 20: this is not valid JSON, the bracket that closes the last one opened is expected (in `planned_values`)",
            "Write it again",
        ),
    ];
    for (input, message, hint) in cases {
        let error = fails(input);
        let shown = String::from_utf8_lossy(input).chars().take(60).collect::<String>();
        assert!(error.to_string().contains(message), "{shown}: {error}");
        assert!(error.hint().contains(hint), "{shown}: {}", error.hint());
    }
}

#[test]
fn a_value_of_the_wrong_type_is_found_by_line_and_path() {
    let error = fails(
        b"{\"format_version\":\"1.2\",\n \"resource_changes\":[\n  {\"address\":\"a.b\",\"change\":{\"actions\":[\"update\"]}},\n  {\"address\":\"hunter2\",\n   \"change\":{\"actions\":\"hunter2\"}}]}",
    );
    let text = error.to_string();
    assert!(text.contains("line 5, column 32"), "{text}");
    assert!(text.contains("`resource_changes[1].change.actions`"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_truncated_plan_is_never_taken_for_a_whole_one() {
    let bytes = EVERYTHING.trim_end().as_bytes();
    for length in (1..bytes.len()).step_by(37).chain([bytes.len() - 1]) {
        let error = fails(&bytes[..length]);
        assert!(matches!(error, PlanError::Truncated { .. }), "{length}: {error:?}");
    }
}

#[test]
fn modules_nested_beyond_reason_are_no_stack_overflow() {
    let deep = format!(
        "{{\"resource_changes\":[],\"prior_state\":{{\"values\":{{\"root_module\":{}",
        "{\"child_modules\":[".repeat(100_000)
    );
    fails(deep.as_bytes());
    let deep = format!("{{\"resource_changes\":[{}", "[".repeat(100_000));
    fails(deep.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        drop(read_plan(bytes.as_slice(), &mut []));
    }

    #[test]
    fn what_visitors_see_does_not_depend_on_how_it_arrives(cut in 1_usize..2000) {
        // A reader that ends a read at any place.
        let (head, tail) = EVERYTHING.as_bytes().split_at(cut);
        let plan = read_plan(head.chain(tail), &mut []).unwrap();
        prop_assert_eq!(plan.counts, read(EVERYTHING).counts);
    }
}

/// A document with a change of `x` as it is written.
fn change_of(before: &str, after: &str) -> String {
    format!(
        r#"{{"resource_changes":[{{"address":"a.b","change":{{"actions":["update"],"before":{{"x":{before}}},"after":{{"x":{after}}}}}}}]}}"#
    )
}

fn long_string(end: &str) -> String {
    format!("\"{}\\\"{end}\"", "ä\\n".repeat(80_000))
}

fn heavy_list(end: &str) -> String {
    format!("[{}{end}]", r#"{"a":["}",{}]},"#.repeat(20_000))
}

#[test]
fn nothing_passes_for_what_is_too_large_to_be_kept() {
    let differs = |before: &str, after: &str| read(&change_of(before, after)).resources[0].delta.is_some();
    for large in [long_string, heavy_list] {
        let (one, other) = (large("1"), large("2"));
        assert!(!differs(&one, &one));
        assert!(differs(&one, &other) && differs(&one, "1") && differs("null", &one));
        // What stands in for it, word for word, is another value, however it is written.
        let read = String::from_utf8(scan::reduced(one.as_bytes()).unwrap()).unwrap();
        assert!(read.starts_with(r#""\u0000 "#), "{read}");
        assert!(differs(&one, &read) && differs(&read, &one));
        assert!(!differs(&read, &read));
        let inside = format!("[{read}]");
        assert!(differs(&format!("[{one}]"), &inside) && differs(&inside, &format!("[{one},{one}]")));
    }
    assert!(differs(r#""\u0000""#, r#""\u0000\u0000""#));
    assert!(differs(r#"{"\u0000":1}"#, r#"{"\u0000\u0000":1}"#));
}

#[test]
fn what_is_too_large_does_not_depend_on_how_it_arrives_and_leaves_positions_right() {
    for large in [long_string("1"), heavy_list("2"), format!("[{}1]", " \n\t".repeat(100_000))] {
        let plan = change_of(&large, "3");
        let expected = read(&plan).resources[0].delta.clone();
        for size in [1, 999, 70_000] {
            let arrived = read_plan(Pieces(plan.as_bytes(), size), &mut []).unwrap();
            assert_eq!(arrived.resources[0].delta, expected, "{size}");
        }
        // Something is wrong behind it, or in it.
        let key = plan.find("after").unwrap() - 1;
        let wrong = [
            (plan.replace(r#""after":"#, r#""after";"#), key + r#""after""#.len()),
            (plan.replace("\"x\":3}}}]", "\"x\":3}}]]"), plan.len() - 3),
            (plan[..key - 3].to_owned(), key - 3),
        ];
        for (text, at) in wrong {
            let line = 1 + text[..at].matches('\n').count();
            let column = 1 + at - text[..at].rfind('\n').map_or(0, |end| end + 1);
            for size in [999, 1_000_000] {
                let error = read_plan(Pieces(text.as_bytes(), size), &mut []).unwrap_err().to_string();
                assert!(error.contains(&format!("line {line}, column {column}:")), "{line}, {column}: {error}");
            }
        }
    }
}

#[test]
fn of_too_many_variables_none_is_shown_that_may_be_sensitive() {
    let plan = |variables: usize, sensitive: &[usize]| {
        let values = (0..variables).map(|index| (format!("v{index}"), json!({"value": format!("secret-{index}")})));
        let marks = sensitive.iter().map(|index| (format!("v{index}"), json!({"sensitive": true})));
        let (values, marks): (Map<_, _>, Map<_, _>) = (values.collect(), marks.collect());
        read(&format!(
            r#"{{"format_version":"1.2","variables":{},"resource_changes":[],"configuration":{}}}"#,
            json!(values),
            json!({"root_module": {"variables": marks}})
        ))
        .secrets
    };
    // In the order of their names, `v0` is among the first and `v9999` the last.
    let known = plan(60_000, &[0]);
    assert_eq!(known.withheld(), None);
    assert_eq!(known.scrub("secret-0 secret-1"), "(sensitive value) secret-1");
    assert_eq!(plan(60_000, &[0, 9999]).withheld(), Some(Unsearchable::Together));
    assert_eq!(plan(60_000, &[]).withheld(), None);
    // When even the names are too many, each variable counts as one of them.
    let names: Vec<usize> = (0..30_000).collect();
    let all = plan(30, &names);
    assert_eq!((all.withheld(), &*all.scrub("secret-29")), (None, SENSITIVE));
}

#[test]
fn however_a_key_is_written_it_is_the_same() {
    let plan = r#"{"resource_ch\u0061nges":[{"\u0061ddress":"a.b","ch\u0061nge":{"\u0061ctions":["\u0064elete"],
        "b\u0065fore":{"x":"hunter2hunter2"},"before_sensitiv\u0065":{"x":true}}}],"err\u006fred":true}"#;
    let read = read(plan);
    assert_eq!((read.counts.destroy, &*read.resources[0].address, read.errored), (1, "a.b", true));
    assert_eq!(read.secrets.scrub("hunter2hunter2"), SENSITIVE);
}

#[test]
fn a_key_that_matters_and_stands_twice_is_refused() {
    let of_a_change = |change: &str| format!(r#"{{"resource_changes":[{{"address":"a.b","change":{{{change}}}}}]}}"#);
    let cases = [
        of_a_change(r#""actions":["delete"],"actions":["no-op"]"#),
        of_a_change(r#""actions":["delete"],"\u0061ctions":["no-op"]"#),
        of_a_change(r#""actions":["update"],"before":{"x":1},"before":null"#),
        r#"{"resource_changes":[{"address":"a.b","change":{"actions":["delete"]},"change":{"actions":["no-op"]}}]}"#
            .to_owned(),
        r#"{"resource_changes":[{"address":"a.b","address":"a.c","change":{"actions":["delete"]}}]}"#.to_owned(),
        r#"{"errored":true,"resource_changes":[],"errored":false}"#.to_owned(),
        r#"{"complete":false,"resource_changes":[],"complete":null}"#.to_owned(),
        r#"{"resource_changes":[{"change":{"actions":["delete"]}}],"resource_changes":[]}"#.to_owned(),
        r#"{"output_changes":{"x":{"actions":["delete"],"actions":["no-op"]}}}"#.to_owned(),
    ];
    for plan in cases {
        let error = fails(plan.as_bytes()).to_string();
        assert!(error.contains("the same key stands here twice"), "{plan}: {error}");
    }
    // What stands twice in something that is only skipped says nothing.
    read(r#"{"resource_changes":[],"x":1,"x":2}"#);
}

#[test]
fn numbers_that_no_machine_holds_are_told_apart_and_hidden() {
    let attribute = |value: &str| format!("{value}8446744073709551617");
    let (one, other) = (attribute("1"), attribute("2"));
    assert!(read(&change_of(&one, &one)).resources[0].delta.is_none());
    for (before, after) in
        [(&*one, "18446744073709551618"), (&one, &other), ("0.12345678901234567891", "0.12345678901234567892")]
    {
        assert!(read(&change_of(before, after)).resources[0].delta.is_some(), "{before} {after}");
    }
    let marked = change_of(&one, &other).replace(r#""after""#, r#""before_sensitive":{"x":true},"after""#);
    assert_eq!(read(&marked).secrets.scrub(&one), SENSITIVE);
}

#[test]
fn secrets_are_found_wherever_a_plan_marks_them() {
    let plan = |resource_changes: &str, prior_state: &str, configuration: &str| {
        let text = format!(
            r#"{{"resource_changes":[{resource_changes}],"prior_state":{{"values":{prior_state}}},"configuration":{configuration}}}"#
        );
        read(&text).secrets
    };
    let of_a_resource = |more: &str| {
        let values = r#""values":{"x":"hunter2hunter2"},"sensitive_values":{"x":true}"#;
        format!(r#"{{"root_module":{{"resources":[{{"address":"a.b"{more},{values}}}]}}}}"#)
    };
    let change = |more: &str, before: &str| {
        format!(r#"{{"address":"a.b"{more},"change":{{"actions":["update"],"before":{before},"after":{{}}}}}}"#)
    };
    let output = r#"{"outputs":{"x":{"sensitive":true,"value":"hunter2hunter2"}}}"#;
    let cases = [
        // A deposed object in the state has the address of the current one, and the other way round.
        plan(&change("", "{}"), &of_a_resource(r#","deposed_key":"1234abcd""#), "{}"),
        plan(&change(r#","deposed":"1234abcd""#, "{}"), &of_a_resource(""), "{}"),
        plan(&change("", "null"), &of_a_resource(""), "{}"),
        plan("", output, "{}"),
    ];
    for (case, secrets) in cases.iter().enumerate() {
        assert_eq!(secrets.scrub("hunter2hunter2"), SENSITIVE, "{case}");
    }
    // Modules so deep that nobody looks into them may hold any secret.
    let deep = |open: &str, close: &str, times| format!("{}{}", open.repeat(times), close.repeat(times));
    let modules = deep(r#"{"child_modules":["#, "]}", 150).replace("[]", "[{}]");
    assert!(plan("", &format!(r#"{{"root_module":{modules}}}"#), "{}").withheld().is_some());
    let calls = deep(r#"{"module_calls":{"m":{"module":"#, "}}}", 150).replace(":}", ":{}}");
    assert!(plan("", "{}", &format!(r#"{{"root_module":{calls}}}"#)).withheld().is_some());
}

/// Values with all that has to be told apart, as Terraform writes them or not.
fn attributes() -> impl Strategy<Value = Map<String, Value>> {
    let text = r#"([a-z]{1,40}|["\\{}\[\],:\n\u{7f}é€😀<]){0,9}"#;
    let leaf = prop_oneof![
        3 => text.prop_map(Value::String),
        1 => any::<u64>().prop_map(Value::from),
        1 => (-9.0..9.0).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::hash_map("[a-c\"é]{1,3}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    });
    prop::collection::hash_map("([a-d]|[\"\\\\é😀])", value, 0..6).prop_map(|map| map.into_iter().collect())
}

/// Entries of `resource_changes`, of which mostly a part of the attributes differ.
fn changes() -> impl Strategy<Value = Vec<Value>> {
    let actions = prop::sample::select(vec![
        json!(["no-op"]),
        json!(["create"]),
        json!(["update"]),
        json!(["delete"]),
        json!(["delete", "create"]),
        json!(["forget"]),
        json!(["Delete"]),
        json!([]),
    ]);
    let marks = prop::collection::hash_map("[a-d]", any::<bool>(), 0..3);
    let change = (actions, attributes(), attributes(), 0..4, marks, prop::option::of(Just("a.old")));
    let entry = change.prop_map(|(actions, before, new, kept, marks, previous)| {
        let mut after = before.clone();
        after.extend(new.into_iter().skip(usize::try_from(kept).unwrap()));
        let (before, after) = match actions[0].as_str() {
            Some("create") => (Value::Null, Value::Object(after)),
            Some("forget") => (Value::Object(before), Value::Null),
            _ => (Value::Object(before), Value::Object(after)),
        };
        json!({"address": "a.b", "previous_address": previous, "change": {
            "actions": actions, "before": before, "after": after, "before_sensitive": marks, "after_sensitive": marks,
        }})
    });
    prop::collection::vec(entry, 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_slow_reading_comes_to_the_same_however_the_plan_arrives(
        changes in changes(),
        pretty in any::<bool>(),
        unread in attributes(),
        size in prop::sample::select(&[1_usize, 7, 63, 64, 65, 4_096][..]),
    ) {
        let plan = json!({"aside": unread, "resource_changes": changes, "timestamp": "2026-11-21T09:40:00Z"});
        let text = if pretty { serde_json::to_string_pretty(&plan) } else { serde_json::to_string(&plan) }.unwrap();
        let mut seen = slow::Seen::default();
        let read = read_plan(Pieces(text.as_bytes(), size), &mut [&mut seen]).unwrap();
        slow::is_counted(&plan, &read);
        prop_assert!(!slow::carries_changes(&plan) || read.has_changes());
        seen.is_all_of(&plan);
        slow::is_hidden(&plan, &read);
    }
}
