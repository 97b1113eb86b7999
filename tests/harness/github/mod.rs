//! GitHub: a stateful fake on loopback. People act on it through [`FakeGithub`]; programs talk to
//! its REST and GraphQL interfaces, whose answers hold GitHub's own schemas.

pub mod events;
pub mod graphql;
pub mod graphql_schema;
pub mod holes;
pub mod queue;
pub mod rest;
pub mod schema;
pub mod server;
pub mod state;
pub mod story;
pub mod views;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub use self::state::{Comment, Fault, Request, State};

/// What the workflow token's comments are signed with.
pub const WORKFLOW_LOGIN: &str = "github-actions[bot]";

/// The permissions that the README's workflows ask for.
pub const WORKFLOW_PERMISSIONS: &[(&str, &str)] =
    &[("metadata", "read"), ("contents", "read"), ("actions", "read"), ("pull_requests", "write")];

/// A running fake GitHub with one repository.
#[derive(Debug)]
pub struct FakeGithub {
    state: Arc<Mutex<State>>,
    server: server::Server,
}

impl FakeGithub {
    /// Starts with the repository `acme/infra` and three people: octocat and hubot, who can write,
    /// and monalisa, who administers.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::new("acme", "infra")));
        let server = server::Server::start(Arc::clone(&state));
        Self { state, server }
    }

    /// Everything it knows, to look at or to change in a way the story has no word for.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test fails while it holds the state")
    }

    /// `GITHUB_API_URL`.
    pub fn api_url(&self) -> String {
        self.server.url()
    }

    /// `GITHUB_GRAPHQL_URL`.
    pub fn graphql_url(&self) -> String {
        format!("{}/graphql", self.server.url())
    }

    /// What was asked, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// The comments of a pull request, oldest first.
    pub fn comments(&self, number: u64) -> Vec<Comment> {
        self.state().comments.values().filter(|comment| comment.issue == number).cloned().collect()
    }

    /// The only comment of a pull request.
    #[track_caller]
    pub fn comment(&self, number: u64) -> String {
        let comments = self.comments(number);
        assert_eq!(comments.len(), 1, "one comment on #{number}: {comments:#?}");
        comments[0].body.clone()
    }

    /// A token of the workflow's with these permissions.
    pub fn workflow_token(&self, permissions: &[(&str, &str)]) -> String {
        let mut state = self.state();
        let token = format!("ghs_{:036}", state.next());
        let permissions = permissions.iter().map(|(scope, level)| ((*scope).to_owned(), (*level).to_owned())).collect();
        state.tokens.insert(token.clone(), state::Token { login: WORKFLOW_LOGIN.to_owned(), permissions });
        token
    }

    /// The next `times` requests whose path contains `path` are answered with `status`, and not carried out.
    pub fn fail_next(&self, times: usize, method: &str, path: &str, status: u16) {
        self.fault(Fault { times, status: Some(status), ..fault(method, path) });
    }

    /// The next `times` requests are carried out, and their answers replaced by `status`.
    pub fn lose_answers(&self, times: usize, method: &str, path: &str, status: u16) {
        self.fault(Fault { times, status: Some(status), after: true, ..fault(method, path) });
    }

    /// The next `times` requests are answered late.
    pub fn delay_next(&self, times: usize, method: &str, path: &str, delay: Duration) {
        self.fault(Fault { times, delay, ..fault(method, path) });
    }

    /// From now on, nothing is found where the path contains `path`, as on an older server.
    pub fn never_has(&self, path: &str) {
        self.fail_next(usize::MAX, "GET", path, 404);
    }

    /// Any fault.
    pub fn fault(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Fails when an answer was not what GitHub's schemas promise.
    #[track_caller]
    pub fn assert_sound(&self) {
        let violations = std::mem::take(&mut self.state().violations);
        assert!(violations.is_empty(), "the fake GitHub answered what GitHub would not:\n{}", violations.join("\n"));
    }
}

impl Drop for FakeGithub {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_sound();
        }
    }
}

fn fault(method: &str, path: &str) -> Fault {
    Fault {
        method: Some(method.to_owned()),
        path: path.to_owned(),
        times: 1,
        status: None,
        headers: Vec::new(),
        delay: Duration::ZERO,
        after: false,
    }
}
