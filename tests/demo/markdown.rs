//! Markdown as GitHub renders it.

use comrak::{Options, markdown_to_html};

/// A comment: unlike in a file, a line's end is a line's end.
pub(crate) fn comment(text: &str) -> String {
    render(text, true)
}

/// A job summary.
pub(crate) fn summary(text: &str) -> String {
    render(text, false)
}

/// Text for HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn render(text: &str, hard_breaks: bool) -> String {
    let mut options = Options::default();
    options.extension.alerts = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.tasklist = true;
    options.render.hardbreaks = hard_breaks;
    // GitHub lets `<details>` through, and so must this; what the page shows is the demo's own.
    options.render.r#unsafe = true;
    colour_diffs(&markdown_to_html(text, &options))
}

/// GitHub colours the lines of a `diff` block by their first character.
fn colour_diffs(html: &str) -> String {
    const OPEN: &str = "<pre><code class=\"language-diff\">";
    let mut parts = html.split(OPEN);
    let mut coloured = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once("</code></pre>").unwrap_or((part, ""));
        coloured.push_str(OPEN);
        for line in code.lines() {
            let class = match line.chars().next() {
                Some('+') => "added",
                Some('-') => "removed",
                Some('!') => "changed",
                Some('@') => "place",
                _ => "same",
            };
            coloured.push_str(&format!("<span class=\"{class}\">{line}</span>\n"));
        }
        coloured.push_str("</code></pre>");
        coloured.push_str(rest);
    }
    coloured
}
