//! A mistake in the arguments, told as every error is: what is wrong, and what to do next.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{definition, foreign, similar, variable_of};

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
    let given = whole_word(text(ContextKind::InvalidArg), &words);
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
            // Arguments for Terraform can hand over a credential.
            let value = if name.ends_with("-args") { String::new() } else { format!("'{value}' ") };
            (format!("invalid value {value}for {}: {why}", flag.named()), flag.remedy())
        }
        ErrorKind::UnknownArgument => match (command, flag.of_terraform(&words), flag.meant()) {
            (Some(command), Some((word, next)), _) => {
                (format!("{command} does not know '{word}'"), format!("{next} {}", flag.help()))
            }
            (Some(command), None, Some(meant)) => (format!("{command} takes flags only, not '{given}'"), meant),
            (command, ..) => {
                (format!("{} does not know '{given}'", command.unwrap_or("stategate")), flag.other(&words))
            }
        },
        ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidSubcommand);
            (format!("there is no command '{word}'"), foreign::command(word).unwrap_or_else(|| one_of(&commands, word)))
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

/// clap takes `-dir` for the flag `-d`, and says no more than that.
fn whole_word<'a>(given: &'a str, words: &[&'a str]) -> &'a str {
    let is_short = given.len() == 2 && given.starts_with('-') && given != "--";
    let whole = words.iter().filter(|_| is_short).find(|word| word.starts_with(given));
    whole.map_or(given, |word| word.split('=').next().unwrap_or(word))
}

/// The commands that there are, and the one that may have been meant.
fn one_of(commands: &[&str], word: &str) -> String {
    let guess = similar::command(word, commands.iter().copied());
    let guess = guess.map(|command| format!("Did you mean {command}? ")).unwrap_or_default();
    format!("{guess}Give one of {}; in a workflow it is the input command.", commands.join(", "))
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
    fn other(&self, words: &[&str]) -> String {
        let whole = definition();
        let bare = self.name.trim_start_matches('-');
        let has = |command: &&clap::Command| command.get_arguments().any(|arg| arg.get_long() == Some(bare));
        let having: Vec<&str> = whole.get_subcommands().filter(has).map(clap::Command::get_name).collect();
        let first = words.iter().find(|word| having.contains(*word)).or(having.first());
        match (self.command, first) {
            (Some(_), _) if ["version", "V"].contains(&bare) => foreign::VERSION.to_owned(),
            (Some(_), _) if ["github-token", "token"].contains(&bare) => {
                format!(
                    "Set the variable STATEGATE_GITHUB_TOKEN: a flag would show the token in the process list. {}",
                    self.help()
                )
            }
            (None, Some(first)) => {
                format!("Give the command first, such as `stategate {first} --{bare} …`. {}", self.help())
            }
            (Some(_), Some(_)) => format!("--{bare} is for {}. {}", having.join(", "), self.help()),
            (Some(command), None) => {
                let used = whole.find_subcommand(command).into_iter().flat_map(clap::Command::get_arguments);
                let used = used.filter(|arg| !arg.is_hide_set()).filter_map(clap::Arg::get_long);
                let guess = similar::flag(bare, used).map(|flag| format!("Did you mean --{flag}? "));
                format!("{}{}", guess.unwrap_or_default(), self.help())
            }
            (None, None) => self.help(),
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
