//! The comment as plain text, for a terminal.
//!
//! It reads back the Markdown that is written here, and no other.

/// The text without its marks; what stands in fences is kept as it is.
pub(super) fn text(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut fence: Option<&str> = None;
    for line in markdown.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(open) if line == open => fence = None,
            Some(_) => out.extend(["    ", line, "\n"]),
            None if ticks >= 3 => fence = line.get(..ticks),
            None => push_line(&mut out, line),
        }
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
    out
}

fn push_line(out: &mut String, line: &str) {
    let (quote, line) = match line.strip_prefix('>') {
        Some(inner) => ("  ", inner.strip_prefix(' ').unwrap_or(inner)),
        None => ("", line),
    };
    let line = match line {
        "<details>" | "<details open>" | "</details>" => return,
        "[!CAUTION]" => "CAUTION",
        "[!WARNING]" => "WARNING",
        "[!IMPORTANT]" => "IMPORTANT",
        "[!NOTE]" => "NOTE",
        line => line.strip_prefix("### ").unwrap_or(line).trim_end_matches('\\'),
    };
    let line = match line.strip_prefix("<summary>").and_then(|rest| rest.strip_suffix("</summary>")) {
        Some(summary) => without_tags(summary),
        None => without_marks(line),
    };
    // One empty line is enough to tell two parts from each other.
    if !line.is_empty() || !(out.is_empty() || out.ends_with("\n\n")) {
        out.extend([if line.is_empty() { "" } else { quote }, &line, "\n"]);
    }
}

/// A fold-out's summary: our own tags go, entities become what they stand for.
fn without_tags(summary: &str) -> String {
    let mut text = summary.to_owned();
    for tag in ["<b>", "</b>", "<code>", "</code>"] {
        text = text.replace(tag, "");
    }
    for (entity, char) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
        text = text.replace(entity, char);
    }
    text
}

/// A line without emphasis and the marks of code spans, its links followed by where they lead.
fn without_marks(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['`', '*', '[']) {
        let (before, mark) = rest.split_at(at);
        out.push_str(before);
        rest = if mark.starts_with('`') {
            code_span(&mut out, mark)
        } else if let Some(after) = mark.strip_prefix("**") {
            after
        } else if let Some((text, url, after)) = link(mark) {
            out.extend([text, " (", url, ")"]);
            after
        } else {
            let (one, after) = mark.split_at(1);
            out.push_str(one);
            after
        };
    }
    out.push_str(rest);
    out
}

/// Copies what a code span holds, and gives what follows it.
fn code_span<'a>(out: &mut String, text: &'a str) -> &'a str {
    let inner = text.trim_start_matches('`');
    let ticks = text.get(..text.len() - inner.len()).unwrap_or_default();
    let mut from = 0;
    while let Some(found) = inner.get(from..).and_then(|rest| rest.find(ticks)) {
        let at = from + found;
        let run = inner.get(at..).map_or(0, |rest| rest.len() - rest.trim_start_matches('`').len());
        if run == ticks.len() {
            let code = inner.get(..at).unwrap_or_default();
            let padded = code.strip_prefix(' ').and_then(|code| code.strip_suffix(' '));
            out.push_str(padded.filter(|code| !code.trim().is_empty()).unwrap_or(code));
            return inner.get(at + run..).unwrap_or_default();
        }
        from = at + run;
    }
    out.push_str(ticks);
    inner
}

/// `[text](url)` at the beginning.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (url, after) = rest.split_once(')')?;
    (!label.contains('[')).then_some((label, url, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_and_words_stay() {
        let cases = [
            (
                "### ⚠️ `environments/prod`: **1 to destroy** · 2 to add",
                "⚠️ environments/prod: 1 to destroy · 2 to add\n",
            ),
            ("> [!CAUTION]\n> **gone**\n>\n> - **destroy** `a[\"b\"]`", "  CAUTION\n  gone\n\n  - destroy a[\"b\"]\n"),
            ("`` a`b `` and ``` ``c ```", "a`b and ``c\n"),
            ("see [the run](https://x/y) now", "see the run (https://x/y) now\n"),
            (
                "<details open>\n<summary><b>destroy</b> <code>a[&quot;&lt;&quot;]</code></summary>\n\n```diff\n- x **y**\n```\n\n</details>",
                "destroy a[\"<\"]\n\n    - x **y**\n",
            ),
            ("a\\\nb", "a\nb\n"),
            ("a [ b * c", "a [ b * c\n"),
        ];
        for (markdown, expected) in cases {
            assert_eq!(text(markdown), expected, "{markdown}");
        }
    }
}
