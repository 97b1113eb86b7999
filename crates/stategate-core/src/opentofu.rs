//! What `OpenTofu` does and Terraform does not, as far as it matters here: it can encrypt the state
//! with a key of its own before it writes it.
//!
//! What we need of such a state stands in it in clear: its lineage and its serial. But only
//! `OpenTofu` can write one.

/// Whether `OpenTofu` is told to encrypt the state: by the value of `TF_ENCRYPTION`, or by an
/// `encryption` block in the settings of one of these files, each with its name and its text.
pub fn encrypts<'a>(variable: Option<&str>, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> bool {
    variable.is_some_and(|text| !text.trim().is_empty())
        || files.into_iter().any(|(name, text)| match name.rsplit('.').next() {
            Some("json") => in_json(text),
            _ => in_hcl(text),
        })
}

fn in_json(text: &str) -> bool {
    let has = |settings: &serde_json::Value| settings.get("encryption").is_some();
    let Ok(file) = serde_json::from_str::<serde_json::Value>(text) else { return false };
    file.get("terraform")
        .is_some_and(|settings| has(settings) || settings.as_array().is_some_and(|all| all.iter().any(has)))
}

/// A block's header and its opening brace stand on one line.
fn in_hcl(text: &str) -> bool {
    let (mut depth, mut in_settings, mut in_comment) = (0_usize, false, false);
    for line in text.lines() {
        let mut line = line.trim();
        if in_comment || line.starts_with("/*") {
            let end = line.split_once("*/");
            in_comment = end.is_none();
            line = end.map_or("", |(_, rest)| rest.trim());
        }
        let header = line.split_once('{').map(|(header, _)| header.trim());
        match (depth, header) {
            (0, header) => in_settings = header == Some("terraform"),
            (1, Some("encryption")) if in_settings => return true,
            _ => {}
        }
        let (opened, closed) = braces(line);
        depth = (depth + opened).saturating_sub(closed);
    }
    false
}

/// How many braces a line opens and closes, those in texts and comments aside.
fn braces(line: &str) -> (usize, usize) {
    let (mut opened, mut closed, mut in_text, mut before) = (0, 0, false, ' ');
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if in_text => drop(letters.next()),
            '"' => in_text = !in_text,
            '#' if !in_text => break,
            '/' if !in_text && before == '/' => break,
            '{' if !in_text => opened += 1,
            '}' if !in_text => closed += 1,
            _ => {}
        }
        before = letter;
    }
    (opened, closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encryption_block_in_the_settings_is_found_and_no_other() {
        let block = "encryption {\n    method \"aes_gcm\" \"m\" {\n      keys = key_provider.pbkdf2.k\n    }\n  }\n";
        let cases = [
            (format!("terraform {{\n  backend \"s3\" {{\n    key = \"}}\"\n  }}\n  {block}}}\n"), true),
            (format!("# terraform {{\nterraform {{ # the }} settings\n  {block}}}\n"), true),
            (format!("/* state */ terraform {{\n  {block}}}\n"), true),
            (format!("locals {{\n  slash = {{ of = \"\\\\\" }}\n}}\nterraform {{\n  {block}}}\n"), true),
            (format!("resource \"aws_s3_bucket\" \"b\" {{\n  {block}}}\n"), false),
            (format!("terraform {{\n  backend \"s3\" {{\n    {block}  }}\n}}\n"), false),
            (format!("terraform {{\n}}\nmodule \"terraform\" {{\n  {block}}}\n"), false),
            (format!("/* terraform {{\n*/\nlocals {{\n  {block}}}\n"), false),
            ("terraform {\n  # encryption {\n  // encryption {\n}\n".to_owned(), false),
            ("terraform {}\nencryption = {}\n".to_owned(), false),
        ];
        for (text, expected) in cases {
            assert_eq!(encrypts(None, [("main.tf", text.as_str())]), expected, "{text}");
        }
        for (text, expected) in [
            (r#"{"terraform":{"encryption":{"state":{}}}}"#, true),
            (r#"{"terraform":[{"backend":{}},{"encryption":{}}]}"#, true),
            (r#"{"resource":{"x":{"encryption":{}}}}"#, false),
            ("{", false),
        ] {
            assert_eq!(encrypts(None, [("main.tofu.json", text)]), expected, "{text}");
        }
    }

    #[test]
    fn the_variable_counts_when_it_says_something() {
        assert!(encrypts(Some("state { method = method.aes_gcm.m }"), []));
        assert!(!encrypts(Some(" "), []) && !encrypts(None, []));
    }
}
