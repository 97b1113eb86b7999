//! The settings that a plan was made with. Where the apply's are others, its people learn of it; that
//! blocks nothing, because the gate asks for what the apply's own settings demand.

use std::fmt;

use hmac::Mac;
use serde::{Deserialize, Serialize};

use super::key::{FingerprintKey, hex};
use super::{Record, RecordOrigin};
use crate::approval::{BindsTo, Policy};

/// What is kept of an argument list of which nothing may be kept: that there is none.
const NO_ARGUMENTS: &str = "none";

/// The settings that a plan was made with. A setting that can hold a secret is kept as a keyed digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanInputs {
    /// How many approvals an apply needs, by the input `required-approvals`.
    pub required_approvals: u32,
    /// The input `approvers`, sorted; empty where anyone who can write may approve.
    pub approvers: Vec<String>,
    /// The input `approval-binds-to`.
    pub approval_binds_to: String,
    /// The input `environment`.
    pub environment: Option<String>,
    /// The input `require-environment-approval`.
    pub require_environment_approval: bool,
    /// The workspace that was planned.
    pub workspace: String,
    /// What was run as Terraform.
    pub executable: Executable,
    /// The arguments of `plan`, those of `TF_CLI_ARGS` included: a digest, or [`NO_ARGUMENTS`]. `None`
    /// where there was no key to take a digest with.
    pub plan_args: Option<String>,
    /// The arguments of `init`, likewise.
    pub init_args: Option<String>,
}

/// What is run as Terraform.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Executable {
    /// Terraform, or what goes by another name than the others.
    #[default]
    Terraform,
    /// `OpenTofu`.
    OpenTofu,
    /// A script that runs one of them.
    Script,
}

impl fmt::Display for Executable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terraform => "Terraform",
            Self::OpenTofu => "OpenTofu",
            Self::Script => "a script in Terraform's place",
        })
    }
}

impl PlanInputs {
    /// The settings of the gate. The caller adds how Terraform is run.
    pub fn of(policy: &Policy, environment: Option<&str>) -> Self {
        // Neither order nor case means anything in them.
        let mut approvers: Vec<String> = policy.approvers.iter().map(|who| who.to_string().to_lowercase()).collect();
        approvers.sort();
        approvers.dedup();
        let binds_to = match policy.binds_to {
            BindsTo::Commit => "commit",
            BindsTo::Content => "content",
        };
        Self {
            required_approvals: policy.required_approvals,
            approvers,
            approval_binds_to: binds_to.to_owned(),
            environment: environment.map(str::to_owned),
            require_environment_approval: policy.environment.is_some(),
            ..Self::default()
        }
    }
}

impl FingerprintKey {
    /// Names the arguments of a command without telling them; `None` without a key, because a short
    /// value in them could be guessed.
    pub fn arguments_digest(&self, command: &str, arguments: &[String]) -> Option<String> {
        if arguments.is_empty() {
            return Some(NO_ARGUMENTS.to_owned());
        }
        if !self.is_keyed() {
            return None;
        }
        let mut mac = self.start(&format!("arguments of {command}"));
        for argument in arguments {
            mac.update(&(argument.len() as u64).to_be_bytes());
            mac.update(argument.as_bytes());
        }
        Some(hex(&mac.finalize().into_bytes()))
    }
}

/// A setting that is another one at the apply than it was at the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherInput {
    then: String,
    now: String,
    /// The pull request that was planned with the other setting, where there are several.
    of: Option<u64>,
}

impl fmt::Display for OtherInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            Some(number) => write!(f, "#{number} was planned with {}, and is applied with {}", self.then, self.now),
            None => write!(f, "Planned with {}, applied with {}", self.then, self.now),
        }
    }
}

/// The settings in which an apply differs from the plans that were reviewed, in the order of the
/// inputs. A record that does not know its settings differs in none.
pub fn other_inputs(reviewed: &[Record], fresh: &RecordOrigin) -> Vec<OtherInput> {
    let Some(now) = &fresh.inputs else { return Vec::new() };
    let mut found = Vec::new();
    for record in reviewed {
        let Some(then) = &record.origin.inputs else { continue };
        let of = record.origin.pull_request.filter(|_| reviewed.len() > 1);
        let mut pairs = settings(then, now);
        // Digests with the keys of two states say nothing about each other.
        if record.origin.lineage_digest == fresh.lineage_digest {
            pairs.extend(arguments("plan", then.plan_args.as_deref(), now.plan_args.as_deref()));
            pairs.extend(arguments("init", then.init_args.as_deref(), now.init_args.as_deref()));
        }
        found.extend(pairs.into_iter().map(|(then, now)| OtherInput { then, now, of }));
    }
    found
}

