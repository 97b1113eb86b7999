//! Differences between two plans, and why they might be, as people say them.

use std::fmt;

use super::fingerprint::{BY_PROVIDER, BY_TRIGGER};
use super::identity::BY_VALUES;

/// Parts of an effect that are named.
const MOST_PARTS: usize = 8;

/// What people should know although two plans mean the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Variables that a provider's configuration reads were not compared: they are another in each run.
    VariablesNotCompared {
        /// Their names (`var.token`).
        names: Vec<String>,
    },
    /// Something that the plan rests on has another version.
    Version(Why),
    /// The files that reach the apply are other ones.
    OtherContent,
    /// A module from outside of the repository has another content.
    OtherModule {
        /// The calls that lead to it.
        module: String,
    },
    /// There was no state when the plan was reviewed, and so no key for sensitive values.
    SensitiveNotCompared,
    /// The AWS account is known of one of the plans only.
    AccountNotCompared,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VariablesNotCompared { names } => {
                let plural = if names.len() == 1 { "was" } else { "were" };
                let names: Vec<String> = names.iter().map(|name| format!("`{}`", name.replace('`', ""))).collect();
                write!(
                    f,
                    "{} {plural} not compared: nothing but a provider's configuration reads a value there that is \
                     sensitive or ephemeral, and such a value may be another in each run",
                    names.join(", ")
                )
            }
            Self::Version(why) => write!(f, "{why}; the plan means the same"),
            Self::OtherContent => f.write_str(
                "files that reach this apply changed since the review (another merge, as a rule); the plan means the same",
            ),
            Self::OtherModule { module } => write!(
                f,
                "the module {module} comes from outside of the repository, and its content changed since the review; \
                 the plan means the same"
            ),
            Self::AccountNotCompared => f.write_str(
                "the AWS account was not compared: STS told it for only one of the reviewed plan and this one",
            ),
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
        /// What would be done.
        deed: Deed,
    },
    /// A resource that the reviewed plan changed would be left alone.
    Gone {
        /// The resource.
        resource: String,
        /// What the reviewed plan did.
        deed: Deed,
    },
    /// Something else would be done.
    Actions {
        /// The resource.
        resource: String,
        /// What the reviewed plan did.
        reviewed: Deed,
        /// What would be done now.
        now: Deed,
    },
    /// The same would be done, with other values.
    Values {
        /// The resource.
        resource: String,
        /// What would be done.
        deed: Deed,
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
    /// Such a part would be there more often than in the reviewed plan, or less often.
    OtherTimes {
        /// As the reader names it.
        part: String,
        /// How often it was.
        reviewed: usize,
        /// How often it is.
        now: usize,
    },
    /// Such a part would have other values.
    OtherValues {
        /// As the reader names it.
        part: String,
        /// The settings that differ, where that is known.
        attributes: Vec<String>,
    },
    /// Provisioners, or a provider's configuration, that the reviewed plan did not have.
    NewEffect {
        /// What they are.
        subject: String,
    },
    /// Provisioners, or a provider's configuration, of the reviewed plan only.
    GoneEffect {
        /// What they are.
        subject: String,
    },
    /// They are there, and do something else.
    OtherEffect {
        /// What they are.
        subject: String,
        /// What of it differs: texts of the configuration, variables, files.
        parts: Vec<String>,
    },
    /// A value that the plan does not know is set by other code.
    OtherCode {
        /// The resource, the action or the output.
        address: String,
        /// What of the code differs.
        parts: Vec<String>,
    },
    /// The state has another address.
    OtherAddress {
        /// The address then.
        reviewed: String,
        /// The address now.
        now: String,
    },
    /// The credentials belong to another AWS account.
    OtherAccount {
        /// The account then.
        reviewed: String,
        /// The account now.
        now: String,
    },
    /// The plan no longer covers everything.
    Incomplete,
    /// The plan covers everything, and the reviewed one did not.
    Complete,
    /// The fingerprints differ, and no part does.
    Unexplained {
        /// The fingerprint of the reviewed plan, in short.
        reviewed: String,
        /// The fingerprint of this one.
        now: String,
    },
    /// It is another state, with another lineage, or it is gone.
    OtherState,
    /// The values cannot be compared: there was no state then, and there is one now.
    NotComparable,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { resource, deed } => {
                write!(f, "{resource} would be {deed}; the reviewed plan left it alone")
            }
            Self::Gone { resource, deed } => {
                write!(f, "{resource} would be left alone; in the reviewed plan it was to be {deed}")
            }
            Self::Actions { resource, reviewed, now } => {
                write!(f, "{resource} would be {now}; in the reviewed plan it was to be {reviewed}")
            }
            Self::Values { resource, deed, attributes } => match attributes.as_slice() {
                [one] if deed.is_about(one) => {
                    write!(f, "{resource} would be {deed} as was reviewed, but it is another object now")?;
                    if one == BY_VALUES { Ok(()) } else { write!(f, " (`{one}`)") }
                }
                some => write!(f, "{resource} would be {deed} {}", with_other(some)),
            },
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
            Self::OtherTimes { part, reviewed, now } => {
                write!(f, "{part} {}; in the reviewed plan {}", times(*now), times(*reviewed))
            }
            Self::OtherValues { part, attributes } => write!(f, "{part} {}", with_other(attributes)),
            Self::Complete => f.write_str(
                "the plan covers everything; the reviewed plan covered only a part (some changes were deferred)",
            ),
            Self::Unexplained { reviewed, now } => write!(
                f,
                "the fingerprints differ ({reviewed} was reviewed, {now} would be applied), though no part of the \
                 plans was found to differ; please report this, with the record and the plan JSON"
            ),
            Self::NewEffect { subject } => write!(f, "{subject}: not in the reviewed plan"),
            Self::GoneEffect { subject } => write!(f, "{subject}: in the reviewed plan only"),
            Self::OtherEffect { subject, parts } => {
                write!(f, "{subject} changed since the review, though the plan reads the same: ")?;
                named(parts, f)
            }
            Self::OtherCode { address, parts } => {
                write!(f, "{address}: what is decided during the apply is set by other code: ")?;
                named(parts, f)
            }
            Self::OtherAddress { reviewed, now } => {
                write!(f, "the state is {now}, and the reviewed plan was made for {reviewed}")
            }
            Self::OtherAccount { reviewed, now } => write!(
                f,
                "the credentials belong to the AWS account {now}, and the reviewed plan was made with those of {reviewed}"
            ),
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

/// What is done to a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Terraform's words for it, in its order.
    pub actions: Vec<String>,
    /// Whether it happened outside of Terraform, and only the state would learn of it.
    pub is_drift: bool,
}

