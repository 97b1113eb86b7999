//! Terraform's output goes to files, and is followed there. A pipe would end with us: Terraform
//! dies at its next line when nobody reads it, and with it the state that it was about to write.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use tempfile::NamedTempFile;

/// What of Terraform's output is kept for the comment and the summary.
const KEPT_OUTPUT: usize = 4 * 1024 * 1024;

/// One output stream of Terraform, followed line by line.
#[derive(Debug)]
pub(super) struct Tail {
    file: NamedTempFile,
    reader: File,
    unfinished: Vec<u8>,
    text: String,
}

impl Tail {
    /// Makes the file, readable by us alone: a plan's text can hold secrets.
    pub(super) fn begin() -> io::Result<Tail> {
        let file = tempfile::Builder::new().prefix("stategate-output-").tempfile_in(directory())?;
        let reader = file.reopen()?;
        Ok(Tail { file, reader, unfinished: Vec::new(), text: String::new() })
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
                self.unfinished.extend_from_slice(part);
                if part.ends_with(b"\n") {
                    let line = std::mem::take(&mut self.unfinished);
                    self.take(&line, &mut on_line);
                }
            }
        }
    }

    /// The last line may have no end. Returns the whole text, or the last 4 MiB of it: an error
    /// stands at the end.
    pub(super) fn finish(mut self, mut on_line: impl FnMut(&str)) -> io::Result<String> {
        self.follow(&mut on_line)?;
        let line = std::mem::take(&mut self.unfinished);
        if !line.is_empty() {
            self.take(&line, &mut on_line);
        }
        Ok(self.text)
    }

    fn take(&mut self, line: &[u8], on_line: &mut impl FnMut(&str)) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches(['\n', '\r']);
        on_line(text);
        self.text.push_str(text);
        self.text.push('\n');
        if self.text.len() > KEPT_OUTPUT * 2 {
            let mut cut = self.text.len() - KEPT_OUTPUT;
            while !self.text.is_char_boundary(cut) {
                cut += 1;
            }
            self.text.drain(..cut);
        }
    }
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
        let mut tail = Tail::begin().unwrap();
        let mut writer = tail.writer().unwrap();
        let mut told = Vec::new();
        writer.write_all(b"one\ntw").unwrap();
        tail.follow(|line| told.push(line.to_owned())).unwrap();
        assert_eq!(told, ["one"]);
        writer.write_all("o\r\nthr\u{e9}e".as_bytes()).unwrap();
        let text = tail.finish(|line| told.push(line.to_owned())).unwrap();
        assert_eq!(told, ["one", "two", "thr\u{e9}e"]);
        assert_eq!(text, "one\ntwo\nthr\u{e9}e\n");
    }

    #[test]
    fn a_line_of_many_megabytes_is_told_whole() {
        let mut tail = Tail::begin().unwrap();
        let line = "x".repeat(64 * 1024 * 1024);
        tail.writer().unwrap().write_all(format!("{line}\nend").as_bytes()).unwrap();
        let mut told = Vec::new();
        tail.follow(|line| told.push(line.to_owned())).unwrap();
        assert!(told == [line]);
        // What is kept of the text ends with its end.
        assert!(tail.finish(|_| {}).unwrap().ends_with("x\nend\n"));
    }
}
