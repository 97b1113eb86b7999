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
//! Two more keep the words right: what was never sent left nothing behind, and a store that refuses
//! a lock it does not have, for longer than a race can last, is broken and no holder.
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
    /// The request never left: no connection, no such host, no TLS. Nothing came of it.
    Unsent,
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
    /// What never left, and what is seen to be somebody else's, is no reason to fear for our own.
    pub(crate) settle_doubt: bool,
}

impl Rules {
    pub(crate) const ALL: Rules = Rules { recognize_own: true, delete_if_match: true, settle_doubt: true };
}

/// How many unclear answers we bear, between two steps of progress, before we stop asking. With
/// the shell's doubling pauses that is about a quarter of a minute, longer than a failover takes.
const TRIES: u8 = 8;

/// How many requests in a row may fail to leave before we stop, as long as the store has answered
/// nothing at all: an address that does not resolve is rather wrong than out of order. That takes
/// some six seconds, more than a resolver's hiccup.
const UNSENT_TRIES: u8 = 5;

/// How often a `PUT` may be refused because a lock is there while the `GET` after it finds none. A
/// race explains a few; so many, with pauses between, take longer than any race.
const CONTRADICTIONS: u8 = 12;

/// Does this answer to a read show the lock with this ID?
pub fn is_held_by<I: PartialEq, T>(answer: &Answer<I, T>, id: &I) -> bool {
    matches!(answer, Answer::Present { id: Some(found), .. } if found == id)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
