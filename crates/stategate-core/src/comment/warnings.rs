//! What Terraform warned of: each summary once, with the places; the details folded.

use std::collections::{HashMap, HashSet};

use super::escape::fence;
use super::ink::Ink;
use super::status::alert;
use super::view::CommentView;
use super::words::{grouped, many};
use crate::diagnostic::Diagnostic;

/// Different summaries, and places of one, that are named.
const SUMMARIES: usize = 12;
const PLACES: usize = 5;

/// Characters of a summary or a place.
const NAME: usize = 160;

/// Lines of the details, and characters of one.
const LINES: usize = 80;
const LINE: usize = 300;

/// The list, and the fold-out with the details; neither when there is nothing to say.
pub(super) fn warnings(view: &CommentView<'_>, ink: &Ink<'_>) -> Option<(String, String)> {
    let checks = view.plan.into_iter().flat_map(|plan| &plan.checks);
    let problems: HashSet<&str> = checks.flat_map(|check| &check.problems).map(|problem| problem.trim()).collect();
    // A failed check is listed with the checks already.
    let is_failed_check = |warning: &Diagnostic| {
        warning.summary == "Check block assertion failed" && problems.contains(warning.detail.trim())
    };
    let told: Vec<&Diagnostic> = view.warnings.iter().filter(|warning| !is_failed_check(warning)).collect();
    if told.is_empty() {
        return None;
    }
    let mut summaries: Vec<(&str, Vec<&Diagnostic>)> = Vec::new();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for warning in &told {
        let at = *seen.entry(&warning.summary).or_insert(summaries.len());
        match summaries.get_mut(at) {
            Some((_, same)) => same.push(warning),
            None => summaries.push((&warning.summary, vec![warning])),
        }
    }
    let mut lines = vec![format!("**Terraform has {}**", many(told.len(), "warning"))];
    lines.extend(summaries.iter().take(SUMMARIES).map(|(summary, same)| item(summary, same, ink)));
    if summaries.len() > SUMMARIES {
        lines.push(format!("- and {} other kinds", grouped(summaries.len() - SUMMARIES)));
    }
    Some((alert("NOTE", &lines), details(&told, ink)))
}

fn item(summary: &str, same: &[&Diagnostic], ink: &Ink<'_>) -> String {
    let mut places: Vec<String> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    for warning in same {
        let place = match (&warning.place, &warning.address) {
            (Some(place), _) => ink.code(&format!("{}:{}", place.file, place.line), NAME),
            (None, Some(address)) => ink.code(address, NAME),
            (None, None) => continue,
        };
        if seen.insert(place.clone()) {
            places.push(place);
        }
    }
    let more = places.len().saturating_sub(PLACES);
    places.truncate(PLACES);
    if more > 0 {
        places.push(format!("{} more", grouped(more)));
    }
    let mut item = format!("- {}", ink.code(summary, NAME));
    if same.len() > 1 {
        item.push_str(&format!(", {} times", grouped(same.len())));
    }
    if !places.is_empty() {
        item.extend([": ", &places.join(", ")]);
    }
    item
}

fn details(told: &[&Diagnostic], ink: &Ink<'_>) -> String {
    let blocks: Vec<String> = told.iter().map(|warning| warning.text()).collect();
    let mut lines = ink.prose(&blocks.join("\n"), LINE);
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    if more > 0 {
        lines.push(format!("({} more in the log)", many(more, "line")));
    }
    format!("<details>\n<summary>What Terraform warns of</summary>\n\n{}\n\n</details>\n\n", fence("", &lines))
}
