//! Which places of the repository a configuration reads besides its own directory: `file("../../x")`,
//! `templatefile`, `fileset`, a `source_dir`, a script that a provisioner starts.
//!
//! No evaluation, only a tolerant look at every string. A path is taken as far as its words tell; where
//! an expression decides, the answer is [`Reads::anything`]. It errs on the side of more. What it cannot
//! see is a path whose `..` no string holds in one piece.

use std::collections::BTreeSet;

mod shell;
#[cfg(test)]
mod tests;

use shell::{absolute_paths, has_absolute_path, has_shell_path, is_made, is_program};

/// What a relative path starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Base {
    /// The root module: where Terraform runs, `path.root` and `path.cwd`.
    Root,
    /// The module that the text belongs to: `path.module`.
    Module,
}

/// What a text reads from elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Files, or directories of which anything may be read; as they are written, with their `..`.
    pub places: BTreeSet<(Base, String)>,
    /// Whether an expression decides what is read: it may be anything.
    pub anything: bool,
    /// Whether it starts programs: by a provisioner, an external data source, an action.
    pub has_programs: bool,
    /// Whether a string has a path that only a shell knows: with [`Reads::has_programs`], be it of
    /// another file, it may be anything.
    pub has_shell_path: bool,
}

/// The functions whose first argument is a path that Terraform reads.
const READERS: [&str; 11] = [
    "file",
    "filebase64",
    "filebase64sha256",
    "filebase64sha512",
    "fileexists",
    "filemd5",
    "fileset",
    "filesha1",
    "filesha256",
    "filesha512",
    "templatefile",
];

/// The functions that a path can go through without leading further up.
const HARMLESS: [&str; 8] =
    ["abspath", "basename", "pathexpand", "jsonencode", "yamlencode", "merge", "tomap", "concat"];

/// Deeper than anybody nests strings in expressions in strings.
const MOST_DEPTH: usize = 64;

/// Reads a file of a configuration, or of variables, in Terraform's own syntax.
pub fn in_hcl(text: &str) -> Reads {
    let mut reader = Reader::new(text, None);
    reader.code(0, None);
    reader.end()
}

/// Reads such a file in JSON. Each of its strings can be a template.
pub fn in_json(text: &str) -> Reads {
    let has_programs = text.contains("\"provisioner\"") || text.split('"').any(is_program);
    let mut found = Reads { has_programs, ..Reads::default() };
    let mut rest = text;
    while let Some((_, from_quote)) = rest.split_once('"') {
        let length = string_length(from_quote);
        let (body, after) = from_quote.split_at(length);
        let unescaped = serde_json::from_str::<String>(&format!("\"{body}\""));
        let one = of_template(unescaped.as_deref().unwrap_or(body), found.has_programs);
        found.places.extend(one.places);
        found.anything |= one.anything;
        found.has_shell_path |= one.has_shell_path;
        rest = after.get(1..).unwrap_or_default();
    }
    found
}

/// Reads a template, such as a file that `templatefile` fills.
pub fn in_template(text: &str) -> Reads {
    of_template(text, false)
}

/// Reads a template; `in_program` says whether it can be a command.
fn of_template(text: &str, in_program: bool) -> Reads {
    let mut reader = Reader::new(text, in_program.then_some(usize::MAX));
    let parts = reader.template(0, &Until::End);
    reader.judge(&parts, Place::Loose);
    reader.end()
}

/// The bytes up to the quote that ends a string.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Words(String),
    Path(Base),
    /// What an expression makes.
    Unknown,
}

/// Where a template ends.
enum Until {
    End,
    Quote,
    /// The line that ends a heredoc.
    Line(String),
}

/// What a string is there for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The path that is read, and all of it.
    Argument,
    /// Anything else.
    Loose,
}

