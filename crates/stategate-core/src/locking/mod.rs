//! The lock's protocol: pure state machines that say which request comes next and what each
//! answer proves. The shell performs the steps and reports the answers, nothing else; the model
//! checker drives the very same machines through every fault.
//!
//! Three rules carry the safety:
//!
//! - A `PUT` that was not clearly answered may have been stored, may not have been, or may still
//!   arrive. Only reading the lock and comparing its ID tells ([`Acquire`]).
//! - A `DELETE` always names exactly the object it means, so that a repeated or late one cannot
//!   hit another owner's lock ([`Release`]).
//! - Whoever gives up while a `PUT` of his is in doubt looks again and takes it back.
//!
//! With two stores (S3 lockfile and DynamoDB item) both machines go in Terraform's order.

mod acquire;
mod release;

use super::backend::Store;

pub use acquire::{Acquire, Acquired};
pub use release::{Ending, Release, Target};

/// What to do next. `T` identifies an exact body in a store: the `ETag` in S3, the item's `Info`
/// in DynamoDB.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step<T> {
    /// Create our lock, if there is none.
    Put(Store),
    /// Read the lock.
    Read(Store),
    /// Delete the lock if it is exactly this one. `None`: the store cannot compare, and we have
    /// just done so ourselves.
    Delete(Store, Option<T>),
    /// Let trouble pass: a short time, doubling with the number.
    Backoff(u8),
    /// Somebody else holds the lock in this store: the waiting client's polling interval.
    Wait(Store),
}

/// What came of a step. `I` is a lock ID.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer<I, T> {
    /// The lock was created.
    Created(T),
    /// Something is there (412).
    Exists,
    /// It may have happened or not, and may still happen: 409, 5xx, throttled, timeout, cut.
    Unclear,
    /// It did not happen and will not: denied, no such bucket, invalid.
    Refused,
    /// Nothing is there (404).
    Absent,
    /// This is there.
    Present {
        /// The lock ID, when the body can be read.
        id: Option<I>,
        /// Identifies the exact body.
        tag: T,
    },
    /// It was deleted.
    Deleted,
    /// Something else is there (412 on a conditional delete).
    Mismatch,
    /// The store has no conditional delete (501, or 400 that names the condition).
    NoConditions,
    /// The pause or the wait is over.
    Resumed,
    /// The wait is over, and so is the time.
    Expired,
}

/// The rules that the model checker can switch off to prove that it would notice. Everywhere
/// else they are all on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rules {
    /// After an answer in doubt, a lock with our ID is ours.
    pub(crate) recognize_own: bool,
    /// A delete names exactly what it means.
    pub(crate) delete_if_match: bool,
}

impl Rules {
    pub(crate) const ALL: Rules = Rules { recognize_own: true, delete_if_match: true };
}

/// How many unclear answers we bear, between two steps of progress, before we stop asking. With
/// the shell's doubling pauses that is about a quarter of a minute, longer than a failover takes.
const TRIES: u8 = 8;

/// Does this answer to a read show the lock with this ID?
pub fn is_held_by<I: PartialEq, T>(answer: &Answer<I, T>, id: &I) -> bool {
    matches!(answer, Answer::Present { id: Some(found), .. } if found == id)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
