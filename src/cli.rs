//! The arguments. Each flag is also a `STATEGATE_` variable and an input of the action, with the
//! same words; an empty value, on the command line or in the environment, means "not given".

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;

/// Stands in front of Terraform (or OpenTofu) state in S3: takes Terraform's own lock, posts the
/// plan to the pull request, applies only what was approved, and unlocks safely.
#[derive(Debug, Parser)]
#[command(name = "stategate", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
    0  done                          14  Terraform failed
    1  unexpected                    20  AWS
    2  usage                         21  GitHub
   10  the lock is held             130  cancelled
   11  approval missing
   12  the plan is not the one reviewed
   13  our lock was taken from us

Every flag can be given as a variable too: --lock-timeout is STATEGATE_LOCK_TIMEOUT.
The GitHub token is only ever read from STATEGATE_GITHUB_TOKEN (or GITHUB_TOKEN).";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plan under the lock and tell the pull request.
    ///
    /// Initialises the root module, takes Terraform's own lock, plans, posts the comment, writes
    /// the reviewed-plan record beside the state and releases the lock.
    Plan(PlanCommand),
    /// Apply what was approved, and nothing else.
    ///
    /// Finds the merged pull request behind the pushed commit, asks the gate, plans again under
    /// the lock, compares with what was reviewed, asks the gate again and applies.
    Apply(ApplyCommand),
    /// Remove exactly one lock, after showing whose it is.
    ///
    /// A run of GitHub Actions must be proven over, or --force given. For a lock that was taken
    /// anywhere else, naming its ID is your word that its holder is dead. Without --lock-id (or
    /// --etag) it only shows the holder, and exits 10 when the state is locked.
    Unlock(UnlockCommand),
    /// The clean-up step: release what this run and attempt still holds.
    Release(ReleaseCommand),
    /// Freeze a state for maintenance: plan and apply report it as such.
    Lock(LockCommand),
    /// Who holds the lock, since when, is that run alive, and what to do.
    Status(StatusCommand),
    /// Print the pull request comment for a plan JSON. Needs no AWS, GitHub or Terraform.
    Render(RenderCommand),
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
    #[arg(long, env = "STATEGATE_APPLY_ARGS", value_name = "ARGS", help_heading = "Terraform", value_parser = words, allow_hyphen_values = true)]
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
    #[arg(long, env = "STATEGATE_LOCK_ID", value_name = "ID")]
    pub lock_id: Option<String>,
    /// The `ETag` of the lock to remove, for a lock whose body cannot be read.
    #[arg(long, env = "STATEGATE_ETAG", value_name = "ETAG")]
    pub etag: Option<String>,
    /// Why the lock is removed; it is kept in the audit record and told to the holder's pull request.
    #[arg(long, env = "STATEGATE_REASON", value_name = "TEXT")]
    pub reason: Option<String>,
    /// Remove the lock though its holder may be alive. The state may be damaged by it.
    #[arg(long, env = "STATEGATE_FORCE", value_parser = boolean(), num_args = 0..=1, default_missing_value = "true", default_value = "false", value_name = "true|false")]
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
    #[arg(long, env = "STATEGATE_REASON", value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at its own type")]
    pub locking: Locking,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at its own type")]
    pub reporting: Reporting,
}

/// `stategate status`.
#[derive(Debug, Args)]
pub struct StatusCommand {
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at its own type")]
    pub target: Target,
    /// Print JSON for other programs.
    #[arg(long, env = "STATEGATE_JSON", value_parser = boolean(), num_args = 0..=1, default_missing_value = "true", default_value = "false", value_name = "true|false")]
    pub json: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented at its own type")]
    pub reporting: Reporting,
}

