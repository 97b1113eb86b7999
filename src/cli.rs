//! The arguments. Each flag is also a `STATEGATE_` variable and an input of the action, with the
//! same words; an empty or blank value, on the command line or in the environment, means "not given".

mod foreign;
mod help;
mod mistake;
mod similar;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::SignedDuration;

pub use mistake::{Mistake, mistake};

/// Stands in front of Terraform (or OpenTofu) state in S3: takes Terraform's own lock, posts the
/// plan to the pull request, applies only what was approved, and unlocks safely.
#[derive(Debug, Parser)]
#[command(name = "stategate", version, max_term_width = 100, after_help = help::STATEGATE)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plan under the lock and tell the pull request.
    ///
    /// Initialises the root module, takes Terraform's own lock, plans, posts the comment, writes
    /// the reviewed-plan record beside the state and releases the lock.
    #[command(after_help = help::PLAN)]
    Plan(PlanCommand),
    /// Apply what was approved, and nothing else.
    ///
    /// Finds the merged pull request behind the pushed commit, asks the gate, plans again under
    /// the lock, compares with what was reviewed, asks the gate again and applies.
    #[command(after_help = help::APPLY)]
    Apply(ApplyCommand),
    /// Remove exactly one lock, after showing whose it is.
    ///
    /// A run of GitHub Actions must be proven over, or --force given. For a lock that was taken
    /// anywhere else, naming its ID is your word that its holder is dead. Without --lock-id (or
    /// --etag) it only shows the holder, and exits 10 when the state is locked.
    #[command(after_help = help::UNLOCK)]
    Unlock(UnlockCommand),
    /// Release what this run and attempt still holds: the action's clean-up step.
    ///
    /// Waits until the job's Terraform is dead, for four minutes at most, and then removes the
    /// lock that the job took, and no other. Outside GitHub Actions it does nothing.
    #[command(after_help = help::RELEASE)]
    Release(ReleaseCommand),
    /// Freeze a state for maintenance, until somebody unlocks it.
    ///
    /// Takes the lock and leaves it. Plan and apply, and Terraform on laptops, then show the
    /// reason to whoever comes.
    #[command(after_help = help::LOCK)]
    Lock(LockCommand),
    /// Who holds the lock, since when, is that run alive, and what to do.
    ///
    /// It only looks: nothing is locked, changed or removed.
    #[command(after_help = help::STATUS)]
    Status(StatusCommand),
    /// Print the pull request comment for a plan JSON.
    ///
    /// Reads what `terraform show -json PLANFILE` printed. Needs no AWS, GitHub or Terraform.
    #[command(after_help = help::RENDER)]
    Render(RenderCommand),
    /// Print a completion script for a shell.
    #[command(after_help = help::COMPLETIONS)]
    Completions(CompletionsCommand),
    /// Print a manual page.
    #[command(after_help = help::MAN)]
    Man(ManCommand),
}

