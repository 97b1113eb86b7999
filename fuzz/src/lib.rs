//! What must hold for any input.

#[path = "../../crates/stategate-core/src/comment/tests/hostile.rs"]
mod hostile;
#[path = "../../crates/stategate-core/src/plan/tests/slow.rs"]
mod slow;

// The checks that the core's own tests use know its modules as those of their crate.
use stategate_core::{comment, diagnostic, lock_info, plan, sentence};

use stategate_core::backend::Backend;
use stategate_core::comment::{COMMENT_BUDGET, CommentView, comment, for_terminal};
use stategate_core::diagnostic::{Severity, annotations};
use stategate_core::lock_info::{LockInfo, RunRef, one_line};
use stategate_core::plan::{PlanError, PlanSummary, read_plan};
use stategate_core::transcript::{Dump, Said, Transcript};
use serde_json::Value;

/// A plan is refused or told whole: within the budget, each destroyed address named or counted, and
/// no change read as none. A slow reading that knows nothing of ours comes to the same.
pub fn plan(bytes: &[u8]) {
    let mut seen = slow::Seen::default();
    let read = read_plan(bytes, &mut [&mut seen]);
    let json = serde_json::from_slice::<Value>(bytes);
    if let (Err(error @ (PlanError::Truncated { .. } | PlanError::Malformed { .. })), Ok(json)) = (&read, &json) {
        // Of valid JSON, only a value's type can be wrong, or a key stand twice.
        let told = error.to_string();
        assert!(!told.contains("not valid") && !told.contains("ends in the middle"), "{told}: {json}");
    }
    // However it arrives, the same is read.
    let size = [1, 7, 63, 64, 65][bytes.len() % 5];
    match (&read, &read_plan(slow::Pieces(bytes, size), &mut [])) {
        (Ok(read), Ok(pieces)) => assert_eq!(pieces.to_summary_json(usize::MAX), read.to_summary_json(usize::MAX)),
        (Err(error), Err(pieces)) => assert_eq!(pieces.to_string(), error.to_string()),
        (read, pieces) => panic!("{:?}, but in pieces {:?}", read.as_ref().err(), pieces.as_ref().err()),
    }
    let Ok(plan) = read else { return };
    let budget = 2_000 + bytes.len() * 37 % 63_000;
    let view = view(&plan);
    let text = comment(&view, budget);
    assert!(text.chars().count() <= budget && text.len() <= 262_144, "over the budget of {budget}");
    let verdict = text.lines().find(|line| line.contains("`environments/prod`")).expect("there is a verdict");
    let gone = plan.counts.destroy;
    let named = text.lines().filter(|line| line.starts_with("> - **destroy** ")).count();
    let counted = format!("{} to destroy", gone.saturating_sub(named));
    let is_counted = text.lines().any(|line| line.contains("not listed here") && line.contains(&counted));
    assert!(named == gone || is_counted, "{named} of {gone} named:\n{text}");
    let whole = hostile::check(&comment(&view, COMMENT_BUDGET));
    assert!(!whole.is_empty());
    no_active_character(&for_terminal(&view));

    let summary = |limit| serde_json::from_str::<Value>(&plan.to_summary_json(limit)).expect("it is JSON");
    assert!(summary(2_000)["counts"] == summary(usize::MAX)["counts"]);
    let Ok(json) = json else { return };
    slow::is_counted(&json, &plan);
    assert!(!slow::carries_changes(&json) || plan.has_changes() && !verdict.contains("no changes"), "{verdict}");
    // What is large, begins with a NUL, or would be rounded, is replaced on the way.
    let is_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let is_long = bytes.chunk_by(|one, other| is_digit(one) && is_digit(other)).any(|run| run.len() > 16);
    if bytes.len() < 64 * 1024 && !is_long && !String::from_utf8_lossy(bytes).contains("\\u0000") {
        seen.is_all_of(&json);
        slow::is_hidden(&json, &plan);
    }
}

/// No text, wherever it stands, is more than text in a comment, a summary or a note.
pub fn comment_text(text: &str) {
    // Where there is nothing to say, nothing is said; what is too long is cut.
    if !text.trim().is_empty() && text.len() <= 200 {
        hostile::forges_nothing(text);
    }
}

