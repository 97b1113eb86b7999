//! Skips a string, an object or an array by its quotes and brackets alone, building nothing.
//!
//! Objects and arrays are walked 64 bytes at once: a bit for each quote, then, by a running exclusive
//! or, a bit for each byte inside a string, and what is left are the brackets. The way is simdjson's
//! (Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019), in safe code.

use memchr::memchr2;
use wide::u8x64;

/// Deeper than any plan; Terraform's own types cannot nest like this.
const MAX_DEPTH: usize = 1024;

/// How far a walk over a string, an object or an array came in the bytes at hand.
pub(super) enum Advance {
    /// To its end, so many bytes on.
    Done(usize),
    /// To the end of the bytes, not of the value.
    More,
    /// To a byte that cannot stand there.
    Wrong(usize, &'static str),
}

/// A walk over a string, an object or an array that can be interrupted anywhere.
#[derive(Default)]
pub(super) struct Skip {
    open: Open,
    in_string: bool,
    /// The last byte was a backslash that takes away the meaning of the next.
    escaped: bool,
}

/// The brackets that must still close.
#[derive(Default)]
struct Open {
    depth: usize,
    /// A bit for each, the innermost lowest: whether it is a curly one. Those of the outer ones, 64 to a
    /// word.
    inner: u64,
    outer: Vec<u64>,
}

impl Open {
    fn push(&mut self, curly: bool) {
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            self.outer.push(self.inner);
        }
        self.inner = self.inner << 1 | u64::from(curly);
        self.depth += 1;
    }

    /// Whether one such is open, which is closed then.
    fn pop(&mut self, curly: bool) -> bool {
        if self.depth == 0 || (self.inner & 1 == 1) != curly {
            return false;
        }
        self.inner >>= 1;
        self.depth -= 1;
        if self.depth.is_multiple_of(64) {
            self.inner = self.outer.pop().unwrap_or_default();
        }
        true
    }
}

impl Skip {
    /// In the middle of a value, outside a string, with brackets open that these close, the innermost
    /// last.
    pub(super) fn inside(close: &[u8]) -> Self {
        let mut skip = Self::default();
        for bracket in close {
            skip.open.push(*bracket == b'}');
        }
        skip
    }

    /// Whether this is right inside the first bracket, neither deeper nor in a string.
    pub(super) fn is_at_top(&self) -> bool {
        self.open.depth == 1 && !self.in_string
    }

