//! What somebody meant who wrote a name that is not there.

/// Words that others use for a flag of ours, without dashes.
const FLAGS: [(&str, &[&str]); 8] = [
    ("working-directory", &["dir", "directory", "path", "chdir", "cwd", "folder", "root", "root-module", "module"]),
    ("terraform-bin", &["bin", "binary", "executable", "terraform", "terraform-path", "tf", "tofu"]),
    ("lock-timeout", &["timeout", "wait"]),
    ("lock-id", &["id"]),
    ("reason", &["message", "why"]),
    ("required-approvals", &["approvals", "min-approvals"]),
    ("pull-request", &["pr", "pull"]),
    ("plan-json", &["file", "input", "json-file", "plan", "plan-file"]),
];

/// Words that others use for a command of ours.
const COMMANDS: [(&str, &[&str]); 6] = [
    ("plan", &["check", "diff", "preview"]),
    ("apply", &["deploy"]),
    ("unlock", &["force-unlock", "thaw", "unfreeze"]),
    ("release", &["clean", "cleanup"]),
    ("lock", &["freeze"]),
    ("render", &["comment", "show"]),
];

/// What turns a safety off is found in the help, not proposed.
const DANGEROUS: [&str; 3] = ["allow-direct-push", "break-stale-lock", "force"];

/// The flag that was meant, both without dashes; only of those that the command uses.
pub(super) fn flag<'a>(word: &str, used: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('_', "-");
    meant(&word, &FLAGS, used.into_iter().filter(|flag| !DANGEROUS.contains(flag)))
}

/// The command that was meant.
pub(super) fn command<'a>(word: &str, commands: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    meant(&word.to_lowercase(), &COMMANDS, commands)
}

/// By another's word, by the beginning of a name, or by the fewest slips; the first of several.
fn meant<'a>(word: &str, others: &[(&str, &[&str])], names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let names: Vec<&str> = names.into_iter().collect();
    let ours = others.iter().find(|(_, words)| words.contains(&word)).map(|(ours, _)| *ours);
    let by_word = names.iter().find(|name| Some(**name) == ours);
    let long_enough = word.chars().count() >= 3;
    let by_beginning =
        || names.iter().filter(|name| long_enough && name.starts_with(word)).min_by_key(|name| name.len());
    let tolerated = match word.chars().count() {
        0..3 => 0,
        3..5 => 1,
        5..9 => 2,
        _ => 3,
    };
    let by_slips = || {
        let near = names.iter().map(|name| (slips(word, name), name)).filter(|(slips, _)| *slips <= tolerated);
        near.min_by_key(|(slips, _)| *slips).map(|(_, name)| name)
    };
    by_word.or_else(by_beginning).or_else(by_slips).copied()
}

/// How many letters were left out, added, mistaken or swapped with their neighbour.
fn slips(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    // Row by row: `rows.0` of all but two letters of `left`, `rows.1` of all but one.
    let mut rows: (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=right.len()).collect());
    for (index, letter) in left.iter().enumerate() {
        let mut row = vec![index + 1];
        for (place, other) in right.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX - 1);
            let mistaken = at(&rows.1, place) + usize::from(letter != other);
            let mut best = mistaken.min(at(&rows.1, place + 1) + 1).min(at(&row, place) + 1);
            let before =
                |letters: &[char], place: usize| place.checked_sub(1).and_then(|place| letters.get(place).copied());
            let is_swapped = before(&left, index) == Some(*other) && before(&right, place) == Some(*letter);
            if let Some(place) = place.checked_sub(1).filter(|_| is_swapped) {
                best = best.min(at(&rows.0, place) + 1);
            }
            row.push(best);
        }
        rows = (rows.1, row);
    }
    rows.1.last().copied().unwrap_or(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_letters_are_one_slip() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "plan", 4),
            ("plan", "", 4),
            ("plan", "plan", 0),
            ("paln", "plan", 1),
            ("plna", "plan", 1),
            ("pln", "plan", 1),
            ("plaan", "plan", 1),
            ("plam", "plan", 1),
            ("paln", "man", 2),
            ("ünlock", "unlock", 1),
        ] {
            assert_eq!(slips(left, right), expected, "{left} {right}");
            assert_eq!(slips(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn what_turns_a_safety_off_is_never_proposed() {
        for dangerous in DANGEROUS {
            let typed = dangerous.get(..dangerous.len() - 1).unwrap();
            assert_eq!(flag(typed, [dangerous]), None, "{typed}");
        }
    }
}
