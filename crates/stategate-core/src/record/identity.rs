//! Which object a change is about.

use super::canonical::{Canon, NONE, Sides, member};
use crate::plan::{Change, IDENTITY};

/// What stands for all values of an object that has no name.
pub(super) const BY_VALUES: &str = " values";

/// What names an object in a change's own words.
const IDENTITY_OF_PROVIDER: &str = "identity";

/// By what it is told which object a change is about: one that was made anew under the same address is
/// another. `None` where there is no object yet, or where one that stays has no name.
pub(super) fn identity(change: &Change) -> Option<&'static str> {
    let has = |name: &str| {
        let value = member(&change.before, name);
        value.is_number() || value.as_str().is_some_and(|text| !text.is_empty())
    };
    let [id, others @ ..] = IDENTITY;
    if has(id) {
        Some(id)
    } else if change.before_identity.is_object() {
        Some(IDENTITY_OF_PROVIDER)
    } else if let Some(name) = others.into_iter().find(|name| has(name)) {
        Some(name)
    } else {
        let is_lost = change.actions.iter().any(|action| action == "delete" || action == "forget");
        (is_lost && !change.before.is_null()).then_some(BY_VALUES)
    }
}

/// Writes what says which object it is.
pub(super) fn write_identity(canon: &mut Canon, change: &Change, sides: &Sides<'_>, name: &str) {
    canon.name("identity");
    match name {
        IDENTITY_OF_PROVIDER => canon.value(&change.before_identity, NONE, NONE),
        BY_VALUES => canon.value(sides.before, NONE, sides.before_sensitive),
        name => {
            let side = sides.map(|value| member(value, name));
            canon.value(side.before, NONE, side.before_sensitive);
        }
    }
}
