//! What a person sees of a plan.

use serde_json::json;

use super::*;

#[test]
fn everything_stands_in_the_order_of_danger() {
    let plan = read(EVERYTHING);
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    in_order(
        &text,
        &[
            "<!-- stategate:environments/prod@default -->\n",
            "### ⚠️ `environments/prod`: **7 to destroy, 3 to replace, 1 to forget** · 2 to add, 5 to change, \
             1 to import, 1 to move, 3 outputs to change\n",
            "4 unchanged · commit `4f0c1d2` · fingerprint `9c1f4e77ab02` · Terraform 1.11.4 · [full plan](https://github.com/acme/",
            "> [!CAUTION]\n> **7 resources will be destroyed, 3 replaced, 1 forgotten**\n",
            "> - **destroy** `terraform_data.retired`: no longer in the configuration\n",
            "> - **destroy** `terraform_data.tenant[\"globex\"]`: its key is no longer in `for_each`\n",
            "> - **destroy** `terraform_data.worker[1]`: beyond the new `count`\n",
            "> - **replace** `terraform_data.database`: `triggers_replace` forces replacement\n",
            "> - **replace** `terraform_data.new_one_first`: `triggers_replace` forces replacement; the new one is created first\n",
            "> - **replace** `terraform_data.tainted`: it is tainted\n",
            "> - **forget** `terraform_data.handed_over`: no longer in the configuration; the real object stays\n",
            "> [!WARNING]\n> **1 check did not pass**\n>\n> - `check.hostile`: ",
            " known only after the apply.\n",
            "<summary><b>destroy</b> <code>terraform_data.retired</code></summary>",
            "<summary><b>replace</b> <code>terraform_data.database</code></summary>",
            "<summary><b>destroy</b> <code>module.queue.terraform_data.queue</code></summary>",
            "<summary>3 outputs change</summary>",
            "<summary>change <code>terraform_data.boot</code></summary>",
            "<summary>add <code>terraform_data.copy</code></summary>",
            "<summary>move <code>terraform_data.new_name</code></summary>",
            "Marks: `+` comes, `-` goes, `~` changes (`!` colours its line); `-/+` is destroyed and made anew.\\\n\
             Fingerprint: a digest of the changes and of what provisioners and providers are given. \
             The apply compares the same parts.\n",
        ],
    );
    // Each value of this plan has its own line, so the number can be counted there.
    let unknown = text.matches("(known after apply)").count();
    assert!(text.contains(&format!(", {unknown} are known only after the apply.\n")), "{unknown}: {text}");
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
                "🟢 `environments/prod`: no changes · 19 unchanged · commit `4f0c1d2` · fingerprint `9c1f4e77ab02` · \
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
            "[!IMPORTANT]\n> **1 action will be invoked**",
            "- `action.x.y`, triggered by `a.b`",
            "1 resource was changed outside of Terraform",
            "changed  a.drifted",
        ],
    );
    let applied = comment(&CommentView { phase: Phase::Applied, ..view(Some(&plan)) }, COMMENT_BUDGET);
    in_order(&applied, &["[!NOTE]\n> **1 action was invoked**"]);
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
        ("delete_because_enabled_false", "its `enabled` is false"),
        ("forgot_because_lifecycle_destroy_in_config", "the configuration has `destroy = false`"),
        ("forgot_because_lifecycle_destroy_in_state", "had `destroy = false` when it was last applied"),
        ("delete_because_moon_is_full", ": because moon is full"),
        ("delete_because_<b>", "`delete_because_<b>`"),
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
fn the_job_summary_carries_terraforms_own_text() {
    let plan = read(EVERYTHING);
    let text = job_summary(&view(Some(&plan)), Some(EVERYTHING_TEXT), SUMMARY_LIMIT);
    in_order(
        &text,
        &["### ⚠️", "[!CAUTION]", "Terraform's own text of the plan", "Terraform will perform the following actions"],
    );
    assert!(!text.contains("<!--") || text.find("<!--") > text.find("```"), "the marker is the comment's");
}

