//! Text of others wherever text of others can stand, and the check that none of it is more than
//! text: the comment is parsed as GitHub parses it. The fuzzer uses this file too.

use std::sync::OnceLock;

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};
use jiff::Timestamp;
use serde_json::json;

use crate::comment::{
    Beside, COMMENT_BUDGET, CommentView, FailureView, GateView, HolderView, LifeEvent, Liveness, LockView, OutputView,
    Phase, Progress, SUMMARY_LIMIT, Step, UnlockNote, comment, job_summary, life_from_comment, unlock_note,
};
use crate::diagnostic::Diagnostic;
use crate::lock_info::LockInfo;
use crate::plan::{PlanSummary, read_plan};
use crate::sentence::Sentence;

pub(crate) const RUN: &str = "https://github.com/acme/infra/actions/runs/987/attempts/1";

pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-11-21T{time}Z").parse().unwrap()
}

/// A warning that says the same everywhere.
pub(crate) fn warning(text: &str) -> Diagnostic {
    let json = json!({
        "severity": "warning", "summary": text, "detail": text, "address": text,
        "range": {"filename": text, "start": {"line": 3}},
        "snippet": {"context": text, "code": text, "start_line": 3, "values": [{"traversal": text, "statement": text}]},
    });
    Diagnostic::from_json(&json, None).unwrap()
}

/// GitHub's dialect.
fn options() -> Options<'static> {
    let mut options = Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.extension.math_dollars = true;
    options.extension.math_code = true;
    options
}

/// A view with the same text wherever text of others can stand.
struct Hostile {
    text: String,
    plan: PlanSummary,
}

impl Hostile {
    fn new(text: &str) -> Self {
        let change = |action: &[&str]| {
            json!({
                "address": format!("a.b[{}]", json!(text)), "previous_address": text, "module_address": text,
                "mode": text, "type": text, "name": text, "index": text, "deposed": text, "action_reason": text,
                "change": {
                    "actions": action,
                    "before": {"s": text, "m": {text: text}, "l": [text, 1], "j": json!({text: text}).to_string(), "t": format!("a\n{text}\nb")},
                    "after": {"s": format!("{text}2"), "m": {text: 2}, "l": [text, text], "j": json!({text: 1}).to_string(), "t": format!("a\n{text}\nc")},
                    "after_unknown": {text: true},
                    "importing": {"id": text},
                    "replace_paths": [[text, 0, text]],
                },
            })
        };
        let plan = json!({
            "format_version": format!("9{text}"),
            "terraform_version": text,
            "resource_changes": [
                change(&["delete"]), change(&["delete", "create"]), change(&["forget"]), change(&[text]),
                change(&["update"]), change(&["create"]), change(&["read"]), change(&["no-op"]),
                {"address": "a.b", "mode": "managed", "type": text, "name": text, "change": {"actions": ["create"], "after": {}}},
                {"address": "a.c", "mode": "managed", "type": "a", "name": text, "change": {"actions": ["create"], "after": {}}},
            ],
            "configuration": {
                "provider_config": {text: {"name": text, "alias": text, "expressions": {
                    "region": {"constant_value": text}, "host": {"references": [text, text]},
                    "assume_role": [{"role_arn": {"constant_value": text}}]}}},
                "root_module": {"resources": [
                    {"mode": "managed", "type": text, "name": text, "provider_config_key": text, "provisioners": [
                        {"type": text, "expressions": {text: {"constant_value": text}, "command": {"references": [text]}}}]},
                    {"mode": "managed", "type": "a", "name": text, "provider_config_key": text, "provisioners": [
                        {"type": "local-exec"}]},
                ]},
            },
            "resource_drift": [change(&["update"])],
            "deferred_changes": [{"reason": text, "resource_change": {"address": text}}],
            "action_invocations": [{"address": text, "lifecycle_action_trigger": {"triggering_resource_address": text}}],
            "output_changes": {text: {"actions": ["create"], "after": text}, "o": {"actions": ["update"], "before": text, "after": 1}},
            "checks": [{"status": text, "address": {"to_display": text}, "instances": [
                {"status": text, "address": {"to_display": text}, "problems": [{"message": text}, {"message": text}]}]}],
            format!("{text}_changes"): [1],
        });
        let plan = read_plan(plan.to_string().as_bytes(), &mut []).unwrap();
        Self { text: text.to_owned(), plan }
    }

