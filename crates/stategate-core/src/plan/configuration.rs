//! What the configuration declares: sensitive variables, in modules of any depth, provisioners and
//! providers.

use std::io::Read;

use serde_json::Value;

use super::aside::{Given, Sensitive};
use super::error::PlanError;
use super::reader::Document;
use super::resources::hash;

/// Modules in modules; deeper ones are not searched, and may declare anything.
const MAX_DEPTH: usize = 100;

impl<R: Read> Document<'_, '_, R> {
    /// The root module's variables have their values elsewhere in the plan.
    pub(super) fn configured(&mut self) -> Result<(), PlanError> {
        self.each_entry(|document| match document.scanner.key() {
            b"\"provider_config\"" => document.each_entry(Self::provider_config),
            b"\"root_module\"" => {
                document.sensitive_variables = document.configured_module("", 0)?;
                Ok(())
            }
            _ => document.skip(),
        })
    }

    /// A module; gives the names of its sensitive variables, of which the defaults are secret.
    fn configured_module(&mut self, call_path: &str, depth: usize) -> Result<Sensitive, PlanError> {
        let mut sensitive = Sensitive::default();
        if depth > MAX_DEPTH {
            self.marked.give_up();
            self.skip()?;
            return Ok(sensitive);
        }
        self.each_entry(|document| match document.scanner.key() {
            b"\"variables\"" => document.each_entry(|document| {
                let name = document.key_text();
                if depth == 0 && !document.told_variables.contains(&hash(name.as_bytes())) {
                    document.totals.plan.withholds_variables = true;
                }
                let [is_sensitive, default] = document.fields_if_any([b"\"sensitive\"", b"\"default\""])?;
                if document.field("sensitive", is_sensitive)? == Some(true) {
                    let default: Option<Value> = document.field("default", default)?;
                    document.marked.add_all(&default.unwrap_or_default());
                    sensitive.add(name, &mut document.put_aside);
                }
                document.scanner.let_go();
                Ok(())
            }),
            b"\"module_calls\"" => document.each_entry(|document| document.module_call(call_path, depth)),
            b"\"resources\"" => document.each("resources", |document| document.configured_resource(call_path)),
            _ => document.skip(),
        })?;
        Ok(sensitive)
    }

    /// A call of a module: what it gives to a sensitive variable as it stands is secret.
    fn module_call(&mut self, parent: &str, depth: usize) -> Result<(), PlanError> {
        let name = self.key_text();
        let call_path = if parent.is_empty() { name } else { format!("{parent}.{name}") };
        let put_aside = self.put_aside;
        let mut given = Given::default();
        let mut sensitive = Sensitive::default();
        self.each_entry(|document| {
            match document.scanner.key() {
                b"\"expressions\"" => document.each_entry(|document| {
                    let name = document.key_text();
                    let [constant] = document.fields_if_any([b"\"constant_value\""])?;
                    document.put_aside(name, constant, &mut given)?;
                    document.scanner.let_go();
                    Ok(())
                })?,
                b"\"module\"" => sensitive = document.configured_module(&call_path, depth + 1)?,
                _ => document.skip()?,
            }
            Ok(())
        })?;
        given.mark(&sensitive, &mut self.marked);
        self.put_aside = put_aside;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::read_plan;

    #[test]
    fn a_variable_that_is_declared_and_has_no_value_in_the_plan_is_withheld() {
        for (told, declared, expected) in [
            (r#"{"size":{"value":1}}"#, r#"{"size":{},"tok":{}}"#, true),
            (r#"{"size":{"value":1},"tok":{"value":"x"}}"#, r#"{"size":{},"tok":{}}"#, false),
            ("null", r#"{"tok":{}}"#, true),
            (r#"{"tok":{}}"#, "{}", false),
        ] {
            let inner = r#""module_calls":{"m":{"module":{"variables":{"inner":{}}}}}"#;
            let configuration = format!(r#"{{"root_module":{{"variables":{declared},{inner}}}}}"#);
            let plan = format!(r#"{{"planned_values":{{}},"variables":{told},"configuration":{configuration}}}"#);
            let plan = read_plan(plan.as_bytes(), &mut []).unwrap();
            assert_eq!(plan.withholds_variables, expected, "{told} {declared}");
        }
    }
}
