//! What a person sees.

use serde_json::json;

use super::*;
use crate::core::sentence::Sentence;

/// Whether all of these stand in the text, in this order.
fn in_order(text: &str, parts: &[&str]) {
    let mut from = 0;
    for part in parts {
        let rest = &text[from..];
        let found = rest.find(part).unwrap_or_else(|| panic!("{part:?} is not in, or not in order:\n{text}"));
        from += found + part.len();
    }
}

#[test]
fn everything_stands_in_the_order_of_danger() {
    let plan = read(EVERYTHING);
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    in_order(
        &text,
        &[
            "<!-- stategate:environments/prod@default -->\n",
            "### ⚠️ `environments/prod`: **7 to destroy, 3 to replace, 1 to forget** · 2 to add, 5 to change, \
             1 to import, 1 to move, 3 outputs\n",
            "4 unchanged · commit `4f0c1d2` · plan `9c1f4e77ab02` · Terraform 1.11.4 · [full plan](https://github.com/acme/",
            "> [!CAUTION]\n> **7 resources will be destroyed, 3 replaced, 1 forgotten**\n",
            "> - **destroy** `terraform_data.retired`: no longer in the configuration\n",
            "> - **destroy** `terraform_data.tenant[\"globex\"]`: its key is no longer in `for_each`\n",
            "> - **destroy** `terraform_data.worker[1]`: beyond the new `count`\n",
            "> - **replace** `terraform_data.database`: `triggers_replace` forces replacement\n",
            "> - **replace** `terraform_data.new_one_first`: `triggers_replace` forces replacement; the new one is created first\n",
            "> - **replace** `terraform_data.tainted`: it is tainted\n",
            "> - **forget** `terraform_data.handed_over`: no longer in the configuration\n",
            "> [!WARNING]\n> **1 check did not pass**\n>\n> - `check.hostile`: ",
            "<summary><b>destroy</b> <code>terraform_data.retired</code></summary>",
            "<summary><b>replace</b> <code>terraform_data.database</code></summary>",
            "<summary><b>destroy</b> <code>module.queue.terraform_data.queue</code></summary>",
            "<summary>3 outputs</summary>",
            "<summary>change <code>terraform_data.boot</code></summary>",
            "<summary>add <code>terraform_data.copy</code></summary>",
            "<summary>move <code>terraform_data.new_name</code></summary>",
            "Marks: `-` goes, `+` comes, `!` changes; `-/+` is destroyed and made anew.",
        ],
    );
}

#[test]
fn a_change_reads_like_terraform() {
    let plan = read(EVERYTHING);
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    let boot = r#"
```diff
! ~ resource "terraform_data" "boot" {
    ~ input  = {
      ~ script = <<-EOT
          # (1 unchanged line hidden)
          set -eu
          echo one
-         echo two
+         echo 2
          echo three
          systemctl restart app
+         systemctl restart proxy
        EOT
!     ~ size   = 20 -> 50
      ~ tags   = {
+         cost_centre = "42"
          # (2 unchanged elements hidden)
        }
      ~ zones  = [
-         "a",
+         "d",
          # (2 unchanged elements hidden)
        ]
      }
!   ~ output = {…} -> (known after apply)
      # (1 unchanged attribute hidden)
    }
```
"#;
    assert!(text.contains(boot), "{text}");
    let policy = r#"
    ~ input  = jsonencode({
      ~ Statement = [
        ~ {
          ~ Action   = [
+             "s3:DeleteObject",
              # (1 unchanged element hidden)
            ]
!         ~ Resource = "arn:aws:s3:::acme-logs/*" -> "*"
            # (2 unchanged elements hidden)
          }
          # (1 unchanged element hidden)
        ]
        # (1 unchanged element hidden)
      })
"#;
    assert!(text.contains(policy), "{text}");
    in_order(
        &text,
        &[
            "-/+ resource \"terraform_data\" \"database\" {",
            "!     ~ version = \"13.7\" -> \"14.9\"",
            "    ~ triggers_replace = [ # forces replacement",
            "+/- resource \"terraform_data\" \"new_one_first\" {",
            "!   ~ triggers_replace = \"blue\" -> \"green\" # forces replacement",
            "    # imported from \"existing-object\"",
            "!   ~ input  = (sensitive value) # the value changes",
            "    # moved from terraform_data.old_name",
        ],
    );
}