/// Whatever stands in a line of Terraform's output: a state in it is told to nobody, and one line is
/// one annotation.
pub fn lines(text: &str) {
    let mut transcript = Transcript::new(Some("environments/prod".to_owned()));
    for line in text.lines() {
        let said = transcript.hear(line);
        match transcript.take_state() {
            Some(Dump::Whole(state)) => assert!(said == Said::Nothing && line.contains(&state), "{said:?}"),
            // Of a line that was cut off, what there is of the state; the line itself is not told.
            Some(Dump::Cut(state)) => assert!(line.ends_with(&state) && said != Said::Text(line.to_owned())),
            None => {}
        }
    }
    for severity in [Severity::Error, Severity::Warning] {
        let annotations = annotations(transcript.diagnostics(), severity, 10);
        assert!(annotations.len() <= 10);
        for annotation in annotations {
            assert!(annotation.title.chars().count() <= 201 && annotation.message.chars().count() <= 2_001);
            let file = annotation.place.map(|(file, _)| file).unwrap_or_default();
            assert!(!file.starts_with('/') && !file.split('/').any(|part| part == ".."), "{file}");
        }
    }
    let warnings: Vec<_> = transcript.diagnostics().to_vec();
    let empty = PlanSummary::default();
    let text = comment(&CommentView { warnings, ..view(&empty) }, COMMENT_BUDGET);
    assert!(text.chars().count() <= COMMENT_BUDGET);
    hostile::check(&text);
}

/// A lock that can be read is written as Go writes it, and read again as the same.
pub fn lock_info(bytes: &[u8]) {
    let Ok(info) = LockInfo::parse(bytes) else { return };
    assert!(!info.id.is_empty());
    let written = info.to_go_json();
    assert_eq!(LockInfo::parse(written.as_bytes()).as_ref(), Ok(&info));
    assert!(!written.contains(['<', '>', '&', '\u{2028}', '\u{2029}', '\n']));
    if let Some(run) = info.run() {
        assert_eq!(RunRef::parse(&run.url()), Some(run));
    }
    for text in [&info.who, &info.info, &info.operation] {
        let line = one_line(text);
        assert!(line.chars().count() <= 401);
        no_active_character(&line);
        assert!(!line.contains(['\n', '\t']));
    }
    let (_, _, _) = (info.created_at(), info.pull_request(), info.freeze_reason());
}

/// A backend is read or refused, and no error quotes a value of the file.
pub fn backend(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    // Only values: a name may be told, and so may the backend's type.
    let marked = text.replace("_key\":\"SECRET", "_key\":\"hunter2hunter2").replace("token\":\"SECRET", "token\":\"hunter2hunter2");
    match Backend::read(marked.as_bytes(), "staging", &|_| None) {
        Ok(backend) => {
            assert!(!format!("{:?}", backend.credentials).contains("hunter2hunter2"));
            assert!(!backend.bucket.is_empty() && !backend.key.is_empty());
            assert!(backend.path().starts_with(&backend.bucket));
        }
        Err(error) => {
            let told = format!("{error} {}", error.hint());
            assert!(!told.contains("hunter2hunter2"), "{told}");
        }
    }
}

fn view(plan: &PlanSummary) -> CommentView<'_> {
    CommentView {
        comment_id: "environments/prod@default",
        root: "environments/prod",
        ..CommentView::of_plan(plan, hostile::at("09:40:00"))
    }
}

/// Nothing moves the cursor, hides text or turns the writing round.
fn no_active_character(text: &str) {
    let is_bidi = |char: char| matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let active = text.chars().find(|char| (char.is_control() && !['\n', '\t'].contains(char)) || is_bidi(*char));
    assert!(active.is_none(), "{active:?} in {text:?}");
}

/// A configuration is read to its end, and a read in a line of its own is found whatever stands before it,
/// unless that swallows the line.
pub fn reads(text: &str) {
    stategate_core::reads::in_json(text);
    stategate_core::reads::in_template(text);
    let alone = stategate_core::reads::in_hcl(text);
    if !text.contains(['"', '<', '#', '/', '\'', '(', '{']) {
        let found = stategate_core::reads::in_hcl(&format!("{text}\nx = file(\"../p/q\")\n"));
        assert!(found.anything || found.places.iter().any(|(_, path)| path == "../p/q"), "{alone:?}");
    }
}
