//! JSON that stands in a string.
//!
//! Two texts count as the same JSON only where *every* reader takes them for the same. Readers agree on
//! white space, on the order of keys and on how a string is escaped. They do not agree on
//!
//! - a key that stands twice, or twice but for upper and lower case: some take the first, some the last,
//!   and Go takes either case. Such a text is no JSON here, so every byte of it counts;
//! - a number that is written otherwise: `1` and `1.0` have different types in most languages, and
//!   what has many digits is rounded by some;
//! - a member that is `null` and one that is absent.
//!
//! So numbers and `null` keep the letters in which they are written.

use std::collections::HashSet;
use std::fmt;

use memchr::memmem;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::exact::{exact, with_literals};
use super::large::{MARKED, weight};

/// JSON inside a string is built up to this weight.
pub(super) const MOST_INSIDE: usize = 6 * 1024 * 1024;

/// The object or array that a string holds as JSON, in which numbers and `null` that a machine would
/// not write the same way are literals. A huge one counts as text, and so does what readers may read
/// in different ways.
pub(crate) fn json_inside(text: &str) -> Option<Value> {
    let json = text.trim_matches([' ', '\t', '\n', '\r']).as_bytes();
    // A string of its own could be taken for a literal.
    if !json.starts_with(b"{") && !json.starts_with(b"[")
        || weight(json) > MOST_INSIDE
        || memmem::find(json, MARKED).is_some()
    {
        return None;
    }
    built(&with_literals(json, is_kept_as_written), OnTwice::Refuse).ok()
}

/// A text that is JSON, digit by digit; `None` where a key stands twice.
pub(crate) fn without_twice(text: &str) -> Option<Value> {
    built(&exact(text.as_bytes()), OnTwice::Refuse).ok()
}

/// Everything that stands in a text that is JSON, whoever may read it: of a key that stands twice, both.
pub(crate) fn all_inside(text: &str) -> Option<Value> {
    built(&exact(text.as_bytes()), OnTwice::KeepBoth).ok()
}

/// Whether a literal means something else when it is written anew.
fn is_kept_as_written(token: &str) -> bool {
    if token == "null" {
        return true;
    }
    let is_short = |digits: &str| matches!(digits.len(), 1..=18) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_short(token) && (token == "0" || !token.starts_with('0')) {
        return false;
    }
    // What is no number at all stays, and makes the whole no JSON. A zero has a sign that `==` ignores.
    serde_json::from_str::<Number>(token)
        .is_ok_and(|number| number.to_string() != token || number.as_f64() == Some(0.0))
}

/// What to do about a key that stands twice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnTwice {
    Refuse,
    KeepBoth,
}

fn built(json: &[u8], twice: OnTwice) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = Building(twice).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Building(OnTwice);

impl<'de> DeserializeSeed<'de> for Building {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Building {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            all.push(item);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        let mut seen = HashSet::new();
        while let Some(mut key) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if !seen.insert(folded(&key)) {
                if self.0 == OnTwice::Refuse {
                    return Err(A::Error::custom("the same key twice"));
                }
                while all.contains_key(&key) {
                    key.push('\'');
                }
            }
            all.insert(key, value);
        }
        Ok(Value::Object(all))
    }
}

/// A key without regard to case, as Go folds it: `ſ` is an `s`, and the sign for Kelvin a `k`.
fn folded(key: &str) -> String {
    key.to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::large::literal;

    fn is_same(one: &str, other: &str) -> bool {
        json_inside(one).zip(json_inside(other)).is_some_and(|(one, other)| one == other)
    }

    #[test]
    fn what_every_reader_reads_the_same_is_the_same() {
        for (one, other) in [
            (r#"{"a":1,"b":[true,"x"]}"#, "{ \"b\" : [ true, \"x\" ],\r\n\t\"a\":1 }\n"),
            (r#"{"a":"<"}"#, r#"{"\u0061":"\u003c"}"#),
            (r"[-0.5, 0, 18, 1.7912729440486075]", r"[-0.5,0,18,1.7912729440486075]"),
            (r"[null]", r"[ null ]"),
            ("[18446744073709551617]", "[ 18446744073709551617 ]"),
        ] {
            assert!(is_same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn what_some_reader_reads_otherwise_is_not_the_same() {
        for (one, other) in [
            (r#"{"a":null}"#, "{}"),
            (r#"{"a":null}"#, r#"{"a":"null"}"#),
            ("[1]", "[1.0]"),
            ("[1]", "[1e0]"),
            ("[1.0]", "[1e0]"),
            ("[1.50]", "[1.5]"),
            ("[0]", "[-0]"),
            ("[0.0]", "[-0.0]"),
            ("[18446744073709551617]", r#"["18446744073709551617"]"#),
            ("[18446744073709551617]", "[18446744073709551616]"),
            ("[0.12345678901234567891]", "[0.12345678901234567892]"),
            ("[1,2]", "[2,1]"),
        ] {
            assert!(json_inside(one).is_some() && json_inside(other).is_some(), "{one} {other}");
            assert!(!is_same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn what_readers_read_in_different_ways_is_no_json() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"a":[{"b":1,"c":2,"b":1}]}"#,
            r#"{"Statement":1,"statement":2}"#,
            "{\"s\":1,\"\u{17f}\":2}",
            "{\"K\":1,\"\u{212a}\":2}",
            "\u{a0}{}",
            "\u{feff}{}",
            "{}\u{a0}",
            "{} {}",
            "[01]",
            "[1e400]",
            "[nul]",
            "[-null]",
            "[1null]",
            "[NaN]",
            "['a']",
            "[1,]",
            r#"["\ud800"]"#,
            r#"["\u0000=1"]"#,
            "null",
            "1",
            "",
        ] {
            assert_eq!(json_inside(text), None, "{text}");
        }
        assert!(json_inside(r#"{"a":{"b":1},"c":{"b":1}}"#).is_some(), "in another object it is another key");
    }

    #[test]
    fn literals_keep_their_letters() {
        let items = json_inside(r#"[null,1.50,15,"1.50"]"#).unwrap();
        let of = |index: usize| literal(items[index].as_str()?);
        assert_eq!((of(0), of(1), of(3)), (Some("null"), Some("1.50"), None));
        assert_eq!(items[2], json!(15));
    }

    #[test]
    fn of_a_key_that_stands_twice_everything_is_searched_for() {
        let all = all_inside(r#"{"a":"one","a":"two","A":"three"}"#).unwrap().to_string();
        assert!(["one", "two", "three"].iter().all(|value| all.contains(value)), "{all}");
    }
}
