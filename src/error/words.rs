//! The words of the errors: remedies as sentences, and Terraform's own first error in one line.

use crate::shell::terraform::{Exit, TerraformError};
use stategate_core::diagnostic::is_heading;
use stategate_core::refusal::DigestMismatch;

pub(super) fn terraform_hint(error: &TerraformError) -> String {
    match error {
        TerraformError::NoDirectory { .. } | TerraformError::NotADirectory { .. } => {
            "Give the root module's directory, seen from where this runs, with the input working-directory (--working-directory).".to_owned()
        }
        TerraformError::NotOnPath => {
            "Install Terraform in an earlier step (hashicorp/setup-terraform), or give its path with the input terraform-bin (--terraform-bin).".to_owned()
        }
        TerraformError::NotExecutable { .. } => {
            "Give the path of an executable with the input terraform-bin (--terraform-bin), or leave it out to take the one on PATH.".to_owned()
        }
        TerraformError::Wrapper { .. } => {
            "Give the setup step `terraform_wrapper: false` (setup-opentofu: `tofu_wrapper: false`).".to_owned()
        }
        TerraformError::Output { .. } => {
            "See that RUNNER_TEMP (or TMPDIR) exists, can be written and has room.".to_owned()
        }
        TerraformError::NotStarted { .. } | TerraformError::Lost { .. } => {
            "See that the executable is made for this machine.".to_owned()
        }
        TerraformError::Failed { command, exit, stderr } => match exit.signal() {
            Some(_) if command.ends_with(" apply") => KILLED_WRAPPER.to_owned(),
            Some(_) => KILLED.to_owned(),
            None => failed_hint(command, *exit, stderr),
        },
        TerraformError::Stopped => "Run again when it suits.".to_owned(),
    }
}

/// Of a Terraform that writes no state, and that something killed.
const KILLED: &str = "Nothing was changed: that command writes no state, and the lock is released. Look for what killed it (memory above all: a larger runner, or `-parallelism=2`), then run again.";

/// Of a program that was started as Terraform, and whose Terraform went on and told its own end.
const KILLED_WRAPPER: &str = "Terraform itself came to its end, and the state says what is applied. Look for what killed the program that was started in its place. Where something is left to apply, run the plan again, then the apply.";

/// What usually mends it when `terraform` itself failed. Terraform's words decide only what is told.
fn failed_hint(command: &str, exit: Exit, stderr: &str) -> String {
    match DigestMismatch::read(stderr) {
        Some(mismatch) => mismatch.remedy(None),
        None => known_hint(command, exit, stderr).to_owned(),
    }
}

fn known_hint(command: &str, exit: Exit, stderr: &str) -> &'static str {
    if exit == Exit::Code(11) || stderr.contains("TERRAFORM CRASH") {
        return CRASHED;
    }
    // Of several errors the first one is told, so its remedy is. One of them is worded in its detail.
    if stderr.contains("must also be set during the apply phase") {
        return EPHEMERAL;
    }
    let place_of = |signs: &[&str]| signs.iter().filter_map(|sign| stderr.find(sign)).min();
    let flags = place_of(&["Failed to parse command-line flags", "Too many command line arguments"]);
    let known = REMEDIES.iter().filter(|remedy| !remedy.of_init || command.ends_with(" init"));
    let known = known.filter_map(|remedy| Some((place_of(remedy.signs)?, remedy.next)));
    let known = known.chain(flags.map(|place| (place, flags_hint(command))));
    known.min_by_key(|(place, _)| *place).map_or(FIX, |(_, next)| next)
}

fn flags_hint(command: &str) -> &'static str {
    match command.rsplit(' ').next() {
        Some("init") => {
            "Correct the input init-args (--init-args), which takes flags of `terraform init`, or TF_CLI_ARGS and TF_CLI_ARGS_init where they are set."
        }
        Some("plan") => {
            "Correct the input plan-args (--plan-args), which takes flags of `terraform plan` and no plan file, or TF_CLI_ARGS and TF_CLI_ARGS_plan where they are set."
        }
        Some("apply") => {
            "Correct the input apply-args (--apply-args), which takes flags of `terraform apply` and no plan file, or TF_CLI_ARGS and TF_CLI_ARGS_apply where they are set."
        }
        _ => "Correct TF_CLI_ARGS_show and the like: this command does not know a flag that is in it.",
    }
}

