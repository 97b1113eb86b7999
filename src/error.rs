//! The one table of errors: what happened, why, what to do next, and the exit code.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::core::approval::ApproverError;
use crate::core::backend::BackendError;
use crate::core::comment::Phase;
use crate::core::plan::PlanError;
use crate::core::record::RecordError;
use crate::core::refusal::Refusal;
use crate::shell::github::GitHubError;
use crate::shell::lock_store::AwsError;
use crate::shell::runner::{EventError, FootprintError};
use crate::shell::terraform::TerraformError;

/// The exit codes of the contract.
pub mod code {
    /// Something that should not happen.
    pub const UNEXPECTED: u8 = 1;
    /// A flag, a variable, the root module or the workflow is not usable as it is.
    pub const USAGE: u8 = 2;
    /// Somebody else holds the lock.
    pub const LOCK_HELD: u8 = 10;
    /// The gate blocks.
    pub const APPROVAL_MISSING: u8 = 11;
    /// The plan is not the one that was reviewed.
    pub const PLAN_CHANGED: u8 = 12;
    /// Our lock was taken from us.
    pub const LOCK_LOST: u8 = 13;
    /// Terraform failed, or is not there.
    pub const TERRAFORM: u8 = 14;
    /// AWS refused or did not answer.
    pub const AWS: u8 = 20;
    /// GitHub refused or did not answer.
    pub const GITHUB: u8 = 21;
    /// A person or the runner cancelled.
    pub const CANCELLED: u8 = 130;
}

/// Everything that can go wrong, as people are told it.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say what each variant and field is")]
pub enum Error {
    #[error("unexpected: {0}")]
    Unexpected(String),
    #[error("failed to listen for signals: {0}")]
    Signals(io::Error),
    #[error("failed to write the output: {0}")]
    Output(io::Error),
    #[error("failed to make a temporary directory: {0}")]
    TemporaryDirectory(io::Error),
    #[error(transparent)]
    Footprint(#[from] FootprintError),

    #[error("failed to read {path}: {source}")]
    FileUnreadable { path: PathBuf, source: io::Error },
    #[error("--approvers: {0}")]
    Approvers(#[from] ApproverError),
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("this run is not for a pull request: its event is `{event}`")]
    NotAPullRequest { event: String },
    #[error("nothing can be applied on the event `{event}` of {git_ref}")]
    NotAppliable { event: String, git_ref: String },
    #[error("`pull_request_target` is refused: it would run the pull request's code with write access and secrets")]
    PullRequestTarget,
    #[error("`{command}` needs --reason")]
    ReasonMissing { command: &'static str },
    #[error("failed to read the plan JSON: {0}")]
    PlanJson(#[from] PlanError),
    #[error("{directory} is not initialised: it has no .terraform/terraform.tfstate")]
    NotInitialised { directory: PathBuf, init: bool },
    #[error(
        "the workspace {workspace} has no state yet, and its state is encrypted: only OpenTofu can write one that it reads again"
    )]
    EncryptedWorkspace { workspace: String },
    #[error("failed to read .terraform/terraform.tfstate: {0}")]
    BackendFile(io::Error),
    #[error(transparent)]
    Backend(#[from] BackendError),

    #[error("the state is locked by {holder}")]
    Locked { holder: String, next_step: String },
    #[error("the state is frozen for maintenance by {who}{since}: {reason}")]
    Frozen { who: String, since: String, reason: String, next_step: String },
    #[error("nothing was removed: no lock was named")]
    OnlyShown,
    #[error("the lock {given} is not there: the state is locked by {holder}")]
    OtherLock { given: String, holder: String },
    #[error("the lock's holder may be alive: {holder}")]
    HolderAlive { holder: String, why: String },
    #[error("the lock changed since it was shown: {now}")]
    LockChanged { now: String },
    #[error("this run's Terraform is still at work (process {pid}); its lock stays")]
    StillAtWork { pid: u32 },
    #[error(
        "this run was killed while it started its apply, and whether that is dead cannot be told; the lock {id} stays"
    )]
    UntracedApply { id: String },
    #[error("this run may still hold the lock {id}, and its backend cannot be read any more")]
    NotReleased { id: String },
    #[error("our lock {id} on {path} was taken from us: {found}")]
    LockLost { id: String, path: String, found: String },
    #[error("the lock {id} on {path} could not be released: {source}")]
    LockNotReleased { id: String, path: String, source: Box<AwsError> },
    #[error("what was done could not be written to the audit trail: {0}")]
    NotRecorded(AwsError),

