//! Walks over JSON that arrives in pieces, building nothing.
//!
//! A value is skipped by its brackets and strings alone, which is several times faster than
//! parsing it; what is wanted is kept in the buffer and parsed from there. What is skipped is
//! therefore not validated beyond its shape.

mod reduce;

use std::io::Read;

use memchr::{memchr_iter, memmem, memrchr};

use super::skip::{Advance, Skip, quote_or_backslash};

pub(super) use reduce::reduced;

/// How much is read at once.
const CHUNK: usize = 128 * 1024;

/// A value that is kept and longer than this is reduced to what can be dealt with in little memory.
const LARGE: usize = 64 * 1024;

/// A longer key is not looked for at one glance, in bytes.
const LONGEST_PLAIN_KEY: usize = 128;

/// What is kept at once, in bytes: several values, each reduced. No plan of Terraform's comes near.
const MOST_KEPT: usize = 24 * 1024 * 1024;

/// A stretch of the document, in bytes from its start, as if what was dropped had never been there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    start: usize,
    end: usize,
    /// Whether it was reduced; if so, strings in it that begin like a stand-in are some.
    pub(super) reduced: bool,
}

impl Span {
    pub(super) fn length(self) -> usize {
        self.end - self.start
    }
}

/// Where in a document something is, counted from 1 as editors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in bytes.
    pub column: usize,
}

/// Why walking stopped.
#[derive(Debug)]
pub(super) enum ScanError {
    Read(std::io::Error),
    /// The document ends inside a value.
    Truncated(Position),
    /// Something else than what must stand here.
    Unexpected {
        at: Position,
        expected: &'static str,
    },
    /// A value of another type.
    WrongType {
        at: Position,
        expected: &'static str,
    },
    /// More than can be kept at once.
    TooLarge(Position),
}

/// A cursor over a document.
pub(super) struct Scanner<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The document's offset of the buffer's first byte.
    base: usize,
    /// The next byte to look at, in the buffer.
    next: usize,
    /// The end of what was read into the buffer.
    filled: usize,
    /// From here on, in the buffer, bytes stay until told otherwise.
    kept: Option<usize>,
    /// Bytes that were read.
    read: usize,
    /// Where in the document some bytes stand, by their offset: the first in the buffer, and those
    /// behind what was dropped.
    places: Vec<(usize, Position)>,
    key: Vec<u8>,
}

