//! The page: the story, and each pull request as it stands at the end.

use crate::harness::github::state::{Comment, Pull, is_bot};
use crate::harness::world::World;
use crate::markdown::{self, escape};
use crate::tell::{Chapter, Scene, Tale};

const STYLE: &str = include_str!("style.css");

/// One self-contained page.
pub(crate) fn render(tale: &Tale, world: &World, terraform: &str, took: &str) -> String {
    let chapters: String =
        tale.chapters.iter().enumerate().map(|(index, chapter)| show_chapter(index, chapter)).collect();
    let contents: String = tale
        .chapters
        .iter()
        .enumerate()
        .map(|(index, chapter)| format!("<li><a href=\"#step-{}\">{}</a></li>", index + 1, escape(&chapter.title)))
        .collect();
    let pulls: Vec<Pull> = world.github.state().pulls.values().cloned().collect();
    let conversations: String = pulls.iter().map(|pull| conversation(world, pull)).collect();
    let page = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>stategate: the walkthrough</title>
<style>
{STYLE}</style>
</head>
<body>
<header>
<p class="name">stategate</p>
<h1>One run at a time, everybody sees who, and nothing reaches production that nobody approved</h1>
<p>Two pull requests, from their plans to production, as {terraform} and stategate played them in {took}:
real plans and applies, a real S3 interface behind them, {claims} claims checked on the way. Everything below is what
people would have seen on GitHub and in their terminals.</p>
<nav><ol>{contents}</ol></nav>
</header>
<main>
{chapters}
<section id="conversations">
<h2>The conversations, whole</h2>
<p>Each pull request as it stands at the end. A comment's earlier faces are folded under it.</p>
{conversations}
</section>
</main>
<footer><p>Made by <code>cargo run --example demo</code>.</p></footer>
</body>
</html>
"#,
        claims = tale.claims(),
    );
    at_home(page, world, &pulls)
}

/// The repository only exists here: its links lead to the places on the page that show the same.
fn at_home(mut page: String, world: &World, pulls: &[Pull]) -> String {
    let base = format!("href=\"https://github.com/{}", world.github.state().slug());
    let runs: Vec<(u64, usize)> = world.github.state().runs.values().map(|run| (run.id, run.attempts.len())).collect();
    for (id, attempts) in runs {
        for attempt in 1..=attempts {
            page = page.replace(
                &format!("{base}/actions/runs/{id}/attempts/{attempt}\""),
                &format!("href=\"#run-{id}-{attempt}\""),
            );
        }
    }
    for pull in pulls {
        page = page.replace(&format!("{base}/pull/{}", pull.number), &format!("href=\"#pull-{}", pull.number));
    }
    page.replace(&base, "href=\"#conversations\" title=\"github.com")
}

fn show_chapter(index: usize, chapter: &Chapter) -> String {
    let scenes: String = chapter.scenes.iter().map(show_scene).collect();
    let number = index + 1;
    let title = escape(&chapter.title);
    format!(
        "<section id=\"step-{number}\">\n<h2><span class=\"number\">{number}</span> {title}</h2>\n{scenes}</section>\n"
    )
}

fn show_scene(scene: &Scene) -> String {
    match scene {
        Scene::Text(text) => format!("<p>{}</p>\n", words(text)),
        Scene::Comment { pull, body } => show_comment("github-actions[bot]", &format!("on #{pull}"), body, ""),
        Scene::Terminal { place, command, text } => format!(
            "<figure class=\"terminal\"><figcaption>{}</figcaption><pre><b>$ {}</b>\n{}</pre></figure>\n",
            escape(place),
            escape(command),
            escape(text.trim_end()),
        ),
        Scene::Run { name, id, attempt, code, log, summary } => {
            let anchor = format!("run-{id}-{attempt}");
            show_run(&anchor, name, *code, log, summary)
        }
        Scene::Claim(claim) => format!("<p class=\"claim\">{}</p>\n", words(claim)),
    }
}

fn show_run(anchor: &str, name: &str, code: Option<i32>, log: &str, summary: &str) -> String {
    let (class, ended) = match code {
        Some(0) => ("good", "succeeded".to_owned()),
        Some(code) => ("bad", format!("exit code {code}")),
        None => ("bad", "killed".to_owned()),
    };
    let summary = if summary.trim().is_empty() {
        String::new()
    } else {
        let summary = markdown::summary(summary);
        format!("<details><summary>Job summary</summary><div class=\"markdown\">{summary}</div></details>")
    };
    let lines: String = log.lines().filter_map(log_line).collect();
    format!(
        "<div class=\"run\" id=\"{anchor}\"><p class=\"ended {class}\"><span>{}</span><em>{ended}</em></p>{summary}\
         <details><summary>Log</summary><pre class=\"log\">{lines}</pre></details></div>\n",
        escape(name),
    )
}

