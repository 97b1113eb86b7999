//! One change as the plan tells it, before anything is made of it.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One entry of `resource_changes`, `resource_drift` or `deferred_changes`.
///
/// Fields that Terraform left out are empty, so that plans from 0.12 to today read alike.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ResourceChange {
    /// The absolute address, `module.a.aws_instance.b["key"]`.
    #[serde(deserialize_with = "or_default")]
    pub address: String,
    /// The address this object had in the prior state, when it moved.
    pub previous_address: Option<String>,
    /// The module's address, absent in the root module.
    pub module_address: Option<String>,
    /// `managed` or `data`.
    #[serde(deserialize_with = "or_default")]
    pub mode: String,
    /// The resource's type.
    #[serde(deserialize_with = "or_default")]
    pub r#type: String,
    /// The resource's name within its module.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// The `count` index or `for_each` key.
    pub index: Option<Value>,
    /// The provider's source address.
    #[serde(deserialize_with = "or_default")]
    pub provider_name: String,
    /// The key of the deposed object that this change is about, instead of the current one.
    pub deposed: Option<String>,
    /// What will be done.
    #[serde(deserialize_with = "or_default")]
    pub change: Change,
    /// Why Terraform chose these actions, in its own word (`replace_because_tainted`).
    pub action_reason: Option<String>,
}

/// A `change`: what there was, what there will be, and what of it is unknown or sensitive.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Change {
    /// Terraform's own words: `no-op`, `create`, `read`, `update`, `delete`, `forget`, …
    #[serde(deserialize_with = "or_default")]
    pub actions: Vec<String>,
    /// The value before, `null` when there is none.
    pub before: Value,
    /// The value after, `null` when there is none; what is not known yet is left out.
    pub after: Value,
    /// `true` wherever `after` is not known before the apply.
    pub after_unknown: Value,
    /// `true` wherever `before` is sensitive.
    pub before_sensitive: Value,
    /// `true` wherever `after` is sensitive.
    pub after_sensitive: Value,
    /// The attributes that force a replacement, each as a path of keys and indices.
    #[serde(deserialize_with = "or_default")]
    pub replace_paths: Vec<Vec<Value>>,
    /// Present when the object is imported first; `id` or `identity` say what.
    pub importing: Option<Value>,
    /// What names the object at its provider, from Terraform 1.12 on; `null` where nothing does.
    pub before_identity: Value,
    /// How many attributes stay that were left out of `before` and `after`.
    #[serde(skip)]
    pub unchanged: usize,
}

/// The attributes that may say which object it is, the best first.
pub(crate) const IDENTITY: [&str; 3] = ["id", "arn", "name"];

/// `null` reads as nothing given.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
