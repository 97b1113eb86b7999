//! What a command says about the files that it uses, beyond `..`: paths that only the shell knows, and
//! paths from the top of the file system.

/// Where no runner keeps a repository. A path below them that is in the repository all the same is
/// found by its name.
const SYSTEM: [&str; 9] = ["bin", "sbin", "lib", "lib64", "usr", "etc", "dev", "tmp", "var"];

/// The words after which a value that only the shell knows is a directory or a script.
const TAKES_A_PATH: [&str; 12] =
    ["cd", "pushd", "-C", "--directory", "--prefix", "--chdir", ".", "source", "exec", "sh", "bash", "python3"];

/// What stands for a value that only the shell knows.
const VALUE: char = '\u{1}';

/// Deeper than anybody nests substitutions.
const MOST_DEPTH: usize = 16;

/// Whether a type of data source, resource or action starts programs, by its name.
pub(super) fn is_program(name: &str) -> bool {
    matches!(name, "external" | "local_command" | "local-exec" | "remote-exec") || name.starts_with("shell_script")
}

/// Whether what an expression made between two texts begins a path, and no address.
pub(super) fn is_made(before: &str, after: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    after.starts_with('/') && (!word.contains("://") || word.contains("file://"))
}

/// Whether a text, if a shell runs it, uses a path that only the shell knows: `$DIR/x`,
/// `$(dirname "$PWD")/x`, `cd "$DIR"`, `~/x`. A variable alone (`echo "$NAME"`) is no path.
pub(super) fn has_shell_path(text: &str) -> bool {
    // Most text has none, and a text can be long.
    text.contains(['$', '`', '~']) && commands(text).iter().any(|command| is_of_shell(command))
}

/// Whether a command uses a path from the top of the file system that may be in the repository.
/// `follows` says whether the text goes on from what an expression made.
pub(super) fn has_absolute_path(text: &str, follows: bool) -> bool {
    absolute_paths(text, follows).any(|path| {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let is_system = parts.next().is_none_or(|first| SYSTEM.contains(&first));
        !is_system || parts.any(|part| part == "..")
    })
}

/// The paths from the top of the file system in a text, `/` itself aside.
pub(super) fn absolute_paths(text: &str, follows: bool) -> impl Iterator<Item = &str> {
    let is_between = |c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ';' | '|' | '&' | '<' | '>' | '(' | ')' | '=' | ',' | '@')
    };
    let words = text.split(is_between).enumerate().filter(move |(at, _)| *at > 0 || !follows);
    let paths = words.flat_map(|(_, word)| {
        let file = word.strip_prefix("file://").unwrap_or(word);
        // Not `https://…`, but each of `/a:/b`.
        let is_address = file.contains("://");
        file.split(':').filter(move |_| !is_address)
    });
    paths.filter(|path| path.starts_with('/') && !path.trim_matches('/').is_empty())
}

/// The commands of a text with its substitutions as commands of their own, and [`VALUE`] in their place.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(text.to_owned(), 0)];
    while let Some((text, depth)) = open.pop() {
        let mut flat = String::new();
        let mut rest = text.as_str();
        while let Some(next) = rest.chars().next() {
            let length = expansion(rest);
            if length > 0 {
                let inside = rest.get(1..length).unwrap_or_default();
                if depth < MOST_DEPTH && inside.len() > 2 && !next.is_alphanumeric() {
                    let inside = inside.trim_matches(['(', ')', '{', '}', '`']);
                    open.push((inside.to_owned(), depth + 1));
                }
                flat.push(VALUE);
            } else if !matches!(next, '"' | '\'') {
                flat.push(next);
            }
            rest = rest.get(length.max(next.len_utf8())..).unwrap_or_default();
        }
        found.extend(flat.split([';', '|', '&', '\n', '(', ')', '{', '}']).map(str::to_owned));
    }
    found
}

/// How long the value is that a text begins with: `$NAME`, `${…}`, `$(…)`, `` `…` ``; 0 for another text.
fn expansion(text: &str) -> usize {
    if let Some(inside) = text.strip_prefix('`') {
        return inside.find('`').map_or(text.len(), |end| end + 2);
    }
    let Some(rest) = text.strip_prefix('$') else { return 0 };
    let (opens, closes) = match rest.chars().next() {
        Some('(') => ('(', ')'),
        Some('{') => ('{', '}'),
        _ => {
            let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            return if length > 0 { length + 1 } else { 0 };
        }
    };
    let mut depth = 0_usize;
    for (at, c) in rest.char_indices() {
        depth = if c == opens { depth + 1 } else { depth.saturating_sub(usize::from(c == closes)) };
        if depth == 0 {
            return at + 2;
        }
    }
    text.len()
}

fn is_of_shell(command: &str) -> bool {
    let is_between = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '=' | ',');
    let mut last = "";
    for word in command.split(is_between).filter(|word| !word.is_empty()) {
        let is_address = word.starts_with("arn:") || word.contains("://") && !word.contains("file://");
        let is_value = word.contains(VALUE);
        let is_home = word.starts_with('~');
        // What is hidden at home, such as `~/.ssh`, is no repository.
        let is_hidden = word.strip_prefix("~/.").is_some_and(|rest| !rest.starts_with('.'));
        let is_path = is_value && word.contains('/') && !is_address || is_home && word.len() > 1 && !is_hidden;
        if is_path || (is_value || is_home) && TAKES_A_PATH.contains(&last) {
            return true;
        }
        last = word;
    }
    false
}
