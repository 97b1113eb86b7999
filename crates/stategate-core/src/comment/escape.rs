//! Text that others wrote, made harmless in Markdown.
//!
//! There are only three places for it: a code span, a `<code>` element inside a fold-out's summary,
//! and a fence. GitHub interprets nothing in these: no link, no mention, no heading, no tag. Our own
//! sentences may carry such text too; their suspicious words become code spans.

use crate::harmless::is_invisible;

/// Stands for what was cut off.
const CUT: char = '…';

/// Breaks a sequence that a program would act on, without being seen.
const BREAK: char = '\u{200B}';

/// The text on one line, with everything visible that would hide or reorder what is read, and
/// without anything that the runner takes for a workflow command.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // The runner looks for `##[` anywhere in a line.
            '[' if out.ends_with("##") => out.extend([BREAK, '[']),
            _ if is_invisible(char) => out.extend(char.escape_unicode()),
            _ => out.push(char),
        }
    }
    out
}

/// At most `most` characters, cut in the middle, where addresses and paths differ least.
pub(super) fn clip(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let kept = most.saturating_sub(1);
    let head = kept.div_ceil(2);
    let tail = kept - head;
    let mut out: String = text.chars().take(head).collect();
    out.push(CUT);
    out.extend(text.chars().skip(length - tail));
    out
}

/// A code span of at most about `most` characters.
pub(super) fn code(text: &str, most: usize) -> String {
    let text = clip(&visible(text), most);
    if text.trim().is_empty() {
        return "`(empty)`".to_owned();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    // Markdown strips one space on both sides; a backtick must not touch the fence.
    let edge = |char: Option<char>| matches!(char, Some('`' | ' '));
    let pad = if edge(text.chars().next()) || edge(text.chars().last()) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A `<code>` element, for a fold-out's summary, where Markdown does not reach.
pub(super) fn html_code(text: &str, most: usize) -> String {
    format!("<code>{}</code>", html(&clip(&visible(text), most)))
}

/// The text with the characters that HTML knows written as entities.
pub(super) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(char),
        }
    }
    out
}

