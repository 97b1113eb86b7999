//! Splits HCL into attributes and blocks; an expression stays text.
//!
//! Comments go, and white space outside of strings becomes one blank, so that two texts are equal
//! when only their form differs. Whatever is not understood is `None`: the caller then takes the
//! whole file for what it says.

/// Blocks in blocks, and strings in templates in strings.
const MAX_DEPTH: usize = 64;

/// An attribute or a block of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Expression(String),
    Block { labels: Vec<String>, body: Vec<Item> },
}

impl Item {
    /// The item as text, whatever the file's layout was.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.name);
        match &self.content {
            Content::Expression(text) => out.extend([" = ", text, "\n"]),
            Content::Block { labels, body } => {
                for label in labels {
                    out.extend([" \"", label, "\""]);
                }
                out.push_str(" {\n");
                for item in body {
                    item.write(out);
                }
                out.push_str("}\n");
            }
        }
    }

    /// The labels and the body of a block of this kind.
    pub(super) fn block(&self, kind: &str) -> Option<(&[String], &[Item])> {
        match &self.content {
            Content::Block { labels, body } if self.name == kind => Some((labels, body)),
            _ => None,
        }
    }
}

/// The expression of an attribute in a body.
pub(super) fn attribute<'a>(body: &'a [Item], name: &str) -> Option<&'a str> {
    body.iter().find(|item| item.name == name).and_then(|item| match &item.content {
        Content::Expression(text) => Some(text.as_str()),
        Content::Block { .. } => None,
    })
}