    /// Goes on over `bytes`, which follow those of the last call.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Advance {
        if self.open.depth == 0 && (self.in_string || bytes.first() == Some(&b'"')) {
            return self.string(bytes);
        }
        let (blocks, rest) = bytes.as_chunks::<64>();
        let mut at = 0;
        for block in blocks {
            let brackets = self.brackets(block);
            if let Some(end) = self.close(brackets, block, at) {
                return end;
            }
            at += 64;
        }
        // What is left is made a block by bytes that mean nothing.
        let mut last = [b' '; 64];
        let Some(beginning) = last.get_mut(..rest.len()) else { return Advance::More };
        beginning.copy_from_slice(rest);
        let escaped = self.escaped;
        let brackets = self.brackets(&last);
        // A backslash at the very end has not been followed by anything yet.
        self.escaped = if rest.is_empty() { escaped } else { self.in_string && ends_escaped(rest, escaped) };
        self.close(brackets, &last, at).unwrap_or(Advance::More)
    }

    /// A string that is not inside anything.
    fn string(&mut self, bytes: &[u8]) -> Advance {
        let mut at = 0;
        if !self.in_string {
            self.in_string = true;
            at = 1;
        }
        loop {
            let Some(rest) = bytes.get(at..) else { return Advance::More };
            if self.escaped {
                if rest.is_empty() {
                    return Advance::More;
                }
                self.escaped = false;
                at += 1;
                continue;
            }
            let Some(found) = quote_or_backslash(rest) else { return Advance::More };
            at += found + 1;
            if rest.get(found) == Some(&b'"') {
                return Advance::Done(at);
            }
            self.escaped = true;
        }
    }

    /// The brackets of a block that stand outside strings, a bit for each, and the backslashes that must
    /// not.
    fn brackets(&mut self, block: &[u8; 64]) -> u64 {
        let Masks { mut quotes, backslashes, brackets } = Masks::of(block);
        if backslashes != 0 || self.escaped {
            quotes &= !self.escapes(backslashes);
        }
        // After each quote, all bits until the next.
        let mut inside = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            inside ^= inside << shift;
        }
        if self.in_string {
            inside = !inside;
        }
        self.in_string = inside >> 63 == 1;
        (brackets | backslashes) & !inside
    }

    /// Which bytes a backslash takes the meaning of.
    fn escapes(&mut self, backslashes: u64) -> u64 {
        let mut escaped = u64::from(self.escaped);
        let mut left = backslashes & !escaped;
        self.escaped = false;
        while left != 0 {
            let at = left.trailing_zeros();
            if at == 63 {
                self.escaped = true;
                break;
            }
            let next = 1 << (at + 1);
            escaped |= next;
            // That one is no longer a backslash that means anything.
            left &= !(next | (1 << at));
        }
        escaped
    }

    /// Opens and closes brackets; the walk's end, if it is among them.
    fn close(&mut self, mut brackets: u64, block: &[u8; 64], at: usize) -> Option<Advance> {
        while brackets != 0 {
            let place = brackets.trailing_zeros() as usize;
            brackets &= brackets - 1;
            let bracket = block.get(place).copied().unwrap_or_default();
            let curly = matches!(bracket, b'{' | b'}');
            if bracket == b'\\' {
                return Some(Advance::Wrong(at + place, "no backslash"));
            }
            if matches!(bracket, b'{' | b'[') {
                self.open.push(curly);
                if self.open.depth > MAX_DEPTH {
                    return Some(Advance::Wrong(at + place, "less nesting"));
                }
            } else if !self.open.pop(curly) {
                return Some(Advance::Wrong(at + place, "the bracket that closes the last one opened"));
            } else if self.open.depth == 0 {
                return Some(Advance::Done(at + place + 1));
            }
        }
        None
    }
}

/// Whether a piece of a string ends in a backslash that is not itself escaped.
fn ends_escaped(bytes: &[u8], escaped_before: bool) -> bool {
    let backslashes = bytes.iter().rev().take_while(|byte| **byte == b'\\').count();
    let carried = escaped_before && backslashes == bytes.len();
    (backslashes % 2 == 1) != carried
}

/// Where in 64 bytes those stand that matter, the first byte in the lowest bit.
struct Masks {
    quotes: u64,
    backslashes: u64,
    brackets: u64,
}

impl Masks {
    fn of(block: &[u8; 64]) -> Self {
        let bytes = u8x64::new(*block);
        // The opening and the closing brackets differ in one bit each: `[` and `{`, `]` and `}`.
        let curly = bytes | u8x64::splat(0x20);
        let each = |bytes: u8x64, wanted: u8| bytes.simd_eq(u8x64::splat(wanted));
        Masks {
            quotes: each(bytes, b'"').to_bitmask(),
            backslashes: each(bytes, b'\\').to_bitmask(),
            brackets: (each(curly, b'{') | each(curly, b'}')).to_bitmask(),
        }
    }
}

const EACH: u64 = u64::from_le_bytes([1; 8]);

/// The highest bit of each byte that is zero.
fn zeros(word: u64) -> u64 {
    const LOW: u64 = EACH * 0x7F;
    !(((word & LOW) + LOW) | word | LOW)
}