#[test]
fn an_element_is_compared_with_its_like() {
    let of = |before: Value, after: Value, unknown: Value| {
        let plan = plan_of(&json!({"resource_changes": [{"address": "a.b", "type": "a", "name": "b", "change": {
            "actions": ["update"], "before": {"l": before}, "after": {"l": after}, "after_unknown": {"l": unknown}}}]}));
        let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
        let fence = text.split("```").nth(1).unwrap().to_owned();
        fence.lines().skip(3).take_while(|line| !line.contains(" ]")).collect::<Vec<_>>().join("\n")
    };
    // A list that is no set can hold elements of several types.
    assert_eq!(
        of(json!([1, {"deep": {"er": 1}}]), json!(["2", {"deep": {"er": 2}}]), json!([])),
        "-       1,\n      ~ {\n        ~ deep = {\n!         ~ er = 1 -> 2\n          }\n        }\n+       \"2\","
    );
    let rules = (json!([{"port": 80}, {"port": 443}]), json!([{"port": 80}, {"port": 8443}]));
    assert_eq!(
        of(rules.0, rules.1, json!([])),
        "      ~ {\n!       ~ port = 443 -> 8443\n        }\n        # (1 unchanged element hidden)"
    );
    assert_eq!(of(json!([{"port": 80}]), json!([null]), json!([true])), "!     ~ {…} -> (known after apply)");
}

#[test]
fn what_changed_outside_of_terraform_is_shown() {
    let drift = |address: &str, actions: &[&str], before: Value, after: Value| {
        json!({"address": address, "type": "a", "name": "b", "change": {
            "actions": actions, "before": before, "after": after, "before_sensitive": {"key": true}, "after_sensitive": {"key": true}}})
    };
    let plan = plan_of(&json!({"resource_changes": [], "resource_drift": [
        drift("a.changed", &["update"], json!({"size": 1, "tags": {"a": "x"}, "key": "old-secret"}),
            json!({"size": 2, "tags": {"a": "x", "b": "y"}, "key": "new-secret"})),
        drift("a.gone", &["delete"], json!({"size": 1}), Value::Null),
    ]}));
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    let told = "<summary><b>2 resources were changed outside of Terraform</b></summary>\n\n```diff\n  \
                gone     a.gone\n  changed  a.changed\n\
                !   ~ key  = (sensitive value) # the value changes\n\
                !   ~ size = 1 -> 2\n    ~ tags = {\n+       b = \"y\"\n        # (1 unchanged element hidden)\n      }\n```\n";
    assert!(text.contains(told), "{text}");
    assert!(!text.contains("-secret"), "{text}");
    // Where there is little room, by address alone.
    let many: Vec<Value> = (0..30)
        .map(|n| drift(&format!("a.b[{n}]"), &["update"], json!({"x": "o".repeat(300)}), json!({"x": "n".repeat(300)})))
        .collect();
    let plan = plan_of(&json!({"resource_changes": [], "resource_drift": many}));
    let short = comment(&view(Some(&plan)), 4_000);
    assert!(short.contains("changed  a.b[29]") && !short.contains("ooo"), "{short}");
    assert!(comment(&view(Some(&plan)), COMMENT_BUDGET).contains("nnn"));
}

#[test]
fn words_to_people_are_broken_as_terraform_breaks_them() {
    let why = "Error running command 'curl' with a long reason that nobody reads to its end: exit status 1. \
               Output: orders.acme.example: no route to host";
    let failure = FailureView {
        what: "it broke".to_owned(),
        terraform_error_text: Some(format!("Error: x\n\n  with {}\n{why}", "a.code_of_some_length ".repeat(6))),
        ..FailureView::default()
    };
    let failed = CommentView { phase: Phase::Failed, failure: Some(failure), ..view(None) };
    let text = comment(&failed, COMMENT_BUDGET);
    in_order(
        &text,
        &[
            "a.code_of_some_length a.code_of_some_length a.code_of_some_length a.code",
            " to its end:\nexit status 1. ",
            "no route to host\n",
        ],
    );
    let lines = text.lines().filter(|line| line.contains("status") || line.contains("Error running"));
    assert!(lines.clone().count() == 2 && lines.into_iter().all(|line| line.chars().count() <= 78), "{text}");
}

