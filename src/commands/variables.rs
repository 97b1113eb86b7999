//! Variables that an apply needs beside its plan file.
//!
//! A plan file holds the values of all variables but ephemeral ones. Those must be given again, and
//! Terraform refuses a value that differs from the plan's for any other variable, so handing the
//! plan's own flags on changes nothing else.

use crate::cli::Words;
use stategate_core::plan::PlanSummary;

/// The arguments of the apply: the flags by which the plan got its variables, when it has some that no
/// plan file holds, then the user's own.
pub(super) fn for_apply(
    plan: Option<&PlanSummary>,
    version: &str,
    plan_args: &[String],
    apply_args: Option<&Words>,
) -> Option<Words> {
    let needs_them = plan.is_some_and(|plan| plan.withholds_variables) && has_ephemeral_variables(version);
    let mut words = if needs_them { variable_flags(plan_args) } else { Vec::new() };
    words.extend(apply_args.into_iter().flat_map(|words| words.0.iter().cloned()));
    (!words.is_empty()).then_some(Words(words))
}

/// Terraform has them from 1.10 on, `OpenTofu` from 1.11. Before, an apply of a plan file takes no
/// variables.
fn has_ephemeral_variables(version: &str) -> bool {
    let mut numbers = version.split(['.', '-', '+']).map(str::parse::<u64>);
    let mut number = || numbers.next().and_then(Result::ok);
    number().zip(number()).is_some_and(|version| version >= (1, 10))
}

/// `-var`, `-var-file` and their values.
fn variable_flags(plan_args: &[String]) -> Vec<String> {
    let mut flags = Vec::new();
    let mut words = plan_args.iter();
    while let Some(word) = words.next() {
        match word.strip_prefix("--").or(word.strip_prefix('-')) {
            Some("var" | "var-file") => flags.extend([Some(word), words.next()].into_iter().flatten().cloned()),
            Some(flag) if flag.starts_with("var=") || flag.starts_with("var-file=") => flags.push(word.clone()),
            _ => {}
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        shell_words::split(text).unwrap()
    }

    #[test]
    fn the_plans_variables_are_handed_on_when_the_plan_file_lacks_some() {
        let plan = |withholds_variables| PlanSummary { withholds_variables, ..PlanSummary::default() };
        let own = Words(words("-parallelism=2"));
        let given = words("-refresh=false -var 'a=-var=b' --var=c=d -var-file=x.tfvars -target=var -var-file y.tfvars");
        let of = |plan: &PlanSummary, version: &str| {
            for_apply(Some(plan), version, &given, Some(&own)).map(|words| words.0.join(" "))
        };
        let handed_on = "-var a=-var=b --var=c=d -var-file=x.tfvars -var-file y.tfvars -parallelism=2";
        assert_eq!(of(&plan(true), "1.15.5").as_deref(), Some(handed_on));
        for (plan, version) in [(plan(false), "1.15.5"), (plan(true), "1.9.8"), (plan(true), "?")] {
            assert_eq!(of(&plan, version).as_deref(), Some("-parallelism=2"), "{version}");
        }
        assert_eq!(for_apply(None, "1.15.5", &given, None), None);
    }
}
