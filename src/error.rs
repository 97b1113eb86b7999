//! The one table of errors: what happened, why, what to do next, and the exit code.

mod words;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::shell::github::GitHubError;
use crate::shell::lock_store::AwsError;
use crate::shell::runner::{EventError, FootprintError};
use crate::shell::terraform::{Exit, TerraformError};
use stategate_core::advice::{SHOW_BY_WORKFLOW, lock_id, unlock_by_workflow};
use stategate_core::approval::ApproverError;
use stategate_core::backend::BackendError;
use stategate_core::comment::Phase;
use stategate_core::plan::PlanError;
use stategate_core::record::RecordError;
use stategate_core::refusal::Refusal;
use words::{first_error, listed, on_pull_request, sentence, terraform_hint};

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

const BACKEND_MISSING: &str = "Give the root module a block `backend \"s3\"` with bucket, key, region and `use_lockfile = true`, inside its block `terraform`; a state that is there already moves with `terraform init -migrate-state`.";

/// How the next step begins after an error that keeps the lock.
pub const LOCK_STAYS: &str = "The lock stays.";

/// What to do when the state does not have all that there is.
const IMPORT: &str = "In the root module: `terraform plan -lock=false`, then `terraform import -lock=false` what it would make although it is there; then start the workflow that runs `unlock` with the lock's ID and a reason (where this ran on a laptop: `stategate unlock --lock-id ID --reason TEXT`), and run this again.";

/// What to do where no root module is, and these are near.
pub fn root_modules_hint(root_modules: &[String]) -> String {
    let names = listed(root_modules);
    format!("Give the root module's directory with the input working-directory (--working-directory), such as {names}.")
}

/// What to do where a workspace does not exist and may not be made.
pub fn new_workspace_hint(workspace: &str) -> String {
    format!(
        "The workspace `{workspace}` does not exist yet, and making it writes its first, empty state: run \
         `terraform workspace new {}` once with a role that may write it; or correct the input workspace (--workspace).",
        shell_words::quote(workspace)
    )
}

/// Why an apply ended in the middle of its work, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Killed {
    /// A signal or a crash ended it, or nobody saw its end.
    ByForce,
    /// Two interrupts: Terraform then leaves at once, whatever is at work.
    ByTwoInterrupts,
}

