//! What stands below the flags in each command's help: what it needs, examples, exit codes, and
//! what comes next.

pub(super) const STATEGATE: &str = "\
What runs when, in GitHub Actions:
  plan      on a pull request: the comment says what would change
  apply     on main, after an approved pull request was merged
  release   after both, whatever happened: nothing stays locked
When something is stuck:
  status    who holds the state, and what to do
  unlock    remove a dead holder's lock
For maintenance:
  lock      freeze a state, with a reason

Examples:
  stategate status --working-directory environments/prod
  terraform show -json tfplan | stategate render --plan-json -

Exit codes:
    0  done                          14  Terraform failed
    1  unexpected                    20  AWS
    2  usage                         21  GitHub
   10  the lock is held             130  cancelled
   11  approval missing
   12  the plan is not the one reviewed
   13  our lock was taken from us

Every flag is a variable too: --lock-timeout is STATEGATE_LOCK_TIMEOUT. An empty
one counts as not given, and a command ignores those of other commands.
The GitHub token is only read from STATEGATE_GITHUB_TOKEN (or GITHUB_TOKEN).
`stategate COMMAND --help` says what a command needs.";

pub(super) const PLAN: &str = "\
Needs:
  Terraform or OpenTofu, and a root module with an S3 backend
  (use_lockfile = true)
  AWS credentials that may read the state and take its lock
  In GitHub Actions: the event pull_request or merge_group (or
  --pull-request N), and a token with contents: read, pull-requests: write,
  actions: read
  On a laptop nothing more: the comment goes to standard output

Examples:
  stategate plan --working-directory environments/prod
  stategate plan --plan-args '-var-file=eu.tfvars' --lock-timeout 30m
  stategate plan --comment false

Exit codes:
    0  planned, or nothing to change
    2  the root module or the workflow cannot be used as it is
   10  the lock is held, and --lock-timeout is over
   12  merge queue: the plan is not the one reviewed
   14  Terraform failed
   20  AWS        21  GitHub        130  cancelled

Next: have the pull request approved and merge it; `stategate apply` does the
rest.";

pub(super) const APPLY: &str = "\
Needs:
  Terraform or OpenTofu, and a root module with an S3 backend
  (use_lockfile = true)
  AWS credentials that may write the state
  In GitHub Actions: a push to a branch, pull_request: closed of a merged one,
  or workflow_dispatch, with the very commit checked out; a token with
  contents: read, pull-requests: write, actions: read
  On a laptop: --required-approvals 0, because no pull request stands behind it.
  On a terminal it shows what would be lost and asks for a `yes`;
  --apply-args -auto-approve does not ask

Examples:
  stategate apply --working-directory environments/prod
  stategate apply --required-approvals 2 --approvers acme/platform,octocat
  stategate apply --environment production --require-environment-approval
  stategate apply --required-approvals 0         on a laptop

Exit codes:
    0  applied, or nothing to change
   10  the lock is held, and --lock-timeout is over
   11  nothing was applied: the gate blocks, and the pull request says what is
       missing
   12  nothing was applied: the plan is not the one reviewed, and the pull
       request says what differs
   13  our lock was taken from us: compare the state's versions
   14  Terraform failed; a state that could not be uploaded is rescued to the
       bucket
   20  AWS        21  GitHub        130  cancelled, or not answered with `yes`

Next, after 11: get the approval and re-run the job.
After 12: plan again, have that approved.";

pub(super) const UNLOCK: &str = "\
Needs:
  Terraform or OpenTofu, and a root module with an S3 backend
  AWS credentials that may delete the lock and write the audit record
  In GitHub Actions: write access of whoever started the run, and a token with
  pull-requests: write, actions: read

Examples:
  stategate unlock                      only shows the holder
  stategate unlock --lock-id ID --reason 'the runner was lost'
  stategate unlock --etag ETAG --reason 'a truncated upload'

Exit codes:
    0  removed, or there was no lock
    2  --reason is missing
   10  locked: no ID given, another lock is there, or its holder may be alive
   11  you are not allowed to unlock
   20  AWS        21  GitHub

Next: re-run the job that waited.
The record is in the bucket, stategate/<state key>/audit/.";

pub(super) const RELEASE: &str = "\
Needs:
  The same job, and the same variables, as the plan or apply before it

Example, after a plan or an apply of your own making, in a step with
`if: always()`:
  stategate release --working-directory environments/prod

Exit codes:
    0  released, or nothing to release
   10  this run's Terraform is still at work; its lock stays
   20  AWS        21  GitHub

Next, after 10: wait until the job has ended and six minutes more, then
`stategate unlock`.";

pub(super) const LOCK: &str = "\
Needs:
  Terraform or OpenTofu, and a root module with an S3 backend
  AWS credentials that may take the lock and write the audit record

Examples:
  stategate lock --reason 'moving the database, until Friday'
  stategate lock --reason 'incident' --lock-timeout 0s

Exit codes:
    0  frozen; the lock ID is printed, and is the output lock-id
    2  --reason is missing
   10  the lock is held by somebody else
   20  AWS        130  cancelled

Next: end it with `stategate unlock --lock-id ID --reason TEXT`.";

pub(super) const STATUS: &str = "\
Needs:
  Terraform or OpenTofu, and a root module with an S3 backend
  AWS credentials that may read the lock
  To know whether the holder's run is alive: GitHub Actions, and a token with
  actions: read

Examples:
  stategate status
  stategate status --init false --json

Exit codes:
    0  told, locked or not; --json has it as `locked`
    2  the root module cannot be used as it is
   14  Terraform failed
   20  AWS

Next: the line `next` has the very command.";

pub(super) const RENDER: &str = "\
Examples:
  terraform plan -out tfplan && terraform show -json tfplan > plan.json
  stategate render --plan-json plan.json
  stategate render --plan-json plan.json --json

Exit codes:
    0  printed
    2  the plan JSON cannot be read

Next: the same text is what `stategate plan` posts to a pull request.";

pub(super) const COMPLETIONS: &str = "\
Examples:
  stategate completions bash \\
    > ~/.local/share/bash-completion/completions/stategate
  stategate completions zsh > \"${fpath[1]}/_stategate\"
  stategate completions fish > ~/.config/fish/completions/stategate.fish";

pub(super) const MAN: &str = "\
Examples:
  stategate man > ~/.local/share/man/man1/stategate.1
  stategate man apply > ~/.local/share/man/man1/stategate-apply.1";
