//! What a person sees of where the change stands, and of what to do.

use serde_json::json;

use super::*;
use crate::diagnostic::Diagnostic;
use crate::sentence::Sentence;

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
            "**Next:** Run the unlock workflow with this lock id. Then re-run this job.\n>\n\
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
    let blocker = Sentence::default().pull_request(41).words(" has 0 of 1 approval of its head commit");
    let others = GateView { required: 1, blockers: vec![blocker], ..GateView::default() };
    let rejected = gate(2, &["monalisa requests changes", "moved", "gone"]);
    let difference = ["a.b would be created; the reviewed plan left it alone".to_owned()];
    let none = LockView::NotTaken;
    let cases = [
        (
            why(None, Phase::WaitingForLock, &lock, None, &[], None),
            "waiting for the lock (held by hubot for [#41](https://github.com/acme/infra/pull/41))",
        ),
        (why(None, Phase::Locked, &lock, None, &[], None), "locked out (held by hubot for"),
        (why(None, Phase::Blocked, &none, Some(&lacking), &[], None), "blocked (1 of 2 approvals)"),
        (
            why(Some(42), Phase::Blocked, &none, Some(&others), &[], None),
            "blocked ([#41](https://github.com/acme/infra/pull/41) has 0 of 1 approval)",
        ),
        (why(Some(41), Phase::Blocked, &none, Some(&others), &[], None), "blocked (0 of 1 approval)"),
        (
            why(None, Phase::Blocked, &none, Some(&rejected), &[], None),
            "blocked (monalisa requests changes, and 2 more reasons)",
        ),
        (why(None, Phase::Refused, &none, None, &difference, None), "refused (a.b would be created)"),
        (why(None, Phase::Failed, &none, None, &[], Some(&failure)), "failed (terraform plan exited with code 1)"),
        (why(None, Phase::Planned, &lock, Some(&lacking), &[], None), "planned · commit"),
    ];
    let phases = [
        Phase::WaitingForLock,
        Phase::Locked,
        Phase::Blocked,
        Phase::Blocked,
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
fn what_was_merged_earlier_is_told_with_the_gate_and_linked_to_be_approved() {
    let gate = GateView {
        required: 1,
        approved_by: vec!["hubot".to_owned()],
        blockers: vec![Sentence::default().pull_request(41).words(" has 0 of 1 approval")],
        next_step: Sentence::from("have ").pull_request(41).words(" approved"),
        ..GateView::default()
    };
    let related = vec![Sentence::default().pull_request(41).words(" is merged and not applied yet")];
    let plan = read(TARGET);
    let blocked = CommentView { gate: Some(gate), phase: Phase::Blocked, related, ..view(Some(&plan)) };
    let text = comment(&blocked, COMMENT_BUDGET);
    let why = "> - [#41](https://github.com/acme/infra/pull/41) is merged and not applied yet\n";
    let places = "→ [review #41](https://github.com/acme/infra/pull/41/files) · [re-run this job](";
    // It is not this one that lacks it.
    let other = "[#41](https://github.com/acme/infra/pull/41) is not approved";
    let verdict = format!("### ⛔ `environments/prod`: not applied, {other} · ");
    let headline = format!("**Nothing was applied: {other}. Approvals of this pull request: 1 of 1, by `hubot`**");
    in_order(&text, &[&verdict, &headline, why, "**Next:** have [#41](", places, "[!CAUTION]"]);
    assert!(!text.contains("approval is missing"), "{text}");
    assert_eq!(text.matches("not applied yet").count(), 1, "{text}");
    let planned = comment(&CommentView { phase: Phase::Planned, ..blocked }, COMMENT_BUDGET);
    in_order(&planned, &["[!CAUTION]", "is merged and not applied yet"]);
}

#[test]
fn a_failure_without_a_why_says_one_thing_to_do_next() {
    let failure =
        FailureView { what: "no (*.tf) in `x`".to_owned(), hint: "Give it.".to_owned(), ..FailureView::default() };
    let gate = GateView { required: 1, next_step: "have it approved".into(), ..GateView::default() };
    let failed = CommentView { phase: Phase::Failed, failure: Some(failure.clone()), gate: Some(gate), ..view(None) };
    let text = comment(&failed, COMMENT_BUDGET);
    in_order(&text, &["> **no (`*.tf`) in `x`**\n>\n> **Next:** Give it.\n>\n> → [re-run this job]("]);
    assert_eq!(text.matches("**Next:**").count(), 1, "{text}");
    let usage = FailureView { is_usage: true, ..failure };
    let text = comment(&CommentView { failure: Some(usage), ..failed }, COMMENT_BUDGET);
    assert!(text.contains("**Next:** Give it.") && !text.contains("re-run"), "the same again ends the same:\n{text}");
}

#[test]
fn a_run_that_is_out_of_date_is_not_to_be_run_again() {
    let gate = GateView {
        required: 1,
        approved_by: vec!["hubot".to_owned()],
        blockers: vec!["4f0c1d2 is no longer the newest commit of main".into()],
        next_step: "nothing: the run of the newest commit applies both".into(),
        ..GateView::default()
    };
    let text = comment(&CommentView { gate: Some(gate), phase: Phase::Blocked, ..view(None) }, COMMENT_BUDGET);
    let told = "**Nothing was applied. Approvals: 1 of 1, by `hubot`**";
    in_order(&text, &["`: not applied, the gate blocks it\n", told, "- `4f0c1d2` is no longer", "**Next:** nothing"]);
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
fn a_long_life_is_told_in_full_and_its_beginning_folded_away() {
    let told = |steps: usize| {
        let step = |minute| LifeEvent {
            head_sha: Some(format!("{minute:07}")),
            ..event(&format!("09:{minute:02}:00"), Phase::Planned)
        };
        let history: Vec<LifeEvent> = (0..steps).map(step).collect();
        comment(&CommentView { history, ..view(Some(&read(TARGET))) }, COMMENT_BUDGET)
    };
    let folded = |text: &str| text.split_once("**History**").unwrap().1.contains("<details>");
    assert!(!folded(&told(4)) && folded(&told(5)), "a phone shows four without a fold");
    let text = told(20);
    in_order(
        &text,
        &[
            "**History**",
            "<summary>17 earlier steps</summary>",
            "commit `0000000`",
            "commit `0000016`",
            "</details>",
            "commit `0000017`",
            "commit `0000019`",
        ],
    );
    assert_eq!(text.matches("· [run](").count(), 20);
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
            "### ✅ `environments/prod`: applied · **7 destroyed, 3 replaced, 1 forgotten** · 2 added, 5 changed, 1 imported, 1 moved, 3 outputs changed",
            "> [!NOTE]\n> **7 resources were destroyed, 3 replaced, 1 forgotten**",
            "<summary>2 output values after the apply</summary>\n\n```\nendpoint = \"db-2.internal:5432\"\npassword = (sensitive value)\n```",
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
            is_usage: false,
            error: None,
            terraform_error_text: Some("\u{1b}[31m│\u{1b}[0m Error: Unsupported attribute".to_owned()),
        }),
        ..view(None)
    };
    in_order(
        &comment(&failed, COMMENT_BUDGET),
        &[
            "### ❌ `environments/prod`: the plan failed, nothing was changed\n",
            "> **terraform plan failed with exit code 1**\n>\n> Unsupported attribute\n>\n> **Next:** Mend",
            "```\n│ Error: Unsupported attribute\n```",
        ],
    );
    // What it was about says what it can have changed.
    let plan = read(TARGET);
    let before = "failed before the plan, nothing was changed\n";
    for (step, plan, verdict) in [
        (Step::Preparing, None, before),
        (Step::Locking, None, "the lock could not be taken, nothing was changed\n"),
        (Step::Planning, Some(&plan), "failed after the plan, nothing was changed · **1 to replace"),
    ] {
        let text = comment(&CommentView { plan, step, ..failed.clone() }, COMMENT_BUDGET);
        in_order(&text, &["### ❌ `environments/prod`: ", verdict, "**Next:** Mend"]);
    }
}

