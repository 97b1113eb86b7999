//! Which characters do more than to be seen, and JSON without them.

use serde::Serialize;

/// Whether a character would move the cursor, break the line, or turn or hide the text around it.
pub fn is_active(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{E0000}'..='\u{E007F}'
        )
}

/// Whether a character is active, or is itself not seen.
pub fn is_invisible(char: char) -> bool {
    is_active(char)
        || matches!(
            char,
            '\u{AD}' | '\u{180E}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        )
}

/// The text with each active character replaced, the ends of lines and tabs aside.
pub fn without_active(text: &str) -> String {
    let is_harmful = |char| is_active(char) && char != '\n' && char != '\t';
    text.chars().map(|char| if is_harmful(char) { '\u{FFFD}' } else { char }).collect()
}

/// The value as compact JSON that programs read as what it is, that does nothing to a terminal, and
/// in which the runner finds no workflow command.
pub fn json(value: &impl Serialize) -> String {
    // What is serialized here has strings for keys, and nothing else in it can fail.
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    // Outside of strings, JSON has none of what is escaped here.
    for char in text.chars() {
        if is_invisible(char) || (char == '[' && out.ends_with("##")) {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(char);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn check(text: &str) {
        let value = json!({ text: [text, {"a": text}, 1.5, null] });
        let printed = json(&value);
        assert!(!printed.contains(is_invisible) && !printed.contains("##["), "{printed}");
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), value);
    }

    #[test]
    fn json_is_harmless_and_the_same() {
        assert_eq!(json(&json!("a##[b\u{202e}\u{e0041}")), r#""a##\u005bb\u202e\udb40\udc41""#);
        check("\\##[error] ###[ ##\\[ \u{9b}31m \u{7f} \u{1b}[2J \u{200b} \u{feff} \r\n\t \u{2028}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_survives_as_json(text in "([#\\[\\\\]|\\PC|\\p{Cc}|\\p{Cf}){0,40}") {
            check(&text);
        }
    }
}
