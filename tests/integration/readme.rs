//! The README and the pages under `docs/` say what is true: their tables are generated, their
//! messages are the program's, their links lead somewhere.
//!
//! `STATEGATE_UPDATE_README=1 cargo test --test integration readme` writes the tables anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use stategate_core::refusal::{Denial, Refusal};

use crate::harness::action::Action;

const PAGES: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "docs/compare.md",
    "docs/migrate.md",
    "docs/reference.md",
    "docs/threat-model.md",
    "docs/troubleshooting.md",
    "docs/workflows.md",
];

fn path(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(page)
}

fn read(page: &str) -> String {
    fs::read_to_string(path(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// The sources of the program and of its core, one text.
fn sources() -> String {
    let mut text = String::new();
    let mut open = vec![path("src"), path("crates/stategate-core/src")];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let is_test = path.file_stem().is_some_and(|name| name == "tests");
            if path.is_dir() && !is_test {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                let source = fs::read_to_string(&path).unwrap();
                text.push_str(source.split("#[cfg(test)]\nmod tests {").next().unwrap());
            }
        }
    }
    text
}

/// A cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

fn sentence(text: &str) -> String {
    cell(text.trim_end_matches('.'))
}

/// Each flag's commands, without those that accept it and have no use for it.
fn users() -> BTreeMap<String, Vec<String>> {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for command in stategate::cli::definition().get_subcommands() {
        for flag in command.get_arguments().filter(|flag| !flag.is_hide_set()) {
            if let Some(long) = flag.get_long() {
                users.entry(long.to_owned()).or_default().push(command.get_name().to_owned());
            }
        }
    }
    users
}

/// As `action.yml` has them.
fn in_order<T>(found: BTreeMap<String, T>) -> Vec<(String, T)> {
    let action = read("action.yml");
    let mut found: Vec<(String, T)> = found.into_iter().collect();
    found.sort_by_key(|(name, _)| action.find(&format!("\n  {name}:\n")));
    found
}

fn inputs() -> String {
    let users = users();
    let mut table = "| input | default | what it is | used by |\n|---|---|---|---|\n".to_owned();
    for (name, input) in in_order(Action::read().inputs) {
        let default = match input.default.as_str() {
            _ if input.required => "required".to_owned(),
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let commands = users.get(&name).map_or("the action".to_owned(), |commands| commands.join(", "));
        table.push_str(&format!("| `{name}` | {default} | {} | {commands} |\n", sentence(&input.description)));
    }
    table
}

fn outputs() -> String {
    let mut table = "| output | what it is |\n|---|---|\n".to_owned();
    for (name, output) in in_order(Action::read().outputs) {
        table.push_str(&format!("| `{name}` | {} |\n", sentence(&output.description)));
    }
    table
}

/// From the constants of `src/error.rs` and what stands above each.
fn exit_codes() -> String {
    let source = read("src/error.rs");
    let (_, codes) = source.split_once("pub mod code {").expect("the exit codes are in src/error.rs");
    let (codes, _) = codes.split_once("\n}").unwrap();
    let mut table = "| exit code | what happened |\n|---|---|\n| 0 | done |\n".to_owned();
    let mut meaning = String::new();
    for line in codes.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            meaning.push_str(if meaning.is_empty() { "" } else { " " });
            meaning.push_str(text);
        } else if let Some((_, value)) = line.split_once(": u8 = ") {
            table.push_str(&format!("| {} | {} |\n", value.trim_end_matches(';'), sentence(&meaning)));
            meaning.clear();
        }
    }
    table
}