#[test]
fn no_changes_is_one_line() {
    let plan = read(QUIET);
    let lock = LockView::Released { taken: at("09:14:00"), released: at("09:14:20") };
    let text = comment(&CommentView { phase: Phase::NoChanges, lock, ..view(Some(&plan)) }, COMMENT_BUDGET);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(
        lines,
        [
            "<!-- stategate:environments/prod@default -->",
            &format!(
                "🟢 `environments/prod`: no changes · 19 unchanged · commit `4f0c1d2` · plan `9c1f4e77ab02` · \
                 Terraform 1.11.4 · [run]({RUN})"
            ),
        ]
    );
}

#[test]
fn what_is_missing_or_unknown_is_never_calm() {
    let text = comment(&view(Some(&read(TARGET))), COMMENT_BUDGET);
    in_order(
        &text,
        &["⚠️", "**1 to replace, incomplete**", "asked for with `-replace`", "**The plan is not complete:**"],
    );

    let mut plan = json!({"format_version": "2.1", "resource_changes": [
        {"address": "a.b", "change": {"actions": ["frobnicate"]}},
    ], "errored": true});
    plan["deferred_changes"] = json!([{"reason": "instance_count_unknown", "resource_change": {"address": "a.later"}}]);
    plan["action_invocations"] = json!([{"address": "action.x.y",
        "lifecycle_action_trigger": {"triggering_resource_address": "a.b"}}]);
    plan["checks"] = json!([{"status": "error", "address": {"to_display": "check.c"}, "instances": []}]);
    plan["resource_drift"] =
        json!([{"address": "a.drifted", "change": {"actions": ["update"], "before": {"x": 1}, "after": {"x": 2}}}]);
    let plan = plan_of(&plan);
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    in_order(
        &text,
        &[
            "### ⚠️",
            "**something unknown, planning failed, incomplete** · 1 action",
            "> - **unknown action** `a.b`: actions `frobnicate`",
            "does not know:** `format version 2.1` and `frobnicate`.",
            "**Planning ended in an error:**",
            "- deferred `a.later`: its `count` or `for_each` is not known yet",
            "- `check.c` (could not be evaluated)",
            "- `action.x.y`, triggered by `a.b`",
            "1 resource was changed outside of Terraform",
            "changed  a.drifted",
        ],
    );
}

#[test]
fn every_reason_of_terraform_has_words() {
    let cases = [
        ("replace_because_tainted", "it is tainted"),
        ("replace_by_request", "asked for with `-replace`"),
        ("replace_by_triggers", "`replace_triggered_by`"),
        ("replace_because_cannot_update", "`size` forces replacement"),
        ("delete_because_no_resource_config", "no longer in the configuration"),
        ("delete_because_no_module", "its module is no longer in the configuration"),
        ("delete_because_wrong_repetition", "`count` or `for_each`"),
        ("delete_because_count_index", "beyond the new `count`"),
        ("delete_because_each_key", "no longer in `for_each`"),
        ("delete_because_no_move_target", "moved to an address that is not in the configuration"),
        ("because_of_tomorrow", "`because_of_tomorrow`"),
    ];
    for (reason, words) in cases {
        let is_replace = reason.starts_with("replace");
        let actions = if is_replace { json!(["delete", "create"]) } else { json!(["delete"]) };
        let paths = if is_replace { json!([["size"]]) } else { json!([]) };
        let plan = plan_of(&json!({"resource_changes": [{"address": "a.b", "action_reason": reason,
            "change": {"actions": actions, "before": {"size": 1}, "after": {"size": 2}, "replace_paths": paths}}]}));
        let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
        let line = text.lines().find(|line| line.starts_with("> - **")).unwrap_or_default();
        assert!(line.contains(words), "{reason}: {line}");
    }
}

#[test]
fn a_deposed_object_is_told_from_the_living_one() {
    let plan = plan_of(&json!({"resource_changes": [
        {"address": "a.b", "deposed": "12ab34cd", "change": {"actions": ["delete"], "before": {"x": 1}}},
    ]}));
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    assert!(text.contains("`a.b`: the deposed object `12ab34cd`, left over from an earlier replacement"), "{text}");
}