impl<R: Read> Scanner<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; CHUNK],
            base: 0,
            next: 0,
            filled: 0,
            kept: None,
            read: 0,
            places: vec![(0, Position { line: 1, column: 1 })],
            key: Vec::new(),
        }
    }

    /// The next byte that is not white space, not consumed; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ScanError> {
        loop {
            let unread = self.unread();
            if let Some(at) = unread.iter().position(|byte| !byte.is_ascii_whitespace()) {
                let byte = unread.get(at).copied();
                self.next += at;
                return Ok(byte);
            }
            let blank = self.base + self.next;
            self.next = self.filled;
            if self.kept.is_some() {
                self.drop_from(blank);
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// The first bytes of the document, at most `count`, not consumed.
    pub(super) fn head(&mut self, count: usize) -> Result<&[u8], ScanError> {
        while self.filled - self.next < count && self.fill()? {}
        let unread = self.unread();
        Ok(unread.get(..count).unwrap_or(unread))
    }

    /// Moves over bytes that were looked at.
    pub(super) fn bump(&mut self, count: usize) {
        self.next = (self.next + count).min(self.filled);
    }

    /// Consumes `{` or `[`.
    pub(super) fn open(&mut self, bracket: u8) -> Result<(), ScanError> {
        let expected = if bracket == b'{' { "an object" } else { "an array" };
        self.expect(bracket, expected).map_err(|error| match error {
            ScanError::Unexpected { at, expected } => ScanError::WrongType { at, expected },
            other => other,
        })
    }

    /// Moves to an object's next entry, over its key and colon; `false` after its last.
    pub(super) fn next_key(&mut self, first: &mut bool) -> Result<bool, ScanError> {
        if self.plain_key(*first) {
            *first = false;
            return Ok(true);
        }
        if !self.next_item(b'}', first)? {
            return Ok(false);
        }
        if self.peek()? != Some(b'"') {
            return Err(self.unexpected("a key"));
        }
        let outer = self.kept;
        let span = self.kept_value()?;
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        key.extend_from_slice(self.bytes(span));
        // However it is written, it is the same key.
        if key.contains(&b'\\')
            && let Ok(text) = serde_json::from_slice::<String>(&key)
        {
            key = serde_json::to_vec(&text).unwrap_or(key);
        }
        self.key = key;
        // A key inside something that is kept stays with it.
        if outer.is_none() {
            self.kept = None;
        }
        self.expect(b':', "`:`")?;
        Ok(true)
    }

    /// The same for a key as Terraform writes it: nothing between it and the comma before and the colon
    /// behind, and all of it at hand.
    fn plain_key(&mut self, first: bool) -> bool {
        let unread = self.unread();
        let key = if first { Some(unread) } else { unread.strip_prefix(b",") };
        let Some(inside) = key.and_then(|key| key.strip_prefix(b"\"")) else { return false };
        let inside = inside.get(..LONGEST_PLAIN_KEY).unwrap_or(inside);
        let Some(length) = quote_or_backslash(inside) else { return false };
        if inside.get(length..length + 2) != Some(b"\":") {
            return false;
        }
        let start = self.next + usize::from(!first);
        let end = start + length + 2;
        self.key.clear();
        self.key.extend_from_slice(self.buffer.get(start..end).unwrap_or_default());
        self.next = end + 1;
        true
    }

    /// The key that [`Self::next_key`] moved over, as JSON that escapes nothing without need.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Moves to an array's next element; `false` after its last.
    pub(super) fn next_element(&mut self, first: &mut bool) -> Result<bool, ScanError> {
        self.next_item(b']', first)
    }

    /// Moves over one value and keeps it.
    pub(super) fn kept_value(&mut self) -> Result<Span, ScanError> {
        self.peek()?;
        self.keep();
        self.value()
    }

    /// Keeps everything from here on, so that spans stay readable.
    pub(super) fn keep(&mut self) {
        if self.kept.is_none() {
            self.kept = Some(self.next);
        }
    }

    /// Ends [`Self::keep`].
    pub(super) fn let_go(&mut self) {
        self.kept = None;
    }

    /// The bytes of a span that was kept.
    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        span.start
            .checked_sub(self.base)
            .and_then(|start| self.buffer.get(start..span.end - self.base))
            .unwrap_or_default()
    }

    /// Moves over one value. Where it is kept, a large one is reduced.
    pub(super) fn value(&mut self) -> Result<Span, ScanError> {
        let span = self.walk(self.kept.is_some())?;
        if self.kept.is_some() && span.length() > LARGE { self.reduce(span.start) } else { Ok(span) }
    }

    /// Moves over a value that nobody wants, even in the middle of what is kept.
    pub(super) fn pass(&mut self) -> Result<(), ScanError> {
        self.walk(false).map(|_| ())
    }

    /// Moves over one value; over a large one only as far as it takes to see that, if it is `wanted`.
    fn walk(&mut self, wanted: bool) -> Result<Span, ScanError> {
        let Some(first) = self.peek()? else {
            return Err(ScanError::Truncated(self.position()));
        };
        let start = self.base + self.next;
        let mut skip = Skip::default();
        match first {
            b'{' | b'[' | b'"' => loop {
                match skip.advance(self.unread()) {
                    Advance::Done(length) => {
                        self.next += length;
                        break;
                    }
                    Advance::More => {
                        self.next = self.filled;
                        match (wanted, self.kept) {
                            (true, _) if self.base + self.next - start > LARGE => break,
                            (false, Some(_)) => self.more_instead(start)?,
                            _ => self.more()?,
                        }
                    }
                    Advance::Wrong(length, expected) => {
                        self.next += length;
                        return Err(self.unexpected(expected));
                    }
                }
            },
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => self.scalar()?,
            _ => return Err(self.unexpected("a value")),
        }
        Ok(Span { start, end: self.base + self.next, reduced: false })
    }

    /// Where the next byte is.
    pub(super) fn position(&self) -> Position {
        self.position_of(Span { start: self.base + self.next, ..Span::default() })
    }

    /// Where a span begins, as long as it is in the buffer.
    pub(super) fn position_of(&self, span: Span) -> Position {
        let known = self.places.iter().rev().find(|(at, _)| *at <= span.start);
        let (from, mut position) = known.copied().unwrap_or((self.base, Position { line: 1, column: 1 }));
        let seen =
            self.buffer.get(from.saturating_sub(self.base)..span.start.saturating_sub(self.base).min(self.filled));
        let seen = seen.unwrap_or_default();
        if let Some(line_end) = memrchr(b'\n', seen) {
            position.line += memchr_iter(b'\n', seen).count();
            position.column = seen.len() - line_end;
        } else {
            position.column += seen.len();
        }
        position
    }

    /// Says where the byte at an offset stands, whatever was thought of those behind it.
    fn stand_at(&mut self, offset: usize, position: Position) {
        self.places.retain(|(at, _)| *at < offset);
        self.places.push((offset, position));
    }

    /// Bytes of the document before the next one.
    fn place_in_stream(&self) -> usize {
        self.read - self.unread().len()
    }

    /// Drops what was read since `start`, as if it had never been there.
    fn drop_from(&mut self, start: usize) {
        let (position, at) = (self.position(), start - self.base);
        self.buffer.copy_within(self.next..self.filled, at);
        self.filled -= self.next - at;
        self.next = at;
        self.stand_at(start, position);
    }

    /// Reads more in the middle of a value.
    fn more(&mut self) -> Result<(), ScanError> {
        if self.fill()? { Ok(()) } else { Err(ScanError::Truncated(self.position())) }
    }

    /// The same, dropping what was read since `start`.
    fn more_instead(&mut self, start: usize) -> Result<(), ScanError> {
        self.drop_from(start);
        self.more()
    }

    /// Something else stands here, or nothing any more.
    fn unexpected(&self, expected: &'static str) -> ScanError {
        let at = self.position();
        if self.next < self.filled { ScanError::Unexpected { at, expected } } else { ScanError::Truncated(at) }
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.next..self.filled).unwrap_or_default()
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), ScanError> {
        match self.peek()? {
            Some(found) if found == byte => {
                self.next += 1;
                Ok(())
            }
            Some(_) => Err(self.unexpected(expected)),
            None => Err(ScanError::Truncated(self.position())),
        }
    }

    fn next_item(&mut self, close: u8, first: &mut bool) -> Result<bool, ScanError> {
        match self.peek()? {
            Some(byte) if byte == close => {
                self.next += 1;
                Ok(false)
            }
            Some(b',') if !*first => {
                self.next += 1;
                Ok(true)
            }
            Some(_) if *first => {
                *first = false;
                Ok(true)
            }
            Some(_) => Err(self.unexpected("`,` or a closing bracket")),
            None => Err(ScanError::Truncated(self.position())),
        }
    }

    /// A number or a literal: up to the next delimiter.
    fn scalar(&mut self) -> Result<(), ScanError> {
        let start = self.base + self.next;
        loop {
            let unread = self.unread();
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
            match unread.iter().position(|byte| !plain(byte)) {
                Some(length) => {
                    self.next += length;
                    return Ok(());
                }
                None => self.next = self.filled,
            }
            if self.base + self.next - start > LARGE {
                return Err(ScanError::TooLarge(self.position()));
            }
            // Every document that is read here is an object, so no number can end it.
            self.more()?;
        }
    }

    /// Reads more; `false` at the end. What is not kept makes room first.
    fn fill(&mut self) -> Result<bool, ScanError> {
        let from = self.kept.unwrap_or(self.next);
        if from > 0 {
            let first = self.base + from;
            let position = self.position_of(Span { start: first, ..Span::default() });
            self.places.retain(|(at, _)| *at > first);
            self.places.insert(0, (first, position));
            self.buffer.copy_within(from..self.filled, 0);
            self.base += from;
            self.next -= from;
            self.filled -= from;
            self.kept = self.kept.map(|_| 0);
        }
        if self.filled == self.buffer.len() {
            if self.filled > MOST_KEPT {
                return Err(ScanError::TooLarge(self.position()));
            }
            self.buffer.resize(self.filled + (self.filled / 4).max(CHUNK), 0);
        }
        loop {
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(count) => {
                    self.filled += count;
                    self.read += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ScanError::Read(error)),
            }
        }
    }
}