/// A line of the log as the run's page shows it: workflow commands are acted on, not shown.
fn log_line(line: &str) -> Option<String> {
    let command = line.strip_prefix("::").and_then(|rest| rest.split_once("::"));
    match command {
        Some((name, text)) if name.starts_with("error") => {
            Some(format!("<span class=\"bad\">Error: {}</span>\n", escape(text)))
        }
        Some((name, text)) if name.starts_with("warning") || name.starts_with("notice") => {
            Some(format!("<b>{}</b>\n", escape(text)))
        }
        Some((name, text)) if name.starts_with("group") => Some(format!("<b>{}</b>\n", escape(text))),
        Some(_) => None,
        None if line.trim().is_empty() => None,
        None if line.starts_with("error:") => Some(format!("<span class=\"bad\">{}</span>\n", escape(line))),
        None => Some(format!("{}\n", escape(line))),
    }
}

fn show_comment(author: &str, where_: &str, body: &str, below: &str) -> String {
    let name = author.trim_end_matches("[bot]");
    let bot = if is_bot(author) { " <span class=\"bot\">bot</span>" } else { "" };
    let initial = name.chars().next().unwrap_or('?').to_uppercase();
    format!(
        "<article class=\"comment\"><div class=\"head\"><span class=\"face\" aria-hidden=\"true\">{initial}</span>\
         <span><b>{}</b>{bot} commented {where_}</span></div>\
         <div class=\"markdown\">{}</div>{below}</article>\n",
        escape(name),
        markdown::comment(body),
    )
}

fn conversation(world: &World, pull: &Pull) -> String {
    let (class, badge) = if pull.merged() { ("merged", "Merged") } else { ("open", "Open") };
    let mut moments: Vec<(u64, String)> = Vec::new();
    for review in &pull.reviews {
        let who = escape(review.author.as_deref().unwrap_or("ghost"));
        let commit = review.commit.as_deref().unwrap_or_default();
        let text =
            format!("<p class=\"event\"><b>{who}</b> approved these changes at <code>{}</code></p>\n", short(commit));
        moments.push((review.id, text));
    }
    for comment in world.github.comments(pull.number) {
        moments.push((comment.id, show_comment(&comment.author, "", &comment.body, &earlier(&comment))));
    }
    moments.sort_by_key(|(id, _)| *id);
    let timeline: String = moments.into_iter().map(|(_, text)| text).collect();
    let merge = pull.merge.as_ref().map_or(String::new(), |merge| {
        format!(
            "<p class=\"event\"><b>{}</b> merged commit <code>{}</code> into <code>{}</code></p>\n",
            escape(&merge.by),
            short(&merge.sha),
            escape(&pull.base),
        )
    });
    let number = pull.number;
    let [title, author, base, branch] = [&pull.title, &pull.author, &pull.base, &pull.branch].map(|text| escape(text));
    let commits = counted(pull.commits.len(), "commit");
    format!(
        "<div class=\"pull\" id=\"pull-{number}\"><h3>{title} <span class=\"faint\">#{number}</span></h3>\
         <p><span class=\"badge {class}\">{badge}</span> <b>{author}</b> wants to merge {commits} into \
         <code>{base}</code> from <code>{branch}</code></p>\n{timeline}{merge}</div>\n",
    )
}

/// The faces that a comment had before.
fn earlier(comment: &Comment) -> String {
    let count = comment.history.len();
    if count < 2 {
        return String::new();
    }
    let faces: String = comment.history[..count - 1]
        .iter()
        .enumerate()
        .map(|(index, body)| {
            format!("<h4>{} of {count}</h4><div class=\"markdown\">{}</div>", index + 1, markdown::comment(body))
        })
        .collect();
    format!(
        "<details class=\"earlier\"><summary>edited {}: how it looked before</summary>{faces}</details>",
        counted(count - 1, "time")
    )
}

/// Text with `code` in it.
fn words(text: &str) -> String {
    let parts = escape(text);
    let parts = parts.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }).collect()
}

fn short(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
