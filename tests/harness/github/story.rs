//! What people and the machinery of GitHub do: open, push, review, merge, run.

use super::FakeGithub;
use super::state::{
    Approval, Attempt, Committer, Environment, Hole, HoleKind, Job, Merge, Pull, PullEvent, PullEventKind, Review, Run,
    State, minutes_ago, now,
};

/// A push, as its event tells it.
#[derive(Debug, Clone)]
pub struct Push {
    pub branch: String,
    pub before: String,
    pub after: String,
    pub by: String,
    pub forced: bool,
}

/// How a pull request is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeMethod {
    Merge,
    Squash,
    Rebase,
}

impl FakeGithub {
    /// Gives a person a permission: `admin`, `write`, `read` or `none`.
    pub fn person(&self, login: &str, permission: &str) {
        self.state().people.insert(login.to_owned(), permission.to_owned());
    }

    /// Opens a pull request with one commit against main and gives its number.
    pub fn open_pull_request(&self, author: &str, branch: &str, title: &str) -> u64 {
        self.open_pull_request_from("acme", author, branch, title)
    }

    /// Opens a pull request from the repository of another owner.
    pub fn open_pull_request_from(&self, head_owner: &str, author: &str, branch: &str, title: &str) -> u64 {
        let mut state = self.state();
        let number = state.pulls.keys().next_back().map_or(42, |last| last + 1);
        let base_sha = state.branches["main"].clone();
        let sha = state.commit(vec![base_sha.clone()], Some(author), title);
        if head_owner == state.owner {
            state.branches.insert(branch.to_owned(), sha.clone());
        }
        let pull = Pull {
            number,
            title: title.to_owned(),
            author: author.to_owned(),
            branch: branch.to_owned(),
            base: "main".to_owned(),
            head_owner: head_owner.to_owned(),
            base_sha,
            commits: vec![sha],
            open: true,
            merge: None,
            reviews: Vec::new(),
            events: Vec::new(),
            opened_at: now(),
            index_lag: 0,
        };
        state.pulls.insert(number, pull);
        number
    }

    /// Pushes another commit to a pull request's branch.
    pub fn push_to_pull_request(&self, number: u64, author: &str) -> String {
        let mut state = self.state();
        let pull = state.pulls[&number].clone();
        let sha = state.commit(vec![pull.head_sha().to_owned()], Some(author), "Another commit");
        state.branches.insert(pull.branch, sha.clone());
        pull_mut(&mut state, number).commits.push(sha.clone());
        sha
    }

    /// Of a pull request's last commit: somebody else pushed it than its author says, and its committer
    /// is whom it claims (`None`: an address that no account has).
    pub fn head_was_pushed_by(&self, number: u64, pusher: &str, claimed_committer: Option<&str>) {
        let mut state = self.state();
        let head = state.pulls[&number].head_sha().to_owned();
        let commit = state.commits.get_mut(&head).expect("the commit is there");
        commit.pushed_by = Some(pusher.to_owned());
        commit.claimed_committer =
            claimed_committer.map_or(Committer::NoAccount, |login| Committer::Claimed(login.to_owned()));
    }

    /// Somebody chooses another base branch for a pull request.
    pub fn change_base(&self, number: u64, by: &str, to: &str) {
        self.move_base(number, by, to, |from, to| PullEventKind::BaseChanged { from, to });
    }

    /// GitHub moves a pull request to another base branch, since the former one was merged and deleted.
    pub fn base_follows(&self, number: u64, by: &str, to: &str) {
        self.move_base(number, by, to, |from, to| PullEventKind::BaseFollowed { from, to });
    }

    fn move_base(&self, number: u64, by: &str, to: &str, what: impl Fn(String, String) -> PullEventKind) {
        let mut state = self.state();
        let id = state.next();
        let sha = state.branches.get(to).cloned();
        let pull = pull_mut(&mut state, number);
        let from = std::mem::replace(&mut pull.base, to.to_owned());
        pull.base_sha = sha.unwrap_or_else(|| pull.base_sha.clone());
        let what = what(from, to.to_owned());
        pull.events.push(PullEvent { id, by: by.to_owned(), at: now(), what });
    }

    /// Moves what happened to a pull request so far some seconds back: GitHub's moments are whole
    /// seconds, and a test is faster.
    pub fn seconds_pass(&self, number: u64, seconds: i64) {
        let mut state = self.state();
        let pull = pull_mut(&mut state, number);
        let ago = jiff::SignedDuration::from_secs(seconds);
        pull.reviews.iter_mut().for_each(|review| review.at -= ago);
        pull.events.iter_mut().for_each(|event| event.at -= ago);
    }

