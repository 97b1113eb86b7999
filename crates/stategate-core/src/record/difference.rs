//! Differences between two plans, and why they might be, as people say them.

use std::fmt;

/// Something that was left out of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// There was no state when the plan was reviewed, and so no key for sensitive values.
    SensitiveNotCompared,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SensitiveNotCompared => f.write_str(
                "sensitive values were not compared: there was no state yet when this was \
                 reviewed, and without one nothing secret is recorded of them",
            ),
        }
    }
}

/// One difference, from the reviewed plan to the one that would be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A resource that the reviewed plan left alone would be changed.
    New {
        /// The resource, with its deposed key if it is about one.
        resource: String,
        /// Terraform's words for what would be done.
        actions: Vec<String>,
    },
    /// A resource that the reviewed plan changed would be left alone.
    Gone {
        /// The resource.
        resource: String,
        /// What the reviewed plan did.
        actions: Vec<String>,
    },
    /// Something else would be done.
    Actions {
        /// The resource.
        resource: String,
        /// What the reviewed plan did.
        reviewed: Vec<String>,
        /// What would be done now.
        now: Vec<String>,
    },
    /// The same would be done, with other values.
    Values {
        /// The resource.
        resource: String,
        /// Terraform's words for what would be done.
        actions: Vec<String>,
        /// The attributes that differ, where that is known.
        attributes: Vec<String>,
    },
    /// An output that the reviewed plan left alone would be changed.
    NewOutput {
        /// Its name.
        name: String,
    },
    /// An output that the reviewed plan changed would be left alone.
    GoneOutput {
        /// Its name.
        name: String,
    },
    /// An output would get another value.
    OutputValue {
        /// Its name.
        name: String,
    },
    /// A part of the plan that is neither would be new.
    NewOther {
        /// As the reader names it.
        part: String,
    },
    /// A part of the plan that is neither would be gone.
    GoneOther {
        /// As the reader names it.
        part: String,
    },
    /// The plan no longer covers everything.
    Incomplete,
    /// It is another state, with another lineage, or it is gone.
    OtherState,
    /// The values cannot be compared: there was no state then, and there is one now.
    NotComparable,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { resource, actions } => {
                write!(f, "{resource} would be {}; the reviewed plan left it alone", words(actions))
            }
            Self::Gone { resource, actions } => {
                write!(f, "{resource} would be left alone; in the reviewed plan it was to be {}", words(actions))
            }
            Self::Actions { resource, reviewed, now } => {
                write!(f, "{resource} would be {}; in the reviewed plan it was to be {}", words(now), words(reviewed))
            }
            Self::Values { resource, actions, attributes } => {
                write!(f, "{resource} would be {} ", words(actions))?;
                match attributes.as_slice() {
                    [] => f.write_str("with other values"),
                    [one] if one == "id" && destroys(actions) => {
                        f.write_str("as was reviewed, but it is another object by now (`id`)")
                    }
                    some => {
                        f.write_str("with another value of ")?;
                        for (at, name) in some.iter().enumerate() {
                            write!(f, "{}`{name}`", if at == 0 { "" } else { ", " })?;
                        }
                        Ok(())
                    }
                }
            }
            Self::NewOutput { name } => {
                write!(f, "the output {name} would change; the reviewed plan left it alone")
            }
            Self::GoneOutput { name } => {
                write!(f, "the output {name} would not change, as it did in the reviewed plan")
            }
            Self::OutputValue { name } => {
                write!(f, "the output {name} would change to another value, or from another")
            }
            Self::NewOther { part } => write!(f, "{part}: not in the reviewed plan"),
            Self::GoneOther { part } => write!(f, "{part}: in the reviewed plan only"),
            Self::Incomplete => f.write_str(
                "the plan covers only a part (some changes are deferred); the reviewed plan \
                 covered everything",
            ),
            Self::OtherState => f.write_str(
                "the state is not the one that the reviewed plan was made for (its lineage is \
                 another, or it is gone)",
            ),
            Self::NotComparable => f.write_str(
                "there was no state when this was reviewed, so its values cannot be compared \
                 with a plan made with one",
            ),
        }
    }
}

/// Why a plan might differ from the reviewed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The code is the very same, so the difference comes from outside.
    SameCode,
    /// The code is not what was planned: the base branch moved after it.
    OtherCode {
        /// The base commit of the reviewed plan, when it is known.
        base: Option<String>,
    },
    /// A pull request was merged earlier, and this plan holds changes of it.
    NotApplied {
        /// Its number.
        number: u64,
    },
    /// Somebody wrote the state since.
    StateMoved {
        /// Its serial then and now.
        reviewed: Option<u64>,
        /// Its serial now.
        now: Option<u64>,
        /// The pull requests that were applied since, as far as the audit records tell.
        by: Vec<u64>,
    },
    /// Terraform has another version.
    Terraform {
        /// The version then.
        reviewed: String,
        /// The version now.
        now: String,
    },
    /// A provider has another version.
    Provider {
        /// Its source address.
        name: String,
        /// The version then.
        reviewed: Option<String>,
        /// The version now.
        now: Option<String>,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".into());
        match self {
            Self::SameCode => f.write_str(
                "the code is exactly what was planned, so the difference comes from the state, \
                 from what exists, or from what the configuration reads",
            ),
            Self::OtherCode { base } => {
                f.write_str("the merged code is not the code that was planned")?;
                match base {
                    Some(base) => {
                        write!(f, ": other changes were merged since {}", base.chars().take(10).collect::<String>())
                    }
                    None => Ok(()),
                }
            }
            Self::NotApplied { number } => write!(
                f,
                "#{number} is merged and not applied yet, so its changes are part of this plan: see that it is \
                 applied, then run this again"
            ),
            Self::StateMoved { reviewed, now, by } => {
                f.write_str("the state changed since")?;
                for (at, number) in by.iter().enumerate() {
                    write!(f, "{}#{number}", if at == 0 { ", by " } else { ", " })?;
                }
                match (reviewed, now) {
                    (Some(reviewed), Some(now)) => write!(f, " (serial {reviewed}, now {now})"),
                    (None, Some(_)) => f.write_str(" (there was none)"),
                    _ => Ok(()),
                }
            }
            Self::Terraform { reviewed, now } => {
                write!(f, "it was planned with Terraform {reviewed}, and is with {now} now")
            }
            Self::Provider { name, reviewed, now } => {
                write!(f, "the provider {name} was {}, and is {} now", or_none(reviewed), or_none(now))
            }
        }
    }
}

fn destroys(actions: &[String]) -> bool {
    actions.iter().any(|a| a == "delete" || a == "forget")
}

/// Terraform's actions as people say them; ones we do not know in Terraform's words.
fn words(actions: &[String]) -> String {
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    match actions.as_slice() {
        ["create"] => "created".to_owned(),
        ["update"] => "changed in place".to_owned(),
        ["delete"] => "destroyed".to_owned(),
        ["delete", "create"] => "replaced (destroyed, then created)".to_owned(),
        ["create", "delete"] => "replaced (created, then the old one destroyed)".to_owned(),
        ["create", "forget"] => "replaced (created, and the old one forgotten)".to_owned(),
        ["forget"] => "forgotten".to_owned(),
        ["read"] => "read".to_owned(),
        ["no-op"] => "moved or imported".to_owned(),
        other => format!("subject to `{}`", other.join("`, `")),
    }
}
