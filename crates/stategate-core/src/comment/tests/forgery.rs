//! What nobody can forge: the comment is parsed as GitHub parses it, and text of others may stand
//! only inside code, or as plain words.

use proptest::prelude::*;

use super::hostile::{check, forges_nothing};
use super::*;

const HOSTILE: [&str; 64] = [
    "```",
    "````diff",
    "~~~",
    "`",
    "``",
    " ` ",
    "</details>",
    "<summary>x</summary>",
    "</code>",
    "<img src=x onerror=y>",
    "![x](https://example.com/x.png)",
    "[x](https://example.com)",
    "https://example.com",
    "www.example.com",
    "x@example.com",
    "@octocat",
    "#42",
    "acme/infra#42",
    "GH-42",
    "(gh-42)",
    "4f0c1d2e",
    "(4f0c1d2e).",
    "4f0c1d2e...9c1f4e77ab",
    "defaced",
    ":x:",
    "a:+1:b",
    "mailto:x@example.com",
    "xmpp:x@example.com",
    "ftp://example.com",
    "HTTPS://EXAMPLE.COM",
    "Approved\n---",
    "- [ ] todo",
    "> [!CAUTION]",
    "$`x`$",
    "```math\nx\n```",
    "<details open><summary>",
    "</details>\n\n### ✅ `environments/prod`: no changes",
    "[^1]: note",
    "<!--",
    "# Approved",
    "Approved\n===",
    "---",
    "- [x] done",
    "1. one",
    "* a",
    "+ a",
    "> [!NOTE]\n> x",
    "| a | b |\n|---|---|\n| c | d |",
    "<!-- stategate:environments/prod@default -->",
    "<!-- stategate-life:W10= -->",
    "--> <b>x</b>",
    "::error::x",
    "##[error]x",
    "\n\n::set-output name=x::y\n",
    "**bold** _it_ ~~no~~",
    "$$x$$ $x$",
    "[^1]",
    "\\",
    "&lt;script&gt; &amp;",
    "\u{202e}reversed\u{202c}",
    "\u{1b}[31mred\u{1b}[0m",
    "a\tb\rc\0d",
    "x",
    "\u{200b}@\u{200b}octocat",
];

#[test]
fn known_attacks_forge_nothing() {
    for text in HOSTILE {
        forges_nothing(text);
        // In the middle of a line, and as lines of its own.
        forges_nothing(&format!("a {text} b\n\n{text}\n\n"));
    }
}

#[test]
fn the_check_of_this_test_finds_forgeries() {
    for bad in [
        "# x",
        "<img>",
        "[x](y)",
        "@octocat",
        "![x](y)",
        "- [ ] x",
        "<details x>",
        "| a |\n|---|\n| b |",
        "::x::",
        "a ##[x]",
        "https://example.com",
        "```js\n```",
        "a GH-42 b",
        "(4f0c1d2e)",
        "a :x: b",
        "$`x`$",
        "> x",
        "***",
    ] {
        let text = format!("<!-- stategate:x -->\n\n{bad}\n");
        assert!(std::panic::catch_unwind(|| check(&text)).is_err(), "{bad:?} was not found");
    }
}

#[test]
fn the_check_block_of_a_real_plan_forges_nothing() {
    let plan = read(EVERYTHING);
    let text = comment(&view(Some(&plan)), COMMENT_BUDGET);
    let blocks = check(&text);
    assert_eq!(blocks.iter().filter(|block| *block == "heading").count(), 1);
}

#[test]
fn the_marker_of_a_usual_id_stands_as_it_is() {
    assert_eq!(marker("environments/prod@default"), "<!-- stategate:environments/prod@default -->");
    assert_eq!(marker("a--b-->c"), "<!-- stategate:a-%2Db-%2D%3Ec -->");
    assert_ne!(marker("a--b"), marker("a-%2Db"));
}

#[test]
fn the_id_of_a_usual_root_module_is_what_it_was() {
    assert_eq!(default_id("environments/prod", "default"), "environments/prod@default");
    assert_eq!(default_id("packages/@acme/infra", "eu-1"), "packages/@acme/infra@eu-1");
    assert_ne!(marker(&default_id("x@y", "z")), marker(&default_id("x", "y@z")));
}

#[test]
fn a_life_is_read_from_its_own_line_only() {
    let forged = "<!-- stategate:x -->\n\n```\n<!-- stategate-life:W1sxLCJhcHBsaWVkIixudWxsLG51bGwsbnVsbF1d -->\n```\n";
    assert!(life_from_comment(forged).is_empty());
    for broken in ["", "x", "x\n<!-- stategate-life:??? -->", "x\n<!-- stategate-life:W1s= -->"] {
        assert!(life_from_comment(broken).is_empty(), "{broken:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn mixtures_of_attacks_forge_nothing(
        parts in proptest::collection::vec((0..HOSTILE.len(), "[ \n\t`<>@#a-c|*_\\[\\]()!:.-]{0,6}"), 1..6)
    ) {
        let text: String = parts.iter().map(|(index, glue)| format!("{}{glue}", HOSTILE[*index])).collect();
        forges_nothing(&text);
    }

    #[test]
    fn no_two_states_have_the_same_marker(
        one in ("[a@%4025<-]{0,5}", "[a@%4025<-]{0,5}"),
        other in ("[a@%4025<-]{0,5}", "[a@%4025<-]{0,5}"),
    ) {
        let of = |(root, workspace): &(String, String)| marker(&default_id(root, workspace));
        prop_assert_eq!(of(&one) == of(&other), one == other);
    }

    #[test]
    fn any_text_forges_nothing(text in "\\PC{1,60}") {
        forges_nothing(&text);
    }
}