/// What a plan was made with and no plan file keeps.
const EPHEMERAL: &str = "Give the ephemeral variable its value in the apply, too: as `TF_VAR_name`, with that variable's name, in the `env` of the step, or repeat its `-var-file` in the input apply-args (--apply-args).";

/// Terraform's own fault, and often one that is known there.
const CRASHED: &str = "Terraform itself crashed, which is a fault of its own. Try a newer version of it, where this may be mended, or an older one; if all crash, report it to Terraform.";

/// What mends an error that Terraform words like this.
struct Remedy {
    signs: &'static [&'static str],
    /// Whether it is about `init` alone.
    of_init: bool,
    next: &'static str,
}

const fn remedy(signs: &'static [&'static str], next: &'static str) -> Remedy {
    Remedy { signs, of_init: false, next }
}

const REMEDIES: [Remedy; 9] = [
    remedy(
        &["Unsupported Terraform Core version", "Unsupported OpenTofu Core version"],
        "Install a version that `required_version` allows (`terraform_version` of hashicorp/setup-terraform), or name another executable with the input terraform-bin (--terraform-bin).",
    ),
    remedy(&["Invalid workspace name"], "Correct the input workspace (--workspace), or TF_WORKSPACE."),
    remedy(
        &["Failed to read the given file as a state or plan file"],
        "A plan file that was just made cannot be read: see that the runner's disk has room, and run again.",
    ),
    remedy(
        &["Unsupported state file format", "The state file could not be parsed"],
        "Look at the versions of the state's object in the bucket: an earlier one may be whole.",
    ),
    remedy(
        &["Backend configuration changed"],
        "Run `terraform init -reconfigure` in that directory, or give `-reconfigure` with the input init-args (--init-args); `-migrate-state` by hand where a state has to move.",
    ),
    Remedy {
        signs: &["is required by the backend", "Missing region value", "The backend configuration argument"],
        of_init: true,
        next: "Write it into the backend block, or give the file that has it with the input init-args (--init-args): `-backend-config=FILE`, its path from the root module.",
    },
    Remedy {
        signs: &["text file busy", ": file exists", "not a valid zip file"],
        of_init: true,
        next: "Run it again. Where several jobs or steps run `terraform init` at once, give each a TF_PLUGIN_CACHE_DIR of its own, or none: the cache is not made for that.",
    },
    remedy(
        &["No value for required variable"],
        "Give the variable `TF_VAR_name`, with that variable's name, in the `env` of the step, or a file with the input plan-args (--plan-args): `-var-file=FILE`, its path from the root module.",
    ),
    remedy(
        &["Failed to read variables file", "Given variables file"],
        "Correct `-var-file` in the input plan-args (--plan-args): its path is relative to the root module, not to the repository.",
    ),
];

/// What mends every other failure of Terraform's.
const FIX: &str = "Fix what Terraform reports; if the code is right, run again.";

/// The same on a pull request, whose next commit is planned without anybody asking for it.
const FIX_ON_PULL_REQUEST: &str = "Fix what Terraform reports and push again; if the code is right, re-run.";

/// A remedy as it is told on a pull request.
pub(super) fn on_pull_request(hint: &str) -> String {
    hint.replace(FIX, FIX_ON_PULL_REQUEST)
}

/// As sentences: a remedy may come from where it is a part of one.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.trim().chars();
    let Some(first) = letters.next() else { return String::new() };
    let text = format!("{}{}", first.to_uppercase(), letters.as_str());
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

/// `a, b or c`.
pub(super) fn listed(names: &[String]) -> String {
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.join(", "),
    }
}

/// A headline and its detail; either can end as it likes.
fn joined(headline: &str, detail: &str) -> String {
    let headline = headline.trim_end_matches(':');
    match detail {
        "" => headline.to_owned(),
        detail if headline.ends_with(['.', '!', '?']) => format!("{headline} {detail}"),
        detail => format!("{headline}: {detail}"),
    }
}

