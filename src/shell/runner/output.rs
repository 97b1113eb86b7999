//! What we hand to the runner: step outputs, the job summary and workflow commands.
//!
//! The runner reads both output streams for commands (`::x::` at the start of a line, `##[x]`
//! anywhere), so whatever is printed goes through here.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::AsFd;

use super::variable;
use stategate_core::diagnostic::{Annotation, Severity};
use stategate_core::harmless::without_active;

/// The runner refuses a larger job summary and shows nothing of it.
const SUMMARY_LIMIT: usize = 1_048_576;

/// The step's outputs, in the contract's names.
#[derive(Debug, Default)]
pub struct Outputs(Vec<(&'static str, String)>);

impl Outputs {
    /// Sets one output; the last value given counts.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value.into()));
    }

    /// Appends the outputs to the runner's output file; does nothing outside a runner.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self) -> io::Result<()> {
        let Some(path) = variable("GITHUB_OUTPUT") else { return Ok(()) };
        let mut text = String::new();
        for (name, value) in &self.0 {
            let delimiter = format!("stategate_{}", random_token()?);
            text.push_str(&format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"));
        }
        OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
    }
}

/// Appends `markdown` to the job summary; `false` outside a runner.
///
/// # Errors
/// The file cannot be written, or the text is over the runner's limit of 1 MiB.
pub fn write_summary(markdown: &str) -> io::Result<bool> {
    let Some(path) = variable("GITHUB_STEP_SUMMARY") else { return Ok(false) };
    if markdown.len() > SUMMARY_LIMIT {
        return Err(io::Error::other(format!(
            "the job summary has {} bytes, over the runner's limit of {SUMMARY_LIMIT}",
            markdown.len()
        )));
    }
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(markdown.as_bytes())?;
    file.write_all(b"\n")?;
    Ok(true)
}

/// A stretch of the log in which others speak: the runner takes no commands there, and may fold it.
#[derive(Debug)]
#[must_use = "the runner takes no commands until it ends"]
pub struct Quotation {
    token: Option<String>,
    folded: bool,
}

impl Quotation {
    /// Begins it; with a `title` the runner folds it. Does nothing outside a runner.
    ///
    /// # Errors
    /// No randomness, or the stream is closed.
    pub fn begin(title: Option<&str>) -> io::Result<Quotation> {
        if !in_actions() {
            return Ok(Quotation { token: None, folded: false });
        }
        let token = random_token()?;
        if let Some(title) = title {
            writeln!(io::stderr(), "::group::{}", escape_data(&visible(title)))?;
        }
        writeln!(io::stderr(), "::stop-commands::{token}")?;
        Ok(Quotation { token: Some(token), folded: title.is_some() })
    }

    /// Ends it: the runner takes commands again.
    ///
    /// # Errors
    /// The stream is closed.
    pub fn end(self) -> io::Result<()> {
        if let Some(token) = self.token {
            // The last line of others may have no end.
            writeln!(io::stderr(), "\n::{token}::")?;
        }
        if self.folded {
            writeln!(io::stderr(), "::endgroup::")?;
        }
        Ok(())
    }
}

/// Shows a warning or an error on the run's page, at its line of the code where it has one; does
/// nothing outside a runner.
///
/// # Errors
/// The stream is closed.
pub fn annotate(annotation: &Annotation) -> io::Result<()> {
    if in_actions() { writeln!(io::stderr(), "{}", command(annotation)) } else { Ok(()) }
}

fn command(annotation: &Annotation) -> String {
    let kind = match annotation.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = annotation.place.as_ref();
    let place = place.map(|(file, line)| format!("file={},line={line},", escape_property(&visible(file))));
    format!(
        "::{kind} {}title={}::{}",
        place.unwrap_or_default(),
        escape_property(&visible(&annotation.title)),
        escape_data(&visible(&annotation.message))
    )
}

/// Prints `text` to standard output, without anything that a terminal would act on, and defused
/// inside a runner.
///
/// # Errors
/// The stream is closed.
pub fn write_out(text: &str) -> io::Result<()> {
    let text = &without_active(text);
    let mut stdout = io::stdout().lock();
    if in_actions() { stdout.write_all(defuse(text).as_bytes()) } else { stdout.write_all(text.as_bytes()) }?;
    stdout.flush()
}

/// How many characters wide the terminal is that a stream leads to; `None` where it leads to none,
/// or to one that does not say.
pub fn columns(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Standard error for the log: what it is given can never be a workflow command.
#[derive(Debug, Clone, Copy)]
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let text = if in_actions() { defuse(&text) } else { text.into_owned() };
        io::stderr().write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The text as an annotation may show it.
fn visible(text: &str) -> String {
    without_active(&text.replace("\r\n", "\n").replace("##[", "## ["))
}

/// Whether we run in a step of GitHub Actions.
pub fn in_actions() -> bool {
    variable("GITHUB_ACTIONS").as_deref() == Some("true")
}

/// Breaks both notations of a workflow command, for the eye nearly unchanged.
fn defuse(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for line in text.replace('\r', "\n").replace("##[", "## [").split_inclusive('\n') {
        let start = line.trim_start();
        if start.starts_with("::") {
            safe.push_str(": :");
            safe.push_str(start.get(2..).unwrap_or_default());
        } else {
            safe.push_str(line);
        }
    }
    safe
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// 128 random bits: nobody who writes into the log can guess the way out.
fn random_token() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_printed_is_a_workflow_command() {
        for hostile in [
            "::set-output name=x::y",
            "  ::error::x",
            "a\r::add-mask::b",
            "a\n::stop-commands::x",
            "x ##[error]y",
            "\u{a0}::error::x",
        ] {
            let safe = defuse(hostile);
            assert!(!safe.lines().any(|line| line.trim_start().starts_with("::")), "{safe}");
            assert!(!safe.contains("##["), "{safe}");
        }
    }

    #[test]
    fn an_annotation_stays_one_command() {
        assert_eq!(escape_data("50%\n::error::x"), "50%25%0A::error::x");
        assert_eq!(escape_property("a:b,c"), "a%3Ab%2Cc");
        let annotation = |text: &str, place| Annotation {
            severity: Severity::Error,
            title: text.to_owned(),
            message: text.to_owned(),
            place,
        };
        let hostile = "a\r\n::error file=x,line=1::b ##[group]\u{1b}[2J\u{202e}";
        let written = command(&annotation(hostile, Some((hostile.to_owned(), 7))));
        assert_eq!(written.lines().count(), 1, "{written}");
        assert!(!written.contains("##[") && !written.contains(['\r', '\u{1b}', '\u{202e}']), "{written}");
        let properties = written.strip_prefix("::error ").unwrap().split("::").next().unwrap();
        let names: Vec<_> = properties.split(',').filter_map(|one| one.split('=').next()).collect();
        assert_eq!(names, ["file", "line", "title"], "{written}");
        assert_eq!(command(&annotation("t", None)), "::error title=t::t");
    }
}
