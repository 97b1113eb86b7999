//! The gate: may this change be applied? A pure function of the team's policy and of what GitHub
//! says, which gives every reason at once.
//!
//! Three rules shape it. What cannot be told blocks. Nothing is taken from a summary that GitHub
//! or the pull request's author could have made up (`reviewDecision`, `author_association`,
//! labels, comments): only from the reviews themselves. And the way on is always said.

mod decide;
mod elsewhere;
mod environment;
mod facts;
mod need;
mod note;
mod policy;
mod pushers;
mod reason;
mod reviews;

pub use decide::{
    Approval, Blocked, Decision, EarlierApproval, brought_by, decide, earlier_approvals, memberships_of,
    memberships_to_ask, merges, pushes_to_ask, standing,
};
pub use elsewhere::{Brought, Elsewhere, MayReach, brought, elsewhere};
pub use facts::{
    Actor, ActorKind, Arrival, BaseChange, BranchFacts, Commit, Dismissal, EnvironmentFacts, EnvironmentProtection,
    EnvironmentReviewer, Facts, Membership, MembershipAnswer, Origin, PullRequest, Review, ReviewState, RunApproval,
};
pub use need::{Need, need};
pub use note::older_than_plan;
pub use policy::{Approver, ApproverError, BindsTo, Policy, RequiredEnvironment, approvers};
pub use pushers::{CommitWord, Completeness, PushAnswer, Pushers};
pub use reason::Reason;
pub use reviews::{Counted, NotCounted, Tally, WhyNot};

#[cfg(test)]
mod tests;
