//! Keeps numbers that no machine's own number can hold.
//!
//! Terraform computes with 512 bits. What would be rounded, or be too large, becomes a literal before it
//! is built, a string that no document can hold: so two of them differ when they are written otherwise,
//! none is equal to a text of the same digits, and one that is sensitive is searched for as it is written.

use std::borrow::Cow;

use super::skip::{Advance, Skip};

/// Every shorter number is exact enough to tell it from any other as short.
const LONG: usize = 17;

/// The same JSON, in which each number that would not come out as it is written is a literal.
pub(super) fn exact(json: &[u8]) -> Cow<'_, [u8]> {
    if has_long_number(json) { Cow::Owned(with_literals(json, is_rounded)) } else { Cow::Borrowed(json) }
}

/// The same JSON, in which each number, `true`, `false` and `null` is a literal that `keeps` its letters.
pub(super) fn with_literals(json: &[u8], keeps: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + 2);
    let mut rest = json;
    while let Some(first) = rest.first() {
        let length = match first {
            b'"' => match Skip::default().advance(rest) {
                Advance::Done(length) => length,
                Advance::More | Advance::Wrong(..) => rest.len(),
            },
            _ => rest.iter().position(|byte| !is_scalar(*byte)).unwrap_or(rest.len()).max(1),
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        let is_kept = is_scalar(*first) && std::str::from_utf8(token).is_ok_and(&keeps);
        let around: [&[u8]; 2] = if is_kept { [br#""\u0000="#, b"\""] } else { [b"", b""] };
        for part in [around[0], token, around[1]] {
            out.extend_from_slice(part);
        }
        rest = after;
    }
    out
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || b"+-.eE".contains(&byte)
}

/// A byte of a number, `true`, `false` or `null`.
fn is_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
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
fn is_rounded(token: &str) -> bool {
    if token.len() < LONG || !token.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte)) {
        return false;
    }
    let whole = token.parse::<u64>().is_ok() || token.parse::<i64>().is_ok();
    !whole && token.parse::<f64>().is_ok_and(|number| number.to_string() != token)
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
            assert_eq!(built(rounded), format!(r#""\u0000={rounded}""#));
            assert_eq!(
                built(&format!(r#"{{"a":[{rounded},1],"b\"1":"{rounded}"}}"#)),
                format!(r#"{{"a":["\u0000={rounded}",1],"b\"1":"{rounded}"}}"#)
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
        fn none_is_overlooked(before in r"[\[{,: ]{0,60}", number in "[1-9][0-9]{20}[1-9]", behind in r"([\]},:] ?[a-d]?){0,60}") {
            prop_assert_eq!(built(&format!("{before}{number}{behind}")), format!(r#"{before}"\u0000={number}"{behind}"#));
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