    fn views(&self) -> Vec<CommentView<'_>> {
        let text = self.text.clone();
        let sentence = Sentence::from(text.clone()).pull_request(42).words(text.clone());
        let holder = HolderView {
            store: text.clone(),
            id: Some(text.clone()),
            who: text.clone(),
            operation: text.clone(),
            info: text.clone(),
            freeze_reason: None,
            since: Some(at("09:00:00")),
            age_seconds: None,
            run_url: Some(text.clone()),
            pull_request: Some(41),
            liveness: Liveness::Alive,
            next_step: text.clone(),
        };
        let event = LifeEvent {
            at: at("09:00:00"),
            phase: Phase::Planned,
            run_url: Some(text.clone()),
            actor: Some(text.clone()),
            head_sha: Some(text.clone()),
            why: Some(sentence.clone()),
        };
        let all = CommentView {
            comment_id: &self.text,
            root: &self.text,
            workspace: &self.text,
            environment: Some(&self.text),
            pull_request: Some(42),
            head_sha: Some(&self.text),
            fingerprint: Some(&self.text),
            plan: Some(&self.plan),
            phase: Phase::Planned,
            step: Step::Planning,
            progress: None,
            lock: LockView::HeldByOther(vec![
                HolderView { freeze_reason: Some(text.clone()), ..holder.clone() },
                holder,
            ]),
            gate: Some(GateView {
                required: 1,
                approved_by: vec![text.clone(), text.clone()],
                blockers: vec![sentence.clone(), text.clone().into()],
                notes: vec![sentence.clone()],
                who_can: text.clone(),
                next_step: sentence.clone(),
            }),
            waits_until: Some(at("09:50:00")),
            difference: vec![text.clone(), format!("a `{text}` b")],
            failure: Some(FailureView {
                what: text.clone(),
                why: text.clone(),
                hint: text.clone(),
                is_usage: false,
                error: None,
                terraform_error_text: Some(format!("a\n{text}\nb")),
            }),
            warnings: vec![warning(&text), warning(&format!("{text} too"))],
            history: (0..6)
                .flat_map(|_| {
                    let approved = LifeEvent { phase: Phase::Approved, run_url: None, ..event.clone() };
                    [event.clone(), approved]
                })
                .collect(),
            run_url: Some(RUN),
            outputs: vec![
                OutputView { name: text.clone(), value: Some(json!({&text: [text]})) },
                OutputView { name: text.clone(), value: None },
            ],
            next_step: Some(text.clone()),
            related: vec![sentence],
            notes: vec![text.clone()],
            beside: Beside {
                texts: [(format!("a.{text}"), format!("command = {text}\n{text}"))].into(),
                facts: vec![text.clone(), format!("the module `{text}` is another")],
                changed_files: 3,
            },
            now: at("09:40:00"),
        };
        let blocked = CommentView {
            phase: Phase::Blocked,
            lock: LockView::Kept { id: text.clone(), why: text.clone() },
            ..all.clone()
        };
        let removed = LockView::Removed { by: text.clone(), at: at("09:30:00") };
        let unlocked = CommentView { phase: Phase::Unlocked, lock: removed, ..all.clone() };
        let applied = CommentView { phase: Phase::Applied, lock: LockView::Lost { found: text }, ..all.clone() };
        let waiting = CommentView { phase: Phase::WaitingForLock, plan: None, ..all.clone() };
        let refused = CommentView { phase: Phase::Refused, plan: None, ..all.clone() };
        let failed = CommentView {
            phase: Phase::Failed,
            step: Step::Applying,
            progress: Some(&HALF_WAY),
            lock: LockView::NotTaken,
            failure: all.failure.clone().map(|failure| FailureView { error: Some(warning(&self.text)), ..failure }),
            ..all.clone()
        };
        let held = LockView::HeldSince { taken: at("09:30:00"), id: self.text.clone() };
        let applying =
            CommentView { phase: Phase::Applying, lock: held, failure: None, next_step: None, ..all.clone() };
        vec![all, blocked, applied, unlocked, waiting, refused, failed, applying]
    }
}

