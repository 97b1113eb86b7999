//! Where our own references lead: to pages of the repository that this run belongs to, and nowhere
//! else.

use super::escape::{is_plain_url, link};
use super::view::CommentView;

/// The repository's pages, as far as they are known.
pub(super) struct Site<'a> {
    /// `https://github.com/acme/infra`.
    repository: Option<&'a str>,
    /// This run's page.
    run: Option<&'a str>,
}

impl<'a> Site<'a> {
    /// The run's page names the repository's: both come from the runner.
    pub(super) fn of(view: &CommentView<'a>) -> Self {
        let run = view.run_url.filter(|url| is_plain_url(url));
        let repository = run.and_then(|run| Some(run.split_once("/actions/runs/")?.0));
        Self { repository: repository.filter(|url| url.split('/').count() == 5), run }
    }

    pub(super) fn pull_request(&self, number: u64) -> String {
        let text = format!("#{number}");
        self.repository.map_or_else(|| text.clone(), |repository| link(&text, &format!("{repository}/pull/{number}")))
    }

    /// Where a pull request is read and approved.
    pub(super) fn review(&self, number: u64) -> Option<String> {
        self.repository
            .map(|repository| link(&format!("review #{number}"), &format!("{repository}/pull/{number}/files")))
    }

    /// This run's page.
    pub(super) fn run(&self) -> Option<String> {
        self.run.map(|run| link("that run", run))
    }

    /// This run's page, whatever its attempt, where it is run again.
    pub(super) fn run_again(&self) -> Option<String> {
        let run = self.run?;
        Some(link("re-run this job", run.split_once("/attempts/").map_or(run, |(run, _)| run)))
    }

    /// Whether an address is the page of a run of this repository.
    pub(super) fn has_run(&self, url: &str) -> bool {
        let ours = self.repository.and_then(|repository| url.strip_prefix(repository)?.strip_prefix("/actions/runs/"));
        ours.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/'))
    }
}
