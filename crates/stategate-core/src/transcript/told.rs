//! What Terraform does, in words of our own: addresses, words that we know, and numbers.

use serde_json::Value;

use super::actions;

/// What `OpenTofu` says of an ephemeral resource.
const OPENTOFU_ON_EPHEMERAL: [&str; 6] =
    ["Opening...", "Open complete", "Renewing...", "Renew complete", "Closing...", "Close complete"];

/// What becomes of a resource, in Terraform's words but for the ID that it gets: that can be a
/// secret. `None` for what we cannot put into words of our own.
pub(super) fn progress(kind: &str, message: &Value) -> Option<String> {
    let hook = message.get("hook")?;
    let word = |name: &str| hook.get(name)?.as_str();
    if kind.starts_with("action_") {
        return actions::told(kind, message);
    }
    let address = hook.get("resource")?.get("addr")?.as_str()?;
    let (doing, done) = match word("action") {
        Some("create") => ("Creating", "Creation"),
        Some("update") => ("Modifying", "Modifications"),
        Some("delete") => ("Destroying", "Destruction"),
        Some("read") => ("Reading", "Read"),
        Some("open") => ("Opening", "Opening"),
        Some("renew") => ("Renewing", "Renewal"),
        Some("close") => ("Closing", "Closing"),
        Some(_) => return None,
        None => ("", ""),
    };
    let seconds = || hook.get("elapsed_seconds")?.as_u64();
    let told = match kind.strip_prefix("ephemeral_op").or_else(|| kind.strip_prefix("apply")) {
        Some(_) if doing.is_empty() => return None,
        Some("_start") => format!("{doing}..."),
        Some("_progress") => format!("Still {}... [{}s elapsed]", doing.to_lowercase(), seconds()?),
        Some("_complete") => format!("{done} complete after {}s", seconds()?),
        Some("_errored") => format!("{done} errored after {}s", seconds()?),
        Some(_) => return None,
        None => match kind {
            "provision_start" => format!("Provisioning with '{}'...", word("provisioner")?),
            "provision_complete" => format!("({}) Provisioning complete", word("provisioner")?),
            "provision_errored" => format!("({}) Provisioning errored", word("provisioner")?),
            // OpenTofu has no operation here, but words.
            "ephemeral_action_started" | "ephemeral_action_complete" => {
                let words = OPENTOFU_ON_EPHEMERAL.iter().find(|known| word("Msg") == Some(**known))?;
                (*words).to_owned()
            }
            "refresh_start" => "Refreshing state...".to_owned(),
            "refresh_complete" => "Refresh complete".to_owned(),
            _ => return None,
        },
    };
    Some(format!("{address}: {told}"))
}

/// The address of what is created, changed or destroyed by now.
pub(super) fn completed<'m>(kind: &str, message: &'m Value) -> Option<&'m str> {
    let hook = message.get("hook").filter(|_| kind == "apply_complete")?;
    let changes = matches!(hook.get("action")?.as_str()?, "create" | "update" | "delete");
    hook.get("resource")?.get("addr")?.as_str().filter(|_| changes)
}

/// The numbers at the end of an apply. Not every Terraform and `OpenTofu` counts what is imported,
/// what is forgotten, and which actions were invoked or failed.
pub(super) fn summary(message: &Value) -> Option<String> {
    let changes = message.get("changes")?;
    let count = |name: &str| changes.get(name)?.as_u64();
    let some = |name: &str| count(name).filter(|count| *count > 0);
    let (add, change, remove) = (count("add")?, count("change")?, count("remove")?);
    let imported = some("import").map(|count| format!("{count} imported, ")).unwrap_or_default();
    let forgotten = some("forget").map(|count| format!(", {count} forgotten")).unwrap_or_default();
    let actions = [("action_invocation", "invoked"), ("action_fail", "failed")];
    let actions: Vec<String> =
        actions.iter().filter_map(|(name, word)| Some(format!("{} {word}", some(name)?))).collect();
    let actions = if actions.is_empty() { String::new() } else { format!(" Actions: {}.", actions.join(", ")) };
    match changes.get("operation")?.as_str()? {
        "apply" => Some(format!(
            "Apply complete! Resources: {imported}{add} added, {change} changed, {remove} destroyed{forgotten}.{actions}"
        )),
        "destroy" => Some(format!("Destroy complete! Resources: {remove} destroyed{forgotten}.{actions}")),
        _ => None,
    }
}

pub(super) fn is_of_a_plan(message: &Value) -> bool {
    message.get("changes").and_then(|changes| changes.get("operation")).and_then(Value::as_str) == Some("plan")
}
