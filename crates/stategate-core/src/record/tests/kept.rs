//! What is kept: records and the audit trail, read back, and a plan among its earlier ones.

use super::*;

#[test]
fn a_record_is_read_back_and_anything_else_is_refused() {
    let one = record(&[created(&json!({ "input": 1 }))]);
    let json = one.to_json();
    assert_eq!(Record::from_json("p", json.as_bytes()), Ok(one));
    let newer = json.replacen("\"version\":2", "\"version\":3", 1);
    assert!(matches!(Record::from_json("p", newer.as_bytes()), Err(RecordError::OtherVersion { found: 3, .. })));
    for broken in ["", "{}", "[]", "null", &json[..json.len() / 2], r#"{"version":2}"#, r#"{"version":"2"}"#] {
        let error = Record::from_json("p", broken.as_bytes()).unwrap_err();
        assert!(matches!(error, RecordError::Unreadable { .. }), "{broken}: {error}");
        assert!(error.hint().contains("re-run the plan job"));
    }
    let sha = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(Record::object_key("a/b.tfstate", sha).unwrap(), format!("stategate/a/b.tfstate/plans/{sha}.json"));
    for wrong in ["", "../x", "main", &sha[1..], &sha.to_uppercase()] {
        assert!(Record::object_key("k", wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_audit_record_has_the_contracts_fields() {
    let audit = AuditRecord {
        action: "break stale/lock".to_owned(),
        at: "2026-11-20T12:00:00.5Z".parse().unwrap(),
        actor: "octocat".to_owned(),
        reason: None,
        lock: None,
        run_url: None,
        pull_request: None,
        commit: None,
        result: "removed".to_owned(),
    };
    let fields = |audit: &AuditRecord| -> Vec<String> {
        let fields: Value = serde_json::from_str(&audit.to_json()).unwrap();
        fields.as_object().unwrap().keys().cloned().collect()
    };
    let contract = ["action", "actor", "at", "lock", "pull_request", "reason", "result", "run_url"];
    assert_eq!(fields(&audit), contract);
    let applied = AuditRecord { commit: Some("c0ffee".to_owned()), ..audit.clone() };
    assert_eq!(fields(&applied).len(), contract.len() + 1, "the commit stands there where it is known");
    assert_eq!(audit.object_key("k"), "stategate/k/audit/2026-11-20T12:00:00.500000000Z-break-stale-lock.json");
}

#[test]
fn what_was_planned_since_a_moment_is_told_from_what_was_planned_then() {
    let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
    let made = |minute: i64, input: u32| {
        let mut record = record(&[created(&json!({ "input": input }))]);
        record.origin.made_at = Some(at(minute));
        record
    };
    let first = made(10, 1);
    assert_eq!(first.planned_since(at(10)), PlannedSince::Same { again: false });
    assert_eq!(first.planned_since(at(9)), PlannedSince::First);

    let again = made(20, 1).replacing(Some(first.clone()));
    let and_again = made(30, 1).replacing(Some(again.clone()));
    assert_eq!(and_again.earlier, from_ref(&first), "of the same plan the first is kept");
    assert_eq!(and_again.planned_since(at(15)), PlannedSince::Same { again: true });

    let other = made(40, 2).replacing(Some(and_again));
    assert_eq!(other.earlier, from_ref(&first));
    assert!(matches!(other.planned_since(at(15)), PlannedSince::Other { differences } if differences.len() == 1));
    assert_eq!(other.planned_since(at(5)), PlannedSince::First);
    let stored = Record::from_json("here", other.to_json().as_bytes()).unwrap();
    assert_eq!(stored, other);

    let back = made(50, 1).replacing(Some(other));
    assert_eq!(back.planned_since(at(15)), PlannedSince::Same { again: true }, "as it was approved");
    assert!(matches!(back.planned_since(at(45)), PlannedSince::Other { .. }));
    assert_eq!(back.planned_since(at(50)), PlannedSince::Same { again: false });

    let mut elsewhere = made(5, 1);
    elsewhere.origin.head_sha = "2".repeat(40);
    assert!(back.clone().replacing(Some(elsewhere)).earlier == back.earlier);
    // However often it changes, it stays small.
    let many = (0..30_u32).fold(back, |last, round| made(60 + i64::from(round), round).replacing(Some(last)));
    assert!(many.earlier.len() <= 4, "{}", many.earlier.len());
    assert!(many.earlier.iter().all(|record| record.earlier.is_empty()));
}

#[test]
fn a_record_of_version_1_is_refused_by_name_with_the_remedy() {
    let error = Record::from_json("s3://b/k", include_bytes!("../../../tests/records/version-1.json")).unwrap_err();
    assert_eq!(error, RecordError::OtherVersion { place: "s3://b/k".to_owned(), found: 1 });
    assert!(error.to_string().contains("s3://b/k has version 1"), "{error}");
    assert!(error.hint().starts_with("re-run the plan job of the pull request"), "{}", error.hint());
}

/// What a fingerprint of version 2 means never changes: records of it lie in buckets.
#[test]
fn a_record_of_version_2_is_read_and_means_what_it_meant() {
    let stored = Record::from_json("p", include_bytes!("../../../tests/records/version-2.json")).unwrap();
    let again = record_of(Some(LINEAGE), &invariant::everything());
    assert_eq!(stored.plan, again.plan);
    assert_eq!(compare(&[stored], &again, &[]), Comparison::Equal { notes: Vec::new() });
}

/// Whoever may write to the bucket can put anything there.
#[test]
fn what_is_no_record_is_refused_however_deep_or_large_it_is() {
    let deep = "[".repeat(200_000);
    let nested = format!(r#"{{"version":2,"earlier":{}"#, r#"[{"version":2,"earlier":"#.repeat(10_000));
    let long = format!(r#"{{"version":2,"other":"{}"}}"#, "x".repeat(4 * 1024 * 1024));
    let twice = record(&[]).to_json().replacen('{', r#"{"fingerprint":"x","#, 1);
    for text in [deep, nested, long, twice] {
        let error = Record::from_json("p", text.as_bytes()).unwrap_err();
        assert!(matches!(error, RecordError::Unreadable { .. }), "{error}");
        assert!(error.to_string().len() < 500, "{error}");
    }
}