#[test]
fn the_holder_is_named_with_the_next_step() {
    let holder = HolderView {
        store: "s3".to_owned(),
        id: Some("e9ea2242".to_owned()),
        who: "hubot via GitHub Actions (acme/infra)".to_owned(),
        operation: "OperationTypeApply".to_owned(),
        info: "acme/infra#41 https://github.com/acme/infra/actions/runs/900/attempts/1".to_owned(),
        freeze_reason: None,
        since: Some(at("09:12:00")),
        age_seconds: Some(1680),
        run_url: Some("https://github.com/acme/infra/actions/runs/900/attempts/1".to_owned()),
        pull_request: Some(41),
        liveness: Liveness::Finished,
        next_step: "Run the unlock workflow with this lock id.".to_owned(),
    };
    let locked = |holder: HolderView| CommentView {
        phase: Phase::Locked,
        lock: LockView::HeldByOther(vec![holder]),
        ..view(None)
    };
    let text = comment(&locked(holder.clone()), COMMENT_BUDGET);
    in_order(
        &text,
        &[
            "### 🔒 `environments/prod`: the state is locked, nothing was done",
            "> [!WARNING]",
            "**The state is locked** by `hubot via GitHub Actions (acme/infra)` (an apply) for [#41](https://github.com/acme/infra/pull/41).",
            "Since 21 Nov 2026 09:12:00 UTC, for 28 min. \
             [Its run](https://github.com/acme/infra/actions/runs/900/attempts/1) is **finished**",
            "Lock id `e9ea2242`",
            "**Next:** Run the unlock workflow with this lock id.\n>\n\
             > → [re-run this job](https://github.com/acme/infra/actions/runs/987)\n",
        ],
    );
    let freeze = HolderView {
        who: "monalisa@desk".to_owned(),
        operation: "freeze".to_owned(),
        info: "freeze: moving to another account".to_owned(),
        freeze_reason: Some("moving to another account".to_owned()),
        run_url: None,
        pull_request: None,
        liveness: Liveness::Unknown,
        ..holder.clone()
    };
    let text = comment(&locked(freeze), COMMENT_BUDGET);
    in_order(
        &text,
        &[
            "### 🔒 `environments/prod`: the state is frozen, nothing was done",
            "**The state is frozen for maintenance** by `monalisa@desk`.",
            "Since 21 Nov 2026 09:12:00 UTC, for 28 min.",
            "Why: `moving to another account`",
            "Lock id `e9ea2242`",
        ],
    );
    assert!(!text.contains("cannot be told"), "{text}");
    // A lock's body may name any address; only a run on our own server is linked.
    for foreign in
        ["https://example.com/acme/infra/actions/runs/1", "https://github.com/acme/infra/../x", "javascript:x"]
    {
        let text = comment(&locked(HolderView { run_url: Some(foreign.to_owned()), ..holder.clone() }), COMMENT_BUDGET);
        assert!(!text.contains(foreign), "{text}");
    }
}

#[test]
fn whoever_waits_is_told_until_when_and_what_comes_then() {
    let holder = HolderView { who: "monalisa@desk".to_owned(), liveness: Liveness::Alive, ..HolderView::default() };
    let waiting = CommentView {
        phase: Phase::WaitingForLock,
        lock: LockView::HeldByOther(vec![holder]),
        waits_until: Some(at("09:50:00")),
        ..view(None)
    };
    let told = "This job waits until 09:50:00 UTC; if the lock is still held then, it fails and nothing is done.";
    in_order(&comment(&waiting, COMMENT_BUDGET), &[told, "**Next:** nothing to do"]);
    let tomorrow = CommentView { now: "2026-11-20T23:55:00Z".parse().unwrap(), ..waiting.clone() };
    in_order(&comment(&tomorrow, COMMENT_BUDGET), &["This job waits until 21 Nov 2026 09:50:00 UTC;"]);
    let locked = comment(&CommentView { phase: Phase::Locked, ..waiting }, COMMENT_BUDGET);
    assert!(!locked.contains("waits until"), "{locked}");
}

