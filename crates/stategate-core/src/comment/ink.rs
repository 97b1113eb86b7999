//! Writes what others wrote: scrubbed of secrets first, then escaped.

use std::borrow::Cow;

use super::escape;
use super::site::Site;
use crate::plan::{PlanSummary, Secrets};
use crate::sentence::{Part, Sentence};

/// The one way from untrusted text into a comment.
pub(super) struct Ink<'a> {
    plan: Option<&'a PlanSummary>,
}

impl<'a> Ink<'a> {
    pub(super) fn new(plan: Option<&'a PlanSummary>) -> Self {
        Self { plan }
    }

    /// A text that may hold values, without secrets, not escaped yet.
    pub(super) fn scrub<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.secrets().map_or(Cow::Borrowed(text), |secrets| secrets.scrub(text))
    }

    /// A name or a sentence of ours, likewise.
    pub(super) fn name<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.secrets().map_or(Cow::Borrowed(text), |secrets| secrets.scrub_name(text))
    }

    /// Whether no value is shown.
    pub(super) fn withholds(&self) -> bool {
        self.secrets().is_some_and(|secrets| secrets.withheld().is_some())
    }

    fn secrets(&self) -> Option<&'a Secrets> {
        self.plan.map(|plan| &plan.secrets)
    }

    /// A code span.
    pub(super) fn code(&self, text: &str, most: usize) -> String {
        escape::code(&self.name(text), most)
    }

    /// A sentence of ours with what it quotes.
    pub(super) fn sentence(&self, text: &str, most: usize) -> String {
        escape::sentence(&self.name(text), most)
    }

    /// A sentence whose references lead where they say.
    pub(super) fn told(&self, sentence: &Sentence, site: &Site<'_>, most: usize) -> String {
        let mut out = String::new();
        for part in sentence.parts() {
            match part {
                Part::Words(words) => escape::push_words(&mut out, &self.name(words), most),
                Part::PullRequest(number) => {
                    // A mark right before it would make a picture of it.
                    if out.ends_with('!') {
                        out.push(' ');
                    }
                    out.push_str(&site.pull_request(*number));
                }
            }
        }
        escape::finished(&out)
    }

    /// An address without secrets in its keys, not escaped yet.
    pub(super) fn address(&self, address: &str) -> String {
        self.plan.map_or_else(|| address.to_owned(), |plan| plan.scrub_address(address))
    }

    /// A program's words to people as lines for a fence, none of them longer than `most`.
    pub(super) fn prose(&self, text: &str, most: usize) -> Vec<String> {
        /// As wide as Terraform writes where it does not know better.
        const WIDTH: usize = 78;
        let lines = self.lines(text.trim());
        lines.iter().flat_map(|line| escape::folded(line, WIDTH)).map(|line| escape::clip(&line, most)).collect()
    }

    /// A program's output as lines for a fence.
    pub(super) fn lines(&self, text: &str) -> Vec<String> {
        escape::lines_of(&self.scrub(text)).collect()
    }
}