/// The settings that are no secret and differ, as words for both.
fn settings(then: &PlanInputs, now: &PlanInputs) -> Vec<(String, String)> {
    let approvals = |inputs: &PlanInputs| match inputs.required_approvals {
        1 => "1 approval needed".to_owned(),
        count => format!("{count} approvals needed"),
    };
    let approvers = |inputs: &PlanInputs| match inputs.approvers.as_slice() {
        [] => "no list of approvers".to_owned(),
        names => format!("the approvers {}", names.join(", ")),
    };
    let binds_to = |inputs: &PlanInputs| format!("approvals bound to the {}", inputs.approval_binds_to);
    let environment = |inputs: &PlanInputs| match &inputs.environment {
        None => "no environment".to_owned(),
        Some(name) => format!("the environment {name}"),
    };
    let of_environment = |inputs: &PlanInputs| {
        let required = if inputs.require_environment_approval { "an" } else { "no" };
        format!("{required} approval for the environment required")
    };
    let workspace = |inputs: &PlanInputs| format!("the workspace {}", inputs.workspace);
    let executable = |inputs: &PlanInputs| inputs.executable.to_string();
    let words: [&dyn Fn(&PlanInputs) -> String; 7] =
        [&approvals, &approvers, &binds_to, &environment, &of_environment, &workspace, &executable];
    words.iter().map(|of| (of(then), of(now))).filter(|(then, now)| then != now).collect()
}