/// The entries of an object that is at hand as a whole, each key and value as it is written; ends
/// early where the object is not well formed.
pub(super) fn entries(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = inside(object);
    std::iter::from_fn(move || {
        let key = take_value(&mut rest)?;
        rest = rest.trim_ascii_start().strip_prefix(b":")?;
        let value = take_value(&mut rest)?;
        rest = after_comma(rest);
        Some((key, value))
    })
}

/// The value of an entry of an object that is at hand as a whole.
///
/// A key that stands only once in all the bytes, and right in the object, is not searched for entry by
/// entry.
pub(super) fn entry<'a>(object: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let quoted = format!("\"{key}\":");
    let mut found = memmem::find_iter(object, &quoted);
    if plain
        && let (Some(at), None) = (found.next(), found.next())
        && is_at_top(object.get(..at).unwrap_or_default())
    {
        return take_value(&mut object.get(at + quoted.len()..)?);
    }
    // Where it stands twice, the last one counts, as it does when the object is built.
    entries(object)
        .filter(|(own, _)| serde_json::from_slice::<String>(own).is_ok_and(|own| own == key))
        .last()
        .map(|(_, value)| value)
}

/// Whether an object that begins so goes on with a key or value of its own.
fn is_at_top(beginning: &[u8]) -> bool {
    let mut skip = Skip::default();
    matches!(skip.advance(beginning), Advance::More) && skip.is_at_top()
}

/// The elements of an array that is at hand as a whole, likewise.
pub(super) fn elements(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = inside(array);
    std::iter::from_fn(move || {
        let value = take_value(&mut rest)?;
        rest = after_comma(rest);
        Some(value)
    })
}

/// Without the brackets.
fn inside(value: &[u8]) -> &[u8] {
    value.get(1..value.len().saturating_sub(1)).unwrap_or_default()
}

fn after_comma(rest: &[u8]) -> &[u8] {
    let rest = rest.trim_ascii_start();
    rest.strip_prefix(b",").unwrap_or(rest)
}

/// The value at the beginning, which is taken away.
fn take_value<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let text = rest.trim_ascii_start();
    let length = match text.first()? {
        b'{' | b'[' | b'"' => match Skip::default().advance(text) {
            Advance::Done(length) => length,
            Advance::More | Advance::Wrong(..) => return None,
        },
        _ => text.iter().position(|byte| b",]} \t\r\n".contains(byte)).unwrap_or(text.len()),
    };
    let (value, after) = text.split_at_checked(length)?;
    *rest = after;
    Some(value)
}