/// The items of a file; `None` where it is not understood.
pub(super) fn split(text: &str) -> Option<Vec<Item>> {
    let mut cursor = Cursor { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0 };
    cursor.body(0)
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Moves over blanks and comments; over the ends of lines too when told so. Whether there were any.
    fn space(&mut self, lines: bool) -> Option<bool> {
        let start = self.at;
        loop {
            let rest = self.rest();
            if rest.starts_with('#') || rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += rest.find("*/")? + 2;
            } else {
                match self.peek() {
                    Some(' ' | '\t' | '\r') => self.at += 1,
                    Some('\n') if lines => self.at += 1,
                    _ => return Some(self.at > start),
                }
            }
        }
    }

    fn word(&mut self) -> Option<String> {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
        let rest = self.rest();
        let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let word = rest.get(..end).filter(|word| !word.is_empty())?.to_owned();
        self.at += end;
        Some(word)
    }

    /// The items up to the end of the file, or of the block that is `depth` deep.
    fn body(&mut self, depth: usize) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        loop {
            self.space(true)?;
            match self.peek() {
                None => return (depth == 0).then_some(items),
                Some('}') if depth > 0 => {
                    self.at += 1;
                    return Some(items);
                }
                Some(_) if depth < MAX_DEPTH => items.push(self.item(depth)?),
                Some(_) => return None,
            }
        }
    }

    fn item(&mut self, depth: usize) -> Option<Item> {
        let name = self.word()?;
        let mut labels = Vec::new();
        loop {
            self.space(false)?;
            match self.peek()? {
                '=' if labels.is_empty() => {
                    self.at += 1;
                    return Some(Item { name, content: Content::Expression(self.expression()?) });
                }
                '{' => {
                    self.at += 1;
                    let body = self.body(depth + 1)?;
                    return Some(Item { name, content: Content::Block { labels, body } });
                }
                '"' => {
                    let mut quoted = String::new();
                    self.string(&mut quoted, 0)?;
                    if quoted.contains(['\\', '$', '%']) {
                        return None;
                    }
                    labels.push(quoted.trim_matches('"').to_owned());
                }
                _ => labels.push(self.word()?),
            }
        }
    }

    /// An expression up to the end of its line, or of the block that it stands in.
    fn expression(&mut self) -> Option<String> {
        let mut out = String::new();
        let mut open = 0_usize;
        loop {
            if self.space(open > 0)? && !out.is_empty() {
                out.push(' ');
            }
            match self.peek() {
                None | Some('\n' | '}') if open == 0 => break,
                None => return None,
                Some('"') => self.string(&mut out, 0)?,
                Some('<') if self.rest().starts_with("<<") => self.heredoc(&mut out)?,
                Some(other) => {
                    match other {
                        '(' | '[' | '{' => open += 1,
                        ')' | ']' | '}' => open = open.checked_sub(1)?,
                        _ => {}
                    }
                    out.push(other);
                    self.at += other.len_utf8();
                }
            }
        }
        Some(out.trim().to_owned())
    }

    /// A quoted string as it is written, with the templates in it.
    fn string(&mut self, out: &mut String, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        out.push(self.take()?);
        loop {
            if self.piece(out, depth)? {
                continue;
            }
            match self.take()? {
                '"' => {
                    out.push('"');
                    return Some(());
                }
                '\n' => return None,
                '\\' => out.extend(['\\', self.take()?]),
                other => out.push(other),
            }
        }
    }

    /// A template, or what looks like the start of one. Whether there was any.
    fn piece(&mut self, out: &mut String, depth: usize) -> Option<bool> {
        let rest = self.rest();
        if rest.starts_with("$${") || rest.starts_with("%%{") {
            out.push_str(rest.get(..3)?);
            self.at += 3;
        } else if rest.starts_with("${") || rest.starts_with("%{") {
            out.push_str(rest.get(..2)?);
            self.at += 2;
            self.template(out, depth + 1)?;
        } else {
            return Some(false);
        }
        Some(true)
    }

    /// The inside of `${…}`, with its end. A comment or a heredoc in there can hold any brace and quote:
    /// nobody writes one, and such a file is not understood.
    fn template(&mut self, out: &mut String, depth: usize) -> Option<()> {
        let mut open = 1_usize;
        while open > 0 {
            if ["#", "//", "/*", "<<"].iter().any(|start| self.rest().starts_with(start)) {
                return None;
            }
            match self.peek()? {
                '"' => {
                    self.string(out, depth)?;
                    continue;
                }
                '{' => open += 1,
                '}' => open -= 1,
                _ => {}
            }
            out.push(self.take()?);
        }
        Some(())
    }

    /// `<<EOT` up to its end, as it is written. The mark ends it only where no template is open.
    fn heredoc(&mut self, out: &mut String) -> Option<()> {
        let (first, _) = self.rest().split_once('\n')?;
        let mark = first.trim_start_matches('<').trim_start_matches('-').trim();
        if mark.is_empty() || !mark.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '-') {
            return None;
        }
        let mark = mark.to_owned();
        out.extend([first, "\n"]);
        self.at += first.len() + 1;
        loop {
            let line = self.rest().split_inclusive('\n').next()?;
            if line.trim() == mark {
                out.extend([line.trim_end(), "\n"]);
                self.at += line.trim_end().len();
                return Some(());
            }
            self.heredoc_line(out)?;
        }
    }

    /// A line of a heredoc, with the templates that begin in it.
    fn heredoc_line(&mut self, out: &mut String) -> Option<()> {
        loop {
            if self.piece(out, 0)? {
                continue;
            }
            let letter = self.take()?;
            out.push(letter);
            if letter == '\n' {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_makes_no_difference_and_content_does() {
        let plain = "resource \"a\" \"b\" {\n  x = [1, 2]\n  p \"q\" {\n    command = \"echo # ${var.a}\"\n  }\n}\n";
        let formed = "# x = 1\nresource a \"b\" { // y\n\n  x =   [1, # one\n 2]   /* z */\n  p \"q\" { command = \"echo # ${var.a}\" } }";
        let text = |source: &str| split(source).unwrap().iter().map(Item::text).collect::<String>();
        assert_eq!(text(plain), text(formed));
        assert_ne!(text(plain), text(&plain.replace("echo #", "echo  #")), "white space in a string counts");
        assert_ne!(text(plain), text(&plain.replace("2]", "3]")));
    }

    #[test]
    fn strings_templates_and_heredocs_end_where_they_end() {
        let source = r#"
a = "x } ${join("}", [for k, v in { a = "\"" } : "${k}"])} $${not} %{ if true }y%{ endif }"
b = <<-EOT
  } ${var.x} "
  EOT
c = { d = 1 }
e = f(
  <<EOT
x
EOT
)
g = 1"#;
        let items = split(source).unwrap();
        let names: Vec<&str> = items.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "e", "g"]);
        assert_eq!(attribute(&items, "c"), Some("{ d = 1 }"));
        assert!(attribute(&items, "b").unwrap().contains("} ${var.x} \""));
    }

    #[test]
    fn what_is_not_understood_is_not_guessed() {
        for source in ["a {", "a = \"", "a = (", "}", "a = )", "a = <<EOT\nx", "/* a", "a \"b", "a = \"x\ny\"", "= 1"] {
            assert_eq!(split(source), None, "{source}");
        }
        assert_eq!(split(&"a {\n".repeat(10_000)), None, "too deep");
        assert_eq!(split(&format!("a = {}", "\"${".repeat(10_000))), None, "too deep");
        assert_eq!(split(""), Some(Vec::new()));
    }
}
