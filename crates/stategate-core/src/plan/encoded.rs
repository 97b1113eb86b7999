//! Copies of a sensitive value in another spelling: base64, hexadecimal and percent-encoding, also
//! where they hold more than the value (`user:password` in base64).
//!
//! Whatever looks like one of them is decoded and searched. What is hashed, encrypted or compressed
//! cannot be recognised, and need not be.

use std::ops::Range;

/// Fewer characters encode nothing that is long enough to be hidden inside other text.
const LEAST: usize = 8;

/// The stretches of `text` that hold a secret once they are decoded, from left to right.
pub(super) fn hidden(text: &str, holds_secret: impl Fn(&[u8]) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut decoded = Vec::new();
    let bytes = text.as_bytes();
    for run in runs(bytes, |byte| base64_digit(byte).is_some()) {
        let encoded = bytes.get(run.clone()).unwrap_or_default();
        // Where in the run the encoding began nobody knows.
        let is_base64 = (0..4).any(|skip| {
            from_base64(encoded.get(skip..).unwrap_or_default(), &mut decoded);
            holds_secret(&decoded)
        });
        let mut is_hexadecimal = || {
            encoded.iter().all(u8::is_ascii_hexdigit)
                && (0..2).any(|skip| {
                    from_hexadecimal(encoded.get(skip..).unwrap_or_default(), &mut decoded);
                    holds_secret(&decoded)
                })
        };
        if is_base64 || is_hexadecimal() {
            let padding = bytes.iter().skip(run.end).take_while(|byte| **byte == b'=').count();
            found.push(run.start..run.end + padding.min(2));
        }
    }
    if text.contains('%') {
        for run in runs(bytes, is_in_url).filter(|run| bytes.get(run.clone()).is_some_and(|run| run.contains(&b'%'))) {
            let encoded = bytes.get(run.clone()).unwrap_or_default();
            let is_url = [b'+', b' '].into_iter().any(|plus| {
                from_percent(encoded, plus, &mut decoded);
                holds_secret(&decoded)
            });
            if is_url {
                found.push(run);
            }
        }
    }
    found.sort_by_key(|run| run.start);
    found
}

/// The longest stretches of bytes that belong together, as far as they are long enough.
fn runs(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + bytes.get(at..)?.iter().position(|byte| belongs(*byte))?;
            let rest = bytes.get(start..)?;
            at = start + rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len());
            if at - start >= LEAST {
                return Some(start..at);
            }
        }
    })
}

/// A digit of either alphabet, the usual one and that for URLs.
fn base64_digit(byte: u8) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// Decodes as far as whole bytes go.
fn from_base64(encoded: &[u8], into: &mut Vec<u8>) {
    into.clear();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for digit in encoded.iter().filter_map(|byte| base64_digit(*byte)) {
        bits = bits << 6 | digit;
        held += 6;
        if held >= 8 {
            held -= 8;
            into.push((bits >> held).to_le_bytes()[0]);
            bits &= (1 << held) - 1;
        }
    }
}

fn from_hexadecimal(encoded: &[u8], into: &mut Vec<u8>) {
    into.clear();
    let (pairs, _) = encoded.as_chunks::<2>();
    into.extend(pairs.iter().filter_map(|[high, low]| hexadecimal(*high, *low)));
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Whatever stands in a URL, and what people leave unescaped there.
fn is_in_url(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !byte.is_ascii_control() && !b"\"'`<>\\".contains(&byte)
}

fn from_percent(encoded: &[u8], plus: u8, into: &mut Vec<u8>) {
    into.clear();
    let mut rest = encoded;
    while let Some((first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hexadecimal(*high, *low),
            _ => None,
        };
        let used = if escaped.is_some() { 3 } else { 1 };
        into.push(escaped.unwrap_or(if *first == b'+' { plus } else { *first }));
        rest = rest.get(used..).unwrap_or_default();
    }
}