/// Without what only AWS's support can use; the whole text has it.
fn without_request_ids(text: &str) -> String {
    let is_noise = |part: &&str| !["RequestID:", "HostID:"].iter().any(|name| part.starts_with(name));
    text.split(", ").filter(is_noise).collect::<Vec<_>>().join(", ")
}

/// Lines of an error's detail that are told.
const DETAIL_LINES: usize = 6;

/// The first error that Terraform printed, with its place, in one line.
pub(super) fn first_error(stderr: &str) -> String {
    let mut errors: Vec<Vec<&str>> = Vec::new();
    for line in stderr.lines().map(|line| line.trim_start_matches(['│', '╷', '╵', ' ']).trim()) {
        match (line.strip_prefix("Error:"), errors.last_mut()) {
            (Some(headline), _) => errors.push(vec![headline.trim()]),
            (None, Some(error)) => error.push(line),
            (None, None) => {}
        }
    }
    let says_what = |error: &&Vec<&str>| !error.first().is_some_and(|headline| is_heading(headline));
    let at = errors.iter().position(|error| says_what(&error)).unwrap_or(0);
    let told = errors.get(at).map(|error| in_one_line(error)).unwrap_or_default();
    // Terraform's S3 backend puts the cause below, as an error of its own.
    match (told.split_once(POINTS_ELSEWHERE), errors.get(at + 1)) {
        (Some((headline, _)), Some(cause)) => joined(headline.trim_end_matches([':', ' ']), &in_one_line(cause)),
        _ => told,
    }
}

/// How Terraform's advice begins that only names a page.
const POINTS_ELSEWHERE: &str = "Please see https://";