#[test]
fn the_first_error_is_told_with_its_place() {
    let error = json!({
        "severity": "error", "summary": "Unsupported argument", "detail": "No argument of this name.",
        "address": "aws_sqs_queue.jobs", "range": {"filename": "queue.tf", "start": {"line": 3}},
    });
    let failure = FailureView {
        what: "terraform plan exited with code 1".to_owned(),
        error: Diagnostic::from_json(&error, Some("environments/prod")),
        terraform_error_text: Some("Error: Unsupported argument".to_owned()),
        ..FailureView::default()
    };
    let failed = CommentView { phase: Phase::Failed, failure: Some(failure), ..view(None) };
    let told = "> Unsupported argument, with `aws_sqs_queue.jobs`, at `environments/prod/queue.tf:3`\n";
    in_order(&comment(&failed, COMMENT_BUDGET), &["**terraform plan exited with code 1**", told]);
}

#[test]
fn an_apply_that_broke_off_is_told_from_a_plan_that_did() {
    let plan = read(TARGET);
    let cancelled =
        CommentView { phase: Phase::Cancelled, next_step: Some("Run again.".to_owned()), ..view(Some(&plan)) };
    in_order(
        &comment(&cancelled, COMMENT_BUDGET),
        &["`: cancelled, nothing was changed\n", "**Next:** Run again.", "was to be replaced"],
    );
    let progress = |completed, saved| Some(Progress { completed, saved, actions: None });
    let half_way = progress(Some((1, 2)), Some(true));
    let broken = CommentView { step: Step::Applying, progress: half_way.as_ref(), ..cancelled };
    let done = "1 of 2 changes completed, as far as Terraform's log tells; the state has what was done.";
    in_order(
        &comment(&broken, COMMENT_BUDGET),
        &[
            "`: cancelled during the apply, 1 of 2 changes completed · **1 to replace, incomplete**\n",
            done,
            "**Next:**",
        ],
    );

    let failure = FailureView { what: "it failed".to_owned(), hint: "mend it".to_owned(), ..FailureView::default() };
    let planned = event("09:00:00", Phase::Planned);
    let failed = CommentView { phase: Phase::Failed, failure: Some(failure), history: vec![planned], ..broken };
    let text = comment(&failed, COMMENT_BUDGET);
    in_order(
        &text,
        &[
            "### ❌ `environments/prod`: the apply failed, 1 of 2 changes completed · **1 to replace",
            "**it failed**",
            done,
            "**Next:** mend it",
            "→ [the plan job](https://github.com/acme/infra/actions/runs/987/attempts/1) · [re-run this job]",
        ],
    );
    assert_eq!(text.matches(done).count(), 1, "{text}");
    for (progress, told) in [
        (None, "the apply failed, a part may be done · "),
        (None, "A part of the change may be applied; the state says what was done."),
        (
            progress(Some((0, 1)), Some(false)),
            "0 of 1 change completed, as far as Terraform's log tells; the state is as it was.",
        ),
        (progress(Some((1, 1)), Some(false)), "**the state was not written since**"),
        (progress(None, Some(true)), "A part of the change may be applied; the state has what was done."),
    ] {
        let text = comment(&CommentView { progress: progress.as_ref(), ..failed.clone() }, COMMENT_BUDGET);
        assert!(text.contains(told), "{told:?} is not in\n{text}");
    }
    let lock = LockView::Lost { found: "nobody holds the state now".to_owned() };
    let text = comment(&CommentView { lock, ..failed.clone() }, COMMENT_BUDGET);
    assert!(text.contains("`: the lock was lost during the apply, 1 of 2 changes completed"), "{text}");
    // Where the state was not uploaded, nothing is run again before that is done.
    let lock = LockView::Kept { id: "1".to_owned(), why: "the state is rescued".to_owned() };
    let text = comment(&CommentView { lock, ..failed }, COMMENT_BUDGET);
    assert!(text.contains("1 of 2 changes completed, its state is not in the bucket yet"), "{text}");
    assert!(!text.contains("the state has") && !text.contains("re-run this job"), "{text}");
}