#[test]
fn the_tables_are_those_of_the_program() {
    let tables = [("inputs", inputs()), ("outputs", outputs()), ("exit-codes", exit_codes())];
    let update = std::env::var_os("STATEGATE_UPDATE_README").is_some();
    let mut found = BTreeSet::new();
    for page in PAGES {
        let mut text = read(page);
        for (name, table) in &tables {
            let (begin, end) = (format!("<!-- generated: {name} -->\n"), format!("<!-- end of {name} -->"));
            let Some((before, rest)) = text.split_once(&begin) else { continue };
            let (now, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{page}: {name} has no end"));
            found.insert(*name);
            assert!(
                update || now == format!("\n{table}\n"),
                "{page}: the table of {name} is not up to date: STATEGATE_UPDATE_README=1 cargo test --test integration readme"
            );
            text = format!("{before}{begin}\n{table}\n{end}{after}");
        }
        if update {
            fs::write(path(page), text).unwrap();
        }
    }
    assert_eq!(found.len(), tables.len(), "each table is on some page");
}

/// The source's lines as the compiler reads its texts: one that goes on is one line.
fn joined(source: &str) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for line in source.lines() {
        let open = lines.last_mut().expect("there is always one");
        open.push_str(if open.is_empty() { line } else { line.trim_start() });
        match open.strip_suffix('\\').map(str::to_owned) {
            Some(goes_on) => *open = goes_on,
            None => lines.push(String::new()),
        }
    }
    lines.into_iter().map(|line| line.replace("\\\"", "\"")).collect()
}

/// The messages that have a headline in the troubleshooting.
fn headlines() -> Vec<String> {
    let page = read("docs/troubleshooting.md");
    let headlines: Vec<String> =
        page.lines().filter_map(|line| Some(line.strip_prefix("### `")?.strip_suffix('`')?.to_owned())).collect();
    assert_eq!(headlines.len(), page.matches("\n### ").count(), "each headline is a message");
    headlines
}

/// Whether a text has all that a headline says, in this order; its `…` stands for what the program
/// fills in.
fn is_said(headline: &str, text: &str) -> bool {
    let mut rest = text;
    headline.split('…').filter(|part| !part.trim().is_empty()).all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[test]
fn every_message_in_troubleshooting_is_one_of_the_program() {
    let lines = joined(&sources());
    for headline in headlines() {
        let says_enough = headline.split('…').any(|part| part.trim().len() > 8);
        assert!(says_enough, "{headline:?} says too little to be found");
        assert!(lines.iter().any(|line| is_said(&headline, line)), "nothing in the program says {headline:?}");
    }
}

/// Each error that can be a program's last words: those of the table, and of what it is made of.
#[test]
fn every_error_of_the_program_is_in_troubleshooting() {
    let sources = [
        "src/error.rs",
        "src/shell/terraform.rs",
        "src/shell/github/error.rs",
        "src/shell/runner/event.rs",
        "crates/stategate-core/src/backend/settings.rs",
        "crates/stategate-core/src/record/mod.rs",
        "src/net/trouble.rs",
    ];
    let headlines = headlines();
    let mut messages: Vec<String> = Vec::new();
    for source in sources {
        let text = read(source).replace("\\\"", "\u{0}");
        let written = text.split("#[error(").skip(1).filter(|rest| !rest.starts_with("transparent"));
        messages.extend(written.filter_map(|rest| Some(rest.split('"').nth(1)?.replace('\u{0}', "\""))));
    }
    assert!(messages.len() > 60, "{messages:#?}");
    messages.extend(refusals().iter().map(ToString::to_string));
    // What is only made of another message is told there.
    let words = |message: &str| {
        message.split('{').filter_map(|part| Some(part.split_once('}')?.1.to_owned())).collect::<String>()
    };
    let says_something = |message: &&String| {
        !message.starts_with('{') || words(message).contains(|char: char| char.is_ascii_alphanumeric())
    };
    let missing: Vec<&String> = messages
        .iter()
        .filter(says_something)
        .filter(|message| !headlines.iter().any(|headline| is_said(headline, message)))
        .collect();
    assert!(missing.is_empty(), "not in docs/troubleshooting.md: {missing:#?}");
}

/// Why AWS refuses, each in its words.
fn refusals() -> Vec<Refusal> {
    let code = |code: &str| Refusal::BadCredentials(code.to_owned());
    vec![
        Refusal::NoSuchBucket,
        Refusal::NoCredentials,
        Refusal::NoProfile,
        code("ExpiredToken"),
        code("InvalidAccessKeyId"),
        Refusal::Role,
        Refusal::ProfileRole,
        Refusal::TokenRefused("AccessDenied".to_owned()),
        Refusal::TokenExpired,
        Refusal::TokenFile("/token".to_owned()),
        Refusal::SsoExpired,
        Refusal::Process,
        Refusal::NoSuchRegion { region: "eu-centrall-1".to_owned(), place: None },
        Refusal::Service(503),
        Refusal::Intercepted(403),
        Refusal::BucketInHost("tfstate.127.0.0.1".to_owned()),
        Refusal::Account,
        Refusal::WrongRegion(Some("eu-central-1".to_owned())),
        Refusal::WrongRegion(None),
        Refusal::Denied(Box::new(Denial::read(""))),
        Refusal::Denied(Box::new(Denial::read("User: x is not authorized to perform: s3:PutObject"))),
        Refusal::Certificate,
        Refusal::Unreachable,
        Refusal::Other,
    ]
}

/// Every headline's anchor on a page, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headlines = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |headline: &str| -> String {
        let kept =
            headline.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
        kept.replace(' ', "-")
    };
    headlines.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for page in PAGES {
        let text = read(page);
        for link in text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path(page),
                file => path(page).parent().unwrap().join(file),
            };
            assert!(target.exists(), "{page}: {link} leads nowhere");
            let there = || anchors(&fs::read_to_string(&target).unwrap());
            assert!(
                anchor.is_empty() || there().contains(anchor),
                "{page}: {link}: no such headline in {:#?}",
                there()
            );
        }
    }
}

