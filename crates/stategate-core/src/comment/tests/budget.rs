//! What always fits, and what is never lost.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn change(address: &str, action: &str) -> Value {
    let value = json!({"name": address, "size": 20, "tags": {"team": "infra"}});
    let (before, after) = if action == "delete" { (value, Value::Null) } else { (Value::Null, value) };
    json!({"address": address, "type": "aws_x", "name": "x",
           "change": {"actions": [action], "before": before, "after": after}, "action_reason": match action {
               "delete" => "delete_because_no_resource_config", _ => "" }})
}

fn fits(text: &str, budget: usize) {
    assert!(text.chars().count() <= budget, "{} > {budget}", text.chars().count());
    assert!(text.len() <= 262_144, "{}", text.len());
}

#[test]
fn three_hundred_destroys_among_five_thousand_creates_are_all_named() {
    let mut changes: Vec<Value> =
        (0..5000).map(|index| change(&format!("module.app.aws_instance.new[{index}]"), "create")).collect();
    for index in 0..300 {
        changes.insert(index * 17, change(&format!("module.app.aws_instance.old[{index}]"), "delete"));
    }
    let plan = plan_of(&json!({"resource_changes": changes}));
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    fits(&text, COMMENT_BUDGET);
    for index in 0..300 {
        let line = format!("> - **destroy** `module.app.aws_instance.old[{index}]`: no longer in the configuration\n");
        assert!(text.contains(&line), "{index}");
    }
    assert!(text.contains("**300 to destroy** · 5,000 to add"));
    assert!(text.contains("left out for want of room"), "{}", &text[text.len() - 800..]);
    assert!(text.contains(&format!("the [job summary]({RUN}) has more")));

    let summary = job_summary(&view(Some(&plan)), Some(&"a line of the plan\n".repeat(100_000)), SUMMARY_LIMIT);
    assert!(summary.len() <= SUMMARY_LIMIT, "{}", summary.len());
    assert!(summary.contains(" lines more: `terraform show PLANFILE`)"));
}

#[test]
fn when_the_destroys_alone_are_too_many_the_number_left_out_stands_at_the_top() {
    let changes: Vec<Value> =
        (0..3000).map(|index| change(&format!("module.application.aws_instance.old[{index}]"), "delete")).collect();
    let plan = plan_of(&json!({"resource_changes": changes}));
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    fits(&text, COMMENT_BUDGET);
    let listed = text.matches("> - **destroy** ").count();
    assert!(listed > 1000, "{listed}");
    let left_out = words::grouped(3000 - listed);
    let notice = format!(
        "**{left_out} of 3,000 dangerous changes are not listed here for want of room: {left_out} to destroy.**"
    );
    assert!(text.find(&notice).unwrap() < text.find("> - **destroy**").unwrap());
}

#[test]
fn the_least_dangerous_goes_first() {
    let big = "x".repeat(600);
    let mut changes = Vec::new();
    for index in 0..40 {
        changes.push(
            json!({"address": format!("a.created[{index}]"), "change": {"actions": ["create"], "after": {"x": big}}}),
        );
        changes.push(json!({"address": format!("a.updated[{index}]"),
            "change": {"actions": ["update"], "before": {"x": 1}, "after": {"x": big}}}));
        changes.push(json!({"address": format!("a.replaced[{index}]"),
            "change": {"actions": ["delete", "create"], "before": {"x": 1}, "after": {"x": big}}}));
    }
    let plan = plan_of(&json!({"resource_changes": changes}));
    for budget in [12_000, 30_000, 50_000] {
        let text = comment(&view(Some(&plan)), budget);
        fits(&text, budget);
        let details = |name: &str| {
            text.matches(&format!("</b> <code>a.{name}[")).count() + text.matches(&format!(" <code>a.{name}[")).count()
        };
        let (replaced, updated, created) =
            (text.matches("<code>a.replaced[").count(), details("updated"), details("created"));
        assert!(updated == 0 || replaced == 40, "{budget}: {replaced} {updated}");
        assert!(created == 0 || updated == 40, "{budget}: {updated} {created}");
        // All dangers by name, whatever else.
        assert_eq!(text.matches("> - **replace** ").count(), 40, "{budget}");
    }
}

#[test]
fn any_budget_is_kept_and_every_danger_is_named_or_counted() {
    let plan = read(EVERYTHING);
    let history = vec![event("09:00:00", Phase::Planned), event("09:30:00", Phase::Blocked)];
    for budget in (0..6000).step_by(7).chain([10_000, 20_000]) {
        let text = comment(&CommentView { history: history.clone(), ..view(Some(&plan)) }, budget);
        fits(&text, budget);
        if budget < 1500 {
            continue;
        }
        let named = ["destroy", "replace", "forget"]
            .iter()
            .map(|verb| text.matches(&format!("> - **{verb}** ")).count())
            .sum::<usize>();
        assert!(
            named == 11 || text.contains(&format!("**{} of 11 dangerous changes are not listed", 11 - named)),
            "{budget}:\n{text}"
        );
    }
}

