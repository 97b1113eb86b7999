//! How a run of the action ended: its exit code, its log and what it set.

use std::collections::BTreeMap;

/// How a run of the action ended.
#[derive(Debug)]
pub struct Outcome {
    /// The main step's exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Both streams, in the order they were written, as the log shows them.
    pub log: String,
    pub outputs: BTreeMap<String, String>,
    pub summary: String,
    /// The clean-up step's exit code and log, when it ran.
    pub cleanup: Option<(Option<i32>, String)>,
    /// How the job's later steps ended, those that run after a failure.
    pub later: Vec<(Option<i32>, String)>,
    pub run: u64,
    pub attempt: u64,
}

impl Outcome {
    /// Fails with the log unless the exit code is this one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "the log:\n{}", self.log);
        self
    }

    /// Fails unless the log has the text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.log.contains(text), "the log does not say {text:?}:\n{}", self.log);
        self
    }

    /// An output of the step; empty when it was not set, as in a workflow.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    /// The run's page.
    pub fn url(&self) -> String {
        format!("https://github.com/acme/infra/actions/runs/{}", self.run)
    }
}

/// The step's outputs, as the runner reads the file: `name=value`, or `name<<MARK` up to `MARK`.
pub(super) fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let heredoc = line.split_once("<<").filter(|(name, _)| !name.contains('='));
        if let Some((name, mark)) = heredoc {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != mark).collect();
            found.insert(name.to_owned(), value.join("\n"));
        } else if let Some((name, value)) = line.split_once('=') {
            found.insert(name.to_owned(), value.to_owned());
        }
    }
    found
}
