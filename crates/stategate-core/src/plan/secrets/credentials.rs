//! What is secret without a plan: credentials, and of those that are JSON the parts that are.

use serde_json::Value;

use super::super::inside::all_inside;
use super::super::large::literal;
use super::{LONG, Patterns, Secrets};

impl Secrets {
    /// Only these credentials. Of one that is JSON itself, such as a cloud's key file, also what stands
    /// in it, but for what `is_open` says of its name and itself: a project's ID is in every plan.
    pub fn from_credentials<'a>(
        credentials: impl IntoIterator<Item = &'a str>,
        is_open: impl Fn(&str, &str) -> bool,
    ) -> Self {
        let mut found = Patterns::default();
        for credential in credentials {
            found.add_text(credential);
            let inside: Option<Value> = all_inside(credential);
            let mut parts: Vec<(&str, &Value)> = inside.iter().map(|value| ("", value)).collect();
            while let Some((name, part)) = parts.pop() {
                match part {
                    Value::Object(map) => parts.extend(map.iter().map(|(name, part)| (name.as_str(), part))),
                    Value::Array(items) => parts.extend(items.iter().map(|item| (name, item))),
                    Value::String(text) if literal(text).is_none() && !is_open(name, text) => {
                        found.add(text, LONG);
                        found.add_lines(text);
                    }
                    _ => {}
                }
            }
        }
        Self::new(found)
    }
}