/// `stategate plan`.
#[derive(Debug, Args)]
#[expect(missing_docs, reason = "each field is a group of flags, documented at its own type")]
pub struct PlanCommand {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub planning: Planning,
    #[command(flatten)]
    pub locking: Locking,
    #[command(flatten)]
    pub gate: Gate,
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `stategate apply`.
#[derive(Debug, Args)]
#[expect(missing_docs, reason = "each field is a group of flags, documented at its own type")]
pub struct ApplyCommand {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub planning: Planning,
    /// Further arguments for `terraform apply`, split as a shell would.
    #[arg(long, value_name = "ARGS", help_heading = "Terraform", value_parser = words, allow_hyphen_values = true)]
    pub apply_args: Option<Words>,
    #[command(flatten)]
    pub locking: Locking,
    #[command(flatten)]
    pub gate: Gate,
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `stategate unlock`.
#[derive(Debug, Args)]
pub struct UnlockCommand {
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at its own type")]
    pub target: Target,
    /// The ID of the lock to remove, as `status` shows it.
    #[arg(long, help_heading = "Unlocking", value_name = "ID")]
    pub lock_id: Option<String>,
    /// The `ETag` of the lock to remove, for a lock whose body cannot be read.
    #[arg(long, help_heading = "Unlocking", value_name = "ETAG")]
    pub etag: Option<String>,
    /// Why the lock is removed; it is kept in the audit record and told to the holder's pull request.
    #[arg(long, help_heading = "Unlocking", value_name = "TEXT")]
    pub reason: Option<String>,
    /// Remove the lock though its holder may be alive. The state may be damaged by it.
    #[arg(long, help_heading = "Unlocking", action = ArgAction::Set, default_value_t = false)]
    pub force: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at its own type")]
    pub reporting: Reporting,
}

/// `stategate release`.
#[derive(Debug, Args)]
#[expect(missing_docs, reason = "each field is a group of flags, documented at its own type")]
pub struct ReleaseCommand {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub reporting: Reporting,
}

/// `stategate lock`.
#[derive(Debug, Args)]
pub struct LockCommand {
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at its own type")]
    pub target: Target,
    /// Why the state is frozen; plan and apply show it to whoever waits.
    #[arg(long, help_heading = "Lock", value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at its own type")]
    pub locking: Locking,
}

/// `stategate status`.
#[derive(Debug, Args)]
pub struct StatusCommand {
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at its own type")]
    pub target: Target,
    /// Print JSON for other programs.
    #[arg(long, help_heading = "Output", action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
}

/// `stategate render`.
#[derive(Debug, Args)]
pub struct RenderCommand {
    /// The plan JSON of `terraform show -json PLANFILE`; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub plan_json: PathBuf,
    /// The most characters (Unicode code points) that the comment may have.
    #[arg(long, value_name = "CHARS", default_value_t = 65_000, value_parser = number::<usize>, allow_negative_numbers = true)]
    pub budget: usize,
    /// Print the summary as JSON instead.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
    /// The root module that the verdict line names.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub working_directory: String,
    /// The workspace that the verdict line names.
    #[arg(long, value_name = "NAME")]
    pub workspace: Option<String>,
    /// The environment that the verdict line names.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Tells this comment from others on the same pull request.
    #[arg(long, value_name = "TEXT")]
    pub comment_id: Option<String>,
}

/// `stategate completions`.
#[derive(Debug, Args)]
pub struct CompletionsCommand {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// `stategate man`.
#[derive(Debug, Args)]
pub struct ManCommand {
    /// The command whose page is wanted; without it, the page of stategate.
    #[arg(value_name = "COMMAND", value_parser = ["plan", "apply", "unlock", "release", "lock", "status", "render", "completions", "man"])]
    pub command: Option<String>,
}

/// Which state, and how Terraform is run for it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Terraform")]
pub struct Target {
    /// The root module's directory.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub working_directory: PathBuf,
    /// The workspace; without it, Terraform's own choice (`TF_WORKSPACE`, the selected one, `default`).
    #[arg(long, value_name = "NAME")]
    pub workspace: Option<String>,
    /// The GitHub environment that this state belongs to.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// The Terraform or OpenTofu executable; without it `terraform` from PATH, else `tofu`.
    #[arg(long, value_name = "PATH")]
    pub terraform_bin: Option<PathBuf>,
    /// Whether to run `terraform init` first.
    #[arg(long, action = ArgAction::Set, default_value_t = true)]
    pub init: bool,
    /// Further arguments for `terraform init`, split as a shell would.
    #[arg(long, value_name = "ARGS", value_parser = words, allow_hyphen_values = true)]
    pub init_args: Option<Words>,
}

/// How the plan is made.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Terraform")]
pub struct Planning {
    /// Further arguments for `terraform plan`, split as a shell would.
    #[arg(long, value_name = "ARGS", value_parser = plan_words, allow_hyphen_values = true)]
    pub plan_args: Option<Words>,
}

/// How the lock is waited for.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Lock")]
pub struct Locking {
    /// How long to wait for a held lock, such as 30s, 10m or 1h; 0s does not wait.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub lock_timeout: SignedDuration,
    /// Remove the lock of a holder that GitHub proves dead, instead of waiting for it.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub break_stale_lock: bool,
}

/// What an apply needs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Approval")]
pub struct Gate {
    /// How many people must have approved.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number::<u32>, allow_negative_numbers = true)]
    pub required_approvals: u32,
    /// Users and teams (`org/team`) whose approval counts, separated by commas; empty: anyone who can write.
    #[arg(long, value_name = "LIST")]
    pub approvers: Option<String>,
    /// What an approval is for: the very commit, or also an earlier commit with the same content.
    #[arg(long, value_enum, default_value_t = ApprovalBindsTo::Commit, value_name = "commit|content", hide_possible_values = true)]
    pub approval_binds_to: ApprovalBindsTo,
    /// Whether this run must have been approved for --environment by a required reviewer.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub require_environment_approval: bool,
    /// Whether a commit that no pull request stands behind may be applied.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub allow_direct_push: bool,
    /// What to do when the plan is no longer the one that was reviewed.
    #[arg(long, value_enum, default_value_t = OnPlanChange::Fail, value_name = "fail|apply", hide_possible_values = true)]
    pub on_plan_change: OnPlanChange,
    /// The pull request, where the event does not name one (`workflow_dispatch`).
    #[arg(long, value_name = "N", value_parser = number::<u64>, allow_negative_numbers = true)]
    pub pull_request: Option<u64>,
}

/// Where the result is told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reporting")]
pub struct Reporting {
    /// Whether to comment on the pull request; `changes-only` leaves plans without changes out.
    #[arg(long, value_parser = comment_mode(), default_value = "true", value_name = "true|false|changes-only", hide_possible_values = true)]
    pub comment: CommentMode,
    /// Tells this comment from others on the same pull request; without it `<working directory>@<workspace>`.
    #[arg(long, value_name = "TEXT")]
    pub comment_id: Option<String>,
    /// Whether to write the job summary.
    #[arg(long, action = ArgAction::Set, default_value_t = true)]
    pub summary: bool,
}

impl Locking {
    /// How long a lock is waited for where nobody says it.
    pub const USUAL_TIMEOUT: SignedDuration = SignedDuration::from_mins(10);
}

impl Reporting {
    /// Nowhere.
    pub const NONE: Self = Self { comment: CommentMode::Never, comment_id: None, summary: false };
}

/// `--approval-binds-to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ApprovalBindsTo {
    /// Only approvals of the merged head commit count.
    Commit,
    /// Approvals of an earlier commit count too, when nothing that reaches the apply changed since.
    Content,
}

/// `--on-plan-change`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnPlanChange {
    /// Refuse with exit code 12.
    Fail,
    /// The approval is enough: apply the fresh plan.
    Apply,
}

/// `--comment`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommentMode {
    /// Always.
    Always,
    /// Never.
    Never,
    /// Only when the plan has changes, or a comment of ours is there already.
    ChangesOnly,
}

