//! What an approver cannot read in the plan: what provisioners run, where providers work, and which
//! code from elsewhere, and which state, are others than on the base branch.

use serde_json::Value;

use super::budget::Piece;
use super::escape;
use super::ink::Ink;
use super::status::{self, NAME, SENTENCE};
use super::view::CommentView;
use super::words::{grouped, listed};
use crate::plan::{Effects, PlanSummary, Provider, Provisioned};

/// Characters of what a provisioner is given.
const COMMAND: usize = 240;

/// Entries, as far as there is room.
const ENTRIES: [usize; 2] = [status::ENTRIES, 5];

/// The arguments of a provider that say where it works, as they are called in one or another.
const PLACES: [&str; 9] =
    ["region", "profile", "allowed_account_ids", "project", "subscription_id", "location", "zone", "host", "endpoint"];
const ROLES: [&str; 2] = ["assume_role", "assume_role_with_web_identity"];

/// The section, with more entries and with fewer; `None` where there is nothing to say.
pub(super) fn section(view: &CommentView<'_>, ink: &Ink<'_>) -> Option<Piece> {
    let mut lines = Vec::new();
    if let Some(plan) = view.plan.filter(|plan| plan.has_changes()) {
        let effects = &plan.effects;
        lines.extend(effects.provisioned.iter().map(|resource| provisioned(resource, view, plan, ink)));
        lines.extend(left_out(effects));
        let of_interest = effects.providers.iter().filter(|(_, provider)| is_of_interest(provider));
        lines.extend(of_interest.map(|(key, provider)| provider_line(key, provider, ink)));
    }
    lines.extend(view.beside.facts.iter().map(|fact| format!("- {}", ink.sentence(fact, SENTENCE))));
    if lines.is_empty() {
        return None;
    }
    let way = |most: usize| {
        let more = lines.len().saturating_sub(most);
        let more = if more > 0 { format!("- and {} more\n", grouped(more)) } else { String::new() };
        let shown: String = lines.iter().take(most).map(|line| format!("{line}\n")).collect();
        format!("**Not in the plan**\n\n{shown}{more}\n")
    };
    Some(Piece { what: "what is not in the plan", ways: ENTRIES.map(way).into() })
}

fn provisioned(resource: &Provisioned, view: &CommentView<'_>, plan: &PlanSummary, ink: &Ink<'_>) -> String {
    let address = resource.address();
    let types: Vec<String> = resource.provisioners.iter().map(|one| ink.code(&one.r#type, NAME)).collect();
    let types = if types.is_empty() { "provisioners".to_owned() } else { listed(&types) };
    // The text has more than the plan's JSON, which drops whatever stands beside a reference.
    let given = view.beside.texts.get(&address).cloned().unwrap_or_else(|| arguments(resource));
    let given = given.split_whitespace().collect::<Vec<_>>().join(" ");
    let given = if given.is_empty() || ink.withholds() {
        String::new()
    } else {
        format!(": {}", escape::code(&plan.secrets.scrub(&given), COMMAND))
    };
    format!("- {} runs {types}{given}", ink.code(&address, NAME))
}

fn left_out(effects: &Effects) -> Option<String> {
    let more = effects.more_provisioned;
    (more > 0).then(|| format!("- {} more resources run provisioners", grouped(more)))
}

/// The arguments as the plan's JSON has them.
fn arguments(resource: &Provisioned) -> String {
    let arguments = resource.provisioners.iter().filter_map(|one| one.expressions.as_object()).flatten();
    arguments.map(|(name, expression)| format!("{name} = {}", expressed(expression))).collect::<Vec<_>>().join(", ")
}

/// A constant, or what an expression reads.
fn expressed(expression: &Value) -> String {
    if let Some(constant) = expression.get("constant_value") {
        return constant.as_str().map_or_else(|| constant.to_string(), str::to_owned);
    }
    let references = expression.get("references").and_then(Value::as_array);
    let names: Vec<&str> = references.into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() { String::new() } else { format!("({})", names.join(", ")) }
}

/// One that is not the usual one, or that works in another role.
fn is_of_interest(provider: &Provider) -> bool {
    provider.alias.is_some()
        || provider.module_address.is_some()
        || ROLES.iter().any(|role| provider.expressions.get(role).is_some())
}

fn provider_line(key: &str, provider: &Provider, ink: &Ink<'_>) -> String {
    let shown = |name: &str, expression: &Value| format!("{name} {}", ink.code(&expressed(expression), NAME));
    let places = PLACES.iter().filter_map(|name| Some(shown(name, provider.expressions.get(name)?)));
    let role = |block: &Value| Some(shown("role", block.get("role_arn")?));
    let blocks = ROLES.iter().filter_map(|name| provider.expressions.get(name));
    let roles = blocks.filter_map(|block| role(block.as_array().and_then(|blocks| blocks.first()).unwrap_or(block)));
    let told: Vec<String> = places.chain(roles).collect();
    let told = if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) };
    format!("- the provider {} makes changes{told}", ink.code(key, NAME))
}
