//! The tags of objects, as OpenTofu's S3 backend sends them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Tags of one kind of object: `state_tags` or `lock_tags`, which only OpenTofu knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    pub(super) fn new(tags: Option<BTreeMap<String, String>>) -> Tags {
        Tags(tags.unwrap_or_default())
    }

    /// The value of `x-amz-tagging`: sorted by key, encoded as a form is. `None` without tags.
    pub fn header(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let pairs: Vec<String> =
            self.0.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
        Some(pairs.join("&"))
    }
}

/// As in a form: a space is a plus sign, and what is not a letter, a digit or `-_.~` is encoded.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b' ' => encoded.push('+'),
            b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            // Writing to a string cannot fail.
            byte => write!(encoded, "%{byte:02X}").unwrap_or_default(),
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(tags: &[(&str, &str)]) -> Option<String> {
        Tags::new(Some(tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())).header()
    }

    #[test]
    fn tags_are_sorted_and_encoded_as_a_form() {
        assert_eq!(header(&[]), None);
        assert_eq!(Tags::new(None).header(), None);
        let tags = [("team", "a b+c"), ("cost:center", "1/2=3&4"), ("Ä", ""), ("~-_.", "ok")];
        assert_eq!(header(&tags).unwrap(), "cost%3Acenter=1%2F2%3D3%264&team=a+b%2Bc&~-_.=ok&%C3%84=");
    }
}