/// Arguments for Terraform, already split.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

/// Reads the command line and the `STATEGATE_` variables.
///
/// # Errors
/// clap's own error, which prints itself: usage errors (exit code 2), `--help` and `--version`.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    // A composite action passes every input, those not given as empty variables.
    let is_given = |variable: &str| std::env::var_os(variable).is_some_and(|value| !is_blank(&value));
    let matches = with_variables(is_given).try_get_matches_from(without_empty_values(arguments))?;
    Cli::from_arg_matches(&matches)
}

/// The command line's definition, for completions, the manual page, the reference and tests.
pub fn definition() -> clap::Command {
    with_variables(|_| true)
}

/// What a command takes like the others, so that the same arguments name the same state
/// everywhere, and has no use for. Its help does not list it.
const WITHOUT_USE: [(&str, &[&str]); 5] = [
    ("plan", &["allow-direct-push", "on-plan-change"]),
    ("unlock", &["summary"]),
    ("release", &["terraform-bin", "init", "init-args"]),
    ("lock", &["environment"]),
    ("status", &["environment"]),
];

/// Each flag with the variable that has its name, where that is wanted; one that is true or false
/// alone means true.
fn with_variables(is_wanted: impl Fn(&str) -> bool) -> clap::Command {
    Cli::command().mut_subcommands(|command| {
        let without_use = WITHOUT_USE.iter().find(|(name, _)| *name == command.get_name());
        let without_use = without_use.map_or([].as_slice(), |(_, flags)| flags);
        command.mut_args(|arg| {
            let Some(long) = arg.get_long().map(str::to_owned) else { return arg };
            let variable = variable_of(&long);
            let arg = if takes_true(&arg) { arg.num_args(0..=1).default_missing_value("true") } else { arg };
            let arg = if is_switch(&arg) { arg.value_name("true|false").hide_possible_values(true) } else { arg };
            let arg = arg.hide(without_use.contains(&long.as_str()));
            // The footer says it once for all.
            if is_wanted(&variable) { arg.env(variable).hide_env(true) } else { arg }
        })
    })
}

