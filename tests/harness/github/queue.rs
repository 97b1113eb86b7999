//! The merge queue: it stacks pull requests on main, has each group checked, and lands them together.

use serde_json::json;

use super::FakeGithub;
use super::events::{Checkout, Event, pushed_commit};
use super::schema::build;
use super::state::{Merge, now};
use super::story::{MergeMethod, Push, merge_commits};
use super::views;

/// A pull request in the queue.
#[derive(Debug, Clone)]
pub struct Entry {
    pub number: u64,
    /// What the queue made for it, the last commit last.
    pub commits: Vec<String>,
}

impl FakeGithub {
    /// `merge_group`: the queue tries one pull request on top of main.
    pub fn merge_group_event(&self, number: u64) -> Event {
        self.merge_group_event_by(MergeMethod::Merge, &[number])
    }

    /// `merge_group`: the queue tries the last of these on top of the others, and all on top of main.
    pub fn merge_group_event_by(&self, method: MergeMethod, numbers: &[u64]) -> Event {
        let mut state = self.state();
        let mut base = state.branches["main"].clone();
        let mut sha = base.clone();
        state.queue.clear();
        for number in numbers {
            let pull = state.pulls[number].clone();
            base.clone_from(&sha);
            let commits = merge_commits(&mut state, method, &pull, &base, &pull.author);
            sha.clone_from(commits.last().expect("a merge makes a commit"));
            state.queue.push(Entry { number: *number, commits });
        }
        let last = numbers.last().expect("a group has a pull request");
        let author = state.pulls[last].author.clone();
        let head_ref = format!("refs/heads/gh-readonly-queue/main/pr-{last}-{base}");
        let head_commit = pushed_commit(&state, &state.commits[&sha]);
        let payload = json!({
            "action": "checks_requested",
            "merge_group": {
                "head_sha": sha,
                "head_ref": head_ref,
                "base_sha": base,
                "base_ref": "refs/heads/main",
                "head_commit": {
                    "id": head_commit["id"],
                    "tree_id": head_commit["tree_id"],
                    "message": head_commit["message"],
                    "timestamp": head_commit["timestamp"],
                },
            },
            "repository": views::repository(&state),
            "sender": views::user(&author),
        });
        Event {
            name: "merge_group",
            payload: build("WebhookMergeGroupChecksRequested", &payload),
            sha,
            git_ref: head_ref,
            head_ref: String::new(),
            base_ref: String::new(),
            actor: author,
            checkout: Checkout::TestMerge(numbers.to_vec()),
        }
    }

    /// The checks passed: what the queue holds lands on main, in one push.
    pub fn land_queue(&self) -> Push {
        let mut state = self.state();
        let before = state.branches["main"].clone();
        let mut after = before.clone();
        let mut by = String::new();
        for Entry { number, commits } in std::mem::take(&mut state.queue) {
            after.clone_from(commits.last().expect("a merge makes a commit"));
            let pull = state.pulls.get_mut(&number).expect("the pull request exists");
            by.clone_from(&pull.author);
            pull.open = false;
            pull.merge = Some(Merge { sha: after.clone(), commits, by: by.clone(), at: now() });
        }
        state.branches.insert("main".to_owned(), after.clone());
        Push { branch: "main".to_owned(), before, after, by, forced: false }
    }
}
