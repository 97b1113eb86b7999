//! Keeps numbers that no machine's own number can hold.
//!
//! Terraform computes with 512 bits. What would be rounded, or be too large, becomes a string of its
//! digits before it is built: so two of them differ when they are written otherwise, and one that is
//! sensitive is searched for as it is written.

use std::borrow::Cow;

use super::skip::{Advance, Skip};

/// Every shorter number is exact enough to tell it from any other as short.
const LONG: usize = 17;

/// The same JSON, in which each number that would not come out as it is written is a string.
pub(super) fn exact(json: &[u8]) -> Cow<'_, [u8]> {
    if !has_long_number(json) {
        return Cow::Borrowed(json);
    }
    let mut out = Vec::with_capacity(json.len() + 2);
    let mut rest = json;
    while let Some(first) = rest.first() {
        let length = match first {
            b'"' => match Skip::default().advance(rest) {
                Advance::Done(length) => length,
                Advance::More | Advance::Wrong(..) => rest.len(),
            },
            _ => rest.iter().position(|byte| !is_digit(*byte)).unwrap_or(rest.len()).max(1),
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        let quote: &[u8] = if is_rounded(token) { b"\"" } else { b"" };
        for part in [quote, token, quote] {
            out.extend_from_slice(part);
        }
        rest = after;
    }
    Cow::Owned(out)
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || b"+-.eE".contains(&byte)
}

/// Whether there may be one; what has none is not looked at byte by byte.
fn has_long_number(json: &[u8]) -> bool {
    let mut at = LONG - 1;
    while let Some(byte) = json.get(at) {
        if is_digit(*byte) {
            let (before, after) = json.split_at(at);
            let is_in = |byte: &&u8| is_digit(**byte);
            let length = before.iter().rev().take_while(is_in).count() + after.iter().take_while(is_in).count();
            if length >= LONG {
                return true;
            }
        }
        at += LONG;
    }
    false
}

/// Terraform writes no exponents.
fn is_rounded(token: &[u8]) -> bool {
    let is_plain = |text: &&str| text.len() >= LONG && !text.starts_with('"') && !text.contains(['e', 'E']);
    let number = std::str::from_utf8(token).ok().filter(is_plain);
    number.is_some_and(|text| {
        let whole = text.parse::<u64>().is_ok() || text.parse::<i64>().is_ok();
        !whole && text.parse::<f64>().is_ok_and(|number| number.to_string() != text)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn built(json: &str) -> String {
        String::from_utf8(exact(json.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn a_number_that_would_be_rounded_is_kept_as_its_digits() {
        let huge = format!("1{}", "0".repeat(400));
        for rounded in ["18446744073709551617", "-9223372036854775809", "0.12345678901234567891", &huge] {
            assert_eq!(built(rounded), format!("\"{rounded}\""));
            assert_eq!(
                built(&format!(r#"{{"a":[{rounded},1],"b\"1":"{rounded}"}}"#)),
                format!(r#"{{"a":["{rounded}",1],"b\"1":"{rounded}"}}"#)
            );
        }
        for kept in [
            "18446744073709551615",
            "-9223372036854775808",
            "0.12345678901234568",
            "1.50",
            "1e400",
            "[[[[[[[[[[[[[[[[[[",
        ] {
            assert_eq!(built(kept), kept);
        }
        let long = "100000000000000000000";
        assert_eq!(built(long), long, "as a machine writes it too");
    }

    proptest! {
        /// Wherever it stands, and whatever stands beside it.
        #[test]
        fn none_is_overlooked(before in r"[\[{,: a-d]{0,60}", number in "[1-9][0-9]{20}[1-9]", behind in r"[\]},: a-d]{0,60}") {
            prop_assert_eq!(built(&format!("{before}{number}{behind}")), format!(r#"{before}"{number}"{behind}"#));
        }

        #[test]
        fn nothing_else_is_another(text in r#"["a-z\\0-9]{0,60}"#, number in any::<i64>(), fraction in -1.0..1.0) {
            let value = serde_json::json!([text, number, {"text": fraction}]);
            let json = value.to_string();
            let read: Value = serde_json::from_slice(&exact(json.as_bytes())).unwrap();
            let expected: Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read, expected);
        }
    }
}