#[test]
fn the_history_says_why() {
    let holder = HolderView {
        who: "hubot via GitHub Actions (acme/infra)".to_owned(),
        pull_request: Some(41),
        ..HolderView::default()
    };
    let lock = LockView::HeldByOther(vec![holder]);
    let gate = |had: usize, blockers: &[&str]| GateView {
        required: 2,
        approved_by: vec!["hubot".to_owned(); had],
        blockers: blockers.iter().map(|blocker| (*blocker).into()).collect(),
        ..GateView::default()
    };
    let failure = FailureView { what: "terraform plan exited with code 1".to_owned(), ..FailureView::default() };
    let lacking = gate(1, &["too few"]);
    let rejected = gate(2, &["monalisa requests changes", "moved", "gone"]);
    let difference = ["a.b would be created".to_owned()];
    let none = LockView::NotTaken;
    let cases = [
        (
            why(Phase::WaitingForLock, &lock, None, &[], None),
            "waiting for the lock (held by hubot for [#41](https://github.com/acme/infra/pull/41))",
        ),
        (why(Phase::Locked, &lock, None, &[], None), "locked out (held by hubot for"),
        (why(Phase::Blocked, &none, Some(&lacking), &[], None), "blocked (1 of 2 approvals)"),
        (
            why(Phase::Blocked, &none, Some(&rejected), &[], None),
            "blocked (monalisa requests changes, and 2 more reasons)",
        ),
        (why(Phase::Refused, &none, None, &difference, None), "refused (a.b would be created)"),
        (why(Phase::Failed, &none, None, &[], Some(&failure)), "failed (terraform plan exited with code 1)"),
        (why(Phase::Planned, &lock, Some(&lacking), &[], None), "planned · commit"),
    ];
    let phases = [
        Phase::WaitingForLock,
        Phase::Locked,
        Phase::Blocked,
        Phase::Blocked,
        Phase::Refused,
        Phase::Failed,
        Phase::Planned,
    ];
    for ((why, expected), phase) in cases.into_iter().zip(phases) {
        let told = LifeEvent { why, ..event("09:30:00", phase) };
        let history = vec![event("09:00:00", Phase::Skipped), told.clone()];
        let text = comment(&CommentView { history, ..view(None) }, COMMENT_BUDGET);
        in_order(&text, &["**History**", expected]);
        assert_eq!(life_from_comment(&text).last(), Some(&told), "it outlives the edit");
    }
    // As it was stored before there was a why.
    let stored = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, r#"[[1,"planned",null,null,null]]"#);
    assert_eq!(life_from_comment(&format!("x\n<!-- stategate-life:{stored} -->")).len(), 1);
}

#[test]
fn the_gate_is_quiet_until_it_keeps_something_out() {
    let plan = read(EVERYTHING);
    let gate = GateView {
        required: 2,
        approved_by: vec!["hubot".to_owned()],
        blockers: vec![
            Sentence::default().pull_request(42).words(" has 1 of 2 approvals"),
            "`octocat` requests changes".into(),
        ],
        notes: Vec::new(),
        who_can: "Anyone with write access can approve.".to_owned(),
        next_step: "get another approval".into(),
    };
    let waiting = comment(&CommentView { gate: Some(gate.clone()), ..view(Some(&plan)) }, COMMENT_BUDGET);
    in_order(
        &waiting,
        &[
            "**Approval** 1 of 2, by `hubot`",
            "- [#42](https://github.com/acme/infra/pull/42) has 1 of 2",
            "**Next:** get another",
            "[!CAUTION]",
        ],
    );
    let blocked = CommentView { gate: Some(gate), phase: Phase::Blocked, ..view(Some(&plan)) };
    let text = comment(&blocked, COMMENT_BUDGET);
    assert!(text.contains("**7 resources would be destroyed, 3 replaced"), "{text}");
    in_order(
        &text,
        &[
            "### ⛔ `environments/prod`: not applied, approval is missing · **7 to destroy",
            "> [!WARNING]\n> **Nothing was applied. Approvals: 1 of 2, by `hubot`**",
            "> - [#42](https://github.com/acme/infra/pull/42) has 1 of 2 approvals\n> - `octocat` requests changes",
            "**Next:** get another approval\n>\n> → [review #42](https://github.com/acme/infra/pull/42/files) · \
             [re-run this job](https://github.com/acme/infra/actions/runs/987)\n",
            "[!CAUTION]",
        ],
    );
}

#[test]
fn a_run_that_is_out_of_date_is_not_to_be_run_again() {
    let gate = GateView {
        required: 1,
        blockers: vec!["4f0c1d2 is no longer the newest commit of main".into()],
        next_step: "nothing: the run of the newest commit applies both".into(),
        ..GateView::default()
    };
    let text = comment(&CommentView { gate: Some(gate), phase: Phase::Blocked, ..view(None) }, COMMENT_BUDGET);
    in_order(&text, &["**Next:** nothing"]);
    assert!(!text.contains('→'), "{text}");
}

#[test]
fn where_nobody_is_asked_no_approvals_are_counted() {
    let gate = GateView { next_step: "merge, and the apply runs on main".into(), ..GateView::default() };
    let text = comment(&CommentView { gate: Some(gate), root: ".", ..view(Some(&read(TARGET))) }, COMMENT_BUDGET);
    in_order(&text, &["### ⚠️ Root module: ", "**Next:** merge, and the apply runs on main"]);
    assert!(!text.contains("Approval"), "{text}");
}

