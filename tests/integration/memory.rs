//! `render` needs little memory, whatever the plan holds, and loses nothing that matters over it; nor
//! does `plan`, whatever Terraform prints.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::files::{PROD, PROD_KEY, PROD_LOCK};
use crate::harness::laptop::stand_in;
use crate::harness::process::Finished;
use crate::harness::python::python;
use crate::harness::runner::binary;
use crate::harness::world::World;

/// What a process may need at its peak.
const MOST_KIB: usize = 64 * 1024;

/// Runs a command and says on standard error, in a last line, how much memory it needed at its peak.
const MEASURE: &str = "
import os, sys
process = os.posix_spawn(sys.argv[1], sys.argv[1:], {})
_, status, usage = os.wait4(process, 0)
peak = usage.ru_maxrss // (1024 if sys.platform == 'darwin' else 1)
print(f'\\n{peak}', file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
";

/// The same of a command that needs its environment, and whose own children do not count.
#[cfg(target_os = "linux")]
const MEASURE_ALONE: &str = "
import os, sys, time
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
peak, status, own = 0, None, f'/proc/{process}/status'
while status is None:
    try:
        peak = max([peak] + [int(line.split()[1]) for line in open(own) if line.startswith('VmHWM')])
    except OSError:
        pass
    time.sleep(0.005)
    done, code = os.waitpid(process, os.WNOHANG)
    status = code if done else None
print(f'\\n{peak}', file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
";

/// A part of a plan, written piece by piece.
type Part<'a> = &'a dyn Fn(&mut dyn Write);

/// Writes the same text many times.
fn repeat(out: &mut dyn Write, piece: &str, times: usize) {
    let many = piece.repeat(1024);
    for _ in 0..times / 1024 {
        out.write_all(many.as_bytes()).unwrap();
    }
    out.write_all(piece.repeat(times % 1024).as_bytes()).unwrap();
}

fn write(out: &mut dyn Write, text: &str) {
    out.write_all(text.as_bytes()).unwrap();
}

/// A plan that destroys `a.gone`, changes an attribute of `a.big`, and has some big parts.
#[derive(Default)]
struct Plan<'a> {
    /// Entries at the top, and of the entry of `a.big`, each with a comma behind.
    top: Option<Part<'a>>,
    entry: Option<Part<'a>>,
    /// Attributes of `a.big`, each with a comma before.
    before: Option<Part<'a>>,
    after: Option<Part<'a>>,
    marks: &'a str,
    /// Entries at the end, each with a comma before.
    end: Option<Part<'a>>,
}

impl Plan<'_> {
    fn write(&self, out: &mut dyn Write) {
        let part = |out: &mut dyn Write, part: Option<Part<'_>>| part.into_iter().for_each(|part| part(out));
        write(out, r#"{"format_version":"1.2","#);
        part(out, self.top);
        write(out, r#""resource_changes":[{"#);
        part(out, self.entry);
        write(
            out,
            r#""address":"a.big","mode":"managed","type":"a","name":"big","change":{"actions":["update"],"before":{"size":1"#,
        );
        part(out, self.before);
        write(out, r#"},"after":{"size":2"#);
        part(out, self.after);
        let marks = self.marks;
        write(
            out,
            &format!(r#"}},"after_unknown":{{}},"before_sensitive":{{{marks}}},"after_sensitive":{{{marks}}}}}}},"#),
        );
        write(
            out,
            r#"{"address":"a.gone","type":"a","name":"gone","change":{"actions":["delete"],"before":{"id":"x","note":"short-secret"},"after":null,"before_sensitive":{"note":true}}}]"#,
        );
        part(out, self.end);
        write(out, "}\n");
    }
}

/// Renders a plan from a file that holds it, or from a pipe into which `plan` writes it.
fn run(path: Option<&Path>, arguments: &[&str], plan: Part<'_>) -> (Finished, usize) {
    let from = path.map_or("-".to_owned(), |path| path.display().to_string());
    let mut command = Command::new("python3");
    command.args(["-c", MEASURE]).arg(binary()).args(["render", "--plan-json", &from]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    if path.is_none() {
        plan(&mut BufWriter::with_capacity(1 << 16, &mut input));
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    let mut stderr = String::from_utf8(output.stderr).unwrap();
    let peak = stderr.trim_end().rsplit('\n').next().unwrap().parse().unwrap();
    stderr.truncate(stderr.trim_end().rfind('\n').unwrap_or(0));
    let stdout = String::from_utf8(output.stdout).unwrap();
    (Finished { code: output.status.code(), stdout, stderr }, peak)
}

/// Renders it from a pipe, in little memory.
#[track_caller]
fn renders(name: &str, plan: &Plan<'_>) -> String {
    let (piped, peak) = run(None, &[], &|out| plan.write(out));
    assert_eq!(piped.code, Some(0), "{name}: {}", piped.text());
    assert!(peak <= MOST_KIB, "{name}: {peak} KiB");
    assert!(piped.stdout.contains("**1 to destroy"), "{name}: {}", piped.stdout);
    for address in ["a.big", "a.gone"] {
        assert!(piped.stdout.contains(address), "{name}: {}", piped.stdout);
    }
    assert!(!piped.stdout.contains("short-secret"), "{name}: {}", piped.stdout);
    piped.stdout
}

/// Kept whole, twice, this would be too much; of small elements a fifth of it is.
const LARGE: usize = 30 * 1000 * 1000;
const LONG: usize = LARGE / 5;

#[test]
fn what_is_too_large_to_be_shown_is_told_as_changed_or_not_in_little_memory() {
    let string = |last: &'static str| {
        move |out: &mut dyn Write| {
            write(out, r#","text":""#);
            repeat(out, "0123456789", LARGE / 10);
            write(out, &format!(r#"{last}""#));
        }
    };
    let (one, other) = (string("a"), string("b"));
    let strings = Plan { before: Some(&one), after: Some(&other), ..Plan::default() };
    let told = renders("two strings", &strings);
    assert!(told.contains("text = (too large to be shown: 30,000,003 bytes)"), "{told}");
    assert!(told.contains("size = 1 -> 2"), "{told}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plan.json");
    strings.write(&mut BufWriter::new(File::create(&path).unwrap()));
    let (read, peak) = run(Some(&path), &[], &|_| {});
    assert_eq!(read.stdout, told, "from a file it says the same");
    assert!(peak <= MOST_KIB, "{peak} KiB from a file");
    let told = renders("the same string", &Plan { before: Some(&one), after: Some(&one), ..Plan::default() });
    assert!(!told.contains("too large") && told.contains("(1 unchanged attribute hidden)"), "{told}");

    let list = |first: &'static str, piece: &'static str| {
        move |out: &mut dyn Write| {
            write(out, &format!(r#","list":[{first}"#));
            repeat(out, piece, LONG / piece.len());
            write(out, "]");
        }
    };
    for piece in [",7", ",[]", ",{}", r#",{"a":1}"#, ",[[[[]]]]", r#",["x"]"#, r#",{"\u0000":"\u0000"}"#] {
        let (one, other) = (list("1", piece), list("2", piece));
        let told = renders(piece, &Plan { before: Some(&one), after: Some(&other), ..Plan::default() });
        assert!(told.contains("list = (too large to be shown: "), "{piece}: {told}");
        assert!(told.contains("size = 1 -> 2"), "{piece}: {told}");
    }
}

#[test]
fn many_values_that_are_large_together_are_no_different() {
    let attributes = |last: &'static str| {
        move |out: &mut dyn Write| {
            let text = "lorem ipsum ".repeat(850);
            for number in 0..3_000 {
                write(out, &format!(r#","text_{number}":"{text}{last}""#));
            }
        }
    };
    let (one, other) = (attributes("a"), attributes("b"));
    let told = renders("3,000 strings", &Plan { before: Some(&one), after: Some(&other), ..Plan::default() });
    assert!(told.contains("(too large to be shown: 30,"), "{told}");
    // Each just small enough to be built, in several shapes.
    for (name, piece, times) in
        [("strings", r#","lorem ipsum dolor""#, 170_000), ("objects", r#",{"a":1}"#, 10_000), ("numbers", ",1", 70_000)]
    {
        let list = |last: &'static str| {
            move |out: &mut dyn Write| {
                write(out, r#","list":["#);
                write(out, last);
                repeat(out, piece, times);
                write(out, "]");
            }
        };
        let (one, other) = (list("1"), list("2"));
        renders(name, &Plan { before: Some(&one), after: Some(&other), ..Plan::default() });
    }
    // JSON in strings.
    let json = |last: &'static str| {
        move |out: &mut dyn Write| {
            for number in 0..20 {
                write(out, &format!(r#","json_{number}":"[{last}"#));
                repeat(out, r#",{\"a\":1}"#, 20_000);
                write(out, "]\"");
            }
        }
    };
    let (one, other) = (json("1"), json("2"));
    renders("JSON in strings", &Plan { before: Some(&one), after: Some(&other), ..Plan::default() });
}

#[test]
fn wherever_a_giant_stands_it_costs_nothing() {
    let giant = |open: &'static str, close: &'static str| {
        move |out: &mut dyn Write| {
            write(out, open);
            repeat(out, "0123456789", LARGE / 10);
            write(out, close);
        }
    };
    let entry = giant(r#""private":""#, r#"","#);
    renders("an unknown key of an entry", &Plan { entry: Some(&entry), ..Plan::default() });
    let top = giant(r#""variables":{"big":{"value":""#, r#""}},"#);
    renders("a variable", &Plan { top: Some(&top), ..Plan::default() });
    let top = giant(
        r#""resource_drift":[{"address":"a.drifted","change":{"actions":["update"],"before":{"x":""#,
        r#""},"after":{"x":1}}}],"#,
    );
    let told = renders("drift", &Plan { top: Some(&top), ..Plan::default() });
    assert!(told.contains("a.drifted"), "{told}");
    let end = giant(r#","output_changes":{"out":{"actions":["create"],"before":null,"after":""#, r#""}}"#);
    let told = renders("an output", &Plan { end: Some(&end), ..Plan::default() });
    assert!(told.contains("out = (too large to be shown: 30,000,002 bytes)"), "{told}");
    let end = giant(
        r#","prior_state":{"values":{"root_module":{"resources":[{"address":"a.other","values":{"x":""#,
        r#""},"sensitive_values":{}}]}}}"#,
    );
    renders("the prior state", &Plan { end: Some(&end), ..Plan::default() });
    let end = giant(
        r#","checks":[{"address":{"to_display":"check.one"},"status":"fail","instances":[{"address":{"to_display":"check.one"},"status":"fail","problems":[{"message":""#,
        r#""}]}]}]"#,
    );
    let told = renders("a check", &Plan { end: Some(&end), ..Plan::default() });
    assert!(told.contains("check.one"), "{told}");
    let end = giant(r#","configuration":{"root_module":{"variables":{"big":{"default":""#, r#""}}}}"#);
    renders("a default", &Plan { end: Some(&end), ..Plan::default() });
    let end = giant(
        r#","deferred_changes":[{"reason":"x","resource_change":{"address":"a.later","change":{"actions":["create"],"after":{"x":""#,
        r#""}}}}]"#,
    );
    let told = renders("a deferred change", &Plan { end: Some(&end), ..Plan::default() });
    assert!(told.contains("a.later"), "{told}");
    let end = giant(r#","action_invocations":[{"address":"action.a.b","config_values":{"x":""#, r#""}}]"#);
    let told = renders("an invocation", &Plan { end: Some(&end), ..Plan::default() });
    assert!(told.contains("action.a.b"), "{told}");
    let blank = |out: &mut dyn Write| repeat(out, " \n", LARGE / 2);
    renders("white space", &Plan { entry: Some(&blank), ..Plan::default() });
}

/// What one line of Terraform's own text may cost: nothing that grows with it.
#[cfg(target_os = "linux")]
#[test]
fn one_endless_line_of_terraforms_text_is_told_in_little_memory() {
    let world = World::applied();
    let laptop = world.laptop();
    laptop.files.replace(&format!("{PROD}/main.tf"), "web:1.0", "web:1.1");
    let plan = |lines: &str| {
        let script = format!(
            "if [ \"$1 $2\" = 'show -no-color' ]; then echo first; {lines} echo last; exit; fi\nexec \"$TERRAFORM\" \"$@\"\n"
        );
        let program = stand_in(&world.place("bin"), &script).display().to_string();
        let mut command = laptop.command(python());
        command.args(["-c", MEASURE_ALONE]).arg(binary()).args(["plan", "--terraform-bin", &program]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        for line in ["first", "last"] {
            assert!(stderr.lines().any(|told| told.ends_with(line)), "{line} is not told: {stderr}");
        }
        (stderr.trim_end().rsplit('\n').next().unwrap().parse::<usize>().unwrap(), stderr)
    };
    let (usual, _) = plan("");
    let (peak, told) = plan("head -c 52428800 /dev/zero | tr '\\0' x; echo;");
    assert!(told.contains("(a line of 52428801 bytes is left out)"), "{told}");
    assert!(peak <= usual + 16 * 1024, "{peak} KiB, and without the line {usual} KiB");
}

/// Nobody but its writer knows what such an object is; whoever looks at it must not fall over.
#[cfg(target_os = "linux")]
#[test]
fn a_huge_lock_is_named_and_not_loaded_and_can_be_unlocked() {
    const HUGE: usize = 96 * 1024 * 1024;
    const STATE: usize = 17 * 1024 * 1024;
    let world = World::applied();
    let laptop = world.laptop();
    laptop.terraform(&["init", "-input=false"]).succeeded();
    let status = || {
        let mut command = laptop.command(python());
        command.args(["-c", MEASURE_ALONE]).arg(binary()).args(["status", "--json", "--init", "false"]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        let peak: usize = stderr.trim_end().rsplit('\n').next().unwrap().parse().unwrap();
        (serde_json::from_slice::<Value>(&output.stdout).unwrap(), peak)
    };
    world.bucket.put(PROD_LOCK, vec![b'{'; HUGE]);
    let (told, peak) = status();
    assert!(peak <= MOST_KIB, "{peak} KiB");
    let lock = &told["locks"][0];
    assert_eq!(lock["id"], Value::Null);
    assert_eq!(lock["raw"], format!("({HUGE} bytes, more than the 64 KiB that a lock may have; it was not read)"));
    let etag = lock["etag"].as_str().unwrap();
    let unlock = ["unlock", "--etag", etag, "--reason", "what is that", "--force", "--init", "false"];
    laptop.stategate(&unlock).succeeded();
    assert!(world.bucket.locks().is_empty());

    // A state may be large; of it only its beginning of an identity is wanted.
    let mut state: Value = serde_json::from_slice(&world.bucket.get(PROD_KEY).unwrap()).unwrap();
    let serial = state["serial"].clone();
    state["outputs"]["big"] = json!({ "value": "x".repeat(STATE), "type": "string" });
    world.bucket.put(PROD_KEY, state.to_string());
    let settings = r#""use_lockfile":true"#;
    let backend = crate::lock_store::backend(&world.bucket.endpoint, &world.bucket.name, settings);
    let read = crate::harness::process::runtime().block_on(async {
        let bucket = stategate::shell::lock_store::Bucket::connect(backend).await;
        let error = bucket.get(PROD_KEY).await.unwrap_err();
        assert!(error.to_string().contains("larger than 16384 KiB"), "{error}");
        let serial = |state: &mut dyn std::io::Read| {
            serde_json::from_reader::<_, Serial>(std::io::BufReader::new(state)).unwrap().serial
        };
        bucket.read_through(PROD_KEY, serial).await.unwrap().unwrap().1
    });
    assert_eq!(Value::from(read), serial);
}

#[cfg(target_os = "linux")]
#[derive(serde::Deserialize)]
struct Serial {
    serial: u64,
}

#[test]
fn a_secret_that_cannot_be_searched_for_withholds_every_value() {
    let giant = |out: &mut dyn Write| {
        write(out, r#","text":""#);
        repeat(out, "0123456789", LARGE / 10);
        write(out, r#"","open":"in-the-open""#);
    };
    let list = |out: &mut dyn Write| {
        write(out, r#","open":"in-the-open","text":["#);
        repeat(out, r#"{"password":"0123456789"},"#, LONG / 26);
        write(out, "null]");
    };
    let many = |out: &mut dyn Write| {
        write(out, r#","open":"in-the-open","text":["#);
        for number in 0..10_000 {
            write(out, &format!(r#""{number:0100}","#));
        }
        write(out, "null]");
    };
    let variable = |out: &mut dyn Write| {
        write(out, r#","variables":{"text":{"value":""#);
        repeat(out, "0123456789", LARGE / 10);
        write(out, r#""}},"configuration":{"root_module":{"variables":{"text":{"sensitive":true}}}}"#);
    };
    let everywhere = |out: &mut dyn Write| {
        write(out, r#","prior_state":{"values":{"root_module":{"resources":[{}"#);
        for number in 0..3_000 {
            let values = format!(r#"{{"text":"{number:05000}\"\n{number:05000}"}}"#);
            write(
                out,
                &format!(r#",{{"address":"a.b[{number}]","values":{values},"sensitive_values":{{"text":true}}}}"#),
            );
        }
        write(out, "]}}}");
    };
    let with_marks = |part, marks| Plan { before: Some(part), after: Some(part), marks, ..Plan::default() };
    let open = |out: &mut dyn Write| write(out, r#","open":"in-the-open""#);
    let cases = [
        ("a sensitive string", with_marks(&giant, r#""text":true"#)),
        ("a list of which something is", with_marks(&list, r#""text":[{"password":true}]"#)),
        ("many resources", Plan { after: Some(&open), end: Some(&everywhere), ..Plan::default() }),
        ("a sensitive variable", Plan { after: Some(&open), end: Some(&variable), ..Plan::default() }),
    ];
    for (name, plan) in &cases {
        let told = renders(name, plan);
        assert!(told.contains("**No values of this plan are shown:**"), "{name}: {told}");
        assert!(!told.contains("in-the-open") && !told.contains("1 -> 2"), "{name}: {told}");
    }
    // All of these can be searched for.
    let told = renders("many sensitive strings", &with_marks(&many, r#""text":true"#));
    assert!(told.contains("size = 1 -> 2"), "{told}");
}

/// An array or object of so many entries, each as `entry` writes it.
fn entries(out: &mut dyn Write, brackets: [&str; 2], number: usize, entry: impl Fn(usize) -> String) {
    write(out, brackets[0]);
    for index in 0..number {
        write(out, if index == 0 { "" } else { "," });
        write(out, &entry(index));
    }
    write(out, brackets[1]);
}

/// A plan with these parts, each with a comma before.
fn whole<'a>(parts: &'a [Part<'a>]) -> impl Fn(&mut dyn Write) + 'a {
    move |out| {
        write(out, r#"{"format_version":"1.2""#);
        for part in parts {
            part(out);
        }
        write(out, "}\n");
    }
}

fn change(index: usize, actions: &str, more: &str) -> String {
    format!(r#"{{"address":"a.b[{index}]"{more},"change":{{"actions":[{actions}]}}}}"#)
}

fn changes(number: usize, entry: impl Fn(usize) -> String + Copy) -> impl Fn(&mut dyn Write) {
    move |out| entries(out, [r#","resource_changes":["#, "]"], number, entry)
}

/// What `render` says of it, in little memory.
#[track_caller]
fn little(name: &str, arguments: &[&str], parts: &[Part<'_>]) -> String {
    let (done, peak) = run(None, arguments, &whole(parts));
    assert_eq!(done.code, Some(0), "{name}: {}", done.text());
    assert!(peak <= MOST_KIB, "{name}: {peak} KiB");
    done.stdout
}

const MILLION: usize = 1_000_000;

#[test]
fn a_million_destroys_are_listed_as_far_as_there_is_room_and_the_rest_is_counted() {
    let destroys = changes(MILLION, |index| change(index, r#""delete""#, ""));
    let told = little("from a pipe", &[], &[&destroys]);
    assert!(told.contains("**1,000,000 to destroy**"), "{told}");
    let listed = told.matches("> - **destroy** `a.b[").count();
    assert!(listed > 1_000 && told.contains("> - **destroy** `a.b[0]`\n"), "{told}");
    let left_out = (MILLION - listed).to_string();
    let left_out = format!("{},{}", &left_out[..3], &left_out[3..]);
    let notice = format!(
        "**{left_out} of 1,000,000 dangerous changes are not listed here for want of room: {left_out} to destroy.**"
    );
    assert!(told.find(&notice).unwrap() < told.find("> - **destroy**").unwrap(), "{told}");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plan.json");
    whole(&[&destroys])(&mut BufWriter::new(File::create(&path).unwrap()));
    let (read, peak) = run(Some(&path), &[], &|_| {});
    assert_eq!(read.stdout, told, "from a file it says the same");
    assert!(peak <= MOST_KIB, "{peak} KiB from a file");
}

#[test]
fn of_very_many_changes_programs_are_told_the_most_dangerous_and_how_many_are_left_out() {
    let mixed = changes(300_000, |index| match index {
        0..150_000 => change(index, r#""create""#, ""),
        150_000..150_100 => change(index, r#""forget""#, ""),
        _ => change(index, r#""delete""#, ""),
    });
    let told = little("in the order of no danger", &["--json"], &[&mixed]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["counts"]["add"], 150_000);
    assert_eq!(told["counts"]["destroy"], 149_900);
    assert_eq!(told["counts"]["forget"], 100);
    let resources = told["resources"].as_array().unwrap();
    // As many as the largest job summary could list.
    assert!(resources.len() > 30_000, "{}", resources.len());
    assert_eq!(told["resources_omitted"], 300_000 - resources.len());
    for (index, resource) in resources.iter().enumerate() {
        assert_eq!(resource["actions"], json!(["delete"]));
        assert_eq!(resource["address"], format!("a.b[{}]", 150_100 + index));
    }
    // A danger at the end drives out the least of what was there before.
    let last =
        changes(200_001, |index| change(index, if index == 200_000 { r#""delete""# } else { r#""update""# }, ""));
    let told = little("one at the end", &[], &[&last]);
    assert!(told.contains("**1 to destroy** · 200,000 to change"), "{told}");
    assert!(told.contains("> - **destroy** `a.b[200000]`\n") && !told.contains("not listed here"), "{told}");
}

#[test]
fn many_changes_of_any_kind_need_little_memory_and_are_counted() {
    let many = 200_000;
    let of_a_move = |index| change(index, r#""no-op""#, &format!(r#","previous_address":"a.c[{index}]""#));
    let of_names = |index| {
        let more = format!(
            r#","module_address":"module.m{index}","type":"t{index}","name":"n{index}","action_reason":"r{index}""#
        );
        change(index, r#""create""#, &more)
    };
    let of_a_replace = |index| {
        let replace = format!(r#""replace_paths":[["id"],["tags",{index}]],"actions""#);
        change(index, r#""delete","create""#, "").replace(r#""actions""#, &replace)
    };
    let of_a_word = |index| change(index, &format!(r#""word{index}""#), "");
    let (moves, creates, replaces, unknowns) =
        (changes(many, of_a_move), changes(many, of_names), changes(many, of_a_replace), changes(100_000, of_a_word));
    let cases: [(&str, &[&str], Part<'_>); 4] = [
        ("moves", &["200,000 to move"], &moves),
        ("names", &["200,000 to add", "none dangerous, are not listed either"], &creates),
        ("replaces", &["**200,000 to replace**", "of 200,000 dangerous changes are not listed here"], &replaces),
        ("unknown", &["something unknown", "Left out for want of room", "of 100,000 dangerous changes"], &unknowns),
    ];
    for (name, expected, part) in cases {
        let told = little(name, &[], &[part]);
        for words in expected {
            assert!(told.contains(words), "{name}: {words}: {told}");
        }
    }
    let told = little("unknown, for programs", &["--json"], &[&unknowns]);
    assert!(told.contains(r#""unknown_actions_omitted":99800}"#), "{}", told.get(..2_000).unwrap_or(&told));
    // Most of a plan stays as it is; what is remembered of that has a bound as well.
    let still = changes(2 * MILLION, |index| change(index, r#""no-op""#, ""));
    assert!(little("no changes", &[], &[&still]).contains("2,000,000 unchanged"));
}

#[test]
fn many_parts_of_any_other_kind_need_little_memory_and_are_counted() {
    let none = changes(0, |_| String::new());
    let drift = |out: &mut dyn Write| {
        // What differs in nothing did not drift.
        let changed = |index| {
            let values = r#""before":{"size":1},"after":{"size":2}"#;
            format!(r#"{{"address":"a.b[{index}]","change":{{"actions":["update"],{values}}}}}"#)
        };
        let entry = |index| if index == 299_999 { change(index, r#""delete""#, "") } else { changed(index) };
        entries(out, [r#","resource_drift":["#, "]"], 300_000, entry);
    };
    let outputs = |out: &mut dyn Write| {
        let entry = |index| format!(r#""o{index}":{{"actions":["create"],"before":null,"after":"v{index}"}}"#);
        entries(out, [r#","output_changes":{"#, "}"], 400_000, entry);
    };
    let checks = |out: &mut dyn Write| {
        let entry = |index| {
            let is = format!(r#""address":{{"to_display":"check.c{index}"}},"status":"fail""#);
            format!(r#"{{{is},"instances":[{{{is},"problems":[{{"message":"it is not so, number {index}"}}]}}]}}"#)
        };
        entries(out, [r#","checks":["#, "]"], 400_000, entry);
    };
    let deferred = |out: &mut dyn Write| {
        let entry = |index| {
            format!(r#"{{"reason":"instance_count_unknown","resource_change":{}}}"#, change(index, r#""create""#, ""))
        };
        entries(out, [r#","deferred_changes":["#, "]"], 600_000, entry);
    };
    let actions = |out: &mut dyn Write| {
        let entry = |index| {
            let trigger = format!(r#"{{"triggering_resource_address":"a.b[{index}]"}}"#);
            format!(r#"{{"address":"action.a.b{index}","lifecycle_action_trigger":{trigger}}}"#)
        };
        entries(out, [r#","action_invocations":["#, "]"], 500_000, entry);
    };
    let cases: [(&str, &[&str], Part<'_>); 5] = [
        ("drift", &["300,000 resources were changed outside", "gone     a.b[299999]", "and 299,970 more"], &drift),
        ("outputs", &["400,000 outputs"], &outputs),
        ("checks", &["**400,000 checks did not pass**", "`check.c0`", "and 399,970 more"], &checks),
        ("deferred", &["incomplete", "deferred `a.b[0]`", "and 599,970 more"], &deferred),
        ("actions", &["**500,000 actions will be invoked**", "and 499,970 more"], &actions),
    ];
    for (name, expected, part) in cases {
        let told = little(name, &[], &[&none, part]);
        for words in expected {
            assert!(told.contains(words), "{name}: {words}: {told}");
        }
    }
}

#[test]
fn many_variables_and_sensitive_values_need_little_memory_and_none_is_shown() {
    let shows = changes(1, |_| {
        r#"{"address":"a.b","change":{"actions":["update"],"before":{"x":"secret-7"},"after":{"x":"secret-77777"}}}"#
            .to_owned()
    });
    let values = |number| {
        move |out: &mut dyn Write| {
            let entry = |index| format!(r#""v{index}":{{"value":"secret-{index}"}}"#);
            entries(out, [r#","variables":{"#, "}"], number, entry);
        }
    };
    let sensitive = |number| {
        move |out: &mut dyn Write| {
            let open = r#","configuration":{"root_module":{"variables":{"#;
            entries(out, [open, "}}}"], number, |index| format!(r#""v{index}":{{"sensitive":true}}"#));
        }
    };
    let given = |out: &mut dyn Write| {
        let open = r#","configuration":{"root_module":{"module_calls":{"m":{"expressions":{"#;
        entries(out, [open, "},"], MILLION, |index| format!(r#""v{index}":{{"constant_value":"secret-{index}"}}"#));
        entries(out, [r#""module":{"variables":{"#, "}}}}}}"], 100_000, |index| {
            format!(r#""v{index}":{{"sensitive":true}}"#)
        });
    };
    let marked = changes(100_000, |index| {
        let change =
            format!(r#""before":{{"x":"secret-{index}"}},"after":{{"x":null}},"before_sensitive":{{"x":true}}"#);
        format!(r#"{{"address":"a.c[{index}]","change":{{"actions":["update"],{change}}}}}"#)
    });
    let state = |out: &mut dyn Write| {
        let entry = |index| {
            format!(r#"{{"address":"a.d[{index}]","values":{{"x":"secret-{index}"}},"sensitive_values":{{"x":true}}}}"#)
        };
        entries(out, [r#","prior_state":{"values":{"root_module":{"resources":["#, "]}}}"], MILLION, entry);
    };
    let cases: [(&str, &[Part<'_>]); 5] = [
        ("variables", &[&values(MILLION), &shows, &sensitive(80_000)]),
        ("names", &[&sensitive(MILLION), &shows, &values(MILLION)]),
        ("arguments of a module", &[&shows, &given]),
        ("resources", &[&marked]),
        ("resources of the state", &[&shows, &state]),
    ];
    for (name, parts) in cases {
        let told = little(name, &[], parts);
        assert!(!told.contains("secret-7"), "{name}: {told}");
    }
    // Those of which nothing is sensitive hide nothing.
    let told = little("open variables", &[], &[&values(MILLION), &shows]);
    assert!(told.contains("secret-77777"), "{told}");
}

#[test]
fn many_configured_provisioners_and_providers_need_little_memory_and_are_counted() {
    let many = 20_000;
    let created = changes(many, |index| {
        let change = r#""change":{"actions":["create"],"before":null,"after":{},"after_unknown":{"id":true}}"#;
        format!(r#"{{"address":"a.b{index}","mode":"managed","type":"a","name":"b{index}",{change}}}"#)
    });
    let configured = |out: &mut dyn Write| {
        write(out, r#","configuration":{"provider_config":"#);
        entries(out, ["{", "}"], many, |index| {
            let region = r#""expressions":{"region":{"references":["var.region"]}}"#;
            format!(r#""a.p{index}":{{"name":"a","alias":"p{index}",{region}}}"#)
        });
        write(out, r#","root_module":{"resources":"#);
        entries(out, ["[", "]"], many, |index| {
            let command = format!("run-{index} ").repeat(40);
            let runs =
                format!(r#"[{{"type":"local-exec","expressions":{{"command":{{"constant_value":"{command}"}}}}}}]"#);
            let of = format!(r#""type":"a","name":"b{index}","provider_config_key":"a.p{index}""#);
            format!(r#"{{"address":"a.b{index}","mode":"managed",{of},"provisioners":{runs}}}"#)
        });
        write(out, "}}");
    };
    // The changes come first in Terraform's JSON, and last in that of others.
    let cases: [(&str, &[Part<'_>]); 2] =
        [("the changes first", &[&created, &configured]), ("the changes last", &[&configured, &created])];
    for (name, parts) in cases {
        let told = little(name, &[], parts);
        for words in ["20,000 to add", "runs `local-exec`", "known only after the apply"] {
            assert!(told.contains(words), "{name}: {words}: {told}");
        }
    }
}
