//! The REST interface, as far as it is called.

use serde_json::{Value, json};

use super::schema::build;
use super::server::{Answer, Question};
use super::state::{Commit, Pull, Run, State, now};
use super::views;

/// GitHub's own limit on a comment.
const LONGEST_COMMENT: usize = 65_536;

/// Answers, or says as GitHub does why not.
pub fn answer(state: &mut State, question: &Question) -> Answer {
    let path: Vec<&str> = question.path.iter().map(String::as_str).collect();
    if let ["rate_limit"] = path.as_slice() {
        return Answer::ok(build("RateLimitOverview", &json!({})));
    }
    if let ["orgs", _, "teams", team] = path.as_slice() {
        return team_view(state, question, team);
    }
    if let ["orgs", _, "teams", team, "memberships", login] = path.as_slice() {
        return membership(state, question, team, login);
    }
    let ["repos", owner, name, rest @ ..] = path.as_slice() else {
        return unknown(state, question);
    };
    // A fork's own repository, which the workflow's token cannot see.
    if let ["activity"] = rest
        && state.pulls.values().any(|pull| pull.head_owner == *owner && *owner != state.owner)
    {
        return not_found();
    }
    if !owner.eq_ignore_ascii_case(&state.owner) || !name.eq_ignore_ascii_case(&state.name) {
        return not_found();
    }
    if !allowed(question, rest) {
        return Answer::error(403, "Resource not accessible by integration");
    }
    match (question.method.as_str(), rest) {
        ("GET", []) => Answer::ok(build("FullRepository", &views::repository(state))),
        ("GET", ["commits", reference @ .., "pulls"]) => commit_pulls(state, question, &reference.join("/")),
        ("GET", ["commits", reference @ ..]) => commit(state, &reference.join("/")),
        ("GET", ["branches", branch @ ..]) => branch_view(state, &branch.join("/")),
        ("GET", ["compare", range @ ..]) => compare(state, question, &range.join("/")),
        ("GET", ["git", "trees", sha]) => tree(state, sha),
        ("GET", ["pulls"]) => pulls(state, question),
        ("GET", ["pulls", number, rest @ ..]) => pull(state, question, number, rest),
        ("GET" | "POST", ["issues", number, "comments"]) if *number != "comments" => comments(state, question, number),
        (_, ["issues", "comments", id]) => comment(state, question, id),
        ("GET", ["collaborators", login, "permission"]) => permission(state, login),
        ("GET", ["activity"]) => activity(state, question),
        ("GET", ["issues", number, "events"]) => pull_events(state, question, number),
        ("GET", ["actions", "runs"]) => runs_of(state, question),
        ("GET", ["actions", "runs", id, rest @ ..]) => run(state, question, id, rest),
        ("GET", ["actions", "workflows", file, "runs"]) => runs(state, question, file),
        ("POST", ["actions", "runs", id, "rerun-failed-jobs"]) => rerun(state, id),
        ("GET", ["environments", name]) => environment(state, name),
        ("GET", ["rules", "branches", ..]) => Answer::ok(json!([])),
        _ => unknown(state, question),
    }
}

/// What the fake does not know would be a test's blind spot, so it fails the test.
fn unknown(state: &mut State, question: &Question) -> Answer {
    let asked = format!("{} /{}", question.method, question.path.join("/"));
    state.violations.push(format!("the fake GitHub does not know {asked}"));
    not_found()
}

fn not_found() -> Answer {
    Answer::error(404, "Not Found")
}

/// Whether the token's permissions cover the request, as GitHub's documentation lists them.
fn allowed(question: &Question, rest: &[&str]) -> bool {
    let writes = question.method != "GET";
    let scopes: &[&str] = match rest {
        ["commits", .., "pulls"] | ["pulls", ..] => &["pull_requests"],
        ["commits" | "branches" | "compare" | "git" | "activity", ..] => &["contents"],
        ["issues", ..] => &["issues", "pull_requests"],
        ["actions" | "environments", ..] => &["actions"],
        _ => return true,
    };
    scopes.iter().any(|scope| question.may(scope, writes))
}

impl Question {
    pub fn may(&self, scope: &str, write: bool) -> bool {
        self.token.permissions.get(scope).is_some_and(|level| level == "write" || (!write && level == "read"))
    }

