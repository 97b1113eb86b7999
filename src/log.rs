//! The log on standard error: one line for each thing that happened, with the time, and
//! Terraform's own lines set apart. `RUNNER_DEBUG=1` shows more of ours, never of the AWS SDK's:
//! its debug output can hold signed headers.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::shell::runner::{LogWriter, variable};

/// Starts the log; a second call changes nothing.
pub fn start() {
    let debug = variable("RUNNER_DEBUG").as_deref() == Some("1");
    let level = if debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let ours = tracing_subscriber::filter::Targets::new()
        .with_target("stategate", level)
        .with_target("terraform", LevelFilter::INFO);
    let layer = tracing_subscriber::fmt::layer().event_format(Line).with_writer(|| LogWriter);
    // Only a second start fails, and then the first one's log goes on.
    drop(tracing_subscriber::registry().with(layer).with(ours).try_init());
}

struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut message = Message::default();
        event.record(&mut message);
        let time = Timestamp::now().to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string();
        let mark = match (event.metadata().target(), *event.metadata().level()) {
            ("terraform", _) => "  | ",
            (_, Level::ERROR) => " error: ",
            (_, Level::WARN) => " warning: ",
            _ => " ",
        };
        writeln!(writer, "{time}{mark}{}", harmless(&message.0))
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
/// nothing moves the cursor or turns the writing round.
pub fn harmless(text: &str) -> String {
    let is_active = |character: char| {
        (character.is_control() && character != '\n' && character != '\t')
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(['\n', '\r'], "\n         | ")
        .chars()
        .map(|character| if is_active(character) { '\u{fffd}' } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_stays_text() {
        assert_eq!(harmless("a\n  next: b\u{1b}[2J\u{202e}c\td"), "a\n         |   next: b\u{fffd}[2J\u{fffd}c\td");
    }
}