/// Everything that can go wrong, as people are told it.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say what each variant and field is")]
pub enum Error {
    #[error("unexpected: {0}")]
    Unexpected(String),
    #[error("failed to listen for signals: {0}")]
    Signals(io::Error),
    #[error("failed to write to standard output or standard error: {0}")]
    Output(io::Error),
    #[error("the step's outputs could not be written to the file of GITHUB_OUTPUT: {0}")]
    StepOutputs(io::Error),
    #[error("failed to make a temporary directory: {0}")]
    TemporaryDirectory(io::Error),
    #[error(transparent)]
    Footprint(#[from] FootprintError),

    #[error("failed to read the plan JSON {path}: {source}")]
    FileUnreadable { path: PathBuf, source: io::Error },
    #[error("the input approvers (--approvers): {0}")]
    Approvers(#[from] ApproverError),
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("which pull request to plan is not known: the event is `{event}`")]
    NotAPullRequest { event: String },
    #[error("nothing can be applied on the event `{event}` of {git_ref}")]
    NotAppliable { event: String, git_ref: String },
    #[error("`pull_request_target` is refused: it would run the pull request's code with write access and secrets")]
    PullRequestTarget,
    #[error("`{command}` needs --reason")]
    ReasonMissing { command: &'static str, again: String },
    #[error("failed to read the plan JSON: {0}")]
    PlanJson(#[from] PlanError),
    #[error("there are no Terraform files (*.tf) in {directory}")]
    NoTerraformFiles { directory: String, root_modules: Vec<String> },
    #[error(
        "no Terraform file in {directory} has a backend block, so its state would be a local file that cannot be shared or locked"
    )]
    NoBackendBlock { directory: String, root_modules: Vec<String> },
    #[error("{directory} is not initialised: it has no .terraform/terraform.tfstate")]
    NotInitialised { directory: PathBuf, init: bool },
    #[error(
        "the workspace {workspace} has no state yet, and its state is encrypted: only OpenTofu can write one that it reads again"
    )]
    EncryptedWorkspace { workspace: String },
    #[error("the selected workspace {selected} does not exist, and Terraform chose {chosen}")]
    OtherWorkspace { selected: String, chosen: String },
    #[error("failed to read .terraform/terraform.tfstate: {0}")]
    BackendFile(io::Error),
    #[error(transparent)]
    Backend(#[from] BackendError),

    #[error("the state is locked by {holder}")]
    Locked { holder: String, next_step: String },
    #[error("the state is frozen for maintenance by {who}{since}: {reason}")]
    Frozen { who: String, since: String, reason: String, next_step: String },
    #[error("nothing was removed: no lock was named")]
    OnlyShown { next_step: String },
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
    #[error("this run may still hold the lock {id}, and nothing tells any more whether its Terraform is dead")]
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
    Terraform(TerraformError),
    #[error("{refusal} ({command} {exit})")]
    InitRefusedByAws { refusal: Refusal, command: String, exit: Exit, stderr: String },
    #[error("terraform apply failed, and its state could not be uploaded; {rescued}")]
    StateNotUploaded { rescued: String, stderr: String, next_step: String },
    #[error("terraform apply failed, and the new state is lost: {left}")]
    StateLost { left: String, stderr: String },
    #[error("{ended}, in the middle of its work: what it did last may be in no state")]
    ApplyKilled { ended: String, stderr: String, cause: Killed },
    #[error("{path} is left over from an apply whose state could not be uploaded")]
    OldErroredState { path: PathBuf, is_committed: bool },
    #[error("the state {key} cannot be read: {why}")]
    StateUnreadable { key: String, why: String },
    #[error("{0}")]
    Aws(#[from] AwsError),
    #[error("{0}")]
    GitHub(#[from] GitHubError),
    #[error("the comment on #{number} could not be posted: {source}")]
    CommentNotPosted { number: u64, source: Box<Error> },
    #[error("no token for GitHub: STATEGATE_GITHUB_TOKEN is not set")]
    TokenMissing,
    #[error("{actor} may not unlock: it needs write access to {repository}")]
    MayNotUnlock { actor: String, repository: String },
    #[error("{0}")]
    Told(Box<Error>, String),
    #[error("not applied: the answer was not `yes`")]
    NotConfirmed,
    #[error("cancelled")]
    Cancelled,
}

impl From<TerraformError> for Error {
    fn from(error: TerraformError) -> Error {
        match error {
            TerraformError::Stopped => Error::Cancelled,
            error => Error::Terraform(error),
        }
    }
}

impl Error {
    /// Whether the lock must stay: the state in the bucket is not what an apply left, and whoever
    /// plans on it would make again what is there.
    pub fn keeps_the_lock(&self) -> bool {
        matches!(self, Error::StateNotUploaded { .. } | Error::StateLost { .. } | Error::ApplyKilled { .. })
    }

    /// The exit code, as the contract has it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Unexpected(_)
            | Error::Signals(_)
            | Error::Output(_)
            | Error::StepOutputs(_)
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
            | Error::NoTerraformFiles { .. }
            | Error::NoBackendBlock { .. }
            | Error::NotInitialised { .. }
            | Error::EncryptedWorkspace { .. }
            | Error::OtherWorkspace { .. }
            | Error::BackendFile(_)
            | Error::Backend(_)
            | Error::Terraform(
                TerraformError::NoDirectory { .. }
                | TerraformError::NotADirectory { .. }
                | TerraformError::Wrapper { .. },
            )
            | Error::InitRefusedByAws { refusal: Refusal::NoSuchRegion { .. }, .. } => code::USAGE,
            Error::Locked { .. }
            | Error::Frozen { .. }
            | Error::OnlyShown { .. }
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
            | Error::StateLost { .. }
            | Error::ApplyKilled { .. }
            | Error::OldErroredState { .. }
            | Error::StateUnreadable { .. } => code::TERRAFORM,
            Error::InitRefusedByAws { .. } | Error::Aws(_) | Error::LockNotReleased { .. } | Error::NotRecorded(_) => {
                code::AWS
            }
            Error::GitHub(_) | Error::TokenMissing => code::GITHUB,
            Error::CommentNotPosted { source, .. } => source.exit_code(),
            Error::Told(error, _) => error.exit_code(),
            Error::NotConfirmed | Error::Cancelled => code::CANCELLED,
        }
    }

    /// The same with the next step that people are told elsewhere.
    #[must_use]
    pub fn with_next(self, next_step: String) -> Error {
        Error::Told(Box::new(self), next_step)
    }

    /// Whether a person or the runner cancelled.
    pub fn is_cancelled(&self) -> bool {
        match self {
            Error::Told(error, _) => error.is_cancelled(),
            error => matches!(error, Error::Cancelled),
        }
    }

    /// Whether only the program around an apply was killed, and Terraform itself came to its end.
    pub fn is_of_wrapper(&self) -> bool {
        let Error::Terraform(TerraformError::Failed { command, exit, .. }) = self else { return false };
        exit.signal().is_some() && command.ends_with(" apply")
    }

    /// What to do next, in sentences, where each commit that is pushed runs this again.
    pub fn hint_on_pull_request(&self) -> String {
        on_pull_request(&self.hint())
    }

    /// What to do next, in sentences.
    pub fn hint(&self) -> String {
        sentence(&self.remedy())
    }

    #[expect(clippy::match_same_arms, reason = "a table has a row for each error")]
    fn remedy(&self) -> String {
        match self {
            Error::Unexpected(_) | Error::Signals(_) => "Run again; if it comes back, report it with the log.".to_owned(),
            Error::Output(_) => "See who reads the output (a pipe that was closed?) and whether its disk has room.".to_owned(),
            Error::StepOutputs(_) => "The work itself is done, see above. See that the runner's disk has room and that no step changes GITHUB_OUTPUT.".to_owned(),
            Error::TemporaryDirectory(_) | Error::Footprint(_) => "See that RUNNER_TEMP (or TMPDIR) exists and can be written.".to_owned(),
            Error::FileUnreadable { .. } => "Give the path of what `terraform show -json PLANFILE` printed, or - for standard input.".to_owned(),
            Error::Approvers(_) => "Give logins and org/team names, separated by commas.".to_owned(),
            Error::Event(EventError::Unreadable { .. }) => "In a container, mount the event file at the path that GITHUB_EVENT_PATH names (for `docker run`: `-v \"$GITHUB_EVENT_PATH:$GITHUB_EVENT_PATH:ro\"`). Elsewhere, see that no step removes it and that this user may read it.".to_owned(),
            Error::Event(_) => "Run it in a step of a GitHub Actions job, which sets them all (the token is STATEGATE_GITHUB_TOKEN), or on a laptop without GITHUB_ACTIONS, where none is needed.".to_owned(),
            Error::NotAPullRequest { event } if event == "issue_comment" => "Give the input pull-request the number (`pull-request: ${{ github.event.issue.number }}`) and check out `refs/pull/NUMBER/merge`: this event checks out the default branch. Never plan a fork's code here: this event has secrets.".to_owned(),
            Error::NotAPullRequest { event } if event.starts_with("pull_request_review") => "Give the input pull-request the number: `pull-request: ${{ github.event.pull_request.number }}`.".to_owned(),
            Error::NotAPullRequest { .. } => "Run `plan` on `pull_request`, name one with the input pull-request (--pull-request), or plan without one: the input comment (--comment) at false.".to_owned(),
            Error::NotAppliable { .. } => "Run `apply` on a push to a branch, on `pull_request: closed` of a merged one, or on `workflow_dispatch` of a branch.".to_owned(),
            Error::PullRequestTarget => "Use `on: pull_request`.".to_owned(),
            Error::ReasonMissing { again, .. } => format!("Say why: `stategate {again} --reason TEXT`, in a workflow the input reason. The audit record keeps it, for those who ask later."),
            Error::PlanJson(error) => error.hint().to_owned(),
            Error::NoTerraformFiles { root_modules, .. } if root_modules.is_empty() => "Give the root module's directory with the input working-directory (--working-directory). In a job, see that a step before this one checks the repository out.".to_owned(),
            Error::NoTerraformFiles { root_modules, .. } => root_modules_hint(root_modules),
            Error::NoBackendBlock { root_modules, .. } if root_modules.is_empty() => BACKEND_MISSING.to_owned(),
            Error::NoBackendBlock { root_modules, .. } => format!("{BACKEND_MISSING} Or give another root module's directory with the input working-directory (--working-directory), such as {}.", listed(root_modules)),
            Error::NotInitialised { init: false, .. } => "Run `terraform init` there in an earlier step, or leave the input init (--init) at true.".to_owned(),
            Error::NotInitialised { init: true, .. } => format!("See that no `-backend=false` stands in the input init-args (--init-args) or in TF_CLI_ARGS_init. {BACKEND_MISSING}"),
            Error::EncryptedWorkspace { workspace } => {
                format!("In the root module, where the key is at hand: `tofu workspace new {workspace}`, once; then run this again.")
            }
            Error::OtherWorkspace { selected, chosen } => format!(
                "The file `environment` in Terraform's data directory (.terraform) names {selected}: remove it, and from the commit too. To work in {chosen}, that is enough; for a new workspace give the input workspace (--workspace) {selected}."
            ),
            Error::BackendFile(_) => "See that .terraform can be read, or run `terraform init -reconfigure`.".to_owned(),
            Error::Backend(error) => error.hint(),
            Error::Locked { next_step, .. } | Error::Frozen { next_step, .. } | Error::OnlyShown { next_step } => {
                next_step.clone()
            }
            Error::OtherLock { .. } => "Nothing was touched. The lock that is there has an ID of its own, see above: give that ID when that is the lock you mean.".to_owned(),
            Error::HolderAlive { .. } => "Wait for it, or cancel that run and wait six minutes. The input force (--force) removes the lock all the same; a Terraform that is still at work may then damage the state.".to_owned(),
            Error::LockChanged { .. } => "Nothing was touched. Decide anew about the lock that is there now.".to_owned(),
            Error::NotReleased { id } => format!("See whether a job of this run says that the lock stays, and why. If none does: wait until the run has ended and six minutes more, then {}.", unlock_by_workflow(&lock_id(id))),
            Error::StillAtWork { .. } => format!("Wait until the job has ended and six minutes more, then {SHOW_BY_WORKFLOW}."),
            Error::UntracedApply { id } => format!("Wait until the job has ended and six minutes more, then {}.", unlock_by_workflow(&lock_id(id))),
            Error::LockLost { path, .. } => format!(
                "Compare the state's serial and version before and after this run (`terraform state pull`, the versions of {path}), and ask who removed the lock."
            ),
            Error::LockNotReleased { id, source, .. } => format!(
                "When the job has ended and the lock is still there, {}; on a laptop run `stategate unlock --lock-id {id} --reason TEXT`. Until then the clean-up step tries again, and a later step of the job with fresh credentials can: `command: release`. So that it does not happen again: {}",
                unlock_by_workflow(&lock_id(id)), sentence(&source.hint())
            ),
            Error::NotRecorded(error) => format!("{} The work itself is done.", sentence(&error.hint())),
            Error::Blocked { next_step, .. } => next_step.clone(),
            Error::OtherCheckout { wanted, .. } => format!(
                "Check out that very commit: `ref: {wanted}` of actions/checkout (on `push` its default is right; on `pull_request: closed` it is `github.event.pull_request.merge_commit_sha`)."
            ),
            Error::PlanChanged { .. } => "Re-run the plan job of the pull request when what differs is right, let whoever approved it see the new plan (an approval of that commit still counts), and re-run this job. When main has moved on since, open a pull request from main as it is now instead.".to_owned(),
            Error::Record(error) => error.hint(),
            Error::Terraform(error) => terraform_hint(error),
            Error::InitRefusedByAws { refusal, .. } => refusal.hint(),
            Error::StateNotUploaded { next_step, .. } => next_step.clone(),
            Error::StateLost { .. } => format!("{LOCK_STAYS} See that the runner's disk has room. {IMPORT} A part that is left names much of what was made."),
            Error::ApplyKilled { cause: Killed::ByTwoInterrupts, .. } => format!("{LOCK_STAYS} {IMPORT} Next time interrupt it once and wait: after the second interrupt Terraform leaves without saving what is at work."),
            Error::ApplyKilled { cause: Killed::ByForce, .. } => format!("{LOCK_STAYS} {IMPORT} Where memory was short, take a larger runner, or `-parallelism=2` in the input apply-args (--apply-args)."),
            // Its author would have it pushed over the state.
            Error::OldErroredState { is_committed: true, .. } => "It is part of the commit: delete it there, by a pull request. Push it nowhere.".to_owned(),
            Error::OldErroredState { .. } => "Push it back (`terraform state push errored.tfstate`) or, when it is outdated, delete it; then run again.".to_owned(),
            Error::StateUnreadable { .. } => "Look at the object's versions in the bucket: an earlier one may be whole.".to_owned(),
            Error::Aws(error) => error.hint(),
            Error::GitHub(error) => error.hint(),
            Error::CommentNotPosted { source, .. } => format!("{} The job summary has what the comment would say.", sentence(&source.remedy())),
            Error::TokenMissing => "Give the action's input github-token (its default is the job's own token), or set STATEGATE_GITHUB_TOKEN; `plan` can do without it where the input comment (--comment) is false.".to_owned(),
            Error::Told(_, next_step) => next_step.clone(),
            Error::MayNotUnlock { .. } => "Ask somebody with write access to unlock.".to_owned(),
            Error::NotConfirmed => "Run again and type `yes` when it shall be done; nothing was applied and nothing is left locked.".to_owned(),
            Error::Cancelled => "Run again when it suits; nothing is left locked.".to_owned(),
        }
    }

    /// Why it happened, when there is more to say than what happened.
    pub fn cause(&self) -> String {
        match self {
            Error::HolderAlive { why, .. } => why.clone(),
            Error::Aws(error) | Error::NotRecorded(error) => error.cause(),
            Error::LockNotReleased { source, .. } => source.cause(),
            Error::Told(error, _) => error.cause(),
            Error::Terraform(TerraformError::Failed { stderr, .. })
            | Error::InitRefusedByAws { stderr, .. }
            | Error::StateNotUploaded { stderr, .. }
            | Error::StateLost { stderr, .. }
            | Error::ApplyKilled { stderr, .. } => first_error(stderr),
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
            | Error::StateNotUploaded { stderr, .. }
            | Error::StateLost { stderr, .. }
            | Error::ApplyKilled { stderr, .. } => Some(stderr),
            Error::Told(error, _) => error.terraform_text(),
            _ => None,
        }
    }

    /// Where the change stands after this error. `None`: it came after the work, which is done.
    pub fn phase(&self) -> Option<Phase> {
        Some(match self {
            Error::Locked { .. } | Error::Frozen { .. } => Phase::Locked,
            Error::Blocked { .. } => Phase::Blocked,
            Error::PlanChanged { .. } | Error::Record(_) => Phase::Refused,
            Error::NotConfirmed | Error::Cancelled => Phase::Cancelled,
            Error::Told(error, _) => return error.phase(),
            Error::LockNotReleased { .. } | Error::NotRecorded(_) | Error::CommentNotPosted { .. } => return None,
            _ => Phase::Failed,
        })
    }
}