#[test]
fn a_replacement_that_forgets_the_old_object_says_so() {
    for (actions, symbol) in [(["create", "forget"], "+/. "), (["forget", "create"], "./+ ")] {
        let plan = plan_of(&json!({"resource_changes": [{"address": "a.b", "type": "a", "name": "b",
            "change": {"actions": actions, "before": {"size": 1}, "after": {"size": 2}}}]}));
        assert_eq!(plan.counts.replace, 1);
        let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
        in_order(
            &text,
            &[
                "> - **replace** `a.b`: the old one is left behind, unmanaged",
                &format!("\n{symbol}resource \"a\" \"b\" {{"),
                "`+/.` and `./+`: another one is made, and the old one is left behind, unmanaged.",
            ],
        );
    }
}

#[test]
fn an_ephemeral_resource_that_is_opened_is_no_change() {
    let open = |mode: &str| {
        plan_of(&json!({"applyable": true, "complete": true, "resource_changes": [
            {"address": "ephemeral.a.b", "mode": mode, "change": {"actions": ["open"], "before": null, "after": null}},
        ]}))
    };
    let text = comment(&view(Some(&open("ephemeral"))), COMMENT_BUDGET);
    in_order(&text, &["🟢", "no changes", "1 ephemeral resource opened"]);
    assert!(open("managed").has_changes(), "nobody knows what that would be");
}

#[test]
fn what_moves_to_another_type_has_not_drifted() {
    let moved = json!({"address": "a.b", "previous_address": "c.b", "change": {
        "actions": ["update"], "before": {"id": "1", "more": null}, "after": {"id": "1"}, "after_unknown": {}}});
    let mut changed = moved.clone();
    changed["change"]["after"]["id"] = json!("2");
    assert_eq!(plan_of(&json!({"resource_changes": [], "resource_drift": [moved]})).counts.drift, 0);
    assert_eq!(plan_of(&json!({"resource_changes": [], "resource_drift": [moved, changed]})).counts.drift, 1);
}

#[test]
fn an_action_is_shown_with_its_moment_and_its_arguments() {
    let call = |event: &str, message: &str| {
        json!({"address": "action.x_run.y", "config_values": {"message": message, "token": "hunter2hunter", "none": null},
            "config_sensitive": {"token": true}, "config_unknown": {"host": true},
            "lifecycle_action_trigger": {"triggering_resource_address": "a.b", "action_trigger_event": event}})
    };
    let plan = plan_of(&json!({"resource_changes": [], "action_invocations": [
        call("BeforeUpdate", "one"), call("AfterUpdate", "one"), call("OnMoon", "two"),
        {"address": "action.x_run.z", "config_values": {}, "invoke_action_trigger": {}},
    ]}));
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    in_order(
        &text,
        &[
            "**4 actions will be invoked**",
            "- `action.x_run.y` before `a.b` is updated\n",
            "- `action.x_run.y` after `a.b` is updated\n",
            "- `action.x_run.y`, triggered by `a.b` at `OnMoon`\n",
            "- `action.x_run.z`, asked for with `-invoke`\n",
            "What the actions are invoked with",
            "    action.x_run.y\n+     host    = (known after apply)\n+     message = \"one\"\n+     token   = (sensitive value)\n",
            "    action.x_run.y\n+     host    = (known after apply)\n+     message = \"two\"\n",
            "    action.x_run.z # without arguments\n",
        ],
    );
    assert_eq!(text.matches("\"one\"").count(), 1, "the same is told once:\n{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_move_that_only_the_state_learns_of_is_shown() {
    let moved = json!({"address": "a.new", "previous_address": "a.old",
        "change": {"actions": ["no-op"], "before": {"id": "1"}, "after": {"id": "1"}}});
    let plan = |changes: serde_json::Value| {
        plan_of(&json!({"applyable": false, "resource_changes": changes, "resource_drift": [moved]}))
    };
    let text = comment(&view(Some(&plan(json!([])))), COMMENT_BUDGET);
    in_order(&text, &["no changes", "**1 resource moves in the state**", "- `a.old` to `a.new`\n"]);
    let text = comment(&view(Some(&plan(json!([moved])))), COMMENT_BUDGET);
    in_order(&text, &["1 to move"]);
    assert!(!text.contains("in the state"), "it is told once:\n{text}");
}
