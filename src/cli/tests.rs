//! Reading the arguments, and what the help promises.

use super::*;
use crate::error::code;

fn parse_words(line: &str) -> Result<Cli, clap::Error> {
    parse(shell_words::split(&format!("stategate {line}")).unwrap().into_iter().map(OsString::from))
}

#[test]
fn the_definition_is_sound() {
    definition().debug_assert();
}

#[test]
fn a_boolean_alone_means_true_and_an_empty_value_means_not_given() {
    let check = |line: &str, expected: bool| match parse_words(line).unwrap().command {
        Command::Plan(plan) => assert_eq!(plan.target.init, expected, "{line}"),
        _ => unreachable!(),
    };
    check("plan", true);
    check("plan --init", true);
    check("plan --init false", false);
    check("plan --init=false", false);
    check("plan --init ''", true);
    check("plan --init=", true);
    check("plan --workspace '' --init=false", false);
}

#[test]
fn a_variable_that_no_flag_has_is_told() {
    let ours = ["STATEGATE_LOCK_TIMEOUT", "STATEGATE_GITHUB_TOKEN", "STATEGATE_BINARY_PATH", "STATEGATE_TEST_ROUNDS"];
    let wrong = ["STATEGATE_DIR", "STATEGATE_FORCED", "STATEGATE_LOCK_TIMEUOT", "STATEGATE_XYZZY", "PATH"];
    let given = ours.into_iter().chain(wrong).map(str::to_owned);
    let told = [
        ("STATEGATE_DIR", Some("STATEGATE_WORKING_DIRECTORY")),
        ("STATEGATE_FORCED", None),
        ("STATEGATE_LOCK_TIMEUOT", Some("STATEGATE_LOCK_TIMEOUT")),
        ("STATEGATE_XYZZY", None),
    ];
    let told = told.map(|(wrong, near)| (wrong.to_owned(), near.map(str::to_owned)));
    assert_eq!(unknown_variables(given), told);
}

/// What is told to do next about a mistake.
fn next_of(line: &str) -> String {
    let words: Vec<OsString> =
        shell_words::split(&format!("stategate {line}")).unwrap().into_iter().map(OsString::from).collect();
    mistake(&parse(words.clone()).unwrap_err(), &words).unwrap().next
}

#[test]
fn a_mistyped_command_is_recognised() {
    for (typed, meant) in [
        ("paln", "plan"),
        ("plna", "plan"),
        ("pan", "plan"),
        ("pln", "plan"),
        ("pla", "plan"),
        ("Plan", "plan"),
        ("plam", "plan"),
        ("appyl", "apply"),
        ("aply", "apply"),
        ("APPLY", "apply"),
        ("unlcok", "unlock"),
        ("lokc", "lock"),
        ("stauts", "status"),
        ("stat", "status"),
        ("relaese", "release"),
        ("redner", "render"),
        ("completion", "completions"),
        ("freeze", "lock"),
        ("force-unlock", "unlock"),
        ("show", "render"),
    ] {
        let next = next_of(typed);
        assert!(next.starts_with(&format!("Did you mean {meant}? Give one of plan, ")), "{typed}: {next}");
    }
    for nothing_near in ["doctor", "frobnicate", "x", "42", "-"] {
        assert!(next_of(nothing_near).starts_with("Give one of plan, "), "{nothing_near}: {}", next_of(nothing_near));
    }
}

#[test]
fn a_command_of_terraforms_is_told_what_does_it_here() {
    for (typed, told) in [
        ("version", "Run `stategate --version`."),
        ("init", "`terraform init` runs by itself before each plan and apply; give its arguments in --init-args."),
        (
            "destroy",
            "Run `stategate plan --plan-args=-destroy` on a pull request; give the apply the same --plan-args.",
        ),
        ("refresh", "Run `stategate plan --plan-args=-refresh-only` on a pull request"),
        ("validate", "Run `terraform validate`: that is a command of Terraform's."),
        ("import", "Run `terraform import`: that is a command of Terraform's."),
        ("output", "Run `terraform output`"),
        ("workspace", "Run `terraform workspace`"),
    ] {
        assert!(next_of(typed).starts_with(told), "{typed}: {}", next_of(typed));
    }
}

#[test]
fn a_flag_is_proposed_only_where_the_command_uses_it() {
    for (line, told) in [
        ("plan --dir .", "Did you mean --working-directory?"),
        ("apply --path=envs/prod", "Did you mean --working-directory?"),
        ("status --directory x", "Did you mean --working-directory?"),
        ("plan --chdir x", "Give the root module's directory with --working-directory."),
        ("plan -dir=x", "Did you mean --working-directory?"),
        ("plan --wrokspace x", "Did you mean --workspace?"),
        ("plan --working_directory x", "Did you mean --working-directory?"),
        ("plan --timeout 3m", "Did you mean --lock-timeout?"),
        ("plan --aprovers a", "Did you mean --approvers?"),
        ("plan --env prod", "Did you mean --environment?"),
        ("unlock --id 3", "Did you mean --lock-id?"),
        ("apply --pr 3", "Did you mean --pull-request?"),
        ("plan --version", "Run `stategate --version`."),
        ("--working-directory x plan", "Give the command first, such as `stategate plan --working-directory"),
    ] {
        assert!(next_of(line).contains(told), "{line}: {}", next_of(line));
    }
    // Not what the command has no use for, and nothing that turns a safety off.
    for line in [
        "status --enviroment x",
        "plan --on-plan-chang fail",
        "plan --allow-direct-psh",
        "apply --allow-direct-psh",
        "apply --allow",
        "unlock --forc",
        "plan --break-stale-locks",
        "render --di",
        "plan --frobnicate",
    ] {
        assert!(next_of(line).starts_with("See `stategate "), "{line}: {}", next_of(line));
    }
}