#[test]
fn what_does_not_fit_is_never_dropped_in_silence() {
    let message = "a message of some length ".repeat(20);
    let problem = json!({"status": "fail", "address": {"to_display": "check.c"}, "problems": [{"message": message}]});
    let mut plan = json!({"resource_changes": [change("a.gone", "delete")]});
    plan["checks"] = json!([{"status": "fail", "address": {"to_display": "check.c"}, "instances": vec![problem; 30]}]);
    let plan = plan_of(&plan);
    let text = comment(&view(Some(&plan)), 3000);
    assert!(text.contains("**Left out for want of room: the failed checks**; the [job summary]("), "{text}");
    assert!(!comment(&view(Some(&plan)), COMMENT_BUDGET).contains("Left out"));

    // A failure is told whatever Terraform had to say about it.
    let error = format!("Error: it broke\n{}", format!("{}\n", "why ".repeat(200)).repeat(500));
    let failure = FailureView {
        what: "terraform apply exited with code 1".to_owned(),
        hint: "Run again.".to_owned(),
        terraform_error_text: Some(error),
        ..FailureView::default()
    };
    for (budget, lines) in
        [(COMMENT_BUDGET, "5,381 lines"), (300_000, "5,381 lines"), (5_000, "5,471 lines"), (2_000, "")]
    {
        let failed = CommentView { phase: Phase::Failed, failure: Some(failure.clone()), ..view(Some(&plan)) };
        let text = comment(&failed, budget);
        fits(&text, budget);
        assert!(text.contains("**terraform apply exited with code 1**") && text.contains("> it broke"), "{text}");
        assert!(text.contains(lines), "{budget}: {lines}\n{text}");
        assert!(text.contains("**destroy** `a.gone`"), "{text}");
    }
}

