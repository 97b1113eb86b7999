//! The page: one file, nothing fetched, that shows what everybody saw.

use super::markdown::{self, escaped};
use super::stage::{Act, Conversation, Entry, Kind, Part, Scene, Stage};

const STYLE: &str = include_str!("style.css");

/// The whole page.
pub(crate) fn html(stage: &Stage) -> String {
    let claims: usize = stage.scenes.iter().map(|scene| scene.claims.len()).sum();
    let broke = stage.scenes.iter().any(|scene| scene.broke.is_some());
    let verdict = if broke {
        "<span class=\"bad\">✗</span> the story stopped: a claim does not hold".to_owned()
    } else {
        format!("<span class=\"ok\">✓</span> {claims} claims checked, all hold")
    };
    let contents: String = numbered(&stage.scenes).map(|(number, scene)| contents_line(number, scene)).collect();
    let scenes: String = numbered(&stage.scenes).map(|(number, scene)| section(number, scene)).collect();
    let more = match stage.gallery.as_slice() {
        [] => "",
        _ => "<p>And <a href=\"#kinds\">each kind of comment</a>, side by side.</p>",
    };
    let tools = escaped(&stage.tools);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>stategate: a team's day</title>\n<style>\n{STYLE}</style>\n\
         <header><div class=\"wide\">\n<h1>stategate <small>a team's day</small></h1>\n\
         <p class=\"lead\">One run at a time, everybody sees who, and nothing reaches production that nobody \
         approved.</p>\n\
         <p>Nothing here is made up by hand. <code>cargo run --example demo</code> played this story: {tools}, an S3 \
         API (ministack) and a fake GitHub on one machine, with stategate started as its action does. Each pull request is shown \
         as it stood after each step; as on GitHub, a comment that is edited stays where it was first written.</p>\n<p class=\"verdict\">{verdict}</p>\n</div></header>\n\
         <main class=\"wide\">\n<nav><h2>The story</h2><ol>{contents}</ol>{more}</nav>\n{scenes}{}</main>\n\
         <footer class=\"wide\"><a href=\"#top\">Back to the top</a></footer>\n</html>\n",
        gallery(&stage.gallery),
    )
}

fn numbered(scenes: &[Scene]) -> impl Iterator<Item = (usize, &Scene)> {
    scenes.iter().enumerate().map(|(index, scene)| (index + 1, scene))
}

fn contents_line(number: usize, scene: &Scene) -> String {
    let codes: String = scene
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Act(act) => Some(exit_badge(act.code)),
            _ => None,
        })
        .collect();
    format!("<li><a href=\"#step-{number}\">{}</a> <span class=\"codes\">{codes}</span></li>", escaped(&scene.title))
}

fn section(number: usize, scene: &Scene) -> String {
    let parts: String = scene.parts.iter().map(part).collect();
    let claims: String = scene
        .claims
        .iter()
        .map(|claim| format!("<li><span class=\"ok\">✓</span> {}</li>", escaped(claim)))
        .chain(scene.broke.iter().map(|why| {
            let first = why.lines().next().unwrap_or_default();
            format!(
                "<li><span class=\"bad\">✗</span> {}{}</li>",
                escaped(first),
                folded("what was found", &terminal(why), "")
            )
        }))
        .collect();
    format!(
        "<section id=\"step-{number}\">\n<h2><span class=\"number\">{number}</span> {}</h2>\n\
         <p class=\"what\">{}</p>\n{parts}\n<ul class=\"claims\">{claims}</ul>\n</section>\n",
        escaped(&scene.title),
        escaped(&scene.what),
    )
}

fn part(part: &Part) -> String {
    match part {
        Part::Act(act) => act_box(act),
        Part::Conversation { caption, conversation } => conversation_box(caption, conversation),
        Part::Object { key, body } => {
            let label = format!("in the bucket: <code>{}</code>", escaped(key));
            folded(&label, &terminal(&pretty(body)), "object")
        }
    }
}

fn act_box(act: &Act) -> String {
    let log = terminal(&as_github_shows(&act.log));
    // What status and unlock say is the point; what plan and apply say is on the pull request.
    let is_answer = ["stategate status", "stategate unlock"].iter().any(|start| act.command.starts_with(start));
    let log = match folded("log", &log, "") {
        _ if !act.is_log => log,
        fold if is_answer => fold.replacen("<details ", "<details open ", 1),
        fold => fold,
    };
    let cleanup = if act.cleanup.trim().is_empty() {
        String::new()
    } else {
        folded("log of the clean-up step", &terminal(&as_github_shows(&act.cleanup)), "")
    };
    let summary = if act.summary.trim().is_empty() {
        String::new()
    } else {
        let body = format!("<div class=\"markdown paper\">{}</div>", markdown::html(&act.summary));
        folded("job summary", &body, "")
    };
    format!(
        "<div class=\"act\"><div class=\"who\">{}<div><b>{}</b> <span class=\"place\">{}, {:.1} s</span></div>{}</div>\n\
         <div class=\"command\"><span>$</span> <code>{}</code></div>\n{log}{cleanup}{summary}</div>\n",
        avatar(&act.who),
        escaped(&act.who),
        escaped(&act.place),
        act.took.as_secs_f64(),
        exit_badge(act.code),
        escaped(&act.command),
    )
}

