//! A resource's change as lines of a `diff` fence, as Terraform would print it.
//!
//! The first column is GitHub's: `+`, `-` and `!` colour a line. Terraform's own symbol follows
//! where the first column cannot say it (`~`, `-/+`).

use serde_json::Value;
use similar::{Algorithm, ChangeTag, capture_diff_slices};

use super::escape::{clip, visible};
use super::ink::Ink;
use super::words;
use crate::plan::{
    Delta, Kind, Leaf, Quoting, ResourceSummary, SENSITIVE, compare_values, json_inside, literal, quoted, stands_for,
};

/// What a person would not read any further.
const LONGEST_LINE: usize = 400;

/// A change of one value that is wider takes two lines, which a phone shows without scrolling.
const WIDE: usize = 64;

/// An old value that becomes unknown.
const SHORT: usize = 32;

/// Lines of one long string.
const LINES_OF_TEXT: usize = 80;

/// Lines of one long string that are compared; beyond, it is told by its length.
const LINES_COMPARED: usize = 2_000;

/// Lines around a changed line of text.
const CONTEXT: usize = 2;

/// The path of what is inside a JSON string: no attribute has it, so none of it forces anything.
const IN_JSON: &str = "\0";

const UNKNOWN: &str = "(known after apply)";

/// The colour of a line, as its first column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Added,
    Removed,
    Changed,
    /// Something inside differs; only that is coloured.
    Within,
    Context,
}

