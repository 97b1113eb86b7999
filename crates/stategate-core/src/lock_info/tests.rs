//! The wire form against what Terraform really wrote, and against Go's rules by property.

use proptest::prelude::*;

use super::*;

/// The body of a lock that Terraform 1.11.4 wrote, as captured.
const TERRAFORM_LOCK: &str = r#"{"ID":"e9ea2242-c6a7-ba0f-0694-20369bcc5d7b","Operation":"OperationTypePlan","Info":"","Who":"root@vm","Version":"1.11.4","Created":"2026-11-21T01:33:06.21750747Z","Path":"tfstate/prod/app/terraform.tfstate"}"#;

fn run() -> RunRef {
    RunRef { server_url: "https://github.com".into(), repository: "acme/infra".into(), run_id: 987, attempt: 1 }
}

fn ours(operation: &Operation, origin: &Origin) -> LockInfo {
    let created = "2026-11-21T01:33:06.21750747Z".parse().unwrap();
    LockInfo::ours("id-1".into(), operation, origin, "1.11.4", created, "b/k".into())
}

fn with_info(info: &str) -> LockInfo {
    LockInfo { info: info.into(), ..LockInfo::parse(TERRAFORM_LOCK.as_bytes()).unwrap() }
}

#[test]
fn terraforms_own_bytes_survive_the_round_trip() {
    let lock = LockInfo::parse(TERRAFORM_LOCK.as_bytes()).unwrap();
    assert_eq!(lock.to_go_json(), TERRAFORM_LOCK);
    assert_eq!(lock.who, "root@vm");
    assert_eq!(go_timestamp(lock.created_at().unwrap()), lock.created);
}

#[test]
fn what_our_locks_say_is_the_contract() {
    let origin = Origin::Run { actor: "octocat".into(), run: run(), pull_request: Some(42) };
    let lock = ours(&Operation::Apply, &origin);
    assert_eq!(lock.who, "octocat via GitHub Actions (acme/infra)");
    assert_eq!(lock.info, "acme/infra#42 https://github.com/acme/infra/actions/runs/987/attempts/1");
    assert_eq!(lock.operation, "OperationTypeApply");
    assert_eq!(lock.created, "2026-11-21T01:33:06.21750747Z");
    assert_eq!(lock.run(), Some(run()));
    assert_eq!(lock.pull_request(), Some(("acme/infra".into(), 42)));
    assert_eq!(lock.freeze_reason(), None);

    let without = ours(&Operation::Plan, &Origin::Run { actor: "octocat".into(), run: run(), pull_request: None });
    assert_eq!(without.info, "acme/infra https://github.com/acme/infra/actions/runs/987/attempts/1");
    assert_eq!((without.run(), without.pull_request()), (Some(run()), None));

    let laptop = ours(&Operation::Plan, &Origin::Person { user: "monalisa".into(), host: "desk".into() });
    assert_eq!((laptop.who.as_str(), laptop.info.as_str()), ("monalisa@desk", ""));
    assert_eq!((laptop.run(), laptop.pull_request()), (None, None));
}

#[test]
fn a_freeze_tells_its_reason_and_its_run() {
    let freeze = Operation::Freeze { reason: "moving\nthe\u{1b}[31m  database".into() };
    let by_run = ours(&freeze, &Origin::Run { actor: "octocat".into(), run: run(), pull_request: None });
    assert_eq!(by_run.operation, "freeze");
    assert_eq!(by_run.freeze_reason(), Some("moving the [31m database"));
    assert_eq!(by_run.run(), Some(run()));
    let by_hand = ours(&freeze, &Origin::Person { user: "u".into(), host: "h".into() });
    assert_eq!(by_hand.info, "freeze: moving the [31m database");
    assert_eq!(by_hand.run(), None);
}

#[test]
fn a_run_hidden_in_a_reason_is_not_the_holder() {
    let reason = format!("see the old {}", run().url());
    let lock = ours(&Operation::Freeze { reason }, &Origin::Person { user: "u".into(), host: "h".into() });
    assert_eq!(lock.run(), None);
}

