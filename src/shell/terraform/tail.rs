//! Terraform's output goes to files, and is followed there. A pipe would end with us: Terraform
//! dies at its next line when nobody reads it, and with it the state that it was about to write.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use tempfile::NamedTempFile;

/// What of Terraform's output is kept for the comment and the summary.
const KEPT_OUTPUT: usize = 4 * 1024 * 1024;

/// A line of more bytes is no reading for people: a value of many megabytes, in the plan's text say.
const LONGEST_LINE: usize = 2 * 1024 * 1024;

/// How long a line may be that is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// Of one that is too long, only its length is told: what is secret in a part of it is not known.
    Bounded,
    /// As long as they are.
    Whole,
}

/// One output stream of Terraform, followed line by line.
#[derive(Debug)]
pub(super) struct Tail {
    file: NamedTempFile,
    reader: File,
    lines: Lines,
    unfinished: Vec<u8>,
    /// Bytes of the unfinished line that are not held.
    left_out: usize,
    text: String,
}

impl Tail {
    /// Makes the file, readable by us alone: a plan's text can hold secrets.
    pub(super) fn begin(lines: Lines) -> io::Result<Tail> {
        let file = tempfile::Builder::new().prefix("stategate-output-").tempfile_in(directory())?;
        let reader = file.reopen()?;
        Ok(Tail { file, reader, lines, unfinished: Vec::new(), left_out: 0, text: String::new() })
    }

    /// The end that Terraform writes to.
    pub(super) fn writer(&self) -> io::Result<File> {
        self.file.reopen()
    }

    /// Hands each line that was finished since the last call to `on_line`.
    pub(super) fn follow(&mut self, mut on_line: impl FnMut(&str)) -> io::Result<()> {
        let mut chunk = [0_u8; 16 * 1024];
        loop {
            let length = self.reader.read(&mut chunk)?;
            if length == 0 {
                return Ok(());
            }
            // Only what is new is searched: one line can be a whole state.
            for part in chunk.get(..length).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
                self.hold(part);
                if part.ends_with(b"\n") {
                    self.take(&mut on_line);
                }
            }
        }
    }

    /// The last line may have no end. Returns the text, of a long one the last whole lines: an error
    /// stands at the end; and the file, in which all of it stands.
    pub(super) fn finish(mut self, mut on_line: impl FnMut(&str)) -> io::Result<(String, NamedTempFile)> {
        self.follow(&mut on_line)?;
        if !self.unfinished.is_empty() || self.left_out > 0 {
            self.take(&mut on_line);
        }
        Ok((self.text, self.file))
    }

    /// Adds to the unfinished line, as far as that may be told.
    fn hold(&mut self, part: &[u8]) {
        let is_too_long = self.left_out > 0 || self.unfinished.len() + part.len() > LONGEST_LINE;
        if self.lines == Lines::Bounded && is_too_long {
            self.left_out += part.len() + std::mem::take(&mut self.unfinished).len();
        } else {
            self.unfinished.extend_from_slice(part);
        }
    }

    /// Tells the line that has ended.
    fn take(&mut self, on_line: &mut impl FnMut(&str)) {
        let line = std::mem::take(&mut self.unfinished);
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            let told = too_long(left_out);
            on_line(&told);
            return self.keep(&told);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        on_line(text);
        if text.len() > LONGEST_LINE { self.keep(&too_long(line.len())) } else { self.keep(text) }
    }

    fn keep(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        if self.text.len() > KEPT_OUTPUT * 2 {
            // Half a line can be half a secret, which nobody would find.
            let cut = self.text.len() - KEPT_OUTPUT;
            let end = self.text.bytes().skip(cut).position(|byte| byte == b'\n');
            self.text.drain(..end.map_or(0, |end| cut + end + 1));
        }
    }
}

fn too_long(bytes: usize) -> String {
    format!("(a line of {bytes} bytes is left out)")
}

/// Where output goes: the runner empties its directory after each job.
pub(super) fn directory() -> PathBuf {
    env::var_os("RUNNER_TEMP").filter(|path| !path.is_empty()).map_or_else(env::temp_dir, PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_are_told_once_and_whole() {
        let mut tail = Tail::begin(Lines::Bounded).unwrap();
        let mut writer = tail.writer().unwrap();
        let mut told = Vec::new();
        writer.write_all(b"one\ntw").unwrap();
        tail.follow(|line| told.push(line.to_owned())).unwrap();
        assert_eq!(told, ["one"]);
        writer.write_all("o\r\nthr\u{e9}e".as_bytes()).unwrap();
        let (text, file) = tail.finish(|line| told.push(line.to_owned())).unwrap();
        assert_eq!(told, ["one", "two", "thr\u{e9}e"]);
        assert_eq!(text, "one\ntwo\nthr\u{e9}e\n");
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "one\ntwo\r\nthr\u{e9}e");
    }

    #[test]
    fn a_line_of_many_megabytes_is_told_whole_where_it_may_be_a_state_and_nowhere_else() {
        let line = "x".repeat(64 * 1024 * 1024);
        for (lines, is_whole) in [(Lines::Whole, true), (Lines::Bounded, false)] {
            let mut tail = Tail::begin(lines).unwrap();
            let mut writer = tail.writer().unwrap();
            let mut told = Vec::new();
            writer.write_all(format!("a\n{line}").as_bytes()).unwrap();
            tail.follow(|line| told.push(line.to_owned())).unwrap();
            assert!(is_whole || tail.unfinished.is_empty(), "it is held, to be told of never");
            writer.write_all(b"\nend").unwrap();
            let (text, _) = tail.finish(|line| told.push(line.to_owned())).unwrap();
            let left_out = format!("(a line of {} bytes is left out)", line.len() + usize::from(!is_whole));
            let expected = ["a", if is_whole { line.as_str() } else { &left_out }, "end"];
            assert!(told == expected, "{lines:?}");
            assert!(text.starts_with("a\n(a line of 671088") && text.ends_with(" bytes is left out)\nend\n"), "{text}");
        }
    }

    #[test]
    fn of_a_long_text_whole_lines_are_kept() {
        let tail = Tail::begin(Lines::Bounded).unwrap();
        let line = format!("{}\n", "0123456789".repeat(70_000));
        tail.writer().unwrap().write_all(line.repeat(40).as_bytes()).unwrap();
        let (text, _) = tail.finish(|_| {}).unwrap();
        assert!(text.len() >= KEPT_OUTPUT - line.len() && text.len() <= KEPT_OUTPUT * 2, "{}", text.len());
        assert!(text.split_inclusive('\n').all(|kept| kept == line), "a part of a line is kept");
    }
}