#[test]
fn every_variable_that_is_read_is_told() {
    let (source, page) = (sources(), read("docs/reference.md"));
    let is_name = |name: &str| {
        name.contains('_')
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
            || ["USER", "LOGNAME"].contains(&name)
    };
    let quoted = |text: &str| -> BTreeSet<String> {
        text.split('"').skip(1).step_by(2).filter(|name| is_name(name)).map(str::to_owned).collect()
    };
    let mut read = BTreeSet::new();
    for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
        // A name alone between brackets is read; with a value after it, it is set for a child.
        let asks = ["variable(\"", "var(\"", "var_os(\"", "env(\"", "need(\"", "number(\"", "from_env(&["];
        for call in asks {
            for rest in line.split(call).skip(1) {
                let inside = rest.split_once(')').map_or(rest, |(inside, _)| inside);
                let names = if call.ends_with('[') { quoted(inside) } else { quoted(&format!("\"{inside}")) };
                let is_set = !call.ends_with('[') && inside.contains(',');
                read.extend(names.into_iter().filter(|_| !is_set));
            }
        }
    }
    assert!(read.len() > 20, "{read:?}");
    let untold: Vec<&String> = read.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(untold.is_empty(), "docs/reference.md does not tell of {untold:?}");
    let (_, table) = page.split_once("## Other variables").unwrap();
    let (table, _) = table.split_once("\nCredentials come").unwrap();
    let told = table.split('`').skip(1).step_by(2).filter(|name| is_name(name) && *name != "TF_VAR_");
    for name in told {
        assert!(read.contains(name), "nothing reads the variable {name} that docs/reference.md tells of");
    }
}

/// GitHub shows a page in a column: of a wider table one sees a part at a time.
#[test]
fn tables_fit_the_page() {
    for page in PAGES {
        for rule in read(page).lines().filter(|line| line.starts_with("|-")) {
            let columns = rule.matches('|').count() - 1;
            assert!(columns <= 4, "{page}: a table of {columns} columns");
        }
    }
}

#[test]
fn the_readme_is_short_enough_to_be_read() {
    let text = read("README.md");
    let folded: usize = text
        .split("<details>")
        .skip(1)
        .filter_map(|rest| rest.split("</details>").next())
        .map(|fold| fold.lines().count())
        .sum();
    let lines = text.lines().count() - folded;
    assert!(lines <= 276, "{lines} lines");
    let order = [
        "docs/comment.png",
        "## Try it",
        "## Set it up",
        "## The three workflows",
        "## How it behaves",
        "## Reference",
    ];
    let found: Vec<_> = order.iter().map(|part| text.find(part).expect(part)).collect();
    assert!(found.is_sorted(), "what is looked for first comes first: {found:?}");
}