impl Deed {
    /// Whether what differs is which object it is, and not what is done to it.
    fn is_about(&self, attribute: &str) -> bool {
        let is_lost = self.actions.iter().any(|action| action == "delete" || action == "forget");
        let is_name = [BY_VALUES, "id", "identity", "arn"].contains(&attribute);
        is_name || self.actions == ["delete"] || is_lost && attribute == "name"
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actions: Vec<&str> = self.actions.iter().map(String::as_str).collect();
        f.write_str(match actions.as_slice() {
            ["update"] if self.is_drift => "updated in the state (it changed outside of Terraform)",
            ["delete"] if self.is_drift => "removed from the state (it is gone)",
            ["create"] => "created",
            ["update"] => "changed in place",
            ["delete"] => "destroyed",
            ["delete", "create"] => "replaced (destroyed, then created)",
            ["create", "delete"] => "replaced (created, then the old one destroyed)",
            ["create", "forget"] => "replaced (created, and the old one forgotten)",
            ["forget", "create"] => "replaced (the old one forgotten, then created)",
            ["forget"] => "forgotten",
            ["read"] => "read",
            ["no-op"] => "moved or imported",
            other => return write!(f, "subject to `{}`", other.join("`, `")),
        })
    }
}

/// How often, in words.
fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

/// What differs of something that is done all the same.
fn with_other(attributes: &[String]) -> String {
    let names: Vec<String> =
        attributes.iter().filter(|name| !name.starts_with(' ')).map(|name| format!("`{name}`")).collect();
    let has = |name: &str| attributes.iter().any(|attribute| attribute == name);
    let mut phrases = Vec::new();
    if has(BY_PROVIDER) {
        phrases.push("by another provider".to_owned());
    }
    if has(BY_TRIGGER) {
        phrases.push("by another event or trigger".to_owned());
    }
    if !names.is_empty() {
        phrases.push(format!("with another value of {}", names.join(", ")));
    } else if phrases.is_empty() {
        phrases.push("with other values".to_owned());
    }
    phrases.join(", ")
}

/// The parts of an effect, as far as there is room.
fn named(parts: &[String], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let most: Vec<String> = parts.iter().take(MOST_PARTS).map(|part| format!("`{}`", part.replace('`', ""))).collect();
    f.write_str(&most.join(", "))?;
    match parts.len().saturating_sub(MOST_PARTS) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}
