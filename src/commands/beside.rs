//! What has an effect and stands in no plan: taken for the record, and looked up for the comment.

use std::collections::BTreeMap;

use super::report::Report;
use super::review::{Code, StateIdentity};
use super::session::Root;
use crate::shell::checkout::{base_files, changed_files};
use crate::shell::lock_store::Bucket;
use crate::shell::runner::variable;
use crate::shell::sources::{files_beside, locked_providers};
use stategate_core::configuration::{Configuration, Module, Moved};
use stategate_core::plan::PlanSummary;
use stategate_core::record::{FingerprintKey, Followed, Observed};

/// Files that are named.
const MOST_FILES: usize = 5;

/// Takes the fingerprints of what a plan's provisioners and providers are given, and the text of the
/// provisioners for people.
pub(super) fn observe(
    root: &Root,
    code: &Code,
    plan: &PlanSummary,
    key: &FingerprintKey,
) -> (Observed, BTreeMap<String, String>) {
    let followed = Followed::new(&plan.effects, &code.configuration);
    // What a provisioner runs is read when it runs: what the plan itself wrote counts.
    let data = root.terraform.module().data_directory();
    let files = files_beside(&code.configuration, &followed.wanted(), &data, code.repository.as_deref());
    let texts = followed.texts();
    (followed.observe(key, &files, &variable), texts)
}

/// Says what is another one than on the base branch, where Git's objects tell: versions, modules, the
/// backend, and the files of a plan that changes nothing.
pub(super) async fn tell(root: &Root, code: &Code, identity: &StateIdentity, report: &mut Report) {
    let directory = root.terraform.module().directory();
    let (Some(repository), Some(base)) = (&code.repository, &code.base_sha) else { return };
    let Some(files) = base_files(repository, directory, base) else { return };
    let mut module = Module::default();
    let mut facts = Vec::new();
    for (name, content) in &files {
        if name == ".terraform.lock.hcl" {
            facts.extend(other_providers(&locked_providers(&String::from_utf8_lossy(content)), &code.providers));
        } else {
            module.add(name, content);
        }
    }
    let mut of_base = Configuration::default();
    of_base.add("", module);
    facts.extend(code.configuration.other_calls(&of_base));
    let moved = code.configuration.other_backend(&of_base);
    if !moved.is_empty() {
        facts.push(state_address(root, &moved));
        facts.extend(lineage(root, &moved, identity).await);
    }
    if !report.has_changes() {
        let covered = code.covered();
        let changed = changed_files(repository, directory, base, covered).unwrap_or_default();
        report.beside.changed_files = changed.len();
        facts.extend(named(&changed));
    }
    report.beside.facts = facts;
}

fn other_providers(base: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let changed = now.iter().filter(|(name, version)| base.get(*name) != Some(version));
    let said = changed.map(|(name, version)| match base.get(name) {
        Some(was) => format!("the provider `{name}` has the version `{version}`, and `{was}` on the base branch"),
        None => format!("the provider `{name}` is new (version `{version}`)"),
    });
    said.collect()
}

fn state_address(root: &Root, moved: &[Moved]) -> String {
    let place = root.bucket.backend();
    let settings: Vec<String> = moved.iter().map(ToString::to_string).collect();
    format!("the state is `s3://{}/{}`: {}", place.bucket, place.state_key(), settings.join(", "))
}

/// Whether the state at the new address is the base branch's, as far as the texts say where that was.
async fn lineage(root: &Root, moved: &[Moved], identity: &StateIdentity) -> Option<String> {
    let now = root.bucket.backend();
    let mut old = now.clone();
    for one in moved {
        one.take_back(&mut old)?;
    }
    if old.path() == now.path() {
        return None;
    }
    let (bucket, key) = (Bucket::connect(old).await, now.state_key());
    let then = bucket.backend();
    let place = if then.bucket == now.bucket { then.state_key() } else { format!("s3://{}", then.path()) };
    Some(match StateIdentity::read(&bucket).await.map(|old| identity.is_same_state(&old)) {
        Ok(Some(true)) => format!("the state there has the lineage of `{place}`: it is a copy, or was moved"),
        Ok(Some(false)) => format!("the state there has another lineage than `{place}`: it is another state"),
        Ok(None) => format!("there is no state at `{key}` or at `{place}`, so whether it moved is not known"),
        Err(error) => {
            tracing::info!("the state at the base branch's address cannot be read: {error}");
            format!("`{place}` cannot be read, so whether it is the same state is not known")
        }
    })
}

fn named(changed: &[String]) -> Option<String> {
    let first: Vec<String> = changed.iter().take(MOST_FILES).map(|file| format!("`{file}`")).collect();
    let more = changed.len().saturating_sub(MOST_FILES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = "changed, and change nothing now; a later apply may do something else because of them";
    (!changed.is_empty()).then(|| format!("{}{more} {text}", first.join(", ")))
}