/// Our own tags; anything else in an HTML node is somebody else's.
/// How far an apply came that broke off.
static HALF_WAY: Progress = Progress { completed: Some((1, 2)), actions: None, saved: Some(true) };

const TAGS: [&str; 10] = [
    "<details>",
    "<details open>",
    "</details>",
    "<summary>",
    "</summary>",
    "<b>",
    "</b>",
    "<code>",
    "</code>",
    "<br>",
];

/// Our own links: what they say, and where they lead.
const OURS: [(&str, &str); 9] = [
    ("full plan", RUN),
    ("job summary", RUN),
    ("the run that did it", RUN),
    ("run", RUN),
    ("that run", RUN),
    ("#41", "https://github.com/acme/infra/pull/41"),
    ("#42", "https://github.com/acme/infra/pull/42"),
    ("review #42", "https://github.com/acme/infra/pull/42/files"),
    ("re-run this job", "https://github.com/acme/infra/actions/runs/987"),
];

/// Checks a comment, and returns its blocks with what may not depend on hostile text.
pub(crate) fn check(text: &str) -> Vec<String> {
    for line in text.lines() {
        assert!(!line.trim_start().starts_with("::"), "a workflow command: {line:?}");
        assert!(!line.contains("##["), "a workflow command: {line:?}");
        assert!(!line.contains(['\u{202e}', '\u{1b}', '\r', '\0']), "{line:?}");
    }
    assert!(text.starts_with("<!-- stategate:"), "{text}");
    assert!(text.lines().next().unwrap().ends_with(" -->"), "{text}");
    let arena = Arena::new();
    let root = parse_document(&arena, text, &options());
    let mut blocks = Vec::new();
    check_node(root, text, &mut blocks);
    blocks
}

fn check_node<'a>(node: &'a AstNode<'a>, whole: &str, blocks: &mut Vec<String>) {
    let data = node.data.borrow();
    match &data.value {
        NodeValue::Text(text) => {
            for bad in ["@", "://", "www.", "<", ">", "`", "\\", "![", "](", "~~", "**", "$", "[", "#"] {
                assert!(!text.contains(bad), "{bad:?} in plain text {text:?} of\n{whole}");
            }
            if let Some(reference) = reference(text) {
                panic!("{reference:?} in plain text {text:?} of\n{whole}");
            }
        }
        NodeValue::Link(link) => {
            let said: String =
                node.descendants().filter_map(|node| Some(node.data.borrow().value.text()?.to_string())).collect();
            assert!(OURS.contains(&(said.as_str(), link.url.as_str())), "{said:?} to {} in\n{whole}", link.url);
            return;
        }
        NodeValue::Code(_) | NodeValue::SoftBreak | NodeValue::LineBreak => {}
        NodeValue::CodeBlock(block) => {
            assert!(block.fenced && ["", "diff"].contains(&block.info.as_str()), "{:?} in\n{whole}", block.info);
            blocks.push(format!("fence {}", block.info));
        }
        NodeValue::HtmlBlock(block) => {
            let line = data.sourcepos.start.line;
            if block.literal.starts_with("<!--") {
                assert!(line <= 2, "a comment of HTML at line {line} of\n{whole}");
                blocks.push("marker".to_owned());
            } else {
                blocks.push(tags(&block.literal, whole));
            }
        }
        NodeValue::HtmlInline(tag) => assert!(["<sub>", "</sub>"].contains(&tag.as_str()), "{tag} in\n{whole}"),
        NodeValue::Document | NodeValue::Paragraph | NodeValue::Strong => {
            if matches!(data.value, NodeValue::Paragraph) {
                blocks.push("paragraph".to_owned());
            }
        }
        NodeValue::Heading(heading) => {
            assert_eq!(heading.level, 3, "{whole}");
            blocks.push("heading".to_owned());
        }
        NodeValue::Alert(alert) => blocks.push(format!("alert {:?}", alert.alert_type)),
        NodeValue::List(list) => {
            assert!(!list.is_task_list, "{whole}");
            blocks.push("list".to_owned());
        }
        NodeValue::Item(_) => blocks.push("item".to_owned()),
        other => panic!("{other:?} in\n{whole}"),
    }
    drop(data);
    for child in node.children() {
        check_node(child, whole, blocks);
    }
}