#[test]
fn what_is_lost_is_read_without_a_click_when_it_is_little() {
    let destroys = |count: usize| {
        let one =
            |index| json!({"address": format!("a.b[{index}]"), "change": {"actions": ["delete"], "before": {"x": 1}}});
        let change = json!({"address": "a.c", "change": {"actions": ["create"], "after": {"x": 1}}});
        let changes: Vec<Value> = (0..count).map(one).chain([change]).collect();
        plan_of(&json!({"resource_changes": changes}))
    };
    let opened = |plan: &PlanSummary, phase| {
        comment(&CommentView { phase, ..view(Some(plan)) }, COMMENT_BUDGET).matches("<details open>").count()
    };
    assert_eq!(opened(&destroys(3), Phase::Planned), 3);
    assert_eq!(opened(&destroys(4), Phase::Planned), 0);
    assert_eq!(opened(&destroys(3), Phase::Applied), 0);
}

#[test]
fn a_long_life_is_told_in_full_and_its_beginning_folded_away() {
    let history: Vec<LifeEvent> = (0..20)
        .map(|minute| LifeEvent {
            head_sha: Some(format!("{minute:07}")),
            ..event(&format!("09:{minute:02}:00"), Phase::Planned)
        })
        .collect();
    let text = comment(&CommentView { history, ..view(Some(&read(TARGET))) }, COMMENT_BUDGET);
    in_order(
        &text,
        &[
            "**History**",
            "<summary>14 earlier steps</summary>",
            "commit `0000000`",
            "</details>",
            "commit `0000014`",
            "commit `0000019`",
        ],
    );
    assert_eq!(text.matches("· [run](").count(), 20);
}

#[test]
fn a_terminal_shows_words_and_no_marks() {
    let plan = read(EVERYTHING);
    let history = vec![event("09:00:00", Phase::Planned), event("09:30:00", Phase::Planned)];
    let text = for_terminal(&CommentView { history, ..view(Some(&plan)) });
    in_order(
        &text,
        &[
            "⚠️ environments/prod: 7 to destroy, 3 to replace, 1 to forget · 2 to add",
            "  CAUTION\n  7 resources will be destroyed",
            "  - destroy terraform_data.tenant[\"globex\"]: its key is no longer in for_each",
            "    -/+ resource \"terraform_data\" \"database\" {",
        ],
    );
    for mark in ["<!-- stategate", "<details", "<summary", "```diff", "### ", "**destroy**"] {
        assert!(!text.contains(mark), "{mark} in\n{text}");
    }
}

#[test]
fn after_the_apply_there_are_the_outputs_and_the_life() {
    let plan = read(EVERYTHING);
    let applied = CommentView {
        phase: Phase::Applied,
        outputs: vec![
            OutputView { name: "endpoint".to_owned(), value: Some(json!("db-2.internal:5432")) },
            OutputView { name: "password".to_owned(), value: None },
        ],
        history: vec![
            event("09:00:00", Phase::Planned),
            event("09:00:01", Phase::Planned),
            LifeEvent { run_url: None, ..event("09:30:00", Phase::Approved) },
            event("09:33:00", Phase::Applied),
        ],
        ..view(Some(&plan))
    };
    let text = comment(&applied, COMMENT_BUDGET);
    in_order(
        &text,
        &[
            "### ✅ `environments/prod`: applied · **7 destroyed, 3 replaced, 1 forgotten** · 2 added, 5 changed",
            "> [!NOTE]\n> **7 resources were destroyed, 3 replaced, 1 forgotten**",
            "```\nendpoint = \"db-2.internal:5432\"\npassword = (sensitive value)\n```",
            "**History** (UTC)\n\n- 21 Nov 09:00 · planned · commit `4f0c1d2` · \
             [run](https://github.com/acme/infra/actions/runs/987/attempts/1) by `octocat`\n\
             - 21 Nov 09:30 · approved by `octocat` · commit `4f0c1d2`\n- 21 Nov 09:33 · applied · commit",
        ],
    );
    let life = life_from_comment(&text);
    let phases: Vec<Phase> = life.iter().map(|event| event.phase).collect();
    assert_eq!(phases, [Phase::Planned, Phase::Approved, Phase::Applied]);
    assert_eq!(life[2], event("09:33:00", Phase::Applied));
}