    #[error("the approval is missing: {}", .reasons.join("; "))]
    Blocked { reasons: Vec<String>, next_step: String },
    #[error("the checked-out commit is {checked_out}, and the gate decides about {wanted}")]
    OtherCheckout { checked_out: String, wanted: String },
    #[error("the plan is not the one that was reviewed: {}", .differences.join("; "))]
    PlanChanged { differences: Vec<String> },
    #[error(transparent)]
    Record(#[from] RecordError),

    #[error(transparent)]
    Terraform(#[from] TerraformError),
    #[error("{refusal} ({command} exited with code {code})")]
    InitRefusedByAws { refusal: Refusal, command: String, code: i32, stderr: String },
    #[error("terraform apply failed, and its state could not be uploaded; {rescued}")]
    StateNotUploaded { rescued: String, stderr: String, next_step: String },
    #[error("{path} is left over from an apply whose state could not be uploaded")]
    OldErroredState { path: PathBuf },
    #[error("the state {key} cannot be read: {why}")]
    StateUnreadable { key: String, why: String },
    #[error("{0}")]
    Aws(#[from] AwsError),
    #[error("GitHub: {0}")]
    GitHub(#[from] GitHubError),
    #[error("no token for GitHub: STATEGATE_GITHUB_TOKEN is not set")]
    TokenMissing,
    #[error("{actor} may not unlock: it needs write access to {repository}")]
    MayNotUnlock { actor: String, repository: String },
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// The exit code, as the contract has it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Unexpected(_)
            | Error::Signals(_)
            | Error::Output(_)
            | Error::TemporaryDirectory(_)
            | Error::Footprint(_)
            | Error::Terraform(TerraformError::Output { .. }) => code::UNEXPECTED,
            Error::FileUnreadable { .. }
            | Error::Approvers(_)
            | Error::Event(_)
            | Error::NotAPullRequest { .. }
            | Error::NotAppliable { .. }
            | Error::PullRequestTarget
            | Error::ReasonMissing { .. }
            | Error::PlanJson(_)
            | Error::NotInitialised { .. }
            | Error::EncryptedWorkspace { .. }
            | Error::BackendFile(_)
            | Error::Backend(_)
            | Error::Terraform(
                TerraformError::NoDirectory { .. }
                | TerraformError::NotADirectory { .. }
                | TerraformError::Wrapper { .. },
            ) => code::USAGE,
            Error::Locked { .. }
            | Error::Frozen { .. }
            | Error::OnlyShown
            | Error::OtherLock { .. }
            | Error::HolderAlive { .. }
            | Error::LockChanged { .. }
            | Error::StillAtWork { .. }
            | Error::UntracedApply { .. }
            | Error::NotReleased { .. } => code::LOCK_HELD,
            Error::Blocked { .. } | Error::OtherCheckout { .. } | Error::MayNotUnlock { .. } => code::APPROVAL_MISSING,
            Error::PlanChanged { .. } | Error::Record(_) => code::PLAN_CHANGED,
            Error::LockLost { .. } => code::LOCK_LOST,
            Error::Terraform(_)
            | Error::StateNotUploaded { .. }
            | Error::OldErroredState { .. }
            | Error::StateUnreadable { .. } => code::TERRAFORM,
            Error::InitRefusedByAws { .. } | Error::Aws(_) | Error::LockNotReleased { .. } | Error::NotRecorded(_) => {
                code::AWS
            }
            Error::GitHub(_) | Error::TokenMissing => code::GITHUB,
            Error::Cancelled => code::CANCELLED,
        }
    }

    /// What to do next.
    #[expect(clippy::match_same_arms, reason = "a table has a row for each error")]
    pub fn hint(&self) -> String {
        match self {
            Error::Unexpected(_) | Error::Signals(_) | Error::Output(_) => "Run again; if it comes back, report it with the log.".to_owned(),
            Error::TemporaryDirectory(_) | Error::Footprint(_) => "See that RUNNER_TEMP (or TMPDIR) exists and can be written.".to_owned(),
            Error::FileUnreadable { .. } => "Give the path of what `terraform show -json PLANFILE` printed, or - for standard input.".to_owned(),
            Error::Approvers(_) => "Give logins and org/team names, separated by commas.".to_owned(),
            Error::Event(_) => "Run it in a step of a GitHub Actions job, or without GITHUB_ACTIONS on a laptop.".to_owned(),
            Error::NotAPullRequest { .. } => "Run `plan` on `pull_request`, name one with --pull-request, or give --comment false to plan without one.".to_owned(),
            Error::NotAppliable { .. } => "Run `apply` on a push to a branch, on `pull_request: closed` of a merged one, or on `workflow_dispatch` of a branch.".to_owned(),
            Error::PullRequestTarget => "Use `on: pull_request`.".to_owned(),
            Error::ReasonMissing { command } => format!("Say why, with the same arguments: stategate {command} … --reason \"TEXT\"; it is kept in the audit record."),
            Error::PlanJson(error) => error.hint().to_owned(),
            Error::NotInitialised { init: false, .. } => "Run `terraform init` there, or leave --init at true.".to_owned(),
            Error::NotInitialised { init: true, .. } => {
                "Add `backend \"s3\" { bucket, key, region, use_lockfile = true }` to the `terraform` block: without a backend block the state is a local file.".to_owned()
            }
            Error::EncryptedWorkspace { workspace } => {
                format!("In the root module, where the key is at hand: `tofu workspace new {workspace}`, once; then run this again.")
            }
            Error::BackendFile(_) => "See that .terraform can be read, or run `terraform init -reconfigure`.".to_owned(),
            Error::Backend(error) => error.hint(),
            Error::Locked { next_step, .. } | Error::Frozen { next_step, .. } => next_step.clone(),
            Error::OnlyShown => "See `next` above, or run it again once the holder has ended.".to_owned(),
            Error::OtherLock { .. } => "Nothing was touched. See `stategate status` for the ID that holds the state now.".to_owned(),
            Error::HolderAlive { .. } => "Wait for it, or cancel that run and wait six minutes. --force removes the lock all the same; a Terraform that is still at work may then damage the state.".to_owned(),
            Error::LockChanged { .. } => "Nothing was touched. See `stategate status` and decide again.".to_owned(),
            Error::NotReleased { id } => format!("Once Terraform is dead for certain, remove it from a checkout that is initialised: stategate unlock --lock-id {id} --reason TEXT."),
            Error::StillAtWork { .. } | Error::UntracedApply { .. } => "Wait until the job has ended and six minutes more, then unlock by hand.".to_owned(),
            Error::LockLost { path, .. } => format!(
                "Compare the state's serial and version before and after this run (`terraform state pull`, the versions of {path}), and ask who removed the lock."
            ),
            Error::LockNotReleased { id, source, .. } => format!(
                "{} In a job the clean-up step tries once more. If `stategate status` still shows the lock then, remove it: `stategate unlock --lock-id {id} --reason TEXT`.",
                source.hint()
            ),
            Error::NotRecorded(error) => format!("{} The work itself is done.", error.hint()),
            Error::Blocked { next_step, .. } => next_step.clone(),
            Error::OtherCheckout { wanted, .. } => format!(
                "Check out that very commit: `ref: {wanted}` of actions/checkout (on `push` its default is right; on `pull_request: closed` it is `github.event.pull_request.merge_commit_sha`)."
            ),
            Error::PlanChanged { .. } => "Re-run the plan job of the pull request, have the new plan approved, and re-run this job. When main has moved on since, open a pull request from main as it is now instead. Where an approval alone is enough: `--on-plan-change apply`.".to_owned(),
            Error::Record(error) => error.hint(),
            Error::Terraform(error) => terraform_hint(error),
            Error::InitRefusedByAws { refusal, .. } => refusal.hint(),
            Error::StateNotUploaded { next_step, .. } => next_step.clone(),
            Error::OldErroredState { .. } => "Push it back (`terraform state push errored.tfstate`) or, when it is outdated, delete it; then run again.".to_owned(),
            Error::StateUnreadable { .. } => "Look at the object's versions in the bucket: an earlier one may be whole.".to_owned(),
            Error::Aws(error) => error.hint(),
            Error::GitHub(error) => error.hint(),
            Error::TokenMissing => "Give the action's input github-token (its default is the job's own token), or set STATEGATE_GITHUB_TOKEN; `plan` can do without, with `--comment false`.".to_owned(),
            Error::MayNotUnlock { .. } => "Ask somebody with write access to unlock.".to_owned(),
            Error::Cancelled => "Run again when it suits; nothing is left locked.".to_owned(),
        }
    }

    /// Why it happened, when there is more to say than what happened.
    pub fn cause(&self) -> String {
        match self {
            Error::HolderAlive { why, .. } => why.clone(),
            Error::Terraform(TerraformError::Failed { stderr, .. })
            | Error::InitRefusedByAws { stderr, .. }
            | Error::StateNotUploaded { stderr, .. } => first_error(stderr),
            _ => {
                // Most messages hold their cause already.
                let told = self.to_string();
                let source = std::error::Error::source(self);
                source.map(ToString::to_string).filter(|cause| !told.contains(cause.as_str())).unwrap_or_default()
            }
        }
    }

    /// Terraform's own words, where it was Terraform that failed.
    pub fn terraform_text(&self) -> Option<&str> {
        match self {
            Error::Terraform(TerraformError::Failed { stderr, .. })
            | Error::InitRefusedByAws { stderr, .. }
            | Error::StateNotUploaded { stderr, .. } => Some(stderr),
            _ => None,
        }
    }

    /// Where the change stands after this error. `None`: it came after the work, which is done.
    pub fn phase(&self) -> Option<Phase> {
        Some(match self {
            Error::Locked { .. } | Error::Frozen { .. } => Phase::Locked,
            Error::Blocked { .. } => Phase::Blocked,
            Error::PlanChanged { .. } | Error::Record(_) => Phase::Refused,
            Error::Cancelled => Phase::Cancelled,
            Error::LockNotReleased { .. } | Error::NotRecorded(_) => return None,
            _ => Phase::Failed,
        })
    }
}

fn terraform_hint(error: &TerraformError) -> String {
    match error {
        TerraformError::NoDirectory { .. } | TerraformError::NotADirectory { .. } => {
            "Give the root module's directory with --working-directory.".to_owned()
        }
        TerraformError::NotOnPath => {
            "Install Terraform in an earlier step (hashicorp/setup-terraform), or give its path with --terraform-bin."
                .to_owned()
        }
        TerraformError::NotExecutable { .. } => "Give the path of an executable with --terraform-bin.".to_owned(),
        TerraformError::Wrapper { .. } => {
            "Give the setup step `terraform_wrapper: false` (setup-opentofu: `tofu_wrapper: false`).".to_owned()
        }
        TerraformError::Output { .. } => {
            "See that RUNNER_TEMP (or TMPDIR) exists, can be written and has room.".to_owned()
        }
        TerraformError::NotStarted { .. } | TerraformError::Lost { .. } => {
            "See that the executable is made for this machine.".to_owned()
        }
        TerraformError::Failed { .. } => "Mend what Terraform says and run again.".to_owned(),
    }
}

/// Lines of an error's detail that are told.
const DETAIL_LINES: usize = 6;

/// The first error that Terraform printed, with its place, in one line.
fn first_error(stderr: &str) -> String {
    let lines = stderr.lines().map(|line| line.trim_start_matches(['│', '╷', '╵', ' ']).trim());
    let mut block = lines.skip_while(|line| !line.starts_with("Error:"));
    let mut told = block.next().map(|line| line.trim_start_matches("Error:").trim().to_owned()).unwrap_or_default();
    let mut detail = Vec::new();
    let mut in_place = false;
    for line in block.take_while(|line| !line.starts_with("Error:")) {
        if line.is_empty() {
            in_place = false;
        } else if detail.is_empty() && (line.starts_with("on ") || line.starts_with("with ")) {
            let place = line.split(", in ").next().unwrap_or_default();
            told.extend([" ", place.trim_end_matches([':', ','])]);
            in_place = true;
        } else if !in_place && detail.len() < DETAIL_LINES {
            // The quoted code, in place, stands in the whole text.
            detail.push(line);
        }
    }
    if detail.is_empty() { told } else { format!("{told}: {}", detail.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::first_error;

    #[test]
    fn the_first_error_is_one_line_with_its_place() {
        let own = "Error: Unsupported argument\n\n  on a/main.tf line 2, in resource \"x\" \"y\":\n   2:   imput = 1\n\nNot expected here.\n\nError: Other\n";
        assert_eq!(first_error(own), "Unsupported argument on a/main.tf line 2: Not expected here.");
        let framed = "╷\n│ Error: Failed\n│ \n│   with x.y,\n│   on main.tf line 2, in resource:\n│    2: x\n│ \n│ one\n│ two\n╵\n";
        assert_eq!(first_error(framed), "Failed with x.y on main.tf line 2: one two");
        assert_eq!(first_error("Error: operation error S3: no"), "operation error S3: no");
        assert_eq!(first_error("it crashed"), "");
    }
}