fn exit_badge(code: Option<i32>) -> String {
    match code {
        Some(0) => "<span class=\"exit good\">exit 0</span>".to_owned(),
        Some(code) => format!("<span class=\"exit stop\">exit {code}</span>"),
        None => "<span class=\"exit dead\">killed</span>".to_owned(),
    }
}

fn conversation_box(caption: &str, conversation: &Conversation) -> String {
    let Conversation { number, title, author, branch, merged_by, entries } = conversation;
    let (state, class) = if merged_by.is_some() { ("Merged", "merged") } else { ("Open", "open") };
    let (who, does) = match merged_by {
        Some(by) => (by, "merged"),
        None => (author, "wants to merge"),
    };
    let entries: String = entries.iter().map(entry).collect();
    format!(
        "<figure class=\"pull\"><figcaption>{}</figcaption>\n<div class=\"pull-head\"><h3>{} <span>#{number}</span></h3>\
         <p><span class=\"state {class}\">{state}</span> <b>{}</b> {does} <code>{}</code> into \
         <code>main</code></p></div>\n<div class=\"timeline\">{entries}</div></figure>\n",
        escaped(caption),
        escaped(title),
        escaped(who),
        escaped(branch),
    )
}

fn entry(entry: &Entry) -> String {
    let event = |icon: &str, class: &str, text: String| {
        format!("<div class=\"event\"><span class=\"dot {class}\">{icon}</span><div>{text}</div></div>\n")
    };
    match entry {
        Entry::Commit { author, message, sha } => {
            event("●", "commit", format!("<b>{}</b> pushed “{}” <code>{sha}</code>", escaped(author), escaped(message)))
        }
        Entry::Review { author, approved: true } => {
            event("✓", "approved", format!("<b>{}</b> approved these changes", escaped(author)))
        }
        Entry::Review { author, approved: false } => {
            event("±", "rejected", format!("<b>{}</b> requested changes", escaped(author)))
        }
        Entry::Merge { by, sha } => event(
            "→",
            "merged",
            format!("<b>{}</b> merged this into <code>main</code> as <code>{sha}</code>", escaped(by)),
        ),
        Entry::Comment { author, body, edits } => comment_box(author, body, *edits),
    }
}

fn comment_box(author: &str, body: &str, edits: usize) -> String {
    let login = author.trim_end_matches("[bot]");
    let bot = if login == author { "" } else { "<span class=\"bot\">bot</span>" };
    let edited = match edits {
        0 => String::new(),
        1 => "· edited once".to_owned(),
        times => format!("· edited {times} times"),
    };
    format!(
        "<div class=\"comment\">{}<div class=\"paper\"><div class=\"paper-head\"><b>{}</b>{bot} commented {edited}</div>\
         <div class=\"markdown\">{}</div></div></div>\n",
        avatar(login),
        escaped(login),
        markdown::html(body),
    )
}

fn gallery(kinds: &[Kind]) -> String {
    if kinds.is_empty() {
        return String::new();
    }
    let each = |kind: &Kind| {
        format!(
            "<h3>{}</h3>\n<div class=\"timeline\">{}</div>\n",
            escaped(kind.name),
            comment_box("github-actions[bot]", &kind.body, 0)
        )
    };
    format!(
        "<section id=\"kinds\"><h2>Each kind of comment</h2>\n<p class=\"what\">The same comment through its life, \
         side by side; each one was written by a run.</p>\n{}</section>\n",
        kinds.iter().map(each).collect::<String>()
    )
}

fn folded(label: &str, body: &str, class: &str) -> String {
    format!("<details class=\"fold {class}\"><summary>{label}</summary>{body}</details>\n")
}

fn terminal(text: &str) -> String {
    format!("<pre class=\"terminal\">{}</pre>", escaped(text))
}

/// A log without the workflow commands that the runner takes out of it.
fn as_github_shows(log: &str) -> String {
    let shown = log.trim_end().lines().filter_map(|line| match line.strip_prefix("::") {
        None => Some(line.to_owned()),
        Some(command) => {
            let (name, text) = command.split_once("::")?;
            let kind = name.split(' ').next().filter(|kind| matches!(*kind, "error" | "warning" | "notice"))?;
            Some(format!("{}: {}", kind, text.replace("%0A", "\n").replace("%0D", "").replace("%25", "%")))
        }
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// JSON on several lines; anything else as it is.
fn pretty(body: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(body);
    value.ok().and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| body.to_owned())
}

/// A letter in a colour of its own.
fn avatar(login: &str) -> String {
    if login == "github-actions" {
        return "<span class=\"avatar bot-face\" aria-hidden=\"true\">A</span>".to_owned();
    }
    let hue = login.bytes().fold(7_u32, |hue, byte| (hue * 137 + u32::from(byte) * 53) % 360);
    let letter = login.chars().next().map_or('?', |letter| letter.to_ascii_uppercase());
    format!("<span class=\"avatar\" style=\"--hue:{hue}\" aria-hidden=\"true\">{}</span>", escaped(&letter.to_string()))
}