/// `stategate render`.
#[derive(Debug, Args)]
pub struct RenderCommand {
    /// The plan JSON of `terraform show -json PLANFILE`; `-` reads standard input.
    #[arg(long, env = "STATEGATE_PLAN_JSON", value_name = "FILE")]
    pub plan_json: PathBuf,
    /// The most characters (Unicode code points) that the comment may have.
    #[arg(long, env = "STATEGATE_BUDGET", value_name = "CHARS", default_value_t = 65_000)]
    pub budget: usize,
    /// Print the summary as JSON instead.
    #[arg(long, env = "STATEGATE_JSON", value_parser = boolean(), num_args = 0..=1, default_missing_value = "true", default_value = "false", value_name = "true|false")]
    pub json: bool,
    /// The root module that the verdict line names.
    #[arg(long, env = "STATEGATE_WORKING_DIRECTORY", value_name = "DIR", default_value = ".")]
    pub working_directory: String,
    /// The workspace that the verdict line names.
    #[arg(long, env = "STATEGATE_WORKSPACE", value_name = "NAME")]
    pub workspace: Option<String>,
    /// The environment that the verdict line names.
    #[arg(long, env = "STATEGATE_ENVIRONMENT", value_name = "NAME")]
    pub environment: Option<String>,
    /// Tells this comment from others on the same pull request.
    #[arg(long, env = "STATEGATE_COMMENT_ID", value_name = "TEXT")]
    pub comment_id: Option<String>,
}

/// Which state, and how Terraform is run for it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Terraform")]
pub struct Target {
    /// The root module's directory.
    #[arg(long, env = "STATEGATE_WORKING_DIRECTORY", value_name = "DIR", default_value = ".")]
    pub working_directory: PathBuf,
    /// The workspace; without it, Terraform's own choice (`TF_WORKSPACE`, the selected one, `default`).
    #[arg(long, env = "STATEGATE_WORKSPACE", value_name = "NAME")]
    pub workspace: Option<String>,
    /// The GitHub environment that this state belongs to.
    #[arg(long, env = "STATEGATE_ENVIRONMENT", value_name = "NAME")]
    pub environment: Option<String>,
    /// The Terraform or OpenTofu executable; without it `terraform` from PATH, else `tofu`.
    #[arg(long, env = "STATEGATE_TERRAFORM_BIN", value_name = "PATH")]
    pub terraform_bin: Option<PathBuf>,
    /// Whether to run `terraform init` first.
    #[arg(long, env = "STATEGATE_INIT", value_parser = boolean(), num_args = 0..=1, default_missing_value = "true", default_value = "true", value_name = "true|false")]
    pub init: bool,
    /// Further arguments for `terraform init`, split as a shell would.
    #[arg(long, env = "STATEGATE_INIT_ARGS", value_name = "ARGS", value_parser = words, allow_hyphen_values = true)]
    pub init_args: Option<Words>,
}

/// How the plan is made.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Terraform")]
pub struct Planning {
    /// Further arguments for `terraform plan`, split as a shell would.
    #[arg(long, env = "STATEGATE_PLAN_ARGS", value_name = "ARGS", value_parser = words, allow_hyphen_values = true)]
    pub plan_args: Option<Words>,
}

/// How the lock is waited for.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Lock")]
pub struct Locking {
    /// How long to wait for a held lock, such as 30s, 10m or 1h; 0s does not wait.
    #[arg(long, env = "STATEGATE_LOCK_TIMEOUT", value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub lock_timeout: SignedDuration,
    /// Remove the lock of a holder that GitHub proves dead, instead of waiting for it.
    #[arg(long, env = "STATEGATE_BREAK_STALE_LOCK", value_parser = boolean(), num_args = 0..=1, default_missing_value = "true", default_value = "false", value_name = "true|false")]
    pub break_stale_lock: bool,
}

/// What an apply needs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Approval")]
pub struct Gate {
    /// How many people must have approved.
    #[arg(long, env = "STATEGATE_REQUIRED_APPROVALS", value_name = "N", default_value_t = 1)]
    pub required_approvals: u32,
    /// Users and teams (`org/team`) whose approval counts, separated by commas; empty: anyone who can write.
    #[arg(long, env = "STATEGATE_APPROVERS", value_name = "LIST")]
    pub approvers: Option<String>,
    /// What an approval is for: the very commit, or also an earlier commit with the same content.
    #[arg(long, env = "STATEGATE_APPROVAL_BINDS_TO", value_enum, default_value_t = ApprovalBindsTo::Commit, value_name = "commit|content", hide_possible_values = true)]
    pub approval_binds_to: ApprovalBindsTo,
    /// Whether this run must have been approved for --environment by a required reviewer.
    #[arg(long, env = "STATEGATE_REQUIRE_ENVIRONMENT_APPROVAL", value_parser = boolean(), num_args = 0..=1, default_missing_value = "true", default_value = "false", value_name = "true|false")]
    pub require_environment_approval: bool,
    /// Whether a commit that no pull request stands behind may be applied.
    #[arg(long, env = "STATEGATE_ALLOW_DIRECT_PUSH", value_parser = boolean(), num_args = 0..=1, default_missing_value = "true", default_value = "false", value_name = "true|false")]
    pub allow_direct_push: bool,
    /// What to do when the plan is no longer the one that was reviewed.
    #[arg(long, env = "STATEGATE_ON_PLAN_CHANGE", value_enum, default_value_t = OnPlanChange::Fail, value_name = "fail|apply", hide_possible_values = true)]
    pub on_plan_change: OnPlanChange,
    /// The pull request, where the event does not name one (`workflow_dispatch`).
    #[arg(long, env = "STATEGATE_PULL_REQUEST", value_name = "N")]
    pub pull_request: Option<u64>,
}