/// An error's lines as one: its headline, its place, and what it says.
fn in_one_line(error: &[&str]) -> String {
    let (mut told, mut detail) = (String::new(), Vec::new());
    let (mut in_headline, mut in_place) = (true, false);
    for line in error {
        if line.is_empty() {
            (in_headline, in_place) = (false, false);
        } else if detail.is_empty() && (line.starts_with("on ") || line.starts_with("with ")) && !in_headline {
            let place = line.split(", in ").next().unwrap_or_default();
            told.extend([" ", place.trim_end_matches([':', ','])]);
            in_place = true;
        } else if in_headline {
            told.extend([if told.is_empty() { "" } else { " " }, line]);
        } else if !in_place && detail.len() < DETAIL_LINES {
            // The quoted code, in place, stands in the whole text.
            detail.push(*line);
        }
    }
    without_request_ids(&joined(&told, &detail.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_one_line_with_its_place() {
        let own = "Error: Unsupported argument\n\n  on a/main.tf line 2, in resource \"x\" \"y\":\n   2:   imput = 1\n\nNot expected here.\n\nError: Other\n";
        assert_eq!(first_error(own), "Unsupported argument on a/main.tf line 2: Not expected here.");
        let framed = "╷\n│ Error: Failed\n│ \n│   with x.y,\n│   on main.tf line 2, in resource:\n│    2: x\n│ \n│ one\n│ two\n╵\n";
        assert_eq!(first_error(framed), "Failed with x.y on main.tf line 2: one two");
        assert_eq!(first_error("Error: operation error S3: no"), "operation error S3: no");
        assert_eq!(first_error("it crashed"), "");
    }

    #[test]
    fn a_headline_over_the_errors_is_none_of_them() {
        let heading = "Error: Terraform encountered problems during initialisation, including problems\nwith the configuration, described below.\n\nThe Terraform configuration must be valid before initialization so that\nTerraform can determine which modules and providers need to be installed.\n\n\n";
        let error = "Error: Missing name for resource\n\n  on half.tf line 1, in resource \"x\":\n   1: resource \"x\" {\n\nAll resource blocks must have 2 labels (type, name).\n";
        let told = "Missing name for resource on half.tf line 1: All resource blocks must have 2 labels (type, name).";
        assert_eq!(first_error(&format!("{heading}{error}")), told);
        assert!(first_error(heading).starts_with("Terraform encountered problems"), "better than nothing");
        let unknown = "Error: Unknown values within backend definition\n\nThe `terraform` configuration block should contain only concrete and static\nvalues. Another diagnostic should contain more information about which part\nof the configuration is problematic.\n\n";
        assert_eq!(first_error(&format!("{unknown}{heading}{error}")), told);
        let nested = "Error: No valid credential sources found\n\nPlease see https://developer.hashicorp.com/terraform/language/backend/s3\nfor more information about providing credentials.\n\nError: failed to refresh cached credentials, operation error STS: AssumeRole,\nhttps response error StatusCode: 403, RequestID: r, api error AccessDenied: no\n";
        assert_eq!(
            first_error(nested),
            "No valid credential sources found: failed to refresh cached credentials, operation error STS: AssumeRole, https response error StatusCode: 403, api error AccessDenied: no"
        );
        let wrapped = "Error: no role found,\noperation error x: no\n\nSee there.\n";
        assert_eq!(first_error(wrapped), "no role found, operation error x: no: See there.");
    }

    #[test]
    fn headline_and_detail_are_joined_as_a_person_would() {
        for (text, told) in [
            (
                "Error: The bucket \"b\" does not exist.\n\nThe referenced S3 bucket must be there.\n",
                "The bucket \"b\" does not exist. The referenced S3 bucket must be there.",
            ),
            (
                "Error: Error refreshing state: 2 problems:\n\n- Unsupported\n",
                "Error refreshing state: 2 problems: - Unsupported",
            ),
            (
                "Error: S3: ListObjectsV2, StatusCode: 403, RequestID: 91ff, HostID: , api error Forbidden: no",
                "S3: ListObjectsV2, StatusCode: 403, api error Forbidden: no",
            ),
        ] {
            assert_eq!(first_error(text), told);
        }
    }

    #[test]
    fn a_remedy_is_a_sentence() {
        assert_eq!(sentence("add `use_lockfile = true`"), "Add `use_lockfile = true`.");
        assert_eq!(sentence("Run again. Then wait."), "Run again. Then wait.");
        assert_eq!(sentence(""), "");
        let names = |names: &[&str]| listed(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!([names(&["a"]), names(&["a", "b", "c"])], ["a", "a, b or c"]);
    }

    #[test]
    fn a_failure_of_terraform_names_the_input_that_mends_it() {
        let flags = "Error: Failed to parse command-line flags\n\nflag provided but not defined: -frob\n";
        for (command, text, named) in [
            ("terraform init", flags, "--init-args"),
            ("terraform plan", flags, "--plan-args"),
            ("tofu apply", flags, "--apply-args"),
            ("terraform init", "Error: Unsupported Terraform Core version", "terraform_version"),
            ("terraform init", "Error: Invalid workspace name set using TF_WORKSPACE", "--workspace"),
            ("terraform init", "The attribute \"key\" is required by the backend.", "-backend-config=FILE"),
            ("terraform plan", "Error: No value for required variable", "TF_VAR_name"),
            ("terraform plan", "Given variables file eu.tfvars does not exist.", "relative to the root module"),
            ("terraform show", flags, "TF_CLI_ARGS_show"),
            (
                "terraform init",
                "Error: Failed to install provider\n\nError while installing hashicorp/aws v5.1.0: open /c/x: text file busy",
                "TF_PLUGIN_CACHE_DIR",
            ),
            ("terraform init", "Error: state data in S3 does not have the expected content.", "delete-item"),
            ("terraform plan", "Error: something else", "Fix what Terraform reports; if the code is right, run again."),
            (
                "terraform plan",
                "Error: Failed to read variables file\n\nx\n\nError: No value for required variable\n\ny",
                "relative to the root module",
            ),
            (
                "terraform plan",
                "Error: No value for required variable\n\ny\n\nError: Failed to read variables file\n\nx",
                "TF_VAR_name",
            ),
            (
                "terraform apply",
                "Error: No value for required variable\n\nThe ephemeral input variable \"tok\" was set during the plan phase, and so must also be set during the apply phase.",
                "--apply-args",
            ),
            ("terraform show", "!!! TERRAFORM CRASH !!!", "Terraform itself crashed"),
        ] {
            assert!(failed_hint(command, Exit::Code(1), text).contains(named), "{command}: {text}");
        }
        assert!(failed_hint("terraform show", Exit::Code(11), "").contains("Try a newer version"));
    }
}