#[test]
fn usage_errors_name_the_flag_and_exit_with_2() {
    for (line, named) in [
        ("plan --init maybe", "--init"),
        ("plan --lock-timeout soon", "--lock-timeout"),
        ("plan --lock-timeout=-5s", "--lock-timeout"),
        ("plan --unknown", "--unknown"),
        ("plan --plan-args \"'\"", "--plan-args"),
        ("plan --plan-args -out=x", "`-out` would write none"),
        ("apply --plan-args '--out x'", "`-out` would write none"),
        ("apply --required-approvals many", "--required-approvals"),
        ("frobnicate", "frobnicate"),
    ] {
        let error = parse_words(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(named), "{line}: {error}");
    }
}

#[test]
fn durations() {
    let check = |text: &str, seconds: i64| assert_eq!(duration(text).unwrap().as_secs(), seconds, "{text}");
    check("0", 0);
    check("0s", 0);
    check("30s", 30);
    check("10m", 600);
    check("1h30m", 5400);
}

/// The help of a command as it is printed.
fn help_of(command: &clap::Command) -> String {
    command.clone().render_long_help().to_string()
}

#[test]
fn each_commands_help_speaks_of_flags_and_exit_codes_that_there_are() {
    let whole = definition();
    let known: Vec<String> = whole
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|flag| Some(format!("--{}", flag.get_long()?)))
        .chain(["--help".to_owned(), "--version".to_owned()])
        .collect();
    let codes = [
        0,
        code::UNEXPECTED,
        code::USAGE,
        code::LOCK_HELD,
        code::APPROVAL_MISSING,
        code::PLAN_CHANGED,
        code::LOCK_LOST,
        code::TERRAFORM,
        code::AWS,
        code::GITHUB,
        code::CANCELLED,
    ];
    for command in std::iter::once(&whole).chain(whole.get_subcommands()) {
        let help = help_of(command);
        for word in help.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-') {
            let is_flag = word.starts_with("--") && word.len() > 2;
            assert!(!is_flag || known.iter().any(|flag| flag == word), "{}: {word} is no flag", command.get_name());
        }
        let Some((_, below)) = help.split_once("Exit codes:\n") else { continue };
        let (table, _) = below.split_once("\n\n").unwrap_or((below, ""));
        let told: Vec<u8> = table.split("  ").filter_map(|word| word.trim().parse().ok()).collect();
        assert!(told.contains(&0), "{}: {table}", command.get_name());
        assert!(told.iter().all(|told| codes.contains(told)), "{}: {told:?}", command.get_name());
        if command.get_name() == "stategate" {
            assert!(codes.iter().all(|code| told.contains(code)), "{told:?}");
        }
    }
}

#[test]
fn what_stands_below_the_flags_fits_a_terminal_of_80_columns() {
    let whole = definition();
    for command in std::iter::once(&whole).chain(whole.get_subcommands()) {
        let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in below.lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
        }
    }
}

#[test]
fn a_command_lists_only_the_flags_that_it_uses() {
    let whole = definition();
    for (name, without_use) in WITHOUT_USE {
        let command = whole.find_subcommand(name).unwrap();
        let help = help_of(command);
        for flag in without_use {
            assert!(command.get_arguments().any(|arg| arg.get_long() == Some(flag)), "{name} has no --{flag}");
            let line = format!("      --{flag} ");
            assert!(!help.contains(&line), "{name} lists --{flag}:\n{help}");
        }
    }
    for (line, named) in [("status --summary false", "--summary"), ("lock --comment false", "--comment")] {
        let error = parse_words(line).unwrap_err();
        assert!(error.to_string().contains(named), "{line}: {error}");
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let whole = definition();
    let man = whole.find_subcommand("man").unwrap();
    let pages: Vec<String> =
        man.get_positionals().flat_map(Arg::get_possible_values).map(|value| value.get_name().to_owned()).collect();
    let commands: Vec<&str> = whole.get_subcommands().map(clap::Command::get_name).collect();
    assert_eq!(pages, commands);
}

#[test]
fn arguments_that_cannot_be_split_are_not_repeated() {
    let words = ["stategate", "plan", "--init-args", "-backend-config=secret_key='abc"].map(OsString::from);
    let error = parse(words.iter().cloned()).unwrap_err();
    let mistake = mistake(&error, &words).unwrap();
    let told = format!("{} {}", mistake.what, mistake.next);
    assert!(told.contains("--init-args") && told.contains("missing closing quote"), "{told}");
    assert!(!told.contains("secret_key"), "{told}");
}
