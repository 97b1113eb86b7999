//! `stategate plan`: lock, plan, release, record, tell.

use super::beside;
use super::gate;
use super::inputs::inputs;
use super::locking;
use super::pending::{self, Line, MOST_COMMITS, MOST_FOR_PLAN};
use super::planning::{self, PlanFile};
use super::reach::{Change, Reviewed};
use super::report::Report;
use super::review::{self, Code, StateIdentity};
use super::running::open_root;
use super::session::{Root, Session};
use crate::cli::{CommentMode, PlanCommand, Words};
use crate::error::Error;
use crate::shell::checkout;
use crate::shell::github::{Landing, MergeGroup, PullRequestDetails};
use crate::shell::runner::{Event, Run, variable};
use stategate_core::approval::{Need, Policy, need};
use stategate_core::comment::Phase;
use stategate_core::lock_info::Operation;

pub(super) async fn run(command: PlanCommand) -> Result<(), Error> {
    let session = Session::begin(&command.target)?;
    let mut report = Report::new(&session, &command.reporting);
    let result = plan(&session, &command, &mut report).await;
    report.conclude(&session, result).await
}

async fn plan(session: &Session, command: &PlanCommand, report: &mut Report) -> Result<(), Error> {
    let policy = gate::policy(&command.gate, &command.target);
    // Where it is told is known before what is wrong with the input is.
    let place = session.host.run().map(|run| place(run, command, report)).transpose();
    let policy = policy?;
    if let Some(why) = place?.flatten() {
        skip(why, report);
        return Ok(());
    }
    if !report.pull_requests.is_empty() && command.reporting.comment != CommentMode::Never {
        // Before anything is locked, and before minutes go into a plan that cannot be shown.
        session.github()?;
    }
    let named = find_named(session, command).await?;
    // `init` alone runs code: nothing of a fork's may run with what this job has.
    if let Some(named) = named.as_ref().filter(|named| named.from_fork) {
        report.pull_requests.clear();
        skip(of_fork(named.number), report);
        return Ok(());
    }
    let group = find_group(session, report).await?;
    let root = open_root(session, report).await?;
    let named = named.filter(|named| is_checked_out(named, &root, report));
    let plan_args = command.planning.plan_args.as_ref();
    let code = Code::read(session, &root, plan_args);
    let mut footprint = session.footprint(root.terraform.module().directory())?;
    let held = locking::take(session, &root, &command.locking, &Operation::Plan, &mut footprint, report).await?;
    let under_lock = async {
        let identity = StateIdentity::read(&root.bucket);
        let plan_file = planning::make(session, &root, &held, plan_args, &mut footprint, report);
        let (identity, plan_file) = tokio::join!(identity, plan_file);
        // Terraform's own failure says more than ours about the same state.
        plan_file.and_then(|plan_file| Ok((identity?, plan_file)))
    };
    let planned = under_lock.await;
    // What follows reads the plan file only: the lock goes first, whatever happened.
    let released = locking::release(held, &mut footprint, report).await;
    match (planned, released) {
        // The plan is as good as any, and told as such before the lock that is left.
        (Ok((identity, plan_file)), released @ (Ok(()) | Err(Error::LockNotReleased { .. }))) => {
            let told =
                tell(session, (&policy, plan_args), &root, &code, &plan_file, &identity, (&group, named), report).await;
            locking::both(told, released, report)
        }
        (planned, released) => locking::both(planned.map(drop), released, report),
    }
}