/// A fenced block of lines that are already [`visible`], or are made so by [`lines_of`].
pub(super) fn fence(language: &str, lines: &[String]) -> String {
    let run = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat(run.max(2) + 1);
    let length: usize = lines.iter().map(|line| line.len() + 1).sum();
    let mut out = String::with_capacity(length + 2 * fence.len() + language.len() + 2);
    out.extend([fence.as_str(), language, "\n"]);
    for line in lines {
        // The runner takes a line that begins so, after any white space, for a command.
        let words = line.trim_start();
        if words.starts_with("::") {
            let (space, words) = line.split_at(line.len() - words.len());
            out.push_str(space);
            out.push(BREAK);
            out.push_str(words);
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out.push_str(&fence);
    out
}

/// The lines of a program's output, without colours, each visible.
pub(super) fn lines_of(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(|line| {
        let line = without_colours(line.trim_end_matches('\r')).replace('\t', "    ");
        visible(&line)
    })
}

/// A line of prose in lines of about `most` characters, as Terraform breaks its own where it writes to
/// a terminal. What begins with a space or a frame is code or has been broken already.
pub(super) fn folded(line: &str, most: usize) -> Vec<String> {
    if line.starts_with([' ', '│', '╷', '╵', '├']) {
        return vec![line.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    let mut length = 0;
    for word in line.split(' ') {
        let more = word.chars().count();
        match lines.last_mut() {
            Some(last) if length + 1 + more <= most => {
                last.extend([" ", word]);
                length += 1 + more;
            }
            _ => {
                lines.push(word.to_owned());
                length = more;
            }
        }
    }
    lines
}

/// Without terminal sequences (`ESC [ … letter`).
fn without_colours(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((plain, sequence)) = rest.split_once("\u{1b}[") {
        out.push_str(plain);
        let end = sequence.find(|char: char| !matches!(char, '0'..='9' | ';' | '?'));
        rest = end.and_then(|end| sequence.get(end..)).unwrap_or_default();
        let mut chars = rest.chars();
        if chars.next().is_some_and(|char| char.is_ascii_alphabetic()) {
            rest = chars.as_str();
        }
    }
    out.push_str(rest);
    out
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for byte in text.bytes() {
        run = if byte == b'`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// A sentence of ours: its words as text, its code spans as code spans, and any word that could
/// mean something to GitHub as a code span as well.
pub(super) fn sentence(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    push_words(&mut out, text, most);
    finished(&out)
}

/// The words of a [`sentence`], at its end so far.
pub(super) fn push_words(out: &mut String, text: &str, most: usize) {
    let text = clip(text, most);
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            if !part.is_empty() {
                out.push_str(&code(part, most));
            }
            continue;
        }
        for (index, word) in part.split(char::is_whitespace).enumerate() {
            if index > 0 {
                out.push(' ');
            }
            if word.is_empty() {
                continue;
            }
            let starts = out.trim_end().is_empty();
            if is_plain(word) && !(starts && begins_block(word)) {
                out.push_str(word);
            } else {
                push_word(out, word);
            }
        }
    }
}

/// The sentence without space around it.
pub(super) fn finished(sentence: &str) -> String {
    let sentence = sentence.trim();
    // Nothing between two asterisks would be a rule across the page.
    if sentence.is_empty() { CUT.to_string() } else { sentence.to_owned() }
}

/// A word as a code span, its brackets and closing punctuation outside.
fn push_word(out: &mut String, word: &str) {
    // A bracket before it stays outside, as the one after it does.
    let bare = word.trim_start_matches('(');
    let (lead, word) = if bare.is_empty() { ("", word) } else { word.split_at(word.len() - bare.len()) };
    out.push_str(lead);
    let inner = word.trim_end_matches([',', '.', ';', ':', '!', '?', ')']);
    let (inner, tail) = if inner.is_empty() { (word, "") } else { word.split_at(inner.len()) };
    // Two spans side by side would read as one.
    if out.ends_with('`') {
        out.push(' ');
    }
    out.push_str(&code(inner, usize::MAX));
    out.push_str(tail);
}

/// Whether Markdown and GitHub see nothing but a word.
fn is_plain(word: &str) -> bool {
    let allowed = |char: char| char.is_alphanumeric() || ",.;:!?'\"()-–—/%+=’“”".contains(char);
    let lower = word.to_ascii_lowercase();
    word.chars().all(allowed)
        && !refers(word)
        && !lower.contains("www.")
        && !lower.contains("://")
        && word.matches(':').count() < 2
}

/// Whether GitHub would take a part of the word for a commit (`4f0c1d2`) or an issue (`GH-42`),
/// whatever punctuation stands around it.
fn refers(word: &str) -> bool {
    let mut parts = word.split(|char: char| !char.is_ascii_alphanumeric()).peekable();
    while let Some(part) = parts.next() {
        let is_hash = part.len() >= 7 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_number = |next: &&str| next.starts_with(|char: char| char.is_ascii_digit());
        if is_hash || part.eq_ignore_ascii_case("gh") && parts.peek().is_some_and(is_number) {
            return true;
        }
    }
    false
}

/// Whether a word at the start of a line would begin a list, a rule or a heading.
fn begins_block(word: &str) -> bool {
    let number = word.trim_end_matches(['.', ')']);
    let ordered = number.len() < word.len() && number.bytes().all(|byte| byte.is_ascii_digit());
    ordered || word.chars().all(|char| !char.is_alphanumeric())
}

/// A link, when the address is a plain web address; else only its text.
pub(super) fn link(text: &str, url: &str) -> String {
    if is_plain_url(url) { format!("[{text}]({url})") } else { text.to_owned() }
}

/// A web address of characters that mean nothing to Markdown.
pub(super) fn is_plain_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    url.len() <= 300
        && rest.is_some_and(|rest| {
            !rest.is_empty()
                && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#=&%+,".contains(&byte))
        })
}

/// An id as it may stand in an HTML comment: without what ends or nests one.
pub(super) fn in_html_comment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        let unsafe_here = matches!(char, '<' | '>' | '%' | '\\') || is_invisible(char);
        let command = char == '[' && out.ends_with("##");
        if unsafe_here || command || (char == '-' && out.ends_with('-')) {
            let mut bytes = [0; 4];
            for byte in char.encode_utf8(&mut bytes).bytes() {
                out.extend(["%", &format!("{byte:02X}")]);
            }
        } else {
            out.push(char);
        }
    }
    out
}