/// A call whose arguments are being read.
struct Call<'a> {
    function: &'a str,
    /// Which argument it is, from 0.
    argument: usize,
    /// Whether nothing of the argument was read yet.
    is_new: bool,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    found: Reads,
    /// Whether the end of some path that is read is an expression's.
    has_open: bool,
    /// Whether there is a string with `..` that an expression may put into such a path.
    has_loose: bool,
    /// How deep in braces the block begins that starts a program, while it is read.
    program: Option<usize>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, program: Option<usize>) -> Self {
        Self { text, at: 0, found: Reads::default(), has_open: false, has_loose: false, program }
    }

    fn end(mut self) -> Reads {
        self.found.anything |= self.has_open && self.has_loose;
        self.found
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Reads code to its end, or to the brace that closes the expression. What it is when it is
    /// nothing but `path.…`.
    fn code(&mut self, depth: usize, closing: Option<char>) -> Part {
        let mut calls: Vec<Call<'a>> = Vec::new();
        let (mut braces, mut only, mut last_word, mut attribute) = (0_usize, Some(Part::Unknown), "", "");
        if depth > MOST_DEPTH {
            self.found.anything = true;
            self.at = self.text.len();
        }
        while let Some(next) = self.rest().chars().next() {
            if next.is_whitespace() || self.skip_comment() {
                self.at += if next.is_whitespace() { next.len_utf8() } else { 0 };
                continue;
            }
            if next.is_alphanumeric() || next == '_' {
                let word = self.word();
                self.start_program(last_word, word, braces);
                let path = path_word(word);
                if !self.follows_paren() {
                    self.mention(word, path.as_ref(), &mut calls);
                }
                only = if only == Some(Part::Unknown) && last_word.is_empty() { path } else { None };
                last_word = word;
                continue;
            }
            self.next();
            match next {
                '"' if attribute == "source" => {
                    // Mostly a module's, of which Terraform itself says where it is.
                    let has_loose = self.has_loose;
                    let parts = self.template(depth + 1, &Until::Quote);
                    let anything = self.found.anything;
                    self.judge(&parts, Place::Loose);
                    (self.has_loose, self.found.anything) = (has_loose, anything);
                }
                '"' => {
                    self.start_program(last_word, self.rest().split('"').next().unwrap_or_default(), braces);
                    self.string(depth, &Until::Quote, &mut calls);
                }
                '<' if self.rest().starts_with('<') => self.heredoc(depth),
                '(' => {
                    let is_argument = calls.last().is_some_and(Call::is_path);
                    // `file(abspath("…"))` reads what its inner argument says.
                    let is_passed_on = is_argument && matches!(last_word, "abspath" | "");
                    if is_argument && !is_passed_on {
                        self.found.anything = true;
                    }
                    let function = if is_passed_on { "file" } else { last_word };
                    mark(&mut calls);
                    calls.push(Call { function, argument: 0, is_new: true });
                }
                ')' => drop(calls.pop()),
                ',' => {
                    if let Some(call) = calls.last_mut().filter(|_| braces == 0 || closing.is_none()) {
                        (call.argument, call.is_new) = (call.argument + 1, true);
                    }
                }
                '{' => braces += 1,
                '}' if braces == 0 && closing == Some('}') => return only.unwrap_or(Part::Unknown),
                '}' => {
                    braces = braces.saturating_sub(1);
                    self.program = self.program.filter(|start| closing.is_some() || *start != braces);
                }
                _ => {
                    if matches!(next, '[' | '!' | '-') && calls.last().is_some_and(Call::is_path) {
                        self.found.anything = true;
                    }
                }
            }
            attribute = if next == '=' { last_word } else { "" };
            only = None;
            last_word = "";
        }
        Part::Unknown
    }

    /// Notes that a block starts programs, by its first label.
    fn start_program(&mut self, block: &str, label: &str, braces: usize) {
        let is_of_type = matches!(block, "data" | "resource" | "action" | "ephemeral") && is_program(label);
        if is_of_type || block == "provisioner" && !label.is_empty() {
            self.found.has_programs = true;
            self.program.get_or_insert(braces);
        }
    }

    fn follows_paren(&self) -> bool {
        self.rest().trim_start().starts_with('(')
    }

    /// A word that is no function's name.
    fn mention(&mut self, word: &str, path: Option<&Part>, calls: &mut [Call<'a>]) {
        let is_argument = calls.last().is_some_and(Call::is_path);
        if path.is_none() {
            // Whatever it is, it is what is read.
            self.found.anything |= is_argument && !word.is_empty();
        } else if !is_argument {
            let may_lead_up = |call: &Call<'_>| !HARMLESS.contains(&call.function) && !call.is_reader();
            self.found.anything |= calls.iter().any(|call| !call.function.is_empty() && may_lead_up(call));
        }
        mark(calls);
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '*');
        let mut length = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len());
        // `a ? b : c` has blanks around its colon, `core::file` has two.
        while rest.get(..length).is_some_and(|word| word.ends_with(':')) {
            length -= 1;
        }
        let length = length.max(rest.chars().next().map_or(0, char::len_utf8));
        self.at += length;
        let word = rest.get(..length).unwrap_or_default();
        word.strip_prefix("core::").unwrap_or(word)
    }

    fn skip_comment(&mut self) -> bool {
        let rest = self.rest();
        let length = if rest.starts_with('#') || rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.get(2..).and_then(|inside| inside.find("*/")).map_or(rest.len(), |end| end + 4)
        } else {
            return false;
        };
        self.at += length;
        true
    }

    fn heredoc(&mut self, depth: usize) {
        let (line, _) = self.rest().split_once('\n').unwrap_or((self.rest(), ""));
        let name = line.trim_start_matches(['<', '-']).trim_end_matches('\r').trim();
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || !name.chars().all(is_name) {
            return;
        }
        self.at += (line.len() + 1).min(self.rest().len());
        let until = Until::Line(name.to_owned());
        let parts = self.template(depth + 1, &until);
        self.judge(&parts, Place::Loose);
    }

    fn string(&mut self, depth: usize, until: &Until, calls: &mut [Call<'a>]) {
        let parts = self.template(depth + 1, until);
        let call = calls.last();
        let is_argument = call.is_some_and(Call::is_path);
        let is_pattern = call.is_some_and(|call| call.function == "fileset" && call.argument == 1);
        if is_pattern && parts.iter().any(|part| matches!(part, Part::Words(words) if has_dots(words))) {
            self.found.anything = true;
        }
        self.judge(&parts, if is_argument { Place::Argument } else { Place::Loose });
        let next = self.rest().trim_start().chars().next();
        if is_argument && !matches!(next, Some(',' | ')') | None) {
            self.found.anything = true;
        }
        mark(calls);
    }

    /// Reads a template to its end.
    fn template(&mut self, depth: usize, until: &Until) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut words = String::new();
        loop {
            if let Until::Line(name) = until {
                let is_line_start = self.at == 0 || self.text.get(..self.at).is_some_and(|text| text.ends_with('\n'));
                // Not at each letter: a line can be long.
                let line = || self.rest().split('\n').next().unwrap_or_default();
                if is_line_start && line().trim() == name {
                    self.at += line().len();
                    break;
                }
            }
            if self.takes("$${") || self.takes("%%{") {
                words.push_str("${");
                continue;
            }
            if self.takes("${") || self.takes("%{") {
                self.takes("~");
                parts.extend((!words.is_empty()).then(|| Part::Words(std::mem::take(&mut words))));
                parts.push(self.code(depth + 1, Some('}')));
                continue;
            }
            match self.next() {
                None => break,
                Some('"') if matches!(until, Until::Quote) => break,
                Some('\\') if matches!(until, Until::Quote) => words.extend(self.escape()),
                Some(next) => words.push(next),
            }
        }
        parts.extend((!words.is_empty()).then_some(Part::Words(words)));
        parts
    }

    fn escape(&mut self) -> Option<char> {
        let digits = match self.next()? {
            'n' => return Some('\n'),
            't' => return Some('\t'),
            'r' => return Some('\r'),
            'u' => 4,
            'U' => 8,
            other => return Some(other),
        };
        let code = u32::from_str_radix(self.rest().get(..digits)?, 16).ok()?;
        self.at += digits;
        char::from_u32(code)
    }

    /// Takes from a string what it may lead to.
    fn judge(&mut self, parts: &[Part], place: Place) {
        let Some(first) = parts.first() else { return };
        self.commands_of(parts);
        let (base, parts) = match first {
            Part::Path(base) => (Some(*base), parts.get(1..).unwrap_or_default()),
            _ => (None, parts),
        };
        let words = |part: &Part| match part {
            Part::Words(words) => words.clone(),
            Part::Path(_) | Part::Unknown => String::new(),
        };
        let start = parts.first().map(words).unwrap_or_default();
        let is_open = parts.len() > 1 || parts.first().is_some_and(|part| !matches!(part, Part::Words(_)));
        let later_dots = parts.iter().skip(1).any(|part| has_dots(&words(part)));
        // A path that goes up from what an expression made, or that an expression begins.
        let is_made = later_dots || (place == Place::Argument && base.is_none() && is_open && start.is_empty());
        self.found.anything |= is_made;
        if place == Place::Argument || base.is_some() {
            self.has_open |= is_open;
            let path = start.trim_start_matches('/');
            let path = if is_open { path.rsplit_once('/').map_or("", |(directory, _)| directory) } else { path };
            let path = if base.is_none() && start.starts_with('/') { format!("/{path}") } else { path.to_owned() };
            let path = path.split(char::is_whitespace).next().unwrap_or_default().to_owned();
            self.found.places.insert((base.unwrap_or(Base::Root), path));
            if base.is_some() && start.split(char::is_whitespace).count() > 1 {
                self.words_of(&start, is_open);
            }
            return;
        }
        for part in parts {
            self.words_of(&words(part), is_open);
        }
    }

    /// What a string leads to if it is a command.
    fn commands_of(&mut self, parts: &[Part]) {
        let mut last = None;
        for part in parts {
            let Part::Words(words) = part else {
                last = Some((part, last.map_or("", |(_, words)| words)));
                continue;
            };
            self.found.has_shell_path |= has_shell_path(words);
            self.found.anything |= words.contains("GITHUB_WORKSPACE");
            if self.program.is_some() {
                let is_made = matches!(last, Some((Part::Unknown, before)) if is_made(before, words));
                self.found.anything |= is_made || has_absolute_path(words, last.is_some());
                let paths = absolute_paths(words, last.is_some()).map(|path| (Base::Root, path.to_owned()));
                self.found.places.extend(paths);
            }
            last = Some((part, words));
        }
    }

    /// The words with `..` of a text that is no path as a whole, such as a command.
    fn words_of(&mut self, text: &str, is_open: bool) {
        let is_between = |c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ';' | '|' | '&' | '<' | '>' | '(' | ')' | '=' | ',')
        };
        for word in text.split(is_between).filter(|word| has_dots(word)) {
            self.has_loose = true;
            // Another string may go on from here, further up.
            self.found.anything |= word.trim_end_matches('/').ends_with("..");
            let word =
                if is_open && text.ends_with(word) { word.rsplit_once('/').map_or(word, |(d, _)| d) } else { word };
            for base in [Base::Root, Base::Module] {
                self.found.places.insert((base, word.to_owned()));
            }
        }
    }
}

impl Call<'_> {
    fn is_reader(&self) -> bool {
        READERS.contains(&self.function)
    }

    /// Whether what comes next is the path that is read.
    fn is_path(&self) -> bool {
        self.is_reader() && self.argument == 0 && self.is_new
    }
}

/// Something of the argument was read.
fn mark(calls: &mut [Call<'_>]) {
    if let Some(call) = calls.last_mut() {
        call.is_new = false;
    }
}

fn path_word(word: &str) -> Option<Part> {
    match word {
        "path.module" => Some(Part::Path(Base::Module)),
        "path.root" | "path.cwd" => Some(Part::Path(Base::Root)),
        _ => None,
    }
}

/// Whether a part of the path is `..`.
fn has_dots(text: &str) -> bool {
    let is_end = |c: Option<char>| c.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-')));
    text.match_indices("..").any(|(at, dots)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + dots.len()..).and_then(|text| text.chars().next());
        is_end(before) && is_end(after)
    })
}