/// Reads the plan that was made, records it, and tells what follows from it.
#[expect(clippy::too_many_arguments, reason = "all that is known by then")]
async fn tell(
    session: &Session,
    (policy, plan_args): (&Policy, Option<&Words>),
    root: &Root,
    code: &Code,
    plan_file: &PlanFile,
    identity: &StateIdentity,
    (group, checked_out): (&[Change], Option<PullRequestDetails>),
    report: &mut Report,
) -> Result<(), Error> {
    let reviewed = Reviewed::gather(session, &root.bucket, group, code.covered()).await;
    let head = report.head_sha.clone();
    // Beside the plan's JSON it costs no time.
    let (record, replaced) = tokio::join!(
        review::read_plan(session, root, code, plan_file, identity, &reviewed.records, report),
        review::replaced(&root.bucket, head.as_deref())
    );
    let mut record = record?.replacing(replaced);
    record.origin.inputs = Some(inputs(session, root, (policy, plan_args), &identity.key()));
    report.phase = if report.has_changes() { Phase::Planned } else { Phase::NoChanges };
    if let Some(Event::PullRequest(_)) = session.host.run().map(|run| &run.event) {
        Box::pin(beside::tell(root, code, identity, report)).await;
    }
    if report.head_sha.is_some() {
        review::store(&root.bucket, &record).await?;
    }
    if matches!(session.host.run().map(|run| &run.event), Some(Event::PullRequest(_))) {
        gate::tell_unknown_approvers(session, policy, report).await;
    }
    if !matches!(report.plan.as_ref().map(need), Some(Need::Approval { .. })) {
        return Ok(());
    }
    match session.host.run().map(|run| &run.event) {
        Some(Event::MergeGroup { base_ref, .. }) => {
            reviewed.tell(report);
            // What its pull requests do not reach is for others to answer for.
            if !reviewed.reaches() {
                return Ok(());
            }
            let line = Line { branch: branch_of(base_ref).to_owned(), from: None, most: MOST_COMMITS, keys: None };
            let compared = match reviewed.lacks {
                None => {
                    let reviewed = &reviewed.records;
                    let earlier = pending::find(session, &root.bucket, &line, (reviewed, &record), None).await?;
                    let compared =
                        review::compare(session, &root.bucket, (reviewed, &record), earlier.records(), report).await;
                    compared.inspect(|()| pending::tell(&earlier, report))
                }
                Some(error) => Err(error),
            };
            review::explained(compared, report)?;
            report.notes.push("Planned again in the merge queue: it means what was reviewed".to_owned());
        }
        Some(event) if report.head_sha.is_some() => {
            let base = match event {
                Event::PullRequest(event) => event.base_ref.clone(),
                _ => checked_out.map(|named| named.base_branch).unwrap_or_default(),
            };
            // Listed once for both who look there.
            let keys = root.bucket.list(root.bucket.backend().place().all()).await?;
            let line = Line { branch: base, from: None, most: MOST_FOR_PLAN, keys: Some(keys) };
            pending::announce(session, &root.bucket, &line, (&record, code.covered(), policy), report).await;
            gate::announce(session, policy, &record, report).await;
            review::tell_overlaps(session, &root.bucket, (&record, &line.keys.unwrap_or_default()), report).await;
        }
        _ => {}
    }
    Ok(())
}

/// The number in the name of a merge group's branch, `gh-readonly-queue/main/pr-42-<base>`.
fn named_in_queue(git_ref: &str) -> Option<u64> {
    let (_, name) = git_ref.strip_prefix("refs/heads/gh-readonly-queue/")?.rsplit_once("/pr-")?;
    name.split('-').next()?.parse().ok()
}

/// A branch's short name.
fn branch_of(git_ref: &str) -> &str {
    git_ref.strip_prefix("refs/heads/").unwrap_or(git_ref)
}

/// Finds the pull requests of a merge group, which learn what becomes of it.
async fn find_group(session: &Session, report: &mut Report) -> Result<Vec<Change>, Error> {
    let Some(run) = session.host.run() else { return Ok(Vec::new()) };
    let Event::MergeGroup { head_sha, base_ref, .. } = &run.event else { return Ok(Vec::new()) };
    let group = MergeGroup { branch: branch_of(base_ref), head_sha, named: named_in_queue(&run.git_ref) };
    let Landing { pull_requests, commits } =
        session.github()?.pull_requests_of_group(&session.repository()?, group).await?;
    report.pull_requests = pull_requests.iter().map(|pull_request| pull_request.number).collect();
    report.heads =
        pull_requests.iter().map(|pull_request| (pull_request.number, pull_request.head_sha.clone())).collect();
    let change = |PullRequestDetails { number, head_sha: head, .. }| {
        let its_own = commits.iter().filter(|(_, by)| by.contains(&number)).map(|(commit, _)| commit.clone());
        Change { number, head, commits: its_own.collect() }
    };
    Ok(pull_requests.into_iter().map(change).collect())
}