    /// One page of a list, with GitHub's `Link` header.
    fn page(&self, items: Vec<Value>) -> Answer {
        let number = |name: &str, otherwise: usize| {
            self.query.get(name).and_then(|value| value.parse().ok()).filter(|number| *number > 0).unwrap_or(otherwise)
        };
        let size = number("per_page", 30).min(100);
        let page = number("page", 1);
        let last = items.len().div_ceil(size).max(1);
        let link = |page: usize, relation: &str| {
            let path = self.path.join("/");
            format!("<{}/{path}?per_page={size}&page={page}>; rel=\"{relation}\"", self.base)
        };
        let mut answer = Answer::ok(items.into_iter().skip((page - 1) * size).take(size).collect());
        if page < last {
            answer.headers.push(("link".to_owned(), [link(page + 1, "next"), link(last, "last")].join(", ")));
        }
        answer
    }
}

fn team_view(state: &State, question: &Question, team: &str) -> Answer {
    if !question.may("members", false) {
        return Answer::error(403, "Resource not accessible by integration");
    }
    if state.teams.contains_key(team) {
        Answer::ok(build("TeamFull", &json!({ "slug": team, "name": team })))
    } else {
        not_found()
    }
}

fn membership(state: &State, question: &Question, team: &str, login: &str) -> Answer {
    // The workflow token can never see an organisation's teams.
    if !question.may("members", false) {
        return Answer::error(403, "Resource not accessible by integration");
    }
    match state.teams.get(team) {
        Some(members) if members.iter().any(|member| member == login) => {
            Answer::ok(build("TeamMembership", &json!({ "role": "member", "state": "active" })))
        }
        _ => not_found(),
    }
}

fn resolve<'a>(state: &'a State, reference: &str) -> Option<&'a Commit> {
    let sha = state.branches.get(reference.trim_start_matches("heads/")).map_or(reference, String::as_str);
    state.commits.get(sha)
}

fn commit(state: &State, reference: &str) -> Answer {
    match resolve(state, reference) {
        Some(commit) => Answer::ok(build("Commit", &views::commit(state, commit))),
        None => Answer::error(422, &format!("No commit found for SHA: {reference}")),
    }
}

fn commit_pulls(state: &mut State, question: &Question, sha: &str) -> Answer {
    if resolve(state, sha).is_none() {
        return Answer::error(422, &format!("No commit found for SHA: {sha}"));
    }
    let pulls = state.pulls_of(sha);
    question.page(pulls.iter().map(|pull| build("PullRequestSimple", &views::pull(state, pull))).collect())
}

fn branch_view(state: &State, branch: &str) -> Answer {
    match state.branches.get(branch).and_then(|sha| state.commits.get(sha)) {
        Some(tip) => {
            let fields = json!({ "name": branch, "commit": views::commit(state, tip), "protected": false });
            Answer::ok(build("BranchWithProtection", &fields))
        }
        None => Answer::error(404, "Branch not found"),
    }
}

fn compare(state: &State, question: &Question, range: &str) -> Answer {
    let Some((base, head)) = range.split_once("...") else { return not_found() };
    let (Some(base), Some(head)) = (resolve(state, base), resolve(state, head)) else { return not_found() };
    let ahead = state.between(&base.sha, &head.sha);
    let behind = state.between(&head.sha, &base.sha);
    let status = match (ahead.is_empty(), behind.is_empty()) {
        (true, true) => "identical",
        (false, true) => "ahead",
        (true, false) => "behind",
        (false, false) => "diverged",
    };
    let commits: Vec<Value> = ahead.iter().map(|commit| views::commit(state, commit)).collect();
    let page = question.page(commits);
    let fields = json!({
        "base_commit": views::commit(state, base),
        "merge_base_commit": views::commit(state, base),
        "status": status,
        "ahead_by": ahead.len(),
        "behind_by": behind.len(),
        "total_commits": ahead.len(),
        "commits": page.body,
    });
    Answer { body: build("CommitComparison", &fields), ..page }
}

fn tree(state: &State, sha: &str) -> Answer {
    let Some(files) = state.files.get(sha) else { return not_found() };
    let entries: Vec<Value> = files.iter().map(|(path, content)| views::blob(state, path, content)).collect();
    let fields = json!({ "sha": sha, "tree": entries, "truncated": false });
    Answer::ok(build("GitTree", &fields))
}

