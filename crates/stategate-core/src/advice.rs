//! Advice that is given in several places, in the same words.

use std::borrow::Cow;

use super::redact::redact;

/// How to remove a lock where a workflow is at hand, as a part of a sentence: there GitHub proves a
/// dead run dead, and the role may do it. `lock` names it as that workflow's inputs do.
pub fn unlock_by_workflow(lock: &str) -> String {
    format!("start the workflow that runs `unlock` with {lock} and a reason")
}

/// The inputs that name this lock, for [`unlock_by_workflow`].
pub fn lock_id(id: &str) -> String {
    format!("lock-id `{id}`")
}

/// How to see who holds the lock where a workflow is at hand, as a part of a sentence.
pub const SHOW_BY_WORKFLOW: &str = "start the workflow that runs `unlock` without a lock-id: it shows the holder";

/// A word as a shell reads it back: `-var-file=x` needs no quotes.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.,:/=@+".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) { Cow::Borrowed(word) } else { shell_words::quote(word) }
}

/// A part of a sentence as its beginning.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Settings of the backend that a printed command may repeat. The others, keys and tokens among them,
/// are named without their values.
const OPEN_SETTINGS: [&str; 12] = [
    "bucket",
    "dynamodb_table",
    "encrypt",
    "key",
    "kms_key_id",
    "path",
    "profile",
    "region",
    "role_arn",
    "use_lockfile",
    "use_path_style",
    "workspace_key_prefix",
];

/// A word of Terraform's arguments as it may be printed: what `-var` and `-backend-config` set, in one
/// word or in two, can be a credential.
pub fn without_secret(word: &str) -> String {
    let is_flag =
        |flag: &&str| word.trim_start_matches('-').strip_prefix(*flag).is_some_and(|rest| rest.starts_with('='));
    let setting = match ["var", "backend-config"].iter().find(|flag| is_flag(flag)) {
        Some(_) => word.split_once('=').map(|(_, setting)| setting),
        None => Some(word).filter(|word| !word.starts_with('-')),
    };
    match setting.and_then(|setting| setting.split_once('=')) {
        Some((name, value)) if is_flag(&"var") || !OPEN_SETTINGS.contains(&name.trim()) => {
            format!("{}VALUE", word.strip_suffix(value).unwrap_or_default())
        }
        _ => redact(word).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_repeats_no_credential() {
        let hidden = [
            "-backend-config=secret_key=hunter2hunter2",
            "--backend-config=token = hunter2hunter2",
            "-backend-config",
            "sse_customer_key=hunter2=hunter2",
            "-backend-config=https_proxy=http://octocat:hunter2hunter2@proxy:3128",
            "-var=db_password=hunter2hunter2",
            "--var=key=hunter2hunter2",
            "-from-module=git::https://octocat:hunter2hunter2@github.com/acme/infra",
        ];
        for word in hidden {
            assert!(!without_secret(word).contains("hunter2"), "{}", without_secret(word));
        }
        assert_eq!(without_secret(hidden[0]), "-backend-config=secret_key=VALUE");
        for open in ["-backend-config=prod.hcl", "-backend-config=bucket=acme-tfstate", "key=prod/app", "-upgrade"] {
            assert_eq!(without_secret(open), open);
        }
    }
}
