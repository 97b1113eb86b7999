//! What the story's steps share: who acts, what is held up until a sign is given, what is kept for
//! the page.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::harness::files::Files;
use super::harness::github::story::Push;
use super::harness::laptop::terraform;
use super::harness::runner::Outcome;
use super::harness::world::World;
use super::markdown::top;
use super::stage::{Kind, Stage};

/// What the steps hand on.
pub(crate) struct Play<'a> {
    pub(crate) stage: &'a mut Stage,
    pub(crate) world: &'a World,
    /// Where a sign tells what is held up to go on.
    pub(crate) signs: PathBuf,
}

impl Play<'_> {
    /// Somebody opens a pull request.
    pub(crate) fn open(&self, author: &str, title: &str, change: impl FnOnce(&Files)) -> u64 {
        let number = self.world.pull_request(title, change);
        let mut state = self.world.github.state();
        let pull = state.pulls.get_mut(&number).expect("it was opened");
        author.clone_into(&mut pull.author);
        let head = pull.head_sha().to_owned();
        state.commits.get_mut(&head).expect("it has a commit").author = Some(author.to_owned());
        number
    }

    /// The author pushes another commit.
    pub(crate) fn push(&self, number: u64, message: &str, change: impl FnOnce(&Files)) {
        let sha = self.world.push_to(number, change);
        let mut state = self.world.github.state();
        message.clone_into(&mut state.commits.get_mut(&sha).expect("it was pushed").message);
    }

    /// Somebody merges a pull request.
    pub(crate) fn merge(&self, by: &str, number: u64) -> Push {
        let push = self.world.merge(number);
        let mut state = self.world.github.state();
        let pull = state.pulls.get_mut(&number).expect("it exists");
        by.clone_into(&mut pull.merge.as_mut().expect("it is merged").by);
        Push { by: by.to_owned(), ..push }
    }

    /// A run of the action ended.
    pub(crate) fn ran(&mut self, who: &str, trigger: &str, command: &str, outcome: &Outcome) {
        self.stage.ran(who, trigger, command, outcome);
    }

    /// Shows the pull request as it stands, and gives the comment's text.
    pub(crate) fn tell(&mut self, number: u64, caption: &str) -> String {
        let comment = self.comment(number);
        self.stage.see(&top(&comment));
        self.stage.conversation(caption, &self.world.github, number);
        comment
    }

    /// The comment that is edited in place: the first of ours.
    pub(crate) fn comment(&self, number: u64) -> String {
        self.world.github.comments(number).first().map(|comment| comment.body.clone()).unwrap_or_default()
    }

    /// Keeps the comment as it stands as an example of its kind.
    pub(crate) fn keep(&mut self, name: &'static str, number: u64) {
        let body = self.comment(number);
        self.stage.gallery.push(Kind { name, body });
    }

    pub(crate) fn claim(&mut self, claim: &str, holds: bool) {
        self.stage.claim(claim, holds);
    }

    pub(crate) fn claim_free(&mut self) {
        let free = self.world.bucket.locks().is_empty();
        self.claim("no lock is left in the bucket", free);
    }

    /// A Terraform that takes its time for one command, until the sign of that name is given.
    pub(crate) fn slow_terraform(&self, command: &str) -> String {
        let script = self.signs.join(format!("terraform-slow-{command}"));
        let wait = self.wait_for_sign(command);
        let terraform = terraform().display();
        let text = format!("#!/bin/sh\nif [ \"$1\" = {command} ]; then {wait}; fi\nexec '{terraform}' \"$@\"\n");
        fs::write(&script, text).expect("the script can be written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("the script can be run");
        script.display().to_string()
    }

    /// A queue whose creation takes until its sign is given.
    pub(crate) fn slow_queue(&self) -> String {
        let wait = self.wait_for_sign("queue");
        format!(
            r#"resource "terraform_data" "jobs" {{
  input = {{ name = "jobs", retention_days = 14 }}
  provisioner "local-exec" {{
    command = "{wait}"
  }}
}}
"#
        )
    }

    /// Gives a sign.
    pub(crate) fn go_on(&self, name: &str) {
        fs::write(self.signs.join(name), "").expect("the sign can be given");
    }

    /// A minute at most: nothing of the demo may outlive it.
    fn wait_for_sign(&self, name: &str) -> String {
        let sign = self.signs.join(name);
        format!("for i in $(seq 600); do [ -e '{}' ] && break; sleep 0.1; done", sign.display())
    }
}