/// The lines for a resource, at most about `most`.
pub(super) fn resource_lines(resource: &ResourceSummary, ink: &Ink<'_>, most: usize) -> Vec<String> {
    let mut page = Page { ink, forced: &resource.forced_by, lines: Vec::new(), most, cut: 0 };
    if let Some(previous) = &resource.previous_address {
        page.note(0, &format!("moved from {}", ink.address(previous)));
    }
    if let Some(id) = &resource.importing {
        let what = if id.is_empty() { String::new() } else { format!(" from {}", page.quote(id)) };
        page.note(0, &format!("imported{what}"));
    }
    let block = if &*resource.mode == "data" { "data" } else { "resource" };
    let title = format!("{block} {} {}", page.quote_name(&resource.r#type), page.quote_name(&resource.name));
    let whole = match resource.kind {
        Kind::Create | Kind::Read => Some(Sign::Added),
        Kind::Destroy => Some(Sign::Removed),
        _ => None,
    };
    let symbol = words::symbol(resource);
    let open = match resource.kind {
        Kind::Update => format!("! ~ {title}"),
        _ => format!("{symbol:<4}{title}"),
    };
    match (resource.delta.as_deref(), resource.kind) {
        (_, Kind::Forget) => {
            page.push(open);
            page.note(1, "no longer managed by Terraform; the real object stays");
        }
        (Some(Delta::Object { entries, unchanged, .. }), _) => {
            page.push(format!("{open} {{"));
            page.entries(1, "", entries, *unchanged, "attribute");
            page.push("    }".to_owned());
        }
        (Some(Delta::Removed(Leaf::Known(value)) | Delta::Added(Leaf::Known(value))), _) => {
            page.push(format!("{open} {{"));
            page.members(1, whole.unwrap_or(Sign::Context), value);
            page.push("    }".to_owned());
        }
        (Some(other), _) => {
            page.push(open);
            page.delta(1, "", "", 0, other);
        }
        (None, _) => {
            page.push(open);
            let why = match resource.kind {
                _ if ink.withholds() => "its values are withheld",
                _ if resource.detail_left_out => "too large to be shown here",
                Kind::NoOp => "nothing else changes",
                _ => "nothing that the plan's JSON shows",
            };
            page.note(1, why);
        }
    }
    page.finish()
}

/// The lines for what differs in a resource, or for what an action is invoked with, without the block
/// around them.
pub(super) fn attribute_lines(delta: Option<&Delta>, ink: &Ink<'_>, most: usize) -> Vec<String> {
    let mut page = Page { ink, forced: &[], lines: Vec::new(), most, cut: 0 };
    match delta {
        Some(Delta::Object { entries, .. }) => page.entries(1, "", entries, 0, "attribute"),
        Some(Delta::Added(leaf)) => page.leaf(1, Sign::Added, "", leaf, ""),
        _ => {}
    }
    if most == 0 { Vec::new() } else { page.finish() }
}

/// The lines for an output, or any other single value.
pub(super) fn value_lines(name: &str, delta: Option<&Delta>, ink: &Ink<'_>) -> Vec<String> {
    const MOST: usize = 60;
    let mut page = Page { ink, forced: &[], lines: Vec::new(), most: MOST, cut: 0 };
    match delta {
        Some(delta) => {
            let name = page.name(name);
            page.delta(0, "", &name, 0, delta);
        }
        None => page.note(0, &format!("{}: not shown", page.name(name))),
    }
    page.finish()
}

/// A value after an apply, in context colours.
pub(super) fn plain_value_lines(name: &str, value: &Value, ink: &Ink<'_>) -> Vec<String> {
    const MOST: usize = 60;
    let mut page = Page { ink, forced: &[], lines: Vec::new(), most: MOST, cut: 0 };
    let name = page.name(name);
    page.value(0, Sign::Context, &format!("{name} = "), value, "");
    page.finish()
}

struct Page<'a> {
    ink: &'a Ink<'a>,
    forced: &'a [String],
    lines: Vec<String>,
    most: usize,
    cut: usize,
}

impl Page<'_> {
    fn finish(mut self) -> Vec<String> {
        if self.cut > 0 {
            self.lines.push(format!("      # ({} more)", words::many(self.cut, "line")));
        }
        self.lines
    }

    fn push(&mut self, line: String) {
        if self.lines.len() < self.most {
            let line = if line.len() > LONGEST_LINE { clip(&line, LONGEST_LINE) } else { line };
            self.lines.push(line);
        } else {
            self.cut += 1;
        }
    }

    /// A line with its colour, and Terraform's `~` where the colour does not say it.
    fn line(&mut self, depth: usize, sign: Sign, text: &str) {
        let indent = "  ".repeat(depth);
        self.push(match sign {
            Sign::Added => format!("+   {indent}{text}"),
            Sign::Removed => format!("-   {indent}{text}"),
            Sign::Changed => format!("! {indent}~ {text}"),
            Sign::Within => format!("  {indent}~ {text}"),
            Sign::Context => format!("    {indent}{text}"),
        });
    }

    fn note(&mut self, depth: usize, text: &str) {
        let text = visible(text);
        self.line(depth, Sign::Context, &format!("# {text}"));
    }

    /// A string as Terraform quotes it.
    fn quote(&self, text: &str) -> String {
        visible(&format!("\"{}\"", quoted(&self.ink.scrub(text), Quoting::Terraform)))
    }

    /// A name, likewise.
    fn quote_name(&self, name: &str) -> String {
        visible(&format!("\"{}\"", quoted(&self.ink.name(name), Quoting::Terraform)))
    }

    /// An attribute's name, quoted unless it is an identifier.
    fn name(&self, name: &str) -> String {
        let plain = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
        if !name.is_empty() && name.chars().all(plain) && *self.ink.name(name) == *name {
            name.to_owned()
        } else {
            self.quote_name(name)
        }
    }

    /// A value on one line; `None` when it needs more.
    fn inline(&self, value: &Value) -> Option<String> {
        match value {
            Value::Null => Some("null".to_owned()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Number(number) => {
                let text = number.to_string();
                Some(self.ink.scrub(&text).into_owned())
            }
            Value::String(text) if text == SENSITIVE => Some(SENSITIVE.to_owned()),
            Value::String(text) => {
                if let Some(letters) = literal(text) {
                    return Some(self.ink.scrub(letters).into_owned());
                }
                if let Some(bytes) = stands_for(text) {
                    return Some(format!("(too large to be shown: {} bytes)", words::grouped(bytes)));
                }
                let scrubbed = self.ink.scrub(text);
                if *scrubbed == *SENSITIVE {
                    Some(SENSITIVE.to_owned())
                } else if scrubbed.trim_end().contains('\n') || json(text).is_some() {
                    None
                } else {
                    Some(self.quote(text))
                }
            }
            Value::Array(items) if items.is_empty() => Some("[]".to_owned()),
            Value::Object(map) if map.is_empty() => Some("{}".to_owned()),
            Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// `name = value`, over as many lines as it needs, all in one colour.
    fn value(&mut self, depth: usize, sign: Sign, lead: &str, value: &Value, tail: &str) {
        if let Some(text) = self.inline(value) {
            return self.line(depth, sign, &format!("{lead}{text}{tail}"));
        }
        if let Value::String(text) = value {
            return self.long_string(depth, sign, lead, text, tail);
        }
        let (open, close) = brackets(value);
        // A comma goes behind the whole, a remark to its beginning.
        let (remark, comma) = if tail == "," { ("", ",") } else { (tail, "") };
        self.line(depth, sign, &format!("{lead}{open}{remark}"));
        self.members(depth + 1, sign, value);
        self.line(depth, sign, &format!("{close}{comma}"));
    }

    /// A string that is JSON, or has many lines.
    fn long_string(&mut self, depth: usize, sign: Sign, lead: &str, text: &str, tail: &str) {
        if let Some(inner) = json(text) {
            let (open, close) = brackets(&inner);
            self.line(depth, sign, &format!("{lead}jsonencode({open}"));
            self.members(depth + 1, sign, &inner);
            return self.line(depth, sign, &format!("{close}){tail}"));
        }
        let text = self.ink.scrub(text).into_owned();
        self.line(depth, sign, &format!("{lead}<<-EOT{tail}"));
        for line in text.lines().take(LINES_OF_TEXT) {
            self.line(depth + 1, sign, &text_line(line));
        }
        let more = text.lines().count().saturating_sub(LINES_OF_TEXT);
        if more > 0 {
            self.note(depth + 1, &format!("({} more)", words::many(more, "line")));
        }
        self.line(depth, sign, "EOT");
    }

    /// What is inside an object or a list, all in one colour; attributes without a value are none.
    fn members(&mut self, depth: usize, sign: Sign, value: &Value) {
        match value {
            Value::Object(map) => {
                let shown: Vec<(String, &Value)> = map
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(key, value)| (self.name(key), value))
                    .collect();
                let width = width(shown.iter().map(|(name, _)| name.as_str()));
                for (name, value) in shown {
                    self.value(depth, sign, &format!("{name:<width$} = "), value, "");
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.value(depth, sign, "", item, ",");
                }
            }
            other => self.value(depth, sign, "", other, ""),
        }
    }

    fn entries(&mut self, depth: usize, path: &str, entries: &[(String, Delta)], unchanged: usize, what: &str) {
        let names: Vec<String> = entries.iter().map(|(key, _)| self.name(key)).collect();
        let width = width(names.iter().map(String::as_str));
        for ((key, delta), name) in entries.iter().zip(&names) {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.delta(depth, &path, name, width, delta);
        }
        if unchanged > 0 {
            self.note(depth, &format!("({} hidden)", words::many(unchanged, &format!("unchanged {what}"))));
        }
    }

    fn delta(&mut self, depth: usize, path: &str, name: &str, width: usize, delta: &Delta) {
        let forces = self.forced.iter().any(|forced| {
            forced == path
                || (!matches!(delta, Delta::Object { .. })
                    && forced.strip_prefix(path).is_some_and(|rest| rest.starts_with(['[', '.'])))
        });
        let tail = if forces && !path.is_empty() { " # forces replacement" } else { "" };
        let lead = if name.is_empty() { String::new() } else { format!("{name:<width$} = ") };
        match delta {
            Delta::Added(value) => self.leaf(depth, Sign::Added, &lead, value, tail),
            Delta::Removed(value) => self.leaf(depth, Sign::Removed, &lead, value, tail),
            Delta::Remarked { sensitive } => {
                let word = if *sensitive { "will be" } else { "is no longer" };
                let text = format!("{lead}{SENSITIVE} # {word} marked sensitive; the value stays");
                self.line(depth, Sign::Changed, &text);
            }
            Delta::Changed(before, after) => self.changed(depth, &lead, before, after, tail),
            Delta::Object { entries, unchanged, new } => {
                let sign = if *new { Sign::Added } else { Sign::Within };
                self.line(depth, sign, &format!("{lead}{{{tail}"));
                self.entries(depth + 1, path, entries, *unchanged, "element");
                self.line(depth, closing(*new), "}");
            }
            Delta::List { items, unchanged, reordered, new } => {
                let sign = if *new { Sign::Added } else { Sign::Within };
                self.line(depth, sign, &format!("{lead}[{tail}"));
                self.items(depth + 1, path, items, *unchanged, *reordered);
                self.line(depth, closing(*new), "]");
            }
        }
    }

    fn items(&mut self, depth: usize, path: &str, items: &[Delta], unchanged: usize, reordered: bool) {
        let path = format!("{path}[]");
        for item in items {
            match item {
                Delta::Added(value) => self.leaf(depth, Sign::Added, "", value, ","),
                Delta::Removed(value) => self.leaf(depth, Sign::Removed, "", value, ","),
                other => self.delta(depth, &path, "", 0, other),
            }
        }
        if reordered {
            self.note(depth, "the same elements in another order");
        } else if unchanged > 0 {
            self.note(depth, &format!("({} hidden)", words::many(unchanged, "unchanged element")));
        }
    }

    fn leaf(&mut self, depth: usize, sign: Sign, lead: &str, value: &Leaf, tail: &str) {
        match value {
            Leaf::Known(value) => self.value(depth, sign, lead, value, tail),
            Leaf::Unknown => self.line(depth, sign, &format!("{lead}{UNKNOWN}{tail}")),
            Leaf::Sensitive => self.line(depth, sign, &format!("{lead}{SENSITIVE}{tail}")),
        }
    }

    fn changed(&mut self, depth: usize, lead: &str, before: &Leaf, after: &Leaf, tail: &str) {
        if let (Leaf::Known(Value::String(old)), Leaf::Known(Value::String(new))) = (before, after)
            && self.changed_string(depth, lead, old, new, tail)
        {
            return;
        }
        if (before, after) == (&Leaf::Sensitive, &Leaf::Sensitive) {
            let text = format!("{lead}{SENSITIVE} # the value changes{tail}");
            return self.line(depth, Sign::Changed, &text);
        }
        if *after == Leaf::Unknown {
            // What it was matters little when nobody knows what it will be.
            let old = clip(&self.in_short(before), SHORT);
            return self.line(depth, Sign::Changed, &format!("{lead}{old} -> {UNKNOWN}{tail}"));
        }
        match (self.one_line(before), self.one_line(after)) {
            (Some(old), Some(new)) if 2 * depth + lead.len() + old.len() + new.len() <= WIDE => {
                self.line(depth, Sign::Changed, &format!("{lead}{old} -> {new}{tail}"));
            }
            _ => {
                self.leaf(depth, Sign::Removed, lead, before, "");
                self.leaf(depth, Sign::Added, lead, after, tail);
            }
        }
    }

    /// A value on one line, whatever it takes.
    fn in_short(&self, leaf: &Leaf) -> String {
        let long = |value: &Value| match value {
            Value::Array(_) => "[…]",
            Value::Object(_) => "{…}",
            Value::String(text) if json(text).is_some() => "jsonencode(…)",
            _ => "\"…\"",
        };
        self.one_line(leaf).unwrap_or_else(|| match leaf {
            Leaf::Known(value) => long(value).to_owned(),
            Leaf::Unknown | Leaf::Sensitive => SENSITIVE.to_owned(),
        })
    }

    fn one_line(&self, leaf: &Leaf) -> Option<String> {
        match leaf {
            Leaf::Known(value) => self.inline(value),
            Leaf::Unknown => Some(UNKNOWN.to_owned()),
            Leaf::Sensitive => Some(SENSITIVE.to_owned()),
        }
    }

    /// JSON as JSON, long text by its lines; `false` for any other string.
    fn changed_string(&mut self, depth: usize, lead: &str, old: &str, new: &str, tail: &str) -> bool {
        if let (Some(before), Some(after)) = (json(old), json(new)) {
            let hidden = |text: &str| *self.ink.scrub(text) == *SENSITIVE;
            if hidden(old) || hidden(new) {
                return false;
            }
            match compare_values(&before, &after) {
                Some(Delta::Object { entries, unchanged, .. }) => {
                    self.line(depth, Sign::Within, &format!("{lead}jsonencode({{{tail}"));
                    self.entries(depth + 1, IN_JSON, &entries, unchanged, "element");
                    self.line(depth, Sign::Context, "})");
                }
                Some(Delta::List { items, unchanged, reordered, .. }) => {
                    self.line(depth, Sign::Within, &format!("{lead}jsonencode([{tail}"));
                    self.items(depth + 1, IN_JSON, &items, unchanged, reordered);
                    self.line(depth, Sign::Context, "])");
                }
                Some(_) => return false,
                None => {
                    let text = format!("{lead}jsonencode(…) # only its white space or order changes{tail}");
                    self.line(depth, Sign::Changed, &text);
                }
            }
            return true;
        }
        if !old.trim_end().contains('\n') && !new.trim_end().contains('\n') {
            return false;
        }
        let (old, new) = (self.ink.scrub(old), self.ink.scrub(new));
        if *old == *SENSITIVE || *new == *SENSITIVE {
            return false;
        }
        self.changed_lines(depth, lead, &old, &new, tail);
        true
    }

    fn changed_lines(&mut self, depth: usize, lead: &str, old: &str, new: &str, tail: &str) {
        let before: Vec<&str> = old.lines().collect();
        let after: Vec<&str> = new.lines().collect();
        self.line(depth, Sign::Within, &format!("{lead}<<-EOT{tail}"));
        if before.len() + after.len() > LINES_COMPARED {
            let (old, new) = (words::many(before.len(), "line"), words::many(after.len(), "line"));
            self.note(depth + 1, &format!("{old} before, {new} after"));
        } else {
            let lines = text_changes(&before, &after);
            let shown = lines.len().min(LINES_OF_TEXT);
            for line in lines.iter().take(shown) {
                match line {
                    TextLine::Line(sign, text) => self.line(depth + 1, *sign, &text_line(text)),
                    TextLine::Hidden(count) => {
                        let hidden = words::many(*count, "unchanged line");
                        self.note(depth + 1, &format!("({hidden} hidden)"));
                    }
                }
            }
            if lines.len() > shown {
                let more = words::many(lines.len() - shown, "line");
                self.note(depth + 1, &format!("({more} more)"));
            }
        }
        self.line(depth, Sign::Context, "EOT");
    }
}

enum TextLine<'a> {
    Line(Sign, &'a str),
    Hidden(usize),
}

/// The changed lines with some around them.
fn text_changes<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<TextLine<'a>> {
    let mut all: Vec<(Sign, &str)> = Vec::new();
    for operation in capture_diff_slices(Algorithm::Myers, before, after) {
        for change in operation.iter_changes(before, after) {
            let sign = match change.tag() {
                ChangeTag::Equal => Sign::Context,
                ChangeTag::Delete => Sign::Removed,
                ChangeTag::Insert => Sign::Added,
            };
            all.push((sign, change.value()));
        }
    }
    let near = |at: usize| {
        let from = at.saturating_sub(CONTEXT);
        all.iter().skip(from).take(at - from + CONTEXT + 1).any(|(sign, _)| *sign != Sign::Context)
    };
    let mut lines = Vec::new();
    let mut hidden = 0;
    for (at, (sign, text)) in all.iter().enumerate() {
        if near(at) {
            if hidden > 0 {
                lines.push(TextLine::Hidden(hidden));
                hidden = 0;
            }
            lines.push(TextLine::Line(*sign, text));
        } else {
            hidden += 1;
        }
    }
    if hidden > 0 {
        lines.push(TextLine::Hidden(hidden));
    }
    lines
}

/// A line of text inside a heredoc; its tabs stay an indent.
fn text_line(line: &str) -> String {
    visible(&line.replace('\t', "    "))
}

/// The JSON object or array that a string holds, when it does.
fn json(text: &str) -> Option<Value> {
    if text.len() > 256 * 1024 { None } else { json_inside(text) }
}

fn brackets(value: &Value) -> (&'static str, &'static str) {
    if value.is_array() { ("[", "]") } else { ("{", "}") }
}

fn closing(new: bool) -> Sign {
    if new { Sign::Added } else { Sign::Context }
}

/// How wide the names are, up to where alignment stops helping.
fn width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    const WIDEST: usize = 28;
    names.map(|name| name.chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or(0)
}
