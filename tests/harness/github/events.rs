//! The events that start workflow runs, with payloads of GitHub's own shape.

use serde_json::{Value, json};

use super::FakeGithub;
use super::schema::build;
use super::state::{Pull, State};
use super::story::Push;
use super::views;

/// What a workflow run is started by.
#[derive(Debug, Clone)]
pub struct Event {
    pub name: &'static str,
    pub payload: Value,
    pub sha: String,
    pub git_ref: String,
    /// Empty but for `pull_request`.
    pub head_ref: String,
    pub base_ref: String,
    pub actor: String,
    pub checkout: Checkout,
}

/// Which files the run's checkout has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checkout {
    /// Main as it is now.
    Main,
    /// Main with these pull requests merged into it, for a try.
    TestMerge(Vec<u64>),
}

impl FakeGithub {
    /// `pull_request`, with the action `opened`, `reopened` or `synchronize`.
    pub fn pull_request_event(&self, number: u64, action: &str) -> Event {
        let state = self.state();
        let pull = &state.pulls[&number];
        pull_request_event(&state, pull, action)
    }

    /// `pull_request: closed`, after the merge.
    pub fn merged_event(&self, number: u64) -> Event {
        let event = self.pull_request_event(number, "closed");
        Event { checkout: Checkout::Main, ..event }
    }

    /// `push`.
    pub fn push_event(&self, push: &Push) -> Event {
        let state = self.state();
        let commits: Vec<Value> =
            state.between(&push.before, &push.after).into_iter().map(|commit| pushed_commit(&state, commit)).collect();
        let head = commits.last().cloned().unwrap_or_default();
        let zeros = push.before.bytes().all(|byte| byte == b'0');
        let payload = json!({
            "ref": format!("refs/heads/{}", push.branch),
            "before": push.before,
            "after": push.after,
            "created": zeros,
            "forced": push.forced,
            "compare": format!("https://github.com/{}/compare", state.slug()),
            "commits": commits,
            "head_commit": head,
            "pusher": { "name": push.by },
            "repository": views::repository(&state),
            "sender": views::user(&push.by),
        });
        let mut payload = payload;
        // Unlike everywhere else, a push has these as numbers.
        payload["repository"]["created_at"] = 1_557_933_565.into();
        payload["repository"]["pushed_at"] = 1_557_933_657.into();
        Event {
            name: "push",
            payload: build("WebhookPush", &payload),
            sha: push.after.clone(),
            git_ref: format!("refs/heads/{}", push.branch),
            head_ref: String::new(),
            base_ref: String::new(),
            actor: push.by.clone(),
            checkout: Checkout::Main,
        }
    }

    /// `workflow_dispatch` on main.
    pub fn dispatch_event(&self, actor: &str) -> Event {
        let state = self.state();
        let payload = json!({
            "inputs": {},
            "ref": "refs/heads/main",
            "workflow": ".github/workflows/unlock.yml",
            "repository": views::repository(&state),
            "sender": views::user(actor),
        });
        Event {
            name: "workflow_dispatch",
            payload: build("WebhookWorkflowDispatch", &payload),
            sha: state.branches["main"].clone(),
            git_ref: "refs/heads/main".to_owned(),
            head_ref: String::new(),
            base_ref: String::new(),
            actor: actor.to_owned(),
            checkout: Checkout::Main,
        }
    }

    /// `issue_comment` on a pull request: the run is one of the default branch, with its secrets.
    pub fn comment_event(&self, number: u64, actor: &str) -> Event {
        let state = self.state();
        let payload = json!({
            "action": "created",
            "issue": { "number": number, "pull_request": {}, "state": "open", "user": views::user(actor) },
            "comment": { "body": "plan, please", "user": views::user(actor) },
            "repository": views::repository(&state),
            "sender": views::user(actor),
        });
        let payload = build("WebhookIssueCommentCreated", &payload);
        drop(state);
        Event { name: "issue_comment", payload, ..self.dispatch_event(actor) }
    }

    /// `pull_request_review`, with the action `submitted`.
    pub fn review_event(&self, number: u64, actor: &str) -> Event {
        let event = self.pull_request_event(number, "opened");
        let state = self.state();
        let payload = json!({
            "action": "submitted",
            "pull_request": { "number": number, "head": { "sha": state.pulls[&number].head_sha() } },
            "review": { "state": "approved", "user": views::user(actor) },
            "repository": views::repository(&state),
            "sender": views::user(actor),
        });
        Event {
            name: "pull_request_review",
            payload: build("WebhookPullRequestReviewSubmitted", &payload),
            head_ref: String::new(),
            base_ref: String::new(),
            actor: actor.to_owned(),
            ..event
        }
    }
}

fn pull_request_event(state: &State, pull: &Pull, action: &str) -> Event {
    let mut payload = json!({
        "action": action,
        "number": pull.number,
        "pull_request": views::whole_pull(state, pull),
        "repository": views::repository(state),
        "sender": views::user(&pull.author),
    });
    let model = match action {
        "opened" => "WebhookPullRequestOpened",
        "reopened" => "WebhookPullRequestReopened",
        "closed" => "WebhookPullRequestClosed",
        "synchronize" => {
            payload["before"] = pull.commits.iter().rev().nth(1).map_or(pull.base_sha.as_str(), String::as_str).into();
            payload["after"] = pull.head_sha().into();
            "WebhookPullRequestSynchronize"
        }
        other => panic!("the harness makes no pull_request event {other}"),
    };
    Event {
        name: "pull_request",
        payload: build(model, &payload),
        sha: pull.merge.as_ref().map_or_else(|| views::test_merge(pull), |merge| merge.sha.clone()),
        git_ref: format!("refs/pull/{}/merge", pull.number),
        head_ref: pull.branch.clone(),
        base_ref: pull.base.clone(),
        actor: pull.author.clone(),
        checkout: Checkout::TestMerge(vec![pull.number]),
    }
}

pub fn pushed_commit(state: &State, commit: &super::state::Commit) -> Value {
    let person = json!({
        "name": commit.author.as_deref().unwrap_or("somebody"),
        "email": "somebody@users.noreply.github.com",
        "username": commit.author.as_deref().unwrap_or("somebody"),
    });
    json!({
        "id": commit.sha,
        "tree_id": views::tree(&commit.sha),
        "distinct": true,
        "message": commit.message,
        "timestamp": commit.at,
        "url": format!("https://github.com/{}/commit/{}", state.slug(), commit.sha),
        "author": person,
        "committer": person,
    })
}