/// The variable of a flag.
fn variable_of(long: &str) -> String {
    format!("STATEGATE_{}", long.to_uppercase().replace('-', "_"))
}

/// Variables that are no flag: the action's own, and those that the tests set.
const NO_FLAGS: [&str; 5] = ["COMMAND", "BINARY_PATH", "DOWNLOAD_BASE_URL", "GITHUB_TOKEN", "UPDATE_README"];

/// Which of these variables would be ours and are none, each with the one that may have been meant.
pub fn unknown_variables(names: impl IntoIterator<Item = String>) -> Vec<(String, Option<String>)> {
    let ours = |name: &String| name.starts_with("STATEGATE_") && !name.starts_with("STATEGATE_TEST_");
    let mut names: Vec<String> = names.into_iter().filter(ours).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let whole = definition();
    let flags = whole.get_subcommands().flat_map(clap::Command::get_arguments).filter_map(Arg::get_long);
    let known: BTreeSet<String> = flags.map(variable_of).chain(NO_FLAGS.map(variable_of)).collect();
    names.retain(|name| !known.contains(name));
    names.sort();
    let as_flag = |name: &String| name.trim_start_matches("STATEGATE_").to_lowercase().replace('_', "-");
    let flags: Vec<String> = known.iter().map(as_flag).collect();
    let near = |name: &String| similar::flag(&as_flag(name), flags.iter().map(String::as_str)).map(variable_of);
    names.into_iter().map(|name| (name.clone(), near(&name))).collect()
}

fn takes_true(arg: &Arg) -> bool {
    arg.get_possible_values().iter().any(|value| value.matches("true", false))
}

fn is_switch(arg: &Arg) -> bool {
    takes_true(arg) && arg.get_possible_values().len() == 2
}

/// Nothing but white space says nothing: a reason of one space would be none.
fn is_blank(value: &OsStr) -> bool {
    value.to_str().is_some_and(|text| text.trim().is_empty())
}

fn without_empty_values(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut kept: Vec<OsString> = Vec::new();
    for argument in arguments {
        if is_blank(&argument) {
            let is_flag = kept
                .last()
                .and_then(|last| last.to_str())
                .is_some_and(|last| last.starts_with("--") && !last.contains('='));
            if is_flag {
                kept.pop();
            }
            continue;
        }
        let empty_flag = argument
            .to_str()
            .and_then(|text| text.strip_prefix("--")?.split_once('='))
            .is_some_and(|(_, value)| value.trim().is_empty());
        if !empty_flag {
            kept.push(argument);
        }
    }
    kept
}

fn comment_mode() -> impl TypedValueParser<Value = CommentMode> {
    PossibleValuesParser::new(["true", "false", "changes-only"]).map(|value| match value.as_str() {
        "false" => CommentMode::Never,
        "changes-only" => CommentMode::ChangesOnly,
        _ => CommentMode::Always,
    })
}

fn words(text: &str) -> Result<Words, String> {
    shell_words::split(text).map(Words).map_err(|error| format!("{error}; quote it as for a shell"))
}

/// Arguments of `terraform plan`, of whose flags one cannot have its effect.
fn plan_words(text: &str) -> Result<Words, String> {
    let words = words(text)?;
    let is_out = |word: &String| {
        let flag = word.strip_prefix("--").or(word.strip_prefix('-')).unwrap_or_default();
        flag.split('=').next() == Some("out")
    };
    if words.0.iter().any(is_out) {
        return Err("stategate writes a plan file of its own and deletes it, so `-out` would write none; leave it out"
            .to_owned());
    }
    Ok(words)
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.trim().parse().ok().ok_or_else(|| "it is not a whole number, such as 0, 1 or 42".to_owned())
}

/// Go's and people's notation: `90s`, `10m`, `1h30m`, and a plain `0`.
fn duration(text: &str) -> Result<SignedDuration, String> {
    let text = text.trim();
    let duration = if text == "0" { Ok(SignedDuration::ZERO) } else { text.parse::<SignedDuration>() };
    match duration {
        Ok(duration) if !duration.is_negative() => Ok(duration),
        Ok(_) => Err("it is negative; give 0s to not wait at all".to_owned()),
        Err(_) => Err("it is not a duration; write it as 30s, 10m or 1h30m".to_owned()),
    }
}