#[test]
fn a_summary_of_any_limit_is_kept() {
    let plan = read(EVERYTHING);
    let ticks = "`".repeat(5000);
    for limit in [0, 10, 100, 1000, 3000, 10_000, 40_000, SUMMARY_LIMIT] {
        let text = job_summary(&view(Some(&plan)), Some(&ticks), limit);
        assert!(text.len() <= limit, "{} > {limit}", text.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    /// Plans with bytes changed, removed and doubled: read or refused, and what is read still fits.
    #[test]
    fn mutated_plans_are_no_panic_and_fit(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..12),
        budget in 0_usize..70_000,
    ) {
        let mut bytes = EVERYTHING.as_bytes().to_vec();
        for (at, byte, how) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        if let Ok(plan) = read_plan(bytes.as_slice(), &mut []) {
            fits(&comment(&view(Some(&plan)), budget), budget);
        }
    }

    /// Plans with parts of any kind in the place of others.
    #[test]
    fn plans_with_swapped_parts_are_no_panic_and_fit(
        swaps in proptest::collection::vec((any::<prop::sample::Index>(), arbitrary_json()), 1..8),
        budget in 0_usize..70_000,
    ) {
        let mut plan: Value = serde_json::from_str(EVERYTHING).unwrap();
        for (at, part) in swaps {
            let mut places = Vec::new();
            pointers(&plan, &mut String::new(), &mut places);
            if !places.is_empty() {
                let place = &places[at.index(places.len())];
                *plan.pointer_mut(place).unwrap() = part;
            }
        }
        if let Ok(plan) = read_plan(plan.to_string().as_bytes(), &mut []) {
            fits(&comment(&view(Some(&plan)), budget), budget);
        }
    }

    /// Plans whose values are swapped for others: every destroyed address is named or counted.
    #[test]
    fn arbitrary_values_keep_every_danger(value in arbitrary_json(), count in 1_usize..60, budget in 1500_usize..65_000) {
        let changes: Vec<Value> = (0..count)
            .map(|index| json!({"address": format!("a.b[{index}]"), "change": {"actions": ["delete"],
                "before": value, "after_unknown": value, "before_sensitive": value, "after_sensitive": value}}))
            .collect();
        let plan = plan_of(&json!({"resource_changes": changes}));
        let text = comment(&view(Some(&plan)), budget);
        fits(&text, budget);
        let named = text.matches("> - **destroy** ").count();
        prop_assert!(named == count || text.contains(&format!("**{} of {count} dangerous change", count - named)), "{}", text);
    }
}

/// The way to every value inside this one.
fn pointers(value: &Value, path: &mut String, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => {
            map.iter().map(|(key, inner)| (key.replace('~', "~0").replace('/', "~1"), inner)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(index, inner)| (index.to_string(), inner)).collect(),
        _ => return,
    };
    for (key, inner) in children {
        let length = path.len();
        path.extend(["/", &key]);
        found.push(path.clone());
        pointers(inner, path, found);
        path.truncate(length);
    }
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[a\n]{0,80}".prop_map(Value::from),
        Just(Value::from("{\"a\": [1, 2, {\"b\": \"c\"}]}")),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::hash_map(".{0,8}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn outputs_that_do_not_fit_are_shortened_or_counted_never_dropped() {
    let changes: serde_json::Map<String, Value> = (0..160)
        .map(|index| (format!("o{index}"), json!({"actions": ["create"], "before": null, "after": "v".repeat(900)})))
        .collect();
    let plan = plan_of(&json!({"resource_changes": [change("a.b", "delete")], "output_changes": changes}));
    let applied: Vec<OutputView> =
        (0..160).map(|index| OutputView { name: format!("o{index}"), value: Some(json!("v".repeat(900))) }).collect();
    for phase in [Phase::Planned, Phase::Applied] {
        let outputs = if phase == Phase::Applied { applied.clone() } else { Vec::new() };
        let view = CommentView { phase, outputs, ..view(Some(&plan)) };
        for (budget, told) in [(60_000, "(136 lines more)"), (5_000, "160 outputs")] {
            let text = comment(&view, budget);
            fits(&text, budget);
            assert!(text.contains(told), "{phase:?}: {text}");
            assert!(budget > 5_000 || text.contains("left out for want of room"), "{phase:?}: {text}");
        }
    }
}

/// All that can keep a change from going on, each with as many words as can be.
fn everything_at_once(plan: &PlanSummary, phase: Phase) -> CommentView<'_> {
    let words = "some words of ours about somebody else's `terraform_data.of_a_long_name` ".repeat(6);
    let holder = HolderView { who: "hubot".to_owned(), info: words.clone(), ..HolderView::default() };
    CommentView {
        phase,
        lock: LockView::HeldByOther(vec![holder.clone(), holder]),
        gate: Some(GateView {
            required: 2,
            approved_by: vec!["monalisa".to_owned()],
            blockers: vec![words.as_str().into(); 30],
            notes: vec![words.as_str().into(); 30],
            who_can: words.clone(),
            next_step: words.as_str().into(),
        }),
        difference: vec![words.clone(); 30],
        failure: Some(FailureView {
            is_usage: false,
            what: "it broke".to_owned(),
            why: words.clone(),
            hint: words.clone(),
            error: None,
            terraform_error_text: Some(format!("Error: {words}\n").repeat(300)),
        }),
        next_step: Some(words.clone()),
        related: vec![words.as_str().into(); 30],
        notes: vec!["a note of ours".to_owned(); 30],
        warnings: vec![warning(&words); 30],
        history: (10..34)
            .map(|minute| LifeEvent {
                head_sha: Some(format!("{minute:07}")),
                ..event(&format!("09:{minute}:00"), Phase::Planned)
            })
            .collect(),
        ..view(Some(plan))
    }
}

#[test]
fn what_a_person_has_to_know_is_told_or_said_to_be_left_out() {
    let few = plan_of(&json!({"resource_changes": [change("a.b", "delete")]}));
    let changes: Vec<Value> = (0..900).map(|index| change(&format!("a.b[{index}]"), "delete")).collect();
    let many = plan_of(&json!({"resource_changes": changes}));
    for (plan, dangers) in [(&few, 1), (&many, 900)] {
        for phase in [Phase::Planned, Phase::Blocked, Phase::Failed, Phase::Refused] {
            let view = everything_at_once(plan, phase);
            for budget in [2_000, 4_000, 8_000, 20_000, COMMENT_BUDGET] {
                let text = comment(&view, budget);
                fits(&text, budget);
                for (told, left_out) in [
                    ("**it broke**", "what failed"),
                    ("<summary>What Terraform said", "what Terraform said"),
                    ("**What differs from the reviewed plan**", "what differs"),
                    ("**The state is locked** by `hubot`", "who holds the lock"),
                    ("1 of 2, by `monalisa`", "the approvals"),
                    ("**Terraform has 30 warnings**", "Terraform's warnings"),
                    ("- a note of ours", "notes**"),
                    ("<code>a.b", "The details of"),
                    ("**History**", "of the history left out"),
                ] {
                    let said = text.contains("for want of room") && text.contains(left_out);
                    assert!(text.contains(told) || said, "{told} at {budget}:\n{text}");
                }
                let listed = text.matches("> - **destroy** ").count();
                let rest = format!("> **{} of {dangers} dangerous", dangers - listed);
                assert!(listed == dangers || text.contains(&rest), "{listed} at {budget}:\n{text}");
                assert!(budget < COMMENT_BUDGET || text.contains("**it broke**"), "{text}");
            }
        }
    }
}
