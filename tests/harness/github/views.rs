//! GitHub's objects as its REST interface and its events show them.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::state::{Attempt, Comment, Commit, Environment, Pull, PullEvent, PullEventKind, Review, Run, State, is_bot};

/// A stable number for a login; the workflow token's is GitHub's own.
pub fn user_id(login: &str) -> u64 {
    match login {
        "github-actions[bot]" => 41_898_282,
        "octocat" => 583_231,
        _ => 1_000_000 + login.bytes().fold(7, |id: u64, byte| (id * 31 + u64::from(byte)) % 1_000_000),
    }
}

pub fn user(login: &str) -> Value {
    json!({
        "login": login,
        "id": user_id(login),
        "node_id": format!("U_{}", user_id(login)),
        "html_url": format!("https://github.com/{login}"),
        "type": if is_bot(login) { "Bot" } else { "User" },
    })
}

fn maybe_user(login: Option<&str>) -> Value {
    login.map_or(Value::Null, user)
}

pub fn repository(state: &State) -> Value {
    repository_of(state, &state.owner)
}

pub fn repository_of(state: &State, owner: &str) -> Value {
    let slug = format!("{owner}/{}", state.name);
    json!({
        "id": 186_853_002 + user_id(owner),
        "node_id": format!("R_{}", user_id(owner)),
        "name": state.name,
        "full_name": slug,
        "private": true,
        "html_url": format!("https://github.com/{slug}"),
        "url": format!("https://api.github.com/repos/{slug}"),
        "fork": owner != state.owner,
        "default_branch": state.default_branch,
        "owner": user(owner),
        "visibility": "private",
    })
}

/// The fields that a pull request has in every list and event.
pub fn pull(state: &State, pull: &Pull) -> Value {
    let slug = state.slug();
    let number = pull.number;
    // Where there is no merge yet, GitHub shows its test merge.
    let merge_sha = pull.merge.as_ref().map_or_else(|| test_merge(pull), |merge| merge.sha.clone());
    let merged_at = pull.merge.as_ref().map(|merge| merge.at);
    json!({
        "url": format!("https://api.github.com/repos/{slug}/pulls/{number}"),
        "html_url": format!("https://github.com/{slug}/pull/{number}"),
        "id": 279_147_000 + number,
        "node_id": format!("PR_{number}"),
        "number": number,
        "state": if pull.open { "open" } else { "closed" },
        "title": pull.title,
        "user": user(&pull.author),
        "created_at": pull.opened_at,
        "updated_at": pull.opened_at,
        "merged_at": merged_at,
        "closed_at": merged_at,
        "merge_commit_sha": merge_sha,
        "draft": false,
        "author_association": "CONTRIBUTOR",
        "head": {
            "label": format!("{}:{}", pull.head_owner, pull.branch),
            "ref": pull.branch,
            "sha": pull.head_sha(),
            "user": user(&pull.head_owner),
            "repo": repository_of(state, &pull.head_owner),
        },
        "base": {
            "label": format!("{}:{}", state.owner, pull.base),
            "ref": pull.base,
            "sha": pull.base_sha,
            "user": user(&state.owner),
            "repo": repository(state),
        },
    })
}

/// The fields that only a single pull request and its events have.
pub fn whole_pull(state: &State, which: &Pull) -> Value {
    let mut value = pull(state, which);
    value["merged"] = which.merged().into();
    value["merged_by"] = which.merge.as_ref().map_or(Value::Null, |merge| user(&merge.by));
    value["mergeable_state"] = if which.open { "clean" } else { "unknown" }.into();
    value["commits"] = which.commits.len().into();
    value["changed_files"] = 1.into();
    value
}

/// The commit that `refs/pull/N/merge` points to: what a `pull_request` run checks out.
pub fn test_merge(pull: &Pull) -> String {
    let head = pull.head_sha();
    format!("{}{}", &head[20..], &head[..20])
}

pub fn review(state: &State, pull: &Pull, review: &Review) -> Value {
    let url = format!("https://github.com/{}/pull/{}#pullrequestreview-{}", state.slug(), pull.number, review.id);
    json!({
        "id": review.id,
        "node_id": format!("PRR_{}", review.id),
        "user": maybe_user(review.author.as_deref()),
        "state": review.state,
        "html_url": url,
        "submitted_at": review.at,
        "commit_id": review.commit,
        // What a private member's review looks like to the workflow token.
        "author_association": "CONTRIBUTOR",
    })
}

