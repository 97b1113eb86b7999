//! The log on standard error: one line for each thing that happened, and Terraform's own lines set
//! apart. The time stands on each line but on GitHub, which adds its own; colours are for a
//! terminal. `RUNNER_DEBUG=1` shows more of ours, and nothing of the AWS SDK's.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _, Write as _};

use jiff::Zoned;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::Mistake;
use crate::detail;
use crate::error::Error;
use crate::shell::runner::{LogWriter, annotate, columns, in_actions, variable};
use stategate_core::diagnostic::{Annotation, Severity};
use stategate_core::harmless::without_active;
use stategate_core::redact::redact;
use stategate_core::wrapped::wrapped;

/// Starts the log; a second call changes nothing.
pub fn start() {
    let debug = variable("RUNNER_DEBUG").as_deref() == Some("1");
    let ours = [("stategate", true), ("terraform", true), (detail::TARGET, debug)];
    let ours = ours.map(|(target, is_shown)| (target, if is_shown { LevelFilter::INFO } else { LevelFilter::OFF }));
    let ours = tracing_subscriber::filter::Targets::new().with_targets(ours);
    let layer = tracing_subscriber::fmt::layer().event_format(Look::here()).with_writer(|| LogWriter);
    // Only a second start fails, and then the first one's log goes on.
    drop(tracing_subscriber::registry().with(layer).with(ours).try_init());
}

/// Says why the program failed: what happened, why, and what to do next.
///
/// # Errors
/// The stream is closed.
pub fn failure(error: &Error) -> io::Result<()> {
    // A cancelled run says so on its page already.
    tell([&error.to_string(), &error.cause(), &error.hint()], !error.is_cancelled())
}

/// Says what is wrong with the arguments, or prints the help or version that was asked for.
///
/// # Errors
/// The stream is closed.
pub fn usage(error: &clap::Error, mistake: Option<&Mistake>) -> io::Result<()> {
    match mistake {
        Some(Mistake { what, next }) => tell([what, "", next], true),
        None => error.print(),
    }
}

/// What happened, why, and what to do next; any of it can be a stranger's text.
fn tell(parts: [&str; 3], on_page: bool) -> io::Result<()> {
    let [what, why, next] = parts.map(harmless);
    let is_on_page = on_page && in_actions();
    let told = error_text(["", &what, &why, &next], None);
    // The runner puts what it shows on the page into the log, too, behind an `Error:` of its own.
    let is_whole_on_page = is_on_page && told.chars().count() <= LONGEST_ANNOTATION;
    if !is_whole_on_page {
        let error = Look::here().paint(RED, "error:") + " ";
        let text = error_text([&error, &what, &why, &next], columns(io::stderr()));
        LogWriter.write_all(text.as_bytes())?;
    }
    if is_on_page { annotate(&of_ours(told.trim_end().to_owned())) } else { Ok(()) }
}

/// Characters of an annotation's message: of more, the runner keeps the beginning.
const LONGEST_ANNOTATION: usize = 4096;

/// The lines of an error, on a terminal within its `columns`.
fn error_text([error, what, why, next]: [&str; 4], columns: Option<usize>) -> String {
    let mut text = String::new();
    for (name, width, said) in [(error, "error: ".len(), what), ("  why: ", 7, why), ("  next: ", 8, next)] {
        if !said.is_empty() {
            // What has lines of its own keeps them.
            let said = match columns.filter(|_| !said.contains('\n')) {
                Some(columns) => wrapped(said, width, columns),
                None => said.to_owned(),
            };
            text.extend([name, &said, "\n"]);
        }
    }
    text
}

fn of_ours(message: String) -> Annotation {
    Annotation { severity: Severity::Error, title: "stategate".to_owned(), message, place: None }
}

const RED: &str = "31;1";
const YELLOW: &str = "33;1";
const DIM: &str = "2";

/// How a line looks here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    time: bool,
    colour: bool,
}

