//! The terminal: calm, one block a step, colours only for people.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::stage::Stage;

/// Lines of what people see; more is on the page.
const LINES: usize = 14;

/// Columns of such a line.
const COLUMNS: usize = 110;

/// Where the walkthrough is told.
#[derive(Debug)]
pub(crate) struct Show {
    colours: bool,
}

impl Show {
    pub(crate) fn to_terminal() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colours: io::stdout().is_terminal() && !plain }
    }

    pub(crate) fn title(&self) {
        print(&format!("{}: a team's day, played on this machine", self.bold("stategate")));
        print(
            "Real Terraform, an S3 API on loopback (ministack), a fake GitHub. No account, no token; nothing leaves this machine.",
        );
        print("It takes about half a minute, once everything is built.");
        print("");
    }

    pub(crate) fn preparing(&self, what: &str) {
        print(&self.dim(&format!("… {what}")));
    }

    pub(crate) fn scene(&self, number: usize, title: &str, what: &str) {
        print("");
        print(&self.bold(&format!("{number}. {title}")));
        for line in wrapped(what, 96) {
            print(&format!("   {line}"));
        }
    }

    pub(crate) fn act(&self, who: &str, command: &str, code: Option<i32>, took: Duration) {
        let code = code.map_or_else(|| "killed".to_owned(), |code| format!("exit {code}"));
        let end = self.dim(&format!("({code}, {:.1} s)", took.as_secs_f64()));
        print(&format!("   {} {} {end}", self.dim(&format!("{who} $")), self.cyan(command)));
    }

    /// What a person sees.
    pub(crate) fn seen(&self, text: &str) {
        let lines: Vec<&str> = text.lines().collect();
        for line in lines.iter().take(LINES) {
            let mut cut: String = line.chars().take(COLUMNS).collect();
            if line.chars().count() > COLUMNS {
                cut.push('…');
            }
            print(&format!("   {} {cut}", self.dim("│")));
        }
        if lines.len() > LINES {
            print(&format!("   {} {}", self.dim("│"), self.dim("… the rest is on the page")));
        }
    }

    pub(crate) fn holds(&self, claim: &str) {
        print(&format!("   {} {claim}", self.green("✓")));
    }

    pub(crate) fn failed(&self, message: &str) {
        // One line; the page has the rest.
        let first = message.lines().next().unwrap_or_default();
        let line = format!("{} {first}\n", self.red("✗"));
        // Where nobody listens, the exit code still tells.
        let _unheard = io::stderr().write_all(line.as_bytes());
    }

    pub(crate) fn ended(&self, stage: &Stage, took: Duration, page: &str) {
        print("");
        let claims: usize = stage.scenes.iter().map(|scene| scene.claims.len()).sum();
        let steps = stage.scenes.len();
        print(&self.bold(&format!("{steps} steps, {claims} claims checked, all hold; {:.0} s.", took.as_secs_f64())));
        print(&format!("Open {} in a browser: the conversations, summaries and logs.", self.cyan(page)));
    }

    fn bold(&self, text: &str) -> String {
        self.painted("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.painted("2", text)
    }

    fn red(&self, text: &str) -> String {
        self.painted("31", text)
    }

    fn green(&self, text: &str) -> String {
        self.painted("32", text)
    }

    fn cyan(&self, text: &str) -> String {
        self.painted("36", text)
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn print(text: &str) {
    // Where nobody listens, the exit code still tells.
    let _unheard = writeln!(io::stdout(), "{text}");
}

fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is a line");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > columns {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