pub fn commit(state: &State, commit: &Commit) -> Value {
    let slug = state.slug();
    let person = json!({
        "name": commit.author.as_deref().unwrap_or("somebody"),
        "email": "somebody@users.noreply.github.com",
        "date": commit.at,
    });
    let author = maybe_user(commit.author.as_deref());
    let parents: Vec<Value> = commit
        .parents
        .iter()
        .map(|sha| json!({ "sha": sha, "url": format!("https://api.github.com/repos/{slug}/commits/{sha}") }))
        .collect();
    json!({
        "sha": commit.sha,
        "node_id": format!("C_{}", commit.sha),
        "url": format!("https://api.github.com/repos/{slug}/commits/{}", commit.sha),
        "html_url": format!("https://github.com/{slug}/commit/{}", commit.sha),
        "commit": {
            "message": commit.message,
            "author": person,
            "committer": person,
            "tree": { "sha": tree(&commit.sha) },
            "verification": {
                "verified": commit.on_page,
                "reason": if commit.on_page { "valid" } else { "unsigned" },
                "payload": null,
                "signature": null,
                "verified_at": null,
            },
        },
        "author": author,
        "committer": maybe_user(commit.committer()),
        "parents": parents,
    })
}

/// The tree of a commit; the fake has no files, so it only has a name.
pub fn tree(sha: &str) -> String {
    sha.chars().rev().collect()
}

/// A file of a tree; equal contents have equal names, as in Git.
pub fn blob(state: &State, path: &str, content: &str) -> Value {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    let sha = format!("{:040x}", hasher.finish());
    let url = format!("https://api.github.com/repos/{}/git/blobs/{sha}", state.slug());
    json!({ "path": path, "mode": "100644", "type": "blob", "sha": sha, "size": content.len(), "url": url })
}

pub fn comment(state: &State, comment: &Comment) -> Value {
    let place = format!("{}/issues/{}", state.slug(), comment.issue);
    json!({
        "id": comment.id,
        "node_id": format!("IC_{}", comment.id),
        "url": format!("https://api.github.com/repos/{}/issues/comments/{}", state.slug(), comment.id),
        "html_url": format!("https://github.com/{}/pull/{}#issuecomment-{}", state.slug(), comment.issue, comment.id),
        "issue_url": format!("https://api.github.com/repos/{place}"),
        "body": comment.body,
        "user": user(&comment.author),
        "created_at": comment.created,
        "updated_at": comment.updated,
        "author_association": "CONTRIBUTOR",
    })
}

pub fn run(state: &State, run: &Run, number: usize, attempt: &Attempt) -> Value {
    let slug = state.slug();
    json!({
        "id": run.id,
        "node_id": format!("WFR_{}", run.id),
        "name": run.workflow,
        "head_branch": run.head_branch,
        "head_sha": run.head_sha,
        "path": format!(".github/workflows/{}.yml", run.workflow),
        "display_title": run.workflow,
        "run_number": 1,
        "run_attempt": number,
        "event": run.event,
        "status": attempt.others.first().map_or(&attempt.status, |other| &other.status),
        "conclusion": if attempt.others.is_empty() { json!(attempt.conclusion) } else { Value::Null },
        "workflow_id": 1,
        "url": format!("https://api.github.com/repos/{slug}/actions/runs/{}", run.id),
        "html_url": format!("https://github.com/{slug}/actions/runs/{}", run.id),
        "created_at": attempt.started,
        "updated_at": attempt.completed.unwrap_or(attempt.started),
        "run_started_at": attempt.started,
        "actor": user(&run.actor),
        "triggering_actor": user(&attempt.triggering_actor),
        "repository": repository(state),
        "head_repository": repository(state),
    })
}

