//! Terraform's own flags and commands, given to stategate: what to give instead.

use stategate_core::advice::{quoted, without_secret};

/// Where a flag of Terraform's belongs.
#[derive(Clone, Copy)]
enum Place {
    Init,
    Plan,
    Apply,
    /// stategate does that itself; how.
    Ours(&'static str),
}

/// Terraform's flags, without dashes; whether a value can follow as a word of its own.
const FLAGS: [(&str, bool, Place); 29] = [
    ("backend-config", true, Place::Init),
    ("force-copy", false, Place::Init),
    ("from-module", true, Place::Init),
    ("lockfile", true, Place::Init),
    ("migrate-state", false, Place::Init),
    ("plugin-dir", true, Place::Init),
    ("reconfigure", false, Place::Init),
    ("upgrade", false, Place::Init),
    ("compact-warnings", false, Place::Plan),
    ("destroy", false, Place::Plan),
    ("exclude", true, Place::Plan),
    ("generate-config-out", true, Place::Plan),
    ("refresh", false, Place::Plan),
    ("refresh-only", false, Place::Plan),
    ("replace", true, Place::Plan),
    ("target", true, Place::Plan),
    ("var", true, Place::Plan),
    ("var-file", true, Place::Plan),
    ("parallelism", true, Place::Apply),
    (
        "auto-approve",
        false,
        Place::Ours(
            "In a job nobody is asked: what was approved is applied. On a terminal, `--apply-args=-auto-approve` does not ask.",
        ),
    ),
    ("chdir", true, Place::Ours("Give the root module's directory with --working-directory.")),
    ("detailed-exitcode", false, Place::Ours("Whether there are changes is the output `result`, and in the comment.")),
    ("input", true, Place::Ours("stategate never lets Terraform ask for anything.")),
    ("lock", true, Place::Ours("stategate takes Terraform's lock itself, before Terraform runs.")),
    ("no-color", false, Place::Ours("Colours are for a terminal only; NO_COLOR=1 turns them off there.")),
    ("out", true, Place::Ours("stategate keeps the plan file itself, and applies no other.")),
    ("backup", true, Place::Ours("The state's earlier versions are in the bucket.")),
    ("state", true, Place::Ours("The state is the one that the backend block names.")),
    ("state-out", true, Place::Ours("The state is the one that the backend block names.")),
];

/// What to do about the first word that is a flag of Terraform's, with one dash or two, and that
/// word. `has` says whether the command has a flag of its own, without dashes.
pub(super) fn flag(command: &str, words: &[&str], has: impl Fn(&str) -> bool) -> Option<(String, String)> {
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let Some(bare) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else { continue };
        let name = bare.split('=').next().unwrap_or_default();
        if word.starts_with("--") && has(name) {
            continue;
        }
        // `-lock-timeout=5m`: one dash more makes it ours.
        if has(name) {
            return Some((word.to_owned(), format!("Did you mean --{bare}?")));
        }
        let Some((_, takes_value, place)) = FLAGS.into_iter().find(|(flag, ..)| *flag == name) else { continue };
        let value = words.next().filter(|value| takes_value && !bare.contains('=') && !value.starts_with('-'));
        let flag = value.map_or_else(|| format!("-{bare}"), |value| format!("-{bare}={value}"));
        let flag = without_secret(&flag);
        let next = match place {
            Place::Ours(how) => how.to_owned(),
            Place::Init => given("init", &flag, &has),
            // It is the plan, too, that reads the providers.
            Place::Apply if has("apply-args") => {
                format!("{} Or, for the apply, {}", given("plan", &flag, &has), argument("apply-args", &flag))
            }
            Place::Plan | Place::Apply => given("plan", &flag, &has),
        };
        return Some((
            without_secret(word),
            format!("That is a flag of Terraform's. {}", next.replace("{command}", command)),
        ));
    }
    None
}

/// How the version is told.
pub(super) const VERSION: &str = "Run `stategate --version`.";

