//! Which process an interrupt of Terraform is for.
//!
//! Terraform must get exactly one: after a second it leaves at once and loses what it is writing. A
//! wrapper cannot be trusted with it. coreutils' `timeout` signals its child and then its whole group,
//! version managers do the like, and bash tells nobody. So the interrupt goes to Terraform itself
//! wherever it can be seen, and to the wrapper only where there is no Terraform.

/// A process that may be ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) pid: u32,
    pub(super) parent: u32,
    /// Its program is Terraform by its name, or a version manager's that bears it.
    pub(super) is_terraform: bool,
    /// It writes to the very files that we gave the process that we started.
    pub(super) has_our_output: bool,
}

/// The processes that are to be interrupted, among all that belong to the one that we started; none
/// where no Terraform is seen.
///
/// Of several in a line that write to our files the innermost is Terraform: what stands before it is a
/// version manager's program of the same name. Where something lies between us and all of them, the
/// outermost counts, for a provisioner of Terraform's can run another Terraform below.
pub(super) fn whom(all: &[Candidate]) -> Vec<u32> {
    let is_below = |one: &Candidate, other: &Candidate| ancestors(all, one).any(|pid| pid == other.pid);
    let writers: Vec<&Candidate> = all.iter().filter(|one| one.is_terraform && one.has_our_output).collect();
    let is_innermost = |one: &&&Candidate| !writers.iter().any(|other| is_below(other, one));
    if !writers.is_empty() {
        return writers.iter().filter(is_innermost).map(|one| one.pid).collect();
    }
    let named: Vec<&Candidate> = all.iter().filter(|one| one.is_terraform).collect();
    let is_outermost = |one: &&&Candidate| !named.iter().any(|other| is_below(one, other));
    named.iter().filter(is_outermost).map(|one| one.pid).collect()
}

/// Who started a process, and who started that, as far as they are among `all`.
fn ancestors<'a>(all: &'a [Candidate], of: &'a Candidate) -> impl Iterator<Item = u32> + 'a {
    let parent = |one: &&'a Candidate| all.iter().find(|other| other.pid == one.parent);
    // A table that is read while processes come and go can show a ring.
    std::iter::successors(all.iter().find(|other| other.pid == of.parent), move |one| parent(one))
        .take(all.len())
        .map(|one| one.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `pid<parent` and letters: `t` Terraform's name, `o` our output.
    fn candidates(text: &str) -> Vec<Candidate> {
        let read = |word: &str| {
            let (pid, rest) = word.split_once('<').unwrap();
            let parent = rest.trim_end_matches(['t', 'o']);
            Candidate {
                pid: pid.parse().unwrap(),
                parent: parent.parse().unwrap(),
                is_terraform: rest.contains('t'),
                has_our_output: rest.contains('o'),
            }
        };
        text.split_whitespace().map(read).collect()
    }

    #[test]
    fn the_process_that_is_terraform_gets_it_and_the_wrapper_only_without_one() {
        for (table, expected, what) in [
            ("5<1to", vec![5], "Terraform itself"),
            ("5<1to 6<5", vec![5], "its provider"),
            ("5<1to 6<5 7<6t", vec![5], "a Terraform in a provisioner"),
            ("5<1o 6<5to", vec![6], "timeout, or a shell"),
            ("5<1o 6<5o 7<6to", vec![7], "a shell and timeout"),
            ("5<1to 6<5to", vec![6], "a version manager of the same name"),
            ("5<1to 6<5to 7<6 8<7t", vec![6], "and a Terraform in a provisioner"),
            ("5<1o 6<5t 7<5o", vec![6], "a pipe between"),
            ("5<1o 6<5t 7<6 8<7t 9<5o", vec![6], "a pipe, and a Terraform in a provisioner"),
            ("6<1to", vec![6], "the wrapper is gone"),
            ("5<1o 6<5to 7<5to", vec![6, 7], "two at once"),
            ("5<1o 6<5", vec![], "no Terraform"),
            ("", vec![], "nobody"),
            ("5<6to 6<5to", vec![], "a ring"),
        ] {
            assert_eq!(whom(&candidates(table)), expected, "{what}");
        }
    }
}
