//! What a provider takes from the job's environment where its configuration does not say it: where
//! it works. Source: the providers' own documentation of their arguments.

use crate::plan::Provider;

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Variables that stand in for one argument, in the provider's order.
type Names = &'static [&'static str];

const AWS_REGION: Names = from_env(&["AWS_REGION", "AWS_DEFAULT_REGION"]);
const AZURE_SUBSCRIPTION: Names = from_env(&["ARM_SUBSCRIPTION_ID"]);
const GOOGLE_PROJECT: Names =
    from_env(&["GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"]);
const GOOGLE_REGION: Names = from_env(&["GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"]);
const GOOGLE_ZONE: Names = from_env(&["GOOGLE_ZONE", "GCLOUD_ZONE", "CLOUDSDK_COMPUTE_ZONE"]);

/// The beginning of a provider's type, an argument of it, and the variables. Profiles and credentials
/// are not among them: the plan has others than the apply, as it should.
const SETTINGS: [(&str, &str, Names); 5] = [
    ("aws", "region", AWS_REGION),
    ("azurerm", "subscription_id", AZURE_SUBSCRIPTION),
    ("google", "project", GOOGLE_PROJECT),
    ("google", "region", GOOGLE_REGION),
    ("google", "zone", GOOGLE_ZONE),
];

const fn from_env(names: Names) -> Names {
    names
}

/// The arguments that the environment gives this provider, with their values.
pub(super) fn given(provider: &Provider, environment: Environment<'_>) -> Vec<(&'static str, String)> {
    // `registry.terraform.io/hashicorp/aws`
    let r#type = provider.full_name.rsplit('/').next().unwrap_or_default();
    let open = SETTINGS
        .iter()
        .filter(|(prefix, argument, _)| r#type.starts_with(prefix) && provider.expressions.get(argument).is_none());
    let value = |names: &[&str]| names.iter().find_map(|name| environment(name).filter(|value| !value.is_empty()));
    open.filter_map(|(_, argument, names)| Some((*argument, value(names)?))).collect()
}