/// Commands of Terraform's that stategate neither has nor runs for anybody.
const COMMANDS: [&str; 17] = [
    "console",
    "fmt",
    "get",
    "graph",
    "import",
    "login",
    "logout",
    "metadata",
    "modules",
    "output",
    "providers",
    "query",
    "state",
    "test",
    "untaint",
    "validate",
    "workspace",
];

/// What to do instead of a command of Terraform's.
pub(super) fn command(name: &str) -> Option<String> {
    match name {
        "version" => Some(VERSION.to_owned()),
        "init" => Some(
            "`terraform init` runs by itself before each plan and apply; give its arguments in --init-args.".to_owned(),
        ),
        "destroy" => Some(by_plan("-destroy")),
        "refresh" => Some(by_plan("-refresh-only")),
        "taint" => Some(by_plan("-replace=ADDRESS")),
        _ if COMMANDS.contains(&name) => Some(format!("Run `terraform {name}`: that is a command of Terraform's.")),
        _ => None,
    }
}

/// A change that is planned and reviewed like any other.
fn by_plan(flag: &str) -> String {
    format!("Run `stategate plan --plan-args={flag}` on a pull request; give the apply the same --plan-args.")
}

fn given(terraform: &str, flag: &str, has: impl Fn(&str) -> bool) -> String {
    let ours = format!("{terraform}-args");
    if has(&ours) {
        format!("Give it in {}", argument(&ours, flag))
    } else {
        format!("It is for `terraform {terraform}`, and {{command}} has no use for it.")
    }
}

/// Terraform's flag in a flag of ours: split as a shell would, after a shell has read it.
fn argument(ours: &str, flag: &str) -> String {
    format!("--{ours}='{}'.", quoted(flag).replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_of_terraforms_is_told_where_it_belongs() {
        let has = |name: &str| ["init-args", "plan-args", "apply-args", "lock-timeout"].contains(&name);
        for (words, named, told) in [
            (&["-var-file=x.tfvars"][..], "-var-file=x.tfvars", "Give it in --plan-args='-var-file=x.tfvars'."),
            (&["--var-file", "x.tfvars"], "--var-file", "Give it in --plan-args='-var-file=x.tfvars'."),
            (&["-destroy", "-x"], "-destroy", "Give it in --plan-args='-destroy'."),
            (&["-backend-config=a.hcl"], "-backend-config=a.hcl", "Give it in --init-args='-backend-config=a.hcl'."),
            (&["-parallelism=2"], "-parallelism=2", "Or, for the apply, --apply-args='-parallelism=2'."),
            (&["--auto-approve"], "--auto-approve", "In a job nobody is asked"),
            (&["--lock-timeout", "3m", "-lock=false"], "-lock=false", "takes Terraform's lock itself"),
            (&["-lock-timeout=3m"], "-lock-timeout=3m", "Did you mean --lock-timeout=3m?"),
        ] {
            let (word, next) = flag("apply", words, has).unwrap();
            assert!(word == named && next.contains(told), "{words:?}: {word}: {next}");
        }
        let (word, next) = flag("plan", &["-var=password=hunter2"], has).unwrap();
        assert!(word == "-var=password=VALUE" && next.contains("'-var=password=VALUE'"), "{word}: {next}");
        let spaced = flag("plan", &["-target", "a[\"b c\"]"], has).unwrap().1;
        let ours = shell_words::split(spaced.split("Give it in ").nth(1).unwrap().trim_end_matches('.')).unwrap();
        let inner = shell_words::split(ours[0].strip_prefix("--plan-args=").unwrap()).unwrap();
        assert_eq!(inner, ["-target=a[\"b c\"]"]);
        assert!(flag("status", &["-var=a"], |_| false).unwrap().1.contains("`terraform plan`, and status has no use"));
        assert_eq!(flag("plan", &["--frobnicate", "x"], has), None);
    }
}