/// What GitHub makes of plain text beside Markdown: links to commits and issues, pictures of `:x:`.
fn reference(text: &str) -> Option<&str> {
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let commit = text
        .split(|char| !is_word(char))
        .find(|word| (7..=40).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let lower = text.to_ascii_lowercase();
    let issue = lower.match_indices("gh-").find_map(|(at, _)| {
        let is_issue =
            !lower[..at].ends_with(is_word) && lower[at + 3..].starts_with(|char: char| char.is_ascii_digit());
        is_issue.then(|| &text[at..])
    });
    let emoji = text.split(':').skip(1).find(|name| {
        let is_name = |char: char| is_word(char) || "+-".contains(char);
        !name.is_empty() && name.chars().all(is_name) && text.contains(&format!(":{name}:"))
    });
    // A time of day is none: no emoji has only digits.
    let emoji = emoji.filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()));
    commit.or(issue).or(emoji)
}

/// The tags of a block, all of them ours; the text between them holds none.
fn tags(literal: &str, whole: &str) -> String {
    let mut found = Vec::new();
    let mut rest = literal;
    while let Some(open) = rest.find(['<', '>']) {
        let tail = &rest[open..];
        let close = tail.find('>').unwrap_or(tail.len() - 1);
        let tag = &tail[..=close];
        assert!(TAGS.contains(&tag), "{tag:?} in {literal:?} of\n{whole}");
        found.push(tag);
        rest = &tail[close + 1..];
    }
    found.join("")
}

/// With any text, the comment has the blocks that it has with a harmless one.
pub(crate) fn forges_nothing(text: &str) {
    static HARMLESS: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    let harmless = HARMLESS.get_or_init(|| {
        Hostile::new("harmless").views().iter().map(|view| check(&comment(view, COMMENT_BUDGET))).collect()
    });
    let hostile = Hostile::new(text);
    for (expected, hostile) in harmless.iter().zip(hostile.views()) {
        let told = comment(&hostile, COMMENT_BUDGET);
        assert_eq!(&check(&told), expected, "{text:?}");
        assert_eq!(life_from_comment(&told).len(), 12, "{text:?}");
        check_summary(&hostile, text);
    }
    let note = |text: &str| {
        let text = text.to_owned();
        let lock = LockInfo {
            id: text.clone(),
            operation: text.clone(),
            info: text.clone(),
            who: text.clone(),
            version: text.clone(),
            created: text.clone(),
            path: text.clone(),
        };
        let at = at("09:00:00");
        let note = UnlockNote { lock: &lock, actor: &text, reason: &text, forced: true, at, run_url: RUN };
        let (marker, body) = unlock_note(&note);
        check(&format!("{marker}\n\n{body}"))
    };
    assert_eq!(note(text), note("harmless"), "{text:?}");
}

fn check_summary(view: &CommentView<'_>, text: &str) {
    let summary = job_summary(view, Some(&format!("{text}\n{text}")), SUMMARY_LIMIT);
    // It has no marker of its own; the rest follows the same rules.
    check(&format!("<!-- stategate:x -->\n\n{summary}"));
}