#[test]
fn only_our_own_form_names_a_run_or_a_pull_request() {
    for info in [
        "https://github.com/acme/infra/actions/runs/987",
        "https://github.com/acme/infra/actions/runs/987/attempts/1/",
        "https://github.com/acme/infra/actions/runs/+987/attempts/1",
        "https://github.com/acme/infra/actions/runs/0987/attempts/1",
        "https://github.com/acme/infra/actions/runs/987/attempts/0",
        "https://github.com/acme/infra/actions/runs/987/attempts/4294967296",
        "https://user@github.com/acme/infra/actions/runs/987/attempts/1",
        "https://github.com/acme/../actions/runs/987/attempts/1/x",
        "javascript://github.com/acme/infra/actions/runs/987/attempts/1",
    ] {
        assert_eq!(with_info(info).run(), None, "{info}");
    }
    for info in ["acme/infra#", "acme/infra#0", "acme#4", "a/b/c#4", "acme/infra#-1", "ac me/infra#4", "<b>/x#1"] {
        assert_eq!(with_info(info).pull_request(), None, "{info}");
    }
    let ghes = "acme/infra#7 https://ghes.example:8443/acme/infra/actions/runs/5/attempts/2";
    assert_eq!(with_info(ghes).run().unwrap().server_url, "https://ghes.example:8443");
}

#[test]
fn go_escapes_what_go_escapes() {
    let lock = with_info("<a>&\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}\u{2028}\u{2029}é𝄞\u{fffd}");
    let json = lock.to_go_json();
    let expected = r#""Info":"\u003ca\u003e\u0026\"\\/\b\f\n\r\t\u0000\u001f"#.to_owned()
        + "\u{7f}"
        + r"\u2028\u2029"
        + "é𝄞\u{fffd}\",\"Who\"";
    assert!(json.contains(&expected), "{json}");
}

#[test]
fn bodies_that_no_one_can_address_are_unreadable() {
    for (body, why) in [
        ("", "it is empty"),
        ("null", "expected a map"),
        ("[]", "expected a map"),
        ("{\"ID\":\"x\"} trailing", "trailing characters"),
        ("{\"ID\":7}", "ID is not a string"),
        ("{\"ID\":\"\"}", "it has no ID"),
        ("{}", "it has no ID"),
        ("{\"ID\":\"x\",\"Who\":[]}", "Who is not a string"),
    ] {
        let error = LockInfo::parse(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{body}: {error}");
    }
    assert!(LockInfo::parse(&[0xff, 0xfe]).is_err());
}

#[test]
fn a_lock_is_read_as_go_reads_it() {
    let lock = LockInfo::parse(b" {\"id\":\"x\",\"WHO\":\"w\",\"Info\":null,\"More\":1}\n").unwrap();
    assert_eq!((lock.id.as_str(), lock.who.as_str(), lock.info.as_str()), ("x", "w", ""));
    assert_eq!(lock.created_at(), None);
}

proptest! {
    #[test]
    fn any_lock_survives_the_wire(
        id in "\\PC{1,40}", operation in any::<String>(), info in any::<String>(),
        who in any::<String>(), version in any::<String>(), created in any::<String>(), path in any::<String>(),
    ) {
        let lock = LockInfo { id, operation, info, who, version, created, path };
        let json = lock.to_go_json();
        prop_assert_eq!(LockInfo::parse(json.as_bytes()).unwrap(), lock);
        // Nothing that HTML or JavaScript would read differently, no raw control character.
        let raw = json.chars().find(|c| *c < ' ' || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'));
        prop_assert_eq!(raw, None);
        let names = ["ID", "Operation", "Info", "Who", "Version", "Created", "Path"];
        let mut rest = json.as_str();
        for name in names {
            let at = rest.find(&format!("\"{name}\":\"")).unwrap();
            rest = &rest[at + name.len()..];
        }
    }

    #[test]
    fn timestamps_are_gos(seconds in 0i64..253_402_300_799, nanos in 0i32..1_000_000_000) {
        let text = go_timestamp(Timestamp::new(seconds, nanos).unwrap());
        let whole = text.strip_suffix('Z').unwrap();
        if let Some((_, decimals)) = whole.split_once('.') {
            prop_assert!(decimals.len() <= 9 && !decimals.ends_with('0'));
            prop_assert_eq!(format!("{decimals:0<9}").parse::<i32>().unwrap(), nanos);
        } else {
            prop_assert_eq!(nanos, 0);
        }
        prop_assert_eq!(text.parse::<Timestamp>().unwrap().as_second(), seconds);
    }

    #[test]
    fn what_we_write_is_one_bounded_line_that_reads_back(
        reason in any::<String>(), number in 1u64.., run_id in 1u64.., attempt in 1u32..,
    ) {
        let run = RunRef { run_id, attempt, ..run() };
        let origin = Origin::Run { actor: "octocat".into(), run: run.clone(), pull_request: Some(number) };
        let lock = ours(&Operation::Freeze { reason }, &origin);
        prop_assert!(!lock.info.chars().any(char::is_control));
        prop_assert!(lock.info.chars().count() <= LONGEST_TEXT + 1);
        prop_assert_eq!(lock.run(), Some(run));
        prop_assert_eq!(lock.pull_request(), Some(("acme/infra".to_owned(), number)));
    }
}