#[test]
fn a_failure_says_what_why_and_what_next() {
    let failed = CommentView {
        phase: Phase::Failed,
        failure: Some(FailureView {
            what: "terraform plan failed with exit code 1".to_owned(),
            why: "The configuration is not valid.".to_owned(),
            hint: "Mend the configuration and push again.".to_owned(),
            terraform_error_text: Some("\u{1b}[31m│\u{1b}[0m Error: Unsupported attribute".to_owned()),
        }),
        ..view(None)
    };
    in_order(
        &comment(&failed, COMMENT_BUDGET),
        &[
            "### ❌ `environments/prod`: failed",
            "> **terraform plan failed with exit code 1**\n>\n> Unsupported attribute\n>\n> **Next:** Mend",
            "```\n│ Error: Unsupported attribute\n```",
        ],
    );
}

#[test]
fn an_apply_that_broke_off_is_told_from_a_plan_that_did() {
    let plan = read(TARGET);
    let history = vec![event("09:00:00", Phase::Applying), event("09:01:00", Phase::Cancelled)];
    let cancelled =
        CommentView { phase: Phase::Cancelled, next_step: Some("Run again.".to_owned()), ..view(Some(&plan)) };
    in_order(&comment(&cancelled, COMMENT_BUDGET), &["`: cancelled\n", "**Next:** Run again.", "was to be replaced"]);
    let broken = CommentView { history, ..cancelled };
    in_order(&comment(&broken, COMMENT_BUDGET), &["`: cancelled during the apply · **1 to replace, incomplete**\n"]);

    let failure = FailureView { what: "it failed".to_owned(), hint: "mend it".to_owned(), ..FailureView::default() };
    let failed = CommentView { phase: Phase::Failed, failure: Some(failure), ..broken };
    let half = "A part of the change may be applied; the state says which.";
    let text = comment(&failed, COMMENT_BUDGET);
    in_order(&text, &["**it failed**", half, "**Next:** mend it", "[re-run this job]"]);
    let text = comment(&CommentView { history: Vec::new(), ..failed.clone() }, COMMENT_BUDGET);
    assert!(!text.contains(half), "{text}");
    // Where the state was not uploaded, nothing is run again before that is done.
    let lock = LockView::Kept { id: "1".to_owned(), why: "the state is rescued".to_owned() };
    let text = comment(&CommentView { lock, ..failed }, COMMENT_BUDGET);
    assert!(!text.contains(half) && !text.contains("re-run this job"), "{text}");
}

#[test]
fn a_refusal_says_what_differs_and_what_to_do() {
    let difference = vec!["the state changed since".to_owned(), "Next: plan again".to_owned()];
    let plan = read(TARGET);
    // Whoever may edit comments may have written any address.
    let planned_at = |url: &str| LifeEvent { run_url: Some(url.to_owned()), ..event("09:00:00", Phase::Planned) };
    let refused = |url: &str| CommentView {
        phase: Phase::Refused,
        difference: difference.clone(),
        history: vec![planned_at(url)],
        ..view(Some(&plan))
    };
    let evil = "https://github.com/evil/infra/actions/runs/900";
    let told = vec![planned_at(evil), event("09:10:00", Phase::Refused)];
    let foreign = comment(&CommentView { history: told, ..refused(evil) }, COMMENT_BUDGET);
    assert!(foreign.contains("planned · commit `4f0c1d2` · run by") && !foreign.contains("evil"), "{foreign}");
    in_order(&foreign, &["> → [review #42]("]);
    let text = comment(&refused("https://github.com/acme/infra/actions/runs/900"), COMMENT_BUDGET);
    in_order(
        &text,
        &[
            "> - the state changed since\n>\n> **Next:** plan again\n>\n> → [the plan job](https://github.com/acme/infra/actions/runs/900) · \
             [review #42](https://github.com/acme/infra/pull/42/files) · [re-run this job](",
        ],
    );
}

#[test]
fn the_job_summary_carries_terraforms_own_text() {
    let plan = read(EVERYTHING);
    let text = job_summary(&view(Some(&plan)), Some(EVERYTHING_TEXT), SUMMARY_LIMIT);
    in_order(
        &text,
        &["### ⚠️", "[!CAUTION]", "Terraform's own text of the plan", "Terraform will perform the following actions"],
    );
    assert!(!text.contains("<!--") || text.find("<!--") > text.find("```"), "the marker is the comment's");
}