impl Look {
    fn here() -> Look {
        let colour = is_colourful(io::stderr().is_terminal(), variable);
        Look { time: !in_actions(), colour }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// One line, or several that belong together.
    fn line(self, time: &str, target: &str, level: Level, message: &str) -> String {
        let time = if self.time { format!("{} ", self.paint(DIM, time)) } else { String::new() };
        let code = match level {
            Level::ERROR => RED,
            Level::WARN => YELLOW,
            _ if target == detail::TARGET => DIM,
            _ => "",
        };
        let message = harmless(message);
        if target == "terraform" {
            let message = if code.is_empty() { message } else { self.paint(code, &message) };
            return format!("{time}{}{message}", self.paint(DIM, BAR));
        }
        match level {
            Level::ERROR => format!("{time}{} {message}", self.paint(code, "error:")),
            Level::WARN => format!("{time}{} {message}", self.paint(code, "warning:")),
            _ if code.is_empty() => format!("{time}{message}"),
            _ => format!("{time}{}", self.paint(code, &message)),
        }
    }
}

/// What stands before a line of others.
const BAR: &str = " | ";

/// Colours are for a terminal, unless it or its owner wants none (no-color.org).
fn is_colourful(is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    is_terminal && variable("NO_COLOR").is_none() && variable("TERM").as_deref() != Some("dumb")
}

impl<S, N> FormatEvent<S, N> for Look
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut message = Message::default();
        event.record(&mut message);
        let time = if self.time { Zoned::now().strftime("%H:%M:%S").to_string() } else { String::new() };
        let metadata = event.metadata();
        writeln!(writer, "{}", self.line(&time, metadata.target(), *metadata.level(), &message.0))
    }
}

/// The message, then the fields as `name=value`.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = if field.name() == "message" {
            write!(self.0, "{value:?}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
        if written.is_err() {
            self.0.push_str("(unprintable)");
        }
    }
}

/// Text of others for a terminal: a line break in it does not look like a line of ours, and
/// nothing moves the cursor or turns the writing round. A credential that shows as one is hidden.
pub fn harmless(text: &str) -> String {
    let text = redact(text);
    without_active(&text.replace(['\n', '\r'], "\n         | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_stays_text() {
        for active in ['\r', '\u{1b}', '\u{9b}', '\u{61c}', '\u{200f}', '\u{2028}', '\u{2066}', '\u{e0041}'] {
            assert!(!harmless(&format!("a{active}b")).contains(active), "{active:?}");
        }
        assert_eq!(harmless("a\n  next: b\u{1b}[2J\u{202e}c\td"), "a\n         |   next: b\u{fffd}[2J\u{fffd}c\td");
    }

    #[test]
    fn colours_are_for_a_terminal_that_wants_them() {
        let with = |name: &'static str, value: &'static str| {
            move |asked: &str| (asked == name).then(|| value.to_owned()).filter(|value| !value.is_empty())
        };
        assert!(is_colourful(true, with("TERM", "xterm-256color")));
        assert!(is_colourful(true, with("NO_COLOR", "")), "an empty variable is none");
        assert!(!is_colourful(true, with("NO_COLOR", "1")));
        assert!(!is_colourful(true, with("TERM", "dumb")));
        assert!(!is_colourful(false, with("TERM", "xterm-256color")));
    }

    #[test]
    fn a_line_on_github_a_line_in_a_file_and_a_line_on_a_terminal() {
        let line = |look: Look, target, level| look.line("09:41:00", target, level, "said");
        let github = Look { time: false, colour: false };
        assert_eq!(line(github, "stategate", Level::INFO), "said");
        assert_eq!(line(github, "stategate::x", Level::WARN), "warning: said");
        assert_eq!(line(github, "terraform", Level::ERROR), " | said");
        let file = Look { time: true, colour: false };
        assert_eq!(line(file, "stategate", Level::ERROR), "09:41:00 error: said");
        assert_eq!(line(file, "terraform", Level::INFO), "09:41:00  | said");
        let terminal = Look { time: true, colour: true };
        assert_eq!(
            line(terminal, "stategate", Level::ERROR),
            "\u{1b}[2m09:41:00\u{1b}[0m \u{1b}[31;1merror:\u{1b}[0m said"
        );
        assert_eq!(
            line(terminal, "terraform", Level::WARN),
            "\u{1b}[2m09:41:00\u{1b}[0m \u{1b}[2m | \u{1b}[0m\u{1b}[33;1msaid\u{1b}[0m"
        );
    }
}
