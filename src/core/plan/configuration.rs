//! What the configuration itself declares sensitive: variables, in modules of any depth.

use std::collections::HashSet;
use std::io::Read;

use serde_json::{Map, Value};

use super::error::PlanError;
use super::reader::Document;

/// Modules in modules; deeper ones are not searched.
const MAX_DEPTH: usize = 100;

impl<R: Read> Document<'_, '_, R> {
    /// The root module, whose variables' values the plan tells elsewhere.
    pub(super) fn configured_root(&mut self) -> Result<(), PlanError> {
        self.sensitive_variables = self.configured_module(0)?;
        Ok(())
    }

    /// A module; gives the names of its sensitive variables, of which the defaults are secret.
    fn configured_module(&mut self, depth: usize) -> Result<HashSet<String>, PlanError> {
        let mut sensitive = HashSet::new();
        if depth > MAX_DEPTH {
            self.skip()?;
            return Ok(sensitive);
        }
        self.each_entry(|document| match document.scanner.key() {
            b"\"variables\"" => {
                for (name, variable) in document.built()? {
                    if variable.get("sensitive") == Some(&Value::Bool(true)) {
                        document.marked.add_all(variable.get("default").unwrap_or(&Value::Null));
                        sensitive.insert(name);
                    }
                }
                Ok(())
            }
            b"\"module_calls\"" => document.each_entry(|document| document.module_call(depth)),
            _ => document.skip(),
        })?;
        Ok(sensitive)
    }

    /// A call of a module: what it gives to a sensitive variable as it stands is secret.
    fn module_call(&mut self, depth: usize) -> Result<(), PlanError> {
        let mut given: Map<String, Value> = Map::new();
        let mut sensitive = HashSet::new();
        self.each_entry(|document| {
            match document.scanner.key() {
                b"\"expressions\"" => given = document.built()?,
                b"\"module\"" => sensitive = document.configured_module(depth + 1)?,
                _ => document.skip()?,
            }
            Ok(())
        })?;
        for name in sensitive {
            if let Some(value) = given.get(&name).and_then(|expression| expression.get("constant_value")) {
                self.marked.add_all(value);
            }
        }
        Ok(())
    }

    /// An object that is needed as a whole; anything else is none.
    fn built(&mut self) -> Result<Map<String, Value>, PlanError> {
        let span = self.scanner.kept_value()?;
        let value: Value = self.parse(span)?;
        self.scanner.let_go();
        Ok(match value {
            Value::Object(map) => map,
            _ => Map::new(),
        })
    }
}