#[test]
fn an_apply_whose_machine_is_lost_says_what_to_do() {
    let plan = read(TARGET);
    let lock = LockView::HeldSince { taken: at("09:30:00"), id: "e9ea2242".to_owned() };
    let applying = CommentView { phase: Phase::Applying, step: Step::Applying, lock, ..view(Some(&plan)) };
    in_order(
        &comment(&applying, COMMENT_BUDGET),
        &[
            "### ⏳ `environments/prod`: applying · **1 to replace",
            "**Lock** held by this run since 21 Nov 2026 09:30:00 UTC, lock id `e9ea2242`\n",
            "**Next:** nothing to do: what comes of it will stand here. If that run has ended and this stays as it is, \
             its machine was lost: start the workflow that runs `unlock` without a lock-id: it shows the holder and says what removes its lock. Then re-run the job\\\n\
             → [that run](https://github.com/acme/infra/actions/runs/987/attempts/1)\n",
            "[!CAUTION]",
        ],
    );
}

#[test]
fn a_lock_that_was_given_back_is_small_print() {
    let plan = read(TARGET);
    let lock = LockView::Released { taken: at("09:14:00"), released: at("09:14:20") };
    let gate = GateView { required: 1, next_step: "an approval".into(), ..GateView::default() };
    let text = comment(&CommentView { lock, gate: Some(gate), ..view(Some(&plan)) }, COMMENT_BUDGET);
    in_order(
        &text,
        &["### ⚠️", "commit `4f0c1d2` · ", " · lock released after 20 s · [full plan](", "**Approval**", "**Next:**"],
    );
    assert!(!text.contains("**Lock**"), "{text}");
}

#[test]
fn the_log_is_told_the_same_next_step_with_its_address() {
    let gate = GateView {
        required: 1,
        next_step: Sentence::from("an approval of ").pull_request(42).words(", then merge"),
        ..GateView::default()
    };
    let planned = CommentView { gate: Some(gate), ..view(None) };
    let told = "an approval of #42, then merge → review #42 (https://github.com/acme/infra/pull/42/files)";
    assert_eq!(next_step(&planned).as_deref(), Some(told));
    let failure = FailureView { hint: "Mend it.".to_owned(), ..FailureView::default() };
    let failed = CommentView { phase: Phase::Failed, failure: Some(failure), ..planned };
    let told = "Mend it. → re-run this job (https://github.com/acme/infra/actions/runs/987)";
    assert_eq!(next_step(&failed).as_deref(), Some(told));
    let alive = HolderView { liveness: Liveness::Alive, next_step: "Wait.".to_owned(), ..HolderView::default() };
    let locked = CommentView { phase: Phase::Locked, lock: LockView::HeldByOther(vec![alive]), ..view(None) };
    assert!(
        next_step(&locked)
            .unwrap()
            .starts_with("that run is alive: when it has ended, re-run this job → re-run this job (")
    );
    assert_eq!(next_step(&view(None)), None);
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
