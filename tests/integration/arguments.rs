//! The help, the completions and the manual page, as the program prints them.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::process::{Finished, run};
use crate::harness::runner::binary;

const COMMANDS: [&str; 9] = ["plan", "apply", "unlock", "release", "lock", "status", "render", "completions", "man"];

fn stategate(arguments: &[&str]) -> Finished {
    run(Command::new(binary()).args(arguments).env_clear())
}

#[test]
fn every_commands_help_says_what_it_is_for_with_examples_and_what_comes_next() {
    let whole = stategate(&["--help"]).succeeded().stdout;
    for command in COMMANDS {
        assert!(whole.contains(&format!("  {command} ")), "{command} is not listed:\n{whole}");
        let help = stategate(&[command, "--help"]).succeeded().stdout;
        assert!(help.contains("Example"), "{command} has no example:\n{help}");
        let acts = !["completions", "man"].contains(&command);
        for part in ["Exit codes:", "Next"] {
            assert!(!acts || help.contains(part), "{command} has no {part:?}:\n{help}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
}

#[test]
fn variables_that_are_no_flag_of_a_command_do_not_concern_it() {
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/stategate-core/tests/plans/quiet.json");
    let mut render = Command::new(binary());
    render.args(["render", "--plan-json", plan]).env_clear();
    // Nothing that `lock-timeout` or `summary` could be.
    run(render.env("STATEGATE_LOCK_TIMEOUT", "soon").env("STATEGATE_SUMMARY", "perhaps")).succeeded();
    let refused = run(Command::new(binary()).args(["plan"]).env_clear().env("STATEGATE_LOCK_TIMEOUT", "soon"));
    assert_eq!(refused.code, Some(2), "{}", refused.text());
    assert!(refused.stderr.contains("--lock-timeout"), "{}", refused.stderr);
}

#[test]
fn a_value_that_no_flag_stands_before_is_named_by_its_place() {
    for (arguments, place) in [(["man", "nothing"], "[COMMAND]"), (["completions", "nothing"], "<SHELL>")] {
        let refused = stategate(&arguments);
        assert_eq!(refused.code, Some(2), "{}", refused.text());
        assert!(refused.stderr.contains(&format!("for {place}: it can be")), "{}", refused.stderr);
    }
}

#[test]
fn the_completions_are_scripts_that_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stategate(&["completions", shell]).succeeded().stdout;
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
        assert!(script.contains("--lock-timeout") || script.contains("lock-timeout"), "{shell} knows no flags");
    }
    let script = stategate(&["completions", "bash"]).succeeded().stdout;
    let checked = read_by(Command::new("/bin/bash").arg("-n"), &script);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    // What a person gets who writes `stategate st` and presses Tab.
    let asked =
        "\nCOMP_WORDS=(stategate st); COMP_CWORD=1; _stategate stategate st stategate; echo \"${COMPREPLY[@]}\"\n";
    let answered = read_by(&mut Command::new("/bin/bash"), &format!("{script}{asked}"));
    assert_eq!(answered.stdout.trim(), "status", "{}", answered.text());
}

#[test]
fn the_manual_page_is_one() {
    for (arguments, title) in [(vec!["man"], "stategate"), (vec!["man", "apply"], "stategate-apply")] {
        let page = stategate(&arguments).succeeded().stdout.replace("\\-", "-");
        let (_, footer) = page.split_once(".SH EXTRA\n").unwrap();
        assert!(footer.starts_with(".nf\n") && footer.contains("\n.fi\n.SH VERSION\n"), "its lines stay: {page}");
        for part in [&format!(".TH {title} 1"), ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", "Exit codes:"] {
            assert!(page.contains(part), "no {part:?}:\n{page}");
        }
    }
    assert_eq!(stategate(&["man", "frobnicate"]).code, Some(2));
    // What the page looks like can only be seen where there is something that sets pages.
    let Some(groff) =
        ["/usr/bin/groff", "/usr/local/bin/groff"].into_iter().find(|path| std::path::Path::new(path).exists())
    else {
        return;
    };
    let page = stategate(&["man", "unlock"]).succeeded().stdout;
    let set = read_by(Command::new(groff).args(["-man", "-Tutf8", "-ww", "-P-cbu"]), &page);
    assert_eq!((set.code, set.stderr.as_str()), (Some(0), ""));
    for text in ["--lock-id", "the runner was lost", "SYNOPSIS"] {
        assert!(set.stdout.replace('\u{2010}', "-").contains(text), "no {text:?}:\n{}", set.stdout);
    }
}

/// Runs a program that reads this.
fn read_by(program: &mut Command, text: &str) -> Finished {
    let mut child = program
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