/// Newest first, the open ones unless asked otherwise.
fn pulls(state: &State, question: &Question) -> Answer {
    let asked = |name: &str| question.query.get(name).map(String::as_str);
    let open = asked("state").unwrap_or("open");
    let wanted = |pull: &&Pull| {
        (open == "all" || pull.open == (open == "open"))
            && asked("base").is_none_or(|base| pull.base == base)
            && asked("head").is_none_or(|head| head == format!("{}:{}", pull.head_owner, pull.branch))
    };
    let found = state.pulls.values().rev().filter(wanted);
    question.page(found.map(|pull| build("PullRequestSimple", &views::pull(state, pull))).collect())
}

fn pull(state: &State, question: &Question, number: &str, rest: &[&str]) -> Answer {
    let Some(pull) = number.parse().ok().and_then(|number: u64| state.pulls.get(&number)) else { return not_found() };
    match rest {
        [] => Answer::ok(build("PullRequest", &views::whole_pull(state, pull))),
        ["reviews"] => question.page(
            pull.reviews.iter().map(|review| build("PullRequestReview", &views::review(state, pull, review))).collect(),
        ),
        ["commits"] => {
            let commits = pull.commits.iter().filter_map(|sha| state.commits.get(sha));
            question.page(commits.map(|commit| build("Commit", &views::commit(state, commit))).collect())
        }
        _ => not_found(),
    }
}

fn comments(state: &mut State, question: &Question, number: &str) -> Answer {
    let Some(number) = number.parse().ok().filter(|number| state.pulls.contains_key(number)) else {
        return not_found();
    };
    if question.method == "GET" {
        let comments = state.comments.values().filter(|comment| comment.issue == number);
        return question.page(comments.map(|comment| build("IssueComment", &views::comment(state, comment))).collect());
    }
    match body(question) {
        Ok(text) => {
            let id = state.add_comment(number, &question.token.login, &text);
            Answer::new(201, build("IssueComment", &views::comment(state, &state.comments[&id])))
        }
        Err(refusal) => refusal,
    }
}

fn comment(state: &mut State, question: &Question, id: &str) -> Answer {
    let Some(id) = id.parse().ok().filter(|id| state.comments.contains_key(id)) else { return not_found() };
    match question.method.as_str() {
        "PATCH" => {
            let text = match body(question) {
                Ok(text) => text,
                Err(refusal) => return refusal,
            };
            // A token that may write issues still may not edit what another author wrote.
            if state.comments[&id].author != question.token.login {
                return Answer::error(403, "Resource not accessible by integration");
            }
            if let Some(comment) = state.comments.get_mut(&id) {
                comment.history.push(text.clone());
                comment.body = text;
                comment.updated = now();
            }
        }
        "DELETE" => {
            state.comments.remove(&id);
            return Answer::new(204, Value::Null);
        }
        _ => {}
    }
    Answer::ok(build("IssueComment", &views::comment(state, &state.comments[&id])))
}

fn body(question: &Question) -> Result<String, Answer> {
    match question.body["body"].as_str() {
        None | Some("") => Err(Answer::error(422, "Validation Failed: body cannot be blank")),
        Some(text) if text.chars().count() > LONGEST_COMMENT => {
            Err(Answer::error(422, "Validation Failed: body is too long (maximum is 65536 characters)"))
        }
        Some(text) => Ok(text.to_owned()),
    }
}

fn permission(state: &State, login: &str) -> Answer {
    let Some(role) = state.people.get(login) else {
        return Answer::error(404, &format!("{login} is not a user"));
    };
    // GitHub folds the two newer roles into the older ones here.
    let permission = match role.as_str() {
        "maintain" => "write",
        "triage" => "read",
        other => other,
    };
    let mut user = views::user(login);
    user["role_name"] = role.as_str().into();
    let fields = json!({ "permission": permission, "role_name": role, "user": user });
    Answer::ok(build("RepositoryCollaboratorPermission", &fields))
}

fn run(state: &State, question: &Question, id: &str, rest: &[&str]) -> Answer {
    let Some(run) = id.parse().ok().and_then(|id: u64| state.runs.get(&id)) else { return not_found() };
    let one = |number: usize| {
        let attempt = number.checked_sub(1).and_then(|index| run.attempts.get(index));
        attempt.map(|attempt| build("WorkflowRun", &views::run(state, run, number, attempt)))
    };
    let number = |text: &str| text.parse::<usize>().unwrap_or(0);
    match rest {
        [] => one(run.attempts.len()).map_or_else(not_found, Answer::ok),
        ["attempts", attempt] => one(number(attempt)).map_or_else(not_found, Answer::ok),
        ["jobs"] => jobs(state, question, run, run.attempts.len()),
        ["attempts", attempt, "jobs"] => jobs(state, question, run, number(attempt)),
        ["approvals"] => Answer::ok(approvals(run)),
        _ => not_found(),
    }
}