/// The first quote or backslash. Most strings of a plan are short, so the first bytes are looked at
/// here, eight at once, before a search that is made for long ones.
pub(super) fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words.iter().take(4) {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ (EACH * 0x22)) | zeros(word ^ (EACH * 0x5C));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr2(b'"', b'\\', bytes.get(at..)?).map(|found| at + found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The same, a byte at a time and by definition: where the value ends, or where it is wrong.
    fn by_bytes(bytes: &[u8]) -> Option<Result<usize, usize>> {
        let (mut open, mut in_string, mut escaped) = (Vec::new(), false, false);
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'\\' => return Some(Err(at)),
                b'"' => {
                    in_string = !in_string;
                    if open.is_empty() && !in_string {
                        return Some(Ok(at + 1));
                    }
                }
                _ if in_string => {}
                b'{' => open.push(b'}'),
                b'[' => open.push(b']'),
                b'}' | b']' if open.pop() != Some(*byte) => return Some(Err(at)),
                b'}' | b']' if open.is_empty() => return Some(Ok(at + 1)),
                _ => {}
            }
        }
        None
    }

    fn by_blocks(bytes: &[u8], pieces: &[usize]) -> Option<Result<usize, usize>> {
        let mut skip = Skip::default();
        let mut at = 0;
        let ends = pieces.iter().copied().filter(|end| *end < bytes.len()).chain([bytes.len()]);
        for end in ends {
            if end <= at {
                continue;
            }
            match skip.advance(&bytes[at..end]) {
                Advance::Done(length) => return Some(Ok(at + length)),
                Advance::Wrong(length, _) => return Some(Err(at + length)),
                Advance::More => at = end,
            }
        }
        None
    }

    /// A string, an object or an array.
    fn value() -> impl Strategy<Value = Value> {
        let text = || r#"([a-z]{1,30}|["\\{}\[\]\n\u{0}é€😀]){0,12}"#;
        let string = text().prop_map(Value::String);
        let leaf = prop_oneof![3 => string.clone(), 1 => any::<i64>().prop_map(Value::from), 1 => Just(Value::Null)];
        let inner = leaf.prop_recursive(5, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::hash_map(text(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        prop_oneof![1 => string, 6 => prop::collection::vec(inner, 0..6).prop_map(Value::Array)]
    }

    proptest! {
        #[test]
        fn brackets_close_at_any_depth(open in prop::collection::vec(any::<bool>(), 0..300), close in 0_usize..300) {
            let (mut bits, mut stack) = (Open::default(), Vec::new());
            for curly in open.iter().chain(&open) {
                bits.push(*curly);
                stack.push(*curly);
            }
            for at in 0..close {
                let curly = at != 250 && stack.last().copied().unwrap_or_default();
                let closes = stack.last() == Some(&curly);
                prop_assert_eq!(bits.pop(curly), closes);
                if closes {
                    stack.pop();
                }
            }
            prop_assert_eq!(bits.depth, stack.len());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]
        #[test]
        fn blocks_end_where_bytes_do(
            // Mostly of what matters, so that every block holds quotes, backslashes and brackets.
            text in r#"(\{|\[)("([a-z{}\[\],]|\\["\\n]){0,80}"|[0-9:, ]{0,9}|\{|\}|\[|\]){0,40}\\?\]?\}?"#,
            mut pieces in prop::collection::vec(1_usize..600, 0..6),
        ) {
            pieces.sort_unstable();
            prop_assert_eq!(by_blocks(text.as_bytes(), &pieces), by_bytes(text.as_bytes()));
        }

        #[test]
        fn a_value_ends_where_serde_says(
            value in value(),
            pretty in any::<bool>(),
            // Whatever follows it does not matter, valid or not.
            behind in r#"[\]\[}{",: \\é]{0,70}"#,
            piece in prop::sample::select(&[1_usize, 7, 63, 64, 65, 128, 1_000][..]),
        ) {
            let written = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let written = written.unwrap();
            let text = format!("{written}{behind}");
            let mut read = serde_json::Deserializer::from_str(&text).into_iter::<serde::de::IgnoredAny>();
            prop_assert!(read.next().is_some_and(|value| value.is_ok()));
            prop_assert_eq!(read.byte_offset(), written.len());
            let pieces: Vec<usize> = (1..=text.len() / piece).map(|number| number * piece).collect();
            prop_assert_eq!(by_blocks(text.as_bytes(), &pieces), Some(Ok(written.len())), "{}", text);
        }

        #[test]
        fn a_string_ends_at_its_quote(
            text in r#""([a-z{}\[\]]|\\["\\n]){0,300}"?.{0,9}"#,
            mut pieces in prop::collection::vec(1_usize..400, 0..6),
        ) {
            pieces.sort_unstable();
            prop_assert_eq!(by_blocks(text.as_bytes(), &pieces), by_bytes(text.as_bytes()));
        }
    }
}