    /// From now on, GraphQL's answers have a hole in a list.
    pub fn hides(&self, list: &'static str, what: HoleKind) {
        self.state().holes = vec![Hole { list, what }];
    }

    /// GitHub merges the base branch into a pull request's branch, in somebody's name.
    pub fn update_branch(&self, number: u64, by: &str) -> String {
        let sha = self.push_to_pull_request(number, by);
        self.state().commits.get_mut(&sha).expect("the commit was just made").on_page = true;
        sha
    }

    /// Reviews the head commit: `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED` …
    pub fn review(&self, number: u64, author: &str, opinion: &str) {
        let head = self.state().pulls[&number].head_sha().to_owned();
        self.review_of(number, Some(author), opinion, Some(&head));
    }

    /// Reviews any commit, by anyone, or by nobody who still exists.
    pub fn review_of(&self, number: u64, author: Option<&str>, opinion: &str, commit: Option<&str>) {
        let mut state = self.state();
        let review = Review {
            id: state.next(),
            author: author.map(str::to_owned),
            state: opinion.to_owned(),
            commit: commit.map(str::to_owned),
            at: now(),
            on_behalf_of: Vec::new(),
        };
        pull_mut(&mut state, number).reviews.push(review);
    }

    /// Merges a pull request by a merge commit.
    pub fn merge(&self, number: u64, by: &str) -> Push {
        self.merge_by(MergeMethod::Merge, number, by)
    }

    /// Merges a pull request.
    pub fn merge_by(&self, method: MergeMethod, number: u64, by: &str) -> Push {
        let mut state = self.state();
        let pull = state.pulls[&number].clone();
        let before = state.branches[&pull.base].clone();
        let commits = merge_commits(&mut state, method, &pull, &before, by);
        let after = commits.last().expect("a merge makes a commit").clone();
        state.branches.insert(pull.base.clone(), after.clone());
        let pull = pull_mut(&mut state, number);
        pull.open = false;
        pull.merge = Some(Merge { sha: after.clone(), commits, by: by.to_owned(), at: now() });
        Push { branch: pull.base.clone(), before, after, by: by.to_owned(), forced: false }
    }

    /// Pushes a commit to main that no pull request stands behind.
    pub fn push_directly(&self, by: &str) -> Push {
        let mut state = self.state();
        let before = state.branches["main"].clone();
        let after = state.commit(vec![before.clone()], Some(by), "A direct push");
        state.branches.insert("main".to_owned(), after.clone());
        Push { branch: "main".to_owned(), before, after, by: by.to_owned(), forced: false }
    }

    /// Pushes a commit to main that does not continue it.
    pub fn force_push(&self, by: &str) -> Push {
        let mut state = self.state();
        let before = state.branches["main"].clone();
        let parents = state.commits[&before].parents.clone();
        let after = state.commit(parents, Some(by), "Another history");
        state.branches.insert("main".to_owned(), after.clone());
        Push { branch: "main".to_owned(), before, after, by: by.to_owned(), forced: true }
    }

    /// monalisa dismisses all reviews of a pull request by one person.
    pub fn dismiss(&self, number: u64, author: &str) {
        self.dismiss_by(number, author, "monalisa");
    }

    /// Somebody does.
    pub fn dismiss_by(&self, number: u64, author: &str, by: &str) {
        let mut state = self.state();
        let id = state.next();
        let pull = pull_mut(&mut state, number);
        for review in &mut pull.reviews {
            if review.author.as_deref() == Some(author) {
                let state = std::mem::replace(&mut review.state, "DISMISSED".to_owned());
                let what = PullEventKind::Dismissed { review: review.id, state };
                pull.events.push(PullEvent { id, by: by.to_owned(), at: now(), what });
            }
        }
    }

    /// Writes a comment as a person (or as another bot).
    pub fn write_comment(&self, number: u64, author: &str, body: &str) -> u64 {
        self.state().add_comment(number, author, body)
    }

    /// An environment with required reviewers; without any it is unprotected.
    pub fn environment(&self, name: &str, reviewers: &[&str], prevent_self_review: bool) {
        let reviewers = reviewers.iter().map(|login| (*login).to_owned()).collect();
        let environment = Environment { reviewers, prevent_self_review, protected_branches: true };
        self.state().environments.insert(name.to_owned(), environment);
    }

    /// From now on, runs of every branch get into it.
    pub fn open_environment(&self, name: &str) {
        let mut state = self.state();
        state.environments.get_mut(name).expect("the environment is there").protected_branches = false;
    }