/// What moved a branch, the newest first.
fn activity(state: &State, question: &Question) -> Answer {
    let wanted = question.query.get("ref").map(String::as_str);
    let mut found = Vec::new();
    for pull in state.pulls.values().filter(|pull| pull.head_owner == state.owner) {
        if wanted.is_some_and(|wanted| wanted != format!("refs/heads/{}", pull.branch)) {
            continue;
        }
        let commits = pull.commits.iter().filter_map(|sha| state.commits.get(sha)).enumerate();
        found.extend(commits.map(|(at, commit)| build("Activity", &views::activity(pull, at, commit))));
    }
    found.reverse();
    question.page(found)
}

fn pull_events(state: &State, question: &Question, number: &str) -> Answer {
    let Some(pull) = number.parse().ok().and_then(|number: u64| state.pulls.get(&number)) else { return not_found() };
    let events = pull.events.iter().map(|event| build("IssueEvent", &views::pull_event(state, pull, event)));
    question.page(events.collect())
}

/// The runs of the repository, newest first.
fn runs_of(state: &State, question: &Question) -> Answer {
    let asked = |name: &str| question.query.get(name).map(String::as_str);
    let wanted = |run: &&Run| {
        asked("head_sha").is_none_or(|sha| run.head_sha == sha) && asked("event").is_none_or(|event| run.event == event)
    };
    let found: Vec<&Run> = state.runs.values().rev().filter(wanted).collect();
    list_of_runs(state, question, &found)
}

fn list_of_runs(state: &State, question: &Question, found: &[&Run]) -> Answer {
    let view = |run: &&Run| {
        let attempt = run.attempts.last()?;
        Some(build("WorkflowRun", &views::run(state, run, run.attempts.len(), attempt)))
    };
    let page = question.page(found.iter().filter_map(view).collect());
    Answer { body: json!({ "total_count": found.len(), "workflow_runs": page.body }), ..page }
}

/// The runs of a workflow, newest first.
fn runs(state: &State, question: &Question, file: &str) -> Answer {
    let asked = |name: &str| question.query.get(name).map(String::as_str);
    let wanted = |run: &&Run| {
        format!("{}.yml", run.workflow) == file
            && asked("branch").is_none_or(|branch| run.head_branch == branch)
            && asked("event").is_none_or(|event| run.event == event)
    };
    let found: Vec<&Run> = state.runs.values().rev().filter(wanted).collect();
    list_of_runs(state, question, &found)
}

/// Somebody presses "Re-run failed jobs", by the interface. The runner starts it when the test does.
fn rerun(state: &mut State, id: &str) -> Answer {
    let run = id.parse().ok().and_then(|id: u64| state.runs.get(&id));
    match run.and_then(|run| Some((run.id, run.attempts.last()?.status.clone()))) {
        Some((id, status)) if status == "completed" => {
            state.reruns.push(id);
            Answer::new(201, build("EmptyObject", &json!({})))
        }
        Some(_) => Answer::error(403, "This workflow is already running"),
        None => not_found(),
    }
}

fn jobs(state: &State, question: &Question, run: &Run, number: usize) -> Answer {
    let Some(attempt) = number.checked_sub(1).and_then(|index| run.attempts.get(index)) else { return not_found() };
    let jobs: Vec<Value> = views::jobs(state, run, number, attempt).iter().map(|job| build("Job", job)).collect();
    let count = jobs.len();
    let page = question.page(jobs);
    Answer { body: json!({ "total_count": count, "jobs": page.body }), ..page }
}

fn approvals(run: &Run) -> Value {
    let view = |approval: &super::state::Approval| {
        let environments: Vec<Value> = approval.environments.iter().map(|name| json!({ "name": name })).collect();
        let fields =
            json!({ "state": approval.state, "user": views::user(&approval.user), "environments": environments });
        build("EnvironmentApprovals", &fields)
    };
    run.approvals.iter().map(view).collect()
}

fn environment(state: &State, name: &str) -> Answer {
    match state.environments.get(name) {
        Some(environment) => Answer::ok(build("Environment", &views::environment(state, name, environment))),
        None => not_found(),
    }
}
