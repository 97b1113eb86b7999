//! Keeps a large value small while it is read.
//!
//! Of a long string, and of an object or array that would take much memory, only the length and the
//! digest stay. What becomes of a value depends on its bytes alone, so equal values stay equal.

use std::io::Read;

use super::super::large::{Digest, MARKED, of_byte};
use super::super::skip::{Advance, Skip};
use super::{ScanError, Scanner, Span};

/// A longer string is replaced, in bytes of JSON. No plan's text shows one as long.
const LONGEST_STRING: usize = 256 * 1024;

/// What an attribute of a value may weigh, and what the value as a whole: a change has several.
const HEAVIEST_ATTRIBUTE: usize = 6 * 1024 * 1024;
const HEAVIEST: usize = 8 * 1024 * 1024;

/// Brackets within brackets.
const MAX_DEPTH: usize = 1024;

/// A value that is on its way through.
#[derive(Default)]
struct Reduced {
    /// What stays of it, as JSON.
    json: Vec<u8>,
    /// The brackets that must still close, innermost last.
    open: Vec<u8>,
    weight: usize,
    /// Where in `json` the attribute begins that is being read, and the document there; and the
    /// weight before it.
    attribute: Option<(usize, usize, usize)>,
}

impl<R: Read> Scanner<R> {
    /// Goes again over a value that is kept, which begins at `start` and proved to be large.
    pub(super) fn reduce(&mut self, start: usize) -> Result<Span, ScanError> {
        self.next = start - self.base;
        let begins = self.position();
        let mut value = Reduced::default();
        let from = self.place_in_stream();
        loop {
            let Some(byte) = self.unread().first().copied() else {
                self.more_instead(start)?;
                continue;
            };
            match byte {
                b'"' => self.reduce_string(start, &mut value)?,
                b'{' | b'[' => {
                    self.next += 1;
                    value.json.push(byte);
                    value.open.push(if byte == b'{' { b'}' } else { b']' });
                    if value.open.len() > MAX_DEPTH {
                        return Err(self.unexpected("less nesting"));
                    }
                }
                b'}' | b']' => {
                    if value.open.pop() != Some(byte) {
                        return Err(self.unexpected("the bracket that closes the last one opened"));
                    }
                    self.next += 1;
                    value.json.push(byte);
                }
                _ => {
                    self.next += 1;
                    if !byte.is_ascii_whitespace() {
                        value.json.push(byte);
                    }
                }
            }
            value.weight += 1 + of_byte(byte);
            if value.open.is_empty() {
                break;
            }
            if value.open == [b'}'] && matches!(byte, b':' | b',') {
                let begun = (value.json.len(), self.place_in_stream(), value.weight);
                value.attribute = (byte == b':').then_some(begun);
            }
            if let Some((at, from, before)) = value.attribute
                && value.weight - before > HEAVIEST_ATTRIBUTE
                && value.open.len() > 1
            {
                self.replace(start, &mut value, (at, from), 1)?;
                value.weight = before;
                value.attribute = None;
            } else if value.weight > HEAVIEST {
                self.replace(start, &mut value, (0, from), 0)?;
                break;
            }
        }
        self.put(start, begins, &value.json);
        Ok(Span { start, end: self.base + self.next, reduced: true })
    }

    fn reduce_string(&mut self, start: usize, value: &mut Reduced) -> Result<(), ScanError> {
        let (at, from) = (value.json.len(), self.place_in_stream());
        let mut skip = Skip::default();
        loop {
            match skip.advance(self.unread()) {
                Advance::Done(length) => {
                    value.json.extend_from_slice(self.unread().get(..length).unwrap_or_default());
                    self.next += length;
                    break;
                }
                Advance::More => {
                    value.json.extend_from_slice(self.unread());
                    self.next = self.filled;
                    if value.json.len() - at > LONGEST_STRING {
                        return self.replace_rest(start, value, (at, from), skip);
                    }
                    self.more_instead(start)?;
                }
                Advance::Wrong(length, expected) => {
                    self.next += length;
                    return Err(self.unexpected(expected));
                }
            }
        }
        let string = value.json.get(at..).unwrap_or_default();
        if string.len() > LONGEST_STRING || string.starts_with(MARKED) {
            let stand_in = Digest::of(string).stand_in(string.len());
            value.json.truncate(at);
            value.json.extend_from_slice(stand_in.as_bytes());
        }
        // It is kept as it stands, and built.
        value.weight += 2 * (value.json.len() - at) + 32;
        Ok(())
    }

    /// Replaces what began at `at` with `depth` brackets open.
    fn replace(
        &mut self,
        start: usize,
        value: &mut Reduced,
        at: (usize, usize),
        depth: usize,
    ) -> Result<(), ScanError> {
        let skip = Skip::inside(&value.open.split_off(depth));
        self.replace_rest(start, value, at, skip)
    }

    /// Replaces what began at `at` in what stays, and at `from` in the document; it goes on as far as
    /// `skip` does.
    fn replace_rest(
        &mut self,
        start: usize,
        value: &mut Reduced,
        (at, from): (usize, usize),
        mut skip: Skip,
    ) -> Result<(), ScanError> {
        let mut digest = Digest::of(value.json.get(at..).unwrap_or_default());
        value.json.truncate(at);
        loop {
            if self.unread().is_empty() {
                self.more_instead(start)?;
            }
            match skip.advance(self.unread()) {
                Advance::Done(length) => {
                    digest.update(self.unread().get(..length).unwrap_or_default());
                    self.next += length;
                    break;
                }
                Advance::More => {
                    digest.update(self.unread());
                    self.next = self.filled;
                }
                Advance::Wrong(length, expected) => {
                    self.next += length;
                    return Err(self.unexpected(expected));
                }
            }
        }
        let stand_in = digest.stand_in(self.place_in_stream() - from);
        value.json.extend_from_slice(stand_in.as_bytes());
        value.weight += stand_in.len();
        Ok(())
    }

    /// Puts `json` before the next byte, where a value began at `start`.
    fn put(&mut self, start: usize, begins: super::Position, json: &[u8]) {
        self.drop_from(start);
        let ends = self.position();
        let (at, length) = (start - self.base, json.len());
        if self.buffer.len() < self.filled + length {
            self.buffer.resize(self.filled + length, 0);
        }
        self.buffer.copy_within(at..self.filled, at + length);
        if let Some(room) = self.buffer.get_mut(at..at + length) {
            room.copy_from_slice(json);
        }
        self.next += length;
        self.filled += length;
        self.stand_at(start, begins);
        self.stand_at(start + length, ends);
    }
}

/// The same for a value that is at hand as a whole.
pub(in super::super) fn reduced(json: &[u8]) -> Result<Vec<u8>, ScanError> {
    let mut scanner = Scanner::new(json);
    scanner.keep();
    scanner.peek()?;
    let span = scanner.reduce(0)?;
    Ok(scanner.bytes(span).to_vec())
}