/// How the arguments of a command differ. A digest that is not there says nothing.
fn arguments(command: &str, then: Option<&str>, now: Option<&str>) -> Option<(String, String)> {
    let (then, now) = then.zip(now).filter(|(then, now)| then != now)?;
    let (then, now) = match (then, now) {
        (NO_ARGUMENTS, _) => ("no", "some"),
        (_, NO_ARGUMENTS) => ("some", "none"),
        _ => ("some", "others"),
    };
    Some((format!("{then} arguments for terraform {command}"), now.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::{RequiredEnvironment, approvers};
    use crate::record::PlanFingerprint;

    fn words(arguments: &[&str]) -> Vec<String> {
        arguments.iter().map(|word| (*word).to_owned()).collect()
    }

    fn inputs(change: impl FnOnce(&mut PlanInputs)) -> PlanInputs {
        let policy = Policy { approvers: approvers("Alice, acme/ops").unwrap(), ..Policy::default() };
        let key = FingerprintKey::new(Some("lineage"));
        let mut inputs = PlanInputs {
            workspace: "default".to_owned(),
            plan_args: key.arguments_digest("plan", &words(&["-var=a=1"])),
            init_args: key.arguments_digest("init", &[]),
            ..PlanInputs::of(&policy, Some("prod"))
        };
        change(&mut inputs);
        inputs
    }

    fn origin(inputs: Option<PlanInputs>) -> RecordOrigin {
        RecordOrigin { inputs, pull_request: Some(42), ..RecordOrigin::default() }
    }

    fn told(then: &[RecordOrigin], now: &RecordOrigin) -> Vec<String> {
        let record = |origin: &RecordOrigin| Record::new(origin.clone(), PlanFingerprint::default());
        let reviewed: Vec<Record> = then.iter().map(record).collect();
        other_inputs(&reviewed, now).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_setting_that_differs_is_told_in_words() {
        let key = FingerprintKey::new(Some("lineage"));
        let policy = |approvers_given: &str, binds_to| Policy {
            approvers: approvers(approvers_given).unwrap(),
            binds_to,
            environment: Some(RequiredEnvironment(None)),
            ..Policy::default()
        };
        let other = |change: &dyn Fn(&mut PlanInputs)| inputs(change);
        let table: [(PlanInputs, &str); 11] = [
            (other(&|now| now.required_approvals = 2), "1 approval needed, applied with 2 approvals needed"),
            (
                other(&|now| now.approvers = PlanInputs::of(&policy("bob", BindsTo::Commit), None).approvers),
                "the approvers acme/ops, alice, applied with the approvers bob",
            ),
            (other(&|now| now.approvers.clear()), "the approvers acme/ops, alice, applied with no list of approvers"),
            (
                other(&|now| {
                    now.approval_binds_to = PlanInputs::of(&policy("", BindsTo::Content), None).approval_binds_to;
                }),
                "approvals bound to the commit, applied with approvals bound to the content",
            ),
            (other(&|now| now.environment = None), "the environment prod, applied with no environment"),
            (
                other(&|now| {
                    let of = PlanInputs::of(&policy("", BindsTo::Commit), None);
                    now.require_environment_approval = of.require_environment_approval;
                }),
                "no approval for the environment required, applied with an approval for the environment required",
            ),
            (
                other(&|now| "blue".clone_into(&mut now.workspace)),
                "the workspace default, applied with the workspace blue",
            ),
            (other(&|now| now.executable = Executable::OpenTofu), "Terraform, applied with OpenTofu"),
            (
                other(&|now| now.plan_args = key.arguments_digest("plan", &words(&["-var=a=2"]))),
                "some arguments for terraform plan, applied with others",
            ),
            (
                other(&|now| now.plan_args = key.arguments_digest("plan", &[])),
                "some arguments for terraform plan, applied with none",
            ),
            (
                other(&|now| now.init_args = key.arguments_digest("init", &words(&["-upgrade"]))),
                "no arguments for terraform init, applied with some",
            ),
        ];
        let then = [origin(Some(inputs(|_| {})))];
        for (now, expected) in table {
            assert_eq!(told(&then, &origin(Some(now))), [format!("Planned with {expected}")]);
        }
    }

    #[test]
    fn what_is_the_same_or_not_known_is_not_told() {
        let same = origin(Some(inputs(|now| {
            let policy = Policy { approvers: approvers("@acme/OPS alice,alice").unwrap(), ..Policy::default() };
            now.approvers = PlanInputs::of(&policy, None).approvers;
        })));
        let then = origin(Some(inputs(|_| {})));
        assert!(told(std::slice::from_ref(&then), &same).is_empty());
        assert!(told(&[origin(None)], &then).is_empty(), "a record that does not know them");
        // With another state's key every digest is another one.
        let key = FingerprintKey::new(Some("other"));
        let of_other_state = RecordOrigin {
            lineage_digest: key.lineage_digest(),
            ..origin(Some(inputs(|now| now.plan_args = key.arguments_digest("plan", &words(&["-var=a=1"])))))
        };
        assert!(told(std::slice::from_ref(&then), &of_other_state).is_empty());
        let keyless = FingerprintKey::new(None).arguments_digest("plan", &words(&["-var=a=1"]));
        assert_eq!(keyless, None, "a short value could be guessed");
        assert!(told(&[then], &origin(Some(inputs(|now| now.plan_args = keyless)))).is_empty());
    }

    #[test]
    fn of_several_pull_requests_the_one_that_differs_is_named() {
        let fewer = RecordOrigin { pull_request: Some(41), ..origin(Some(inputs(|then| then.required_approvals = 0))) };
        let now = origin(Some(inputs(|_| {})));
        let expected = "#41 was planned with 0 approvals needed, and is applied with 1 approval needed";
        assert_eq!(told(&[fewer, now.clone()], &now), [expected]);
    }

    #[test]
    fn a_record_without_settings_is_read_and_one_with_them_comes_back() {
        let record = Record::new(origin(Some(inputs(|_| {}))), PlanFingerprint::default());
        assert_eq!(Record::from_json("here", record.to_json().as_bytes()), Ok(record.clone()));
        assert!(!record.to_json().contains("-var"), "{}", record.to_json());
        let mut old: serde_json::Value = serde_json::from_str(&record.to_json()).unwrap();
        old.as_object_mut().unwrap().remove("inputs").unwrap();
        let read = Record::from_json("here", old.to_string().as_bytes()).unwrap();
        assert_eq!(read.origin.inputs, None);
    }

    #[test]
    fn arguments_are_told_apart_by_their_words() {
        let key = FingerprintKey::new(Some("lineage"));
        let digests = [
            key.arguments_digest("plan", &words(&["ab", "c"])),
            key.arguments_digest("plan", &words(&["a", "bc"])),
            key.arguments_digest("init", &words(&["ab", "c"])),
            key.arguments_digest("plan", &[]),
        ];
        for (at, digest) in digests.iter().enumerate() {
            assert!(digest.is_some() && !digests[at + 1..].contains(digest), "{at}");
        }
    }
}
