//! GitHub: comments, the facts for the gate, runs and people.
//!
//! octocrab carries each request once, over our own way out ([`crate::net`]); what may be sent
//! again, and when, is decided here. Answers are read into small structs of our own, in which unknown words and
//! missing accounts are values, not errors: one odd review must not hide the others.

mod answer;
mod approvals;
mod approvers;
mod client;
mod comments;
mod commits;
mod commits_by_rest;
mod connection;
mod environments;
mod error;
mod people;
mod pushers;
mod queue;
mod runs;
mod transport;

pub use approvals::Wanted;
pub use client::{Connection, GitHub, Pauses, Repository};
pub use comments::{Comment, CommentRef};
pub use error::GitHubError;
pub use people::{OpenPullRequest, Permission, PullRequestDetails};
pub use pushers::PushedTo;
pub use queue::{Landing, MergeGroup};
pub use runs::RunAttempt;

#[cfg(test)]
mod tests;