    /// Approves a run for an environment.
    pub fn approve_run(&self, run: u64, environment: &str, user: &str) {
        let approval = Approval {
            state: "approved".to_owned(),
            user: user.to_owned(),
            environments: vec![environment.to_owned()],
        };
        run_mut(&mut self.state(), run).approvals.push(approval);
    }

    /// Starts a workflow run with one job, in progress.
    pub fn start_run(&self, workflow: &str, event: &str, sha: &str, branch: &str, actor: &str) -> u64 {
        let mut state = self.state();
        let id = 9_000_000_000 + state.next();
        let run = Run {
            id,
            workflow: workflow.to_owned(),
            event: event.to_owned(),
            head_sha: sha.to_owned(),
            head_branch: branch.to_owned(),
            actor: actor.to_owned(),
            attempts: vec![attempt(workflow, actor)],
            approvals: Vec::new(),
        };
        state.runs.insert(id, run);
        id
    }

    /// Runs it again: another attempt. Gives its number.
    pub fn rerun(&self, run: u64, actor: &str) -> u64 {
        let mut state = self.state();
        let run = run_mut(&mut state, run);
        let attempt = attempt(&run.workflow, actor);
        run.attempts.push(attempt);
        run.attempts.len() as u64
    }

    /// The latest attempt ends now.
    pub fn finish_run(&self, run: u64, conclusion: &str) {
        self.finish_run_before(run, conclusion, 0);
    }

    /// The latest attempt ended some minutes ago.
    pub fn finish_run_before(&self, run: u64, conclusion: &str, minutes: i64) {
        let mut state = self.state();
        let attempt = run_mut(&mut state, run).attempts.last_mut().expect("a run has an attempt");
        "completed".clone_into(&mut attempt.status);
        attempt.conclusion = Some(conclusion.to_owned());
        attempt.completed = Some(minutes_ago(minutes));
        attempt.started = attempt.started.min(minutes_ago(minutes + 1));
    }

    /// The latest attempt has another job, with a status of GitHub's such as `waiting`.
    pub fn add_job(&self, run: u64, name: &str, status: &str) {
        let job = Job { name: name.to_owned(), status: status.to_owned(), started: now() };
        run_mut(&mut self.state(), run).attempts.last_mut().expect("a run has an attempt").others.push(job);
    }

    /// GitHub loses contact with the runner of the latest attempt's job, in the middle of a step.
    pub fn lose_runner(&self, run: u64) {
        run_mut(&mut self.state(), run).attempts.last_mut().expect("a run has an attempt").lost = true;
    }

    /// Somebody deletes a run.
    pub fn delete_run(&self, run: u64) {
        self.state().runs.remove(&run);
    }
}

/// What a merge makes on top of a commit: one commit, or one for each of the pull request's.
pub fn merge_commits(state: &mut State, method: MergeMethod, pull: &Pull, on: &str, by: &str) -> Vec<String> {
    let (number, title, author) = (pull.number, &pull.title, Some(pull.author.as_str()));
    let on = on.to_owned();
    match method {
        MergeMethod::Merge => {
            let parents = vec![on, pull.head_sha().to_owned()];
            vec![state.commit(parents, Some(by), &format!("Merge pull request #{number}\n\n{title}"))]
        }
        MergeMethod::Squash => vec![state.commit(vec![on], author, &format!("{title} (#{number})"))],
        MergeMethod::Rebase => {
            let mut tip = on;
            let mut again = |_| {
                tip = state.commit(vec![tip.clone()], author, title);
                tip.clone()
            };
            pull.commits.iter().map(&mut again).collect()
        }
    }
}

impl State {
    pub fn add_comment(&mut self, issue: u64, author: &str, body: &str) -> u64 {
        let id = self.next();
        let comment = super::Comment {
            id,
            issue,
            author: author.to_owned(),
            body: body.to_owned(),
            minimized: false,
            created: now(),
            updated: now(),
            history: vec![body.to_owned()],
        };
        self.comments.insert(id, comment);
        id
    }
}

fn attempt(job: &str, actor: &str) -> Attempt {
    Attempt {
        status: "in_progress".to_owned(),
        conclusion: None,
        job: job.to_owned(),
        triggering_actor: actor.to_owned(),
        started: now(),
        completed: None,
        lost: false,
        others: Vec::new(),
    }
}

fn pull_mut(state: &mut State, number: u64) -> &mut Pull {
    state.pulls.get_mut(&number).expect("the pull request exists")
}

fn run_mut(state: &mut State, id: u64) -> &mut Run {
    state.runs.get_mut(&id).expect("the run exists")
}
