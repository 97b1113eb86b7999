//! Which names an expression uses, by its text.

/// What an expression can read that stands elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Variable(String),
    Local(String),
    /// An output of a module call; `None` where the text does not say which.
    Module(String, Option<String>),
    /// A data source, by type and name.
    Data(String, String),
    /// An ephemeral resource, by type and name.
    Ephemeral(String, String),
    /// `each` or `count`.
    Repetition,
}

/// The names in a text, strings and comments included: rather one too many than one too few.
pub(super) fn names(text: &str) -> Vec<Name> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut behind_dot = false;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let word = leading_word(rest);
        if word.is_empty() {
            let next = rest.chars().next().unwrap_or_default();
            if next == '\\' {
                // The letter of an escape is no part of a name: `"\nvar.a"` in JSON.
                at += 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
                behind_dot = false;
                continue;
            }
            behind_dot = next == '.' || behind_dot && next.is_whitespace();
            at += next.len_utf8();
            continue;
        }
        at += word.len();
        let after = text.get(at..).unwrap_or_default();
        // `x.var.y` is an attribute that is called `var`; `...var.y` cannot be written.
        if !behind_dot {
            found.extend(name(word, after));
        }
        behind_dot = false;
    }
    found.sort();
    found.dedup();
    found
}

fn name(word: &str, after: &str) -> Option<Name> {
    let (first, rest) = segment(after)?;
    let first = first.to_owned();
    // A minus can be a part of a name: `1-var.a` has one that is none.
    match word.rsplit('-').next().unwrap_or(word) {
        "var" => Some(Name::Variable(first)),
        "local" => Some(Name::Local(first)),
        "module" => Some(Name::Module(first, segment(past_index(rest)).map(|(name, _)| name.to_owned()))),
        "data" => segment(rest).map(|(name, _)| Name::Data(first, name.to_owned())),
        "ephemeral" => segment(rest).map(|(name, _)| Name::Ephemeral(first, name.to_owned())),
        "each" | "count" => Some(Name::Repetition),
        _ => None,
    }
}

/// What stands behind a dot.
fn segment(text: &str) -> Option<(&str, &str)> {
    let text = past_space(past_space(text).strip_prefix('.')?);
    let word = leading_word(text);
    (!word.is_empty()).then(|| (word, text.get(word.len()..).unwrap_or_default()))
}

/// Behind blanks and comments.
fn past_space(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let end = if rest.starts_with("/*") {
            rest.find("*/").map(|end| end + 2)
        } else if rest.starts_with('#') || rest.starts_with("//") {
            rest.find('\n')
        } else {
            return rest;
        };
        rest = end.and_then(|end| rest.get(end..)).unwrap_or_default().trim_start();
    }
}

/// Behind `["key"]` or `[0]`, where one follows.
fn past_index(text: &str) -> &str {
    let trimmed = text.trim_start();
    if !trimmed.starts_with('[') {
        return text;
    }
    let (mut open, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, letter) in trimmed.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => open += 1,
            ']' if !quoted => {
                open -= 1;
                if open == 0 {
                    return trimmed.get(at + 1..).unwrap_or_default();
                }
            }
            _ => {}
        }
    }
    ""
}

fn leading_word(text: &str) -> &str {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    text.get(..text.find(|letter| !is_part(letter)).unwrap_or(text.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_found_however_it_is_written() {
        let text = r#""${var.a}" + local . b[0].var.no + module.m["x].y"].out + module.n[*] + data.t.d.x + each.key + myvar.c + -var.e"#;
        let expected = [
            Name::Variable("a".into()),
            Name::Local("b".into()),
            Name::Module("m".into(), Some("out".into())),
            Name::Module("n".into(), None),
            Name::Data("t".into(), "d".into()),
            Name::Repetition,
        ];
        let found = names(text);
        for name in expected {
            assert!(found.contains(&name), "{name:?} in {found:?}");
        }
        assert!(!found.iter().any(|name| matches!(name, Name::Variable(name) if name == "c" || name == "no")));
    }

    #[test]
    fn a_minus_in_front_hides_no_variable() {
        assert_eq!(names("1-var.a"), [Name::Variable("a".into())]);
        assert_eq!(names("-var.a"), [Name::Variable("a".into())]);
    }
}
