//! A mistake in the arguments, told as every error is: what is wrong, and what to do next.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{definition, foreign, variable_of};

/// What is wrong with the arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The flag, the input and the wrong value.
    pub what: String,
    /// What to do next.
    pub next: String,
}

/// Reads clap's error about these arguments, the program's name first. `None`: there is no mistake,
/// help or version was asked for.
pub fn mistake(error: &clap::Error, arguments: &[OsString]) -> Option<Mistake> {
    let whole = definition();
    let commands: Vec<&str> = whole.get_subcommands().map(clap::Command::get_name).collect();
    let words: Vec<&str> = arguments.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let command = words.first().copied().filter(|command| commands.contains(command));
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let given = text(ContextKind::InvalidArg);
    // A flag comes with its value's name, `--init [<true|false>]`; a value without a flag is `[COMMAND]`.
    let name = if given.starts_with('-') { given.split([' ', '=', '[']).next().unwrap_or_default() } else { given };
    let is_typed = words.iter().any(|word| word.split('=').next() == Some(name));
    let flag = Flag { name, command, is_typed };
    let value = text(ContextKind::InvalidValue);
    let (what, next) = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return None;
        }
        ErrorKind::InvalidValue if value.is_empty() => (format!("{} has no value", flag.named()), flag.remedy()),
        ErrorKind::InvalidValue => {
            let allowed = allowed(error);
            (format!("invalid value '{value}' for {}: it can be {allowed}", flag.named()), flag.remedy())
        }
        ErrorKind::ValueValidation => {
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            (format!("invalid value '{value}' for {}: {why}", flag.named()), flag.remedy())
        }
        ErrorKind::UnknownArgument => match (command, flag.of_terraform(&words), flag.meant()) {
            (Some(command), Some((word, next)), _) => {
                (format!("{command} does not know '{word}'"), format!("{next} {}", flag.help()))
            }
            (Some(command), None, Some(meant)) => (format!("{command} takes flags only, not '{given}'"), meant),
            (command, ..) => (
                format!("{} does not know '{given}'", command.unwrap_or("stategate")),
                flag.other(text(ContextKind::SuggestedArg)),
            ),
        },
        ErrorKind::InvalidSubcommand => {
            let similar = match error.get(ContextKind::SuggestedSubcommand) {
                Some(ContextValue::Strings(similar)) => similar.first().map(String::as_str),
                Some(ContextValue::String(similar)) => Some(similar.as_str()),
                _ => None,
            };
            let similar = foreign::command(text(ContextKind::InvalidSubcommand)).or(similar);
            let guess = similar.map(|similar| format!("Did you mean {similar}? ")).unwrap_or_default();
            (
                format!("there is no command '{}'", text(ContextKind::InvalidSubcommand)),
                format!("{guess}Give one of {}; in a workflow it is the input command.", commands.join(", ")),
            )
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = match error.get(ContextKind::InvalidArg) {
                Some(ContextValue::Strings(missing)) => missing.join(" and "),
                _ => given.to_owned(),
            };
            (format!("{} needs {missing}", command.unwrap_or("stategate")), flag.example())
        }
        ErrorKind::ArgumentConflict => {
            (format!("{} is given more than once", flag.named()), "Give it once.".to_owned())
        }
        _ => {
            let whole = error.to_string();
            let first = whole.lines().next().unwrap_or_default();
            (first.trim_start_matches("error: ").to_owned(), flag.help())
        }
    };
    Some(Mistake { what, next })
}

/// A flag, as one command has it.
struct Flag<'a> {
    /// With its dashes.
    name: &'a str,
    command: Option<&'a str>,
    /// Whether it stands on the command line; the action gives its inputs as variables.
    is_typed: bool,
}

/// What the action has no input for.
const NOT_IN_THE_ACTION: [&str; 3] = ["render", "completions", "man"];

impl Flag<'_> {
    fn input(&self) -> Option<&str> {
        let is_in_action = self.command.is_some_and(|command| !NOT_IN_THE_ACTION.contains(&command));
        self.name.strip_prefix("--").filter(|_| is_in_action && !self.is_typed)
    }

    fn named(&self) -> String {
        self.input().map_or_else(|| self.name.to_owned(), |input| format!("the input {input} ({})", self.name))
    }

    fn remedy(&self) -> String {
        let Some(input) = self.input() else { return self.help() };
        let variable = variable_of(input);
        format!(
            "Correct `{input}:` in the workflow's step, or the variable {variable} where that was given. {}",
            self.help()
        )
    }

    fn help(&self) -> String {
        match self.command {
            Some(command) => format!("See `stategate {command} --help`."),
            None => "See `stategate --help`.".to_owned(),
        }
    }

    /// How a command that was given too little is called.
    fn example(&self) -> String {
        match self.command {
            Some("render") => "Give what `terraform show -json PLANFILE` printed, as a file or through a pipe: `stategate render --plan-json plan.json`, `terraform show -json PLANFILE | stategate render --plan-json -`.".to_owned(),
            Some("completions") => "Such as `stategate completions bash`.".to_owned(),
            _ => self.help(),
        }
    }

    /// What was meant by a word that stands alone.
    fn meant(&self) -> Option<String> {
        let command = self.command.filter(|_| !self.name.starts_with('-'))?;
        let flag = match command {
            "unlock" => "--lock-id",
            "lock" => "--reason",
            "render" => "--plan-json",
            "plan" | "apply" | "status" | "release" => "--working-directory",
            _ => return None,
        };
        Some(format!("Did you mean `stategate {command} {flag} {}`? {}", shell_words::quote(self.name), self.help()))
    }

    /// A flag of Terraform's among the words, and what to give instead.
    fn of_terraform(&self, words: &[&str]) -> Option<(String, String)> {
        let (command, whole) = (self.command?, definition());
        let known = whole.find_subcommand(command)?;
        let has = |name: &str| known.get_arguments().any(|arg| arg.get_long() == Some(name));
        foreign::flag(command, words.get(1..)?, has).filter(|_| self.name.starts_with('-'))
    }

    /// What was meant by a flag that the command does not have.
    fn other(&self, similar: &str) -> String {
        let whole = definition();
        let has = |command: &&clap::Command| {
            command
                .get_arguments()
                .any(|arg| arg.get_long().is_some_and(|long| Some(long) == self.name.strip_prefix("--")))
        };
        let having: Vec<&str> = whole.get_subcommands().filter(has).map(clap::Command::get_name).collect();
        match (having.as_slice(), similar) {
            ([], "") => self.help(),
            ([], similar) => format!("Did you mean {similar}? {}", self.help()),
            (having, _) => format!("{} is for {}. {}", self.name, having.join(", "), self.help()),
        }
    }
}

/// The values that there are.
fn allowed(error: &clap::Error) -> String {
    let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue) else { return String::new() };
    match values.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => values.join(", "),
    }
}
