//! Text in lines that fit a terminal.

/// `text` in lines that end before `columns`, when each stands behind `indent` columns; the first
/// one's indent is left to the caller, who has a name to put there. What stands between backticks
/// is never broken, however long it is: whoever copies a command gets it whole. Where it needs the
/// room, it begins further left.
pub fn wrapped(text: &str, indent: usize, columns: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = indent;
    for word in words(text) {
        let length = word.chars().count();
        if !out.is_empty() {
            if at + 1 + length > columns {
                at = indent.min(columns.saturating_sub(length));
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', at));
            } else {
                out.push(' ');
                at += 1;
            }
        }
        out.push_str(word);
        at += length;
    }
    out
}

/// The words between spaces; a code span is one.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut from, mut in_code) = (Vec::new(), 0, false);
    for (at, char) in text.char_indices() {
        in_code ^= char == '`';
        if char == ' ' && !in_code {
            words.extend(text.get(from..at));
            from = at + 1;
        }
    }
    words.extend(text.get(from..));
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_before_the_edge_and_begin_behind_the_indent() {
        assert_eq!(wrapped("one two three", 0, 80), "one two three");
        assert_eq!(wrapped("one two three four", 4, 11), "one two\n    three\n    four");
        assert_eq!(wrapped("é é é", 0, 3), "é é\né", "characters count, not bytes");
        assert_eq!(wrapped("", 4, 11), "");
    }

    #[test]
    fn a_command_stays_whole() {
        let text = "Remove it with `stategate unlock --lock-id 1 --reason TEXT`. Then run again.";
        let command = "`stategate unlock --lock-id 1 --reason TEXT`.";
        assert_eq!(wrapped(text, 6, 52), format!("Remove it with\n      {command}\n      Then run again."));
        assert_eq!(wrapped(text, 6, 48), format!("Remove it with\n   {command}\n      Then run again."));
        assert_eq!(wrapped(text, 6, 24), format!("Remove it with\n{command}\n      Then run again."));
        assert_eq!(wrapped("an open ` and more", 0, 5), "an\nopen\n` and more");
    }
}