/// The jobs of an attempt, the one that uses the action first.
pub fn jobs(state: &State, run: &Run, number: usize, attempt: &Attempt) -> Vec<Value> {
    let common = |index: u64, name: &str| {
        json!({
            "id": run.id * 100 + index * 10 + number as u64,
            "run_id": run.id,
            "run_attempt": number,
            "node_id": format!("CR_{}_{index}", run.id),
            "head_sha": run.head_sha,
            "head_branch": run.head_branch,
            "html_url": format!("https://github.com/{}/actions/runs/{}/job/{index}", state.slug(), run.id),
            "name": name,
            "workflow_name": run.workflow,
        })
    };
    let mut ours = common(0, &attempt.job);
    ours["status"] = json!(attempt.status);
    ours["conclusion"] = json!(attempt.conclusion);
    ours["created_at"] = json!(attempt.started);
    ours["started_at"] = json!(attempt.started);
    ours["completed_at"] = json!(attempt.completed);
    ours["runner_id"] = json!(21);
    ours["runner_name"] = json!("GitHub Actions 1");
    ours["steps"] = json!([{ "number": 1, "name": "Set up job", "status": "completed", "conclusion": "success" }]);
    if attempt.lost {
        let open = json!({ "number": 2, "name": "apply", "status": "in_progress", "conclusion": null });
        ours["steps"].as_array_mut().expect("steps").push(open);
    }
    let mut jobs = vec![ours];
    for (index, other) in (1..).zip(&attempt.others) {
        let mut job = common(index, &other.name);
        job["status"] = json!(other.status);
        job["conclusion"] = Value::Null;
        job["created_at"] = json!(other.started);
        job["started_at"] = json!(other.started);
        job["completed_at"] = Value::Null;
        let has_runner = other.status == "in_progress";
        job["runner_id"] = if has_runner { json!(22) } else { Value::Null };
        jobs.push(job);
    }
    jobs
}

pub fn environment(state: &State, name: &str, environment: &Environment) -> Value {
    let reviewers: Vec<Value> =
        environment.reviewers.iter().map(|login| json!({ "type": "User", "reviewer": user(login) })).collect();
    let rules = if reviewers.is_empty() {
        json!([])
    } else {
        json!([{
            "id": 3736,
            "node_id": "GA_1",
            "type": "required_reviewers",
            "prevent_self_review": environment.prevent_self_review,
            "reviewers": reviewers,
        }])
    };
    json!({
        "id": 161_088_068,
        "node_id": "EN_1",
        "name": name,
        "url": format!("https://api.github.com/repos/{}/environments/{name}", state.slug()),
        "protection_rules": rules,
        "deployment_branch_policy": environment
            .protected_branches
            .then(|| json!({ "protected_branches": true, "custom_branch_policies": false })),
    })
}

/// What moved a branch: each commit of the pull request that it is the branch of.
pub fn activity(pull: &Pull, at: usize, commit: &Commit) -> Value {
    let before = at.checked_sub(1).and_then(|before| pull.commits.get(before));
    json!({
        "id": commit.number,
        "node_id": format!("PSH_{}", commit.number),
        "before": before.cloned().unwrap_or_else(|| "0".repeat(40)),
        "after": commit.sha,
        "ref": format!("refs/heads/{}", pull.branch),
        "timestamp": commit.at,
        "activity_type": if at == 0 { "branch_creation" } else { "push" },
        "actor": maybe_user(commit.pusher()),
    })
}

/// What happened to a pull request, as REST's issue events tell it: without the names of branches.
pub fn pull_event(state: &State, pull: &Pull, event: &PullEvent) -> Value {
    let (word, dismissed) = match &event.what {
        PullEventKind::BaseChanged { .. } => ("base_ref_changed", None),
        PullEventKind::BaseFollowed { .. } => ("automatic_base_change_succeeded", None),
        PullEventKind::Dismissed { review, state } => ("review_dismissed", Some((review, state))),
    };
    let mut view = json!({
        "id": event.id,
        "node_id": format!("PE_{}", event.id),
        "url": format!("https://api.github.com/repos/{}/issues/events/{}", state.slug(), event.id),
        "actor": user(&event.by),
        "event": word,
        "commit_id": null,
        "commit_url": null,
        "created_at": event.at,
    });
    if let Some((review, was)) = dismissed {
        view["dismissed_review"] = json!({ "state": was.to_lowercase(), "review_id": review, "dismissal_message": format!("#{}", pull.number) });
    }
    view
}