/// The pull request that an input names, where the event names none.
async fn find_named(session: &Session, command: &PlanCommand) -> Result<Option<PullRequestDetails>, Error> {
    let (Some(run), Some(number)) = (session.host.run(), command.gate.pull_request) else { return Ok(None) };
    if !matches!(run.event, Event::Push(_) | Event::Other) {
        return Ok(None);
    }
    Ok(Some(session.github()?.pull_request(&session.repository()?, number).await?))
}

/// Whether the code of the pull request that an input names is checked out: then this plan is the
/// reviewed one. Otherwise the report says that it is not.
fn is_checked_out(named: &PullRequestDetails, root: &Root, report: &mut Report) -> bool {
    let workspace = variable("GITHUB_WORKSPACE").and_then(|path| std::fs::canonicalize(path).ok());
    let head =
        workspace.and_then(|workspace| checkout::head(&workspace, root.terraform.module().directory()).ok().flatten());
    // Before the merge, GitHub names the test merge here.
    let is_merge = !named.merged && head == named.merge_commit;
    if head.is_some() && (is_merge || head.as_ref() == Some(&named.head_sha)) {
        report.head_sha = Some(named.head_sha.clone());
        return true;
    }
    let number = named.number;
    let head = head.map_or_else(|| "unknown".to_owned(), |sha| sha.chars().take(10).collect());
    let note = format!(
        "This is not the reviewed plan of #{number}, so no apply counts it: the checkout is {head}, which is neither its head commit nor its test merge. Its own plan job makes that; or check out `refs/pull/{number}/merge` here"
    );
    tracing::warn!("{note}");
    report.notes.push(note);
    false
}

/// Ends the plan before anything of the pull request's code runs.
fn skip(why: String, report: &mut Report) {
    tracing::warn!("{why}");
    report.notes.push(why);
    report.phase = Phase::Skipped;
}

/// Finds the pull request that is told. `Some` says why nothing can be planned here.
fn place(run: &Run, command: &PlanCommand, report: &mut Report) -> Result<Option<String>, Error> {
    if run.event_name == "pull_request_target" {
        return Err(Error::PullRequestTarget);
    }
    match &run.event {
        Event::PullRequest(event) => {
            report.head_sha = Some(event.head_sha.clone());
            if event.from_fork {
                return Ok(Some(without_secrets(event.number, "comes from a fork")));
            }
            // Who pushed, not who runs it again: a re-run has no more than the first run had.
            let is_dependabot = |login: &str| login == "dependabot[bot]";
            if is_dependabot(&event.sender) || run.first_actor.as_deref().is_some_and(is_dependabot) {
                return Ok(Some(without_secrets(event.number, "was pushed by Dependabot")));
            }
            report.pull_requests = vec![event.number];
        }
        Event::MergeGroup { head_sha, .. } => report.head_sha = Some(head_sha.clone()),
        Event::Push(_) | Event::Other => match command.gate.pull_request {
            Some(number) => report.pull_requests = vec![number],
            None if command.reporting.comment == CommentMode::Never => {}
            None => return Err(Error::NotAPullRequest { event: run.event_name.clone() }),
        },
    }
    Ok(None)
}

/// What a maintainer can do for a pull request that is not planned.
const PUSH_IT_HERE: &str = "Somebody with write access can push the same commits to a branch of this repository.";

fn without_secrets(number: u64, why: &str) -> String {
    format!(
        "Not planned: pull request #{number} {why}, so GitHub gives this run neither secrets nor a token that may comment. {PUSH_IT_HERE}"
    )
}

fn of_fork(number: u64) -> String {
    format!(
        "Not planned: pull request #{number} comes from a fork, and its code must not run with this job's secrets. {PUSH_IT_HERE}"
    )
}