/// Where the result is told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reporting")]
pub struct Reporting {
    /// Whether to comment on the pull request; `changes-only` leaves plans without changes out.
    #[arg(long, env = "STATEGATE_COMMENT", value_parser = comment_mode(), num_args = 0..=1, default_missing_value = "true", default_value = "true", value_name = "true|false|changes-only", hide_possible_values = true)]
    pub comment: CommentMode,
    /// Tells this comment from others on the same pull request; without it `<working directory>@<workspace>`.
    #[arg(long, env = "STATEGATE_COMMENT_ID", value_name = "TEXT")]
    pub comment_id: Option<String>,
    /// Whether to write the job summary.
    #[arg(long, env = "STATEGATE_SUMMARY", value_parser = boolean(), num_args = 0..=1, default_missing_value = "true", default_value = "true", value_name = "true|false")]
    pub summary: bool,
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
    let command = without_empty_variables(Cli::command());
    let matches = command.try_get_matches_from(without_empty_values(arguments))?;
    Cli::from_arg_matches(&matches)
}

/// The command line's definition, for completions, the manual page and tests.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// A composite action passes every input, those not given as empty variables. clap cannot take a
/// variable back from a flag, so such a flag gets the name of one that nobody sets.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    command.mut_subcommands(|subcommand| {
        subcommand.mut_args(|arg| {
            let empty = arg.get_env().is_some_and(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()));
            if empty { arg.env("STATEGATE_").hide_env(true) } else { arg }
        })
    })
}

fn without_empty_values(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut kept: Vec<OsString> = Vec::new();
    for argument in arguments {
        if argument.is_empty() {
            let is_flag = kept
                .last()
                .and_then(|last| last.to_str())
                .is_some_and(|last| last.starts_with("--") && !last.contains('='));
            if is_flag {
                kept.pop();
            }
            continue;
        }
        let empty_flag =
            argument.to_str().is_some_and(|text| text.starts_with("--") && text.find('=') == Some(text.len() - 1));
        if !empty_flag {
            kept.push(argument);
        }
    }
    kept
}

fn boolean() -> impl TypedValueParser<Value = bool> {
    PossibleValuesParser::new(["true", "false"]).map(|value| value == "true")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Result<Cli, clap::Error> {
        parse(shell_words::split(&format!("stategate {line}")).unwrap().into_iter().map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn a_boolean_alone_means_true_and_an_empty_value_means_not_given() {
        let check = |line: &str, expected: bool| match parse_words(line).unwrap().command {
            Command::Plan(plan) => assert_eq!(plan.target.init, expected, "{line}"),
            _ => unreachable!(),
        };
        check("plan", true);
        check("plan --init", true);
        check("plan --init false", false);
        check("plan --init=false", false);
        check("plan --init ''", true);
        check("plan --init=", true);
        check("plan --workspace '' --init=false", false);
    }

    #[test]
    fn usage_errors_name_the_flag_and_exit_with_2() {
        for (line, named) in [
            ("plan --init maybe", "--init"),
            ("plan --lock-timeout soon", "--lock-timeout"),
            ("plan --lock-timeout=-5s", "--lock-timeout"),
            ("plan --unknown", "--unknown"),
            ("plan --plan-args \"'\"", "--plan-args"),
            ("apply --required-approvals many", "--required-approvals"),
            ("frobnicate", "frobnicate"),
        ] {
            let error = parse_words(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn durations() {
        let check = |text: &str, seconds: i64| assert_eq!(duration(text).unwrap().as_secs(), seconds, "{text}");
        check("0", 0);
        check("0s", 0);
        check("30s", 30);
        check("10m", 600);
        check("1h30m", 5400);
    }
}
