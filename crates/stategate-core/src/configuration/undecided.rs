//! The code that sets what a plan does not know.

use std::collections::BTreeMap;

use super::Configuration;
use super::follow::{Follow, Reads, place};
use super::split::{Content, Item};
use crate::plan::{Block, Unknown};

/// What reads files, as it is written in an expression.
const READ_FILES: [&str; 5] = ["file(", "filebase64", "filemd5", "filesha", "fileset"];

impl Configuration {
    /// What sets the unknown values of a block; `None` when the provider alone decides them. Known
    /// values, and so the block's other arguments, stand in the plan.
    pub fn undecided(&self, block: &Block, unknown: &Unknown) -> Option<Reads> {
        let call_path = block.call_path.as_str();
        let module = self.module(call_path)?;
        let mut follow = Follow::new(self);
        let labels: Vec<&str> = block.labels.iter().map(String::as_str).collect();
        match module.block(block.kind, &labels) {
            Some(body) if block.kind == "output" => {
                let text = body.iter().filter(|item| item.name == "value").map(Item::text).collect::<String>();
                follow.text(call_path, "its value".to_owned(), &text, &[]);
            }
            Some(body) => {
                let mut texts: BTreeMap<&str, String> = BTreeMap::new();
                for item in body.iter().filter(|item| sets(item, unknown)) {
                    texts.entry(&item.name).or_default().push_str(&text_of(item, unknown));
                }
                if texts.is_empty() && module.opaque.is_empty() {
                    return None;
                }
                for (name, text) in texts {
                    follow.text(call_path, format!("its {name}"), &text, body);
                }
            }
            // Somewhere in there it has to be.
            None => {
                let text: String = module.items.iter().map(Item::text).collect();
                follow.text(call_path, place(call_path, "all of its module"), &text, &[]);
            }
        }
        follow.see_module(call_path);
        Some(follow.finish())
    }

    /// The text of each module, by its call path.
    pub fn texts(&self) -> impl Iterator<Item = (&str, String)> {
        let text = |items: &[Item]| items.iter().map(Item::text).collect();
        self.modules.iter().map(move |(call_path, module)| (call_path.as_str(), text(&module.items)))
    }
}

/// Whether an argument or a block sets something unknown.
fn sets(item: &Item, unknown: &Unknown) -> bool {
    let is_meta = ["provisioner", "connection", "lifecycle", "depends_on", "provider"].contains(&item.name.as_str());
    match &item.content {
        // In JSON, what is in there has no block of its own.
        Content::Expression(_) if item.name == "dynamic" => true,
        Content::Block { labels, body } if item.name == "dynamic" => {
            let inner = labels.first().and_then(|name| unknown.members.get(name));
            let content = body.iter().find_map(|item| item.block("content"));
            unknown.all
                || inner.is_some_and(|inner| {
                    inner.all || content.is_none_or(|(_, body)| body.iter().any(|item| sets(item, inner)))
                })
        }
        Content::Expression(_) => (unknown.all && !is_meta) || unknown.members.contains_key(&item.name),
        Content::Block { body, .. } => match unknown.members.get(&item.name) {
            Some(inner) => inner.all || body.iter().any(|item| sets(item, inner)),
            None => unknown.all && !is_meta,
        },
    }
}

/// What of an item sets something unknown: of an object, the members that are.
fn text_of(item: &Item, unknown: &Unknown) -> String {
    let inner = unknown.members.get(&item.name).filter(|inner| !inner.all);
    match (&item.content, inner) {
        (Content::Expression(text), Some(inner)) => {
            let wanted = |members: Vec<(&str, &str)>| -> Option<String> {
                let is_member = |name: &&String| members.iter().filter(|(key, _)| key == name).count() == 1;
                inner.members.keys().all(|name| is_member(&name)).then_some(())?;
                let wanted = members.iter().filter(|(key, _)| inner.members.contains_key(*key));
                Some(wanted.map(|(_, text)| format!("{text}\n")).collect())
            };
            members(text).and_then(wanted).unwrap_or_else(|| item.text())
        }
        _ => item.text(),
    }
}

/// The members of an object, each by its key and with its text; `None` for what is no such object, or
/// written in another way than `{ key = value }`.
fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    let inside = text.strip_prefix('{')?.strip_suffix('}')?;
    // A heredoc can hold anything, and so can a template with a string in it.
    let is_plain = |start: &str| {
        let ends = inside.split(start).skip(1).map(|rest| rest.split_once('}'));
        ends.into_iter().all(|end| end.is_some_and(|(template, _)| !template.contains(['"', '{'])))
    };
    if inside.contains("<<") || !is_plain("${") || !is_plain("%{") {
        return None;
    }
    let letters = inside.as_bytes();
    let (mut open, mut quoted, mut escaped, mut choices) = (0_usize, false, false, 0_isize);
    let mut starts: Vec<(usize, &str)> = Vec::new();
    for (at, letter) in letters.iter().enumerate() {
        let next_to = |one: &[u8]| {
            let before = at.checked_sub(1).and_then(|before| letters.get(before));
            before.is_some_and(|before| one.contains(before)) || matches!(letters.get(at + 1), Some(b'=' | b'>'))
        };
        match letter {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.checked_sub(1)?,
            _ if open > 0 => {}
            b'?' => choices += 1,
            // It belongs to a `?`, or else to a key.
            b':' => choices -= 1,
            b'=' if !next_to(b"=<>!") => {
                let before = inside.get(..at)?.trim_end();
                let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
                let key = before.get(before.trim_end_matches(is_part).len()..).filter(|key| !key.is_empty())?;
                starts.push((before.len() - key.len(), key));
            }
            _ => {}
        }
    }
    let begins =
        starts.first().is_some_and(|(start, _)| inside.get(..*start).is_some_and(|text| text.trim().is_empty()));
    if choices != 0 || open > 0 || quoted || !begins {
        return None;
    }
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([inside.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| {
            let (at, key) = *start;
            Some((key, inside.get(at..end)?.trim().trim_end_matches(',').trim_end()))
        })
        .collect()
}

impl Reads {
    /// Whether the content of files may be a part of what is read.
    pub fn reads_files(&self) -> bool {
        self.texts.values().any(|text| READ_FILES.iter().any(|function| text.contains(function)))
    }
}

#[cfg(test)]
mod tests {
    use super::members;

    #[test]
    fn only_a_plain_object_is_taken_apart() {
        let found = members("{ a = f(x, { y = 1 }), b-c = d == 1 ? \"}, e = 2\" : 3 f = [\"${x} ${y}\"] }").unwrap();
        let text = |key: &'static str, text: &'static str| (key, text);
        let expected = [
            text("a", "a = f(x, { y = 1 })"),
            text("b-c", "b-c = d == 1 ? \"}, e = 2\" : 3"),
            text("f", "f = [\"${x} ${y}\"]"),
        ];
        assert_eq!(found, expected);
        for other in [
            "{ for k, v in x : k => v }",
            "{ a : 1, b = x ? 1 : 2 }",
            "{ (a) = 1 }",
            "{ \"a\" = 1 }",
            "{ a = 1, (b) = 2 }",
            "{ a = \"${f(\"x\")}\" }",
            "{ a = \"${{}}\" }",
            "{ a = <<E\nE\n }",
            "{}",
            "f({ a = 1 })",
            "{ a = 1 } == { b = 2 }",
            "{ a = provider::x::y() }",
        ] {
            assert_eq!(members(other), None, "{other}");
        }
    }
}
