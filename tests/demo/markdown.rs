//! Markdown as GitHub shows it: GitHub-flavoured, with alerts, coloured diffs, and no HTML but what
//! folds away or is small.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use comrak::adapters::SyntaxHighlighterAdapter;
use comrak::nodes::NodeValue;
use comrak::options::Plugins;
use comrak::{Arena, Options, format_html_with_plugins, parse_document};

/// The HTML of a comment or a job summary.
pub(crate) fn html(markdown: &str) -> String {
    let mut options = Options::default();
    options.extension.alerts = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.tasklist = true;
    options.render.r#unsafe = true;

    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &options);
    for node in root.descendants() {
        match &mut node.data.borrow_mut().value {
            NodeValue::HtmlBlock(block) => block.literal = sanitised(&block.literal),
            NodeValue::HtmlInline(html) => *html = sanitised(html),
            _ => {}
        }
    }
    let highlighter = Highlighter;
    let mut plugins = Plugins::default();
    plugins.render.codefence_syntax_highlighter = Some(&highlighter);
    let mut html = String::new();
    format_html_with_plugins(root, &options, &mut html, &plugins).expect("a string can be written");
    html
}

/// What the eye meets first, as plain lines for a terminal: everything above the first fold-out.
pub(crate) fn top(markdown: &str) -> String {
    let visible = markdown.split("<details").next().unwrap_or_default();
    let lines = visible.lines().filter(|line| !line.starts_with("<!--")).map(plain);
    lines.filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}

/// A line without its marks, and links without where they lead.
fn plain(line: &str) -> String {
    let line = line.trim_start_matches(['>', '#', ' ']).trim_end_matches('\\').replace("**", "").replace('`', "");
    let mut out = String::new();
    let mut rest = line.as_str();
    while let Some((before, link)) = rest.split_once("](") {
        out.push_str(&before.replacen('[', "", 1));
        rest = link.split_once(')').map_or("", |(_, after)| after);
    }
    out + rest
}

/// Text for HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Keeps the tags that stategate writes, without any attribute but `open`; anything else is text.
fn sanitised(html: &str) -> String {
    const TAGS: &[&str] = &["details", "summary", "code", "sub", "sup", "b", "strong", "em", "br"];
    let mut out = String::new();
    let mut rest = html;
    while let Some((before, tag_on)) = rest.split_once('<') {
        out.push_str(before);
        if let Some(comment) = tag_on.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let (tag, after) = tag_on.split_once('>').unwrap_or((tag_on, ""));
        let name = tag.trim_start_matches('/').trim_end_matches('/').trim();
        if TAGS.contains(&name) || name == "details open" {
            out.push_str(&format!("<{tag}>"));
            rest = after;
        } else {
            out.push_str("&lt;");
            rest = tag_on;
        }
    }
    out + rest
}

/// Colours the lines of a diff as GitHub does.
struct Highlighter;

impl SyntaxHighlighterAdapter for Highlighter {
    fn write_highlighted(&self, out: &mut dyn fmt::Write, lang: Option<&str>, code: &str) -> fmt::Result {
        if lang != Some("diff") {
            return out.write_str(&escaped(code));
        }
        for line in code.lines() {
            let class = match line.as_bytes().first() {
                Some(b'+') => "ins",
                Some(b'-') => "del",
                Some(b'!') => "chg",
                Some(b'@') => "hunk",
                _ => "same",
            };
            // No line break: each is a block of its own.
            write!(out, "<span class=\"{class}\">{}</span>", escaped(line))?;
        }
        Ok(())
    }

    fn write_pre_tag(&self, out: &mut dyn fmt::Write, _: HashMap<&'static str, Cow<'_, str>>) -> fmt::Result {
        out.write_str("<pre>")
    }

    fn write_code_tag(&self, out: &mut dyn fmt::Write, attributes: HashMap<&'static str, Cow<'_, str>>) -> fmt::Result {
        match attributes.get("class") {
            Some(class) => write!(out, "<code class=\"{}\">", escaped(class)),
            None => out.write_str("<code>"),
        }
    }
}
