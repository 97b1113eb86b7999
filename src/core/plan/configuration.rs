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
        if depth > MAX_DEPTH || self.scanner.peek()? != Some(b'{') {
            self.scanner.value()?;
            return Ok(sensitive);
        }
        self.scanner.open(b'{')?;
        let mut first = true;
        while self.scanner.next_key(&mut first)? {
            match self.scanner.key() {
                b"\"variables\"" => {
                    let declared: Map<String, Value> = self.built()?;
                    for (name, variable) in declared {
                        if variable.get("sensitive") == Some(&Value::Bool(true)) {
                            self.marked.add_all(variable.get("default").unwrap_or(&Value::Null));
                            sensitive.insert(name);
                        }
                    }
                }
                b"\"module_calls\"" => self.module_calls(depth)?,
                _ => {
                    self.scanner.value()?;
                }
            }
        }
        Ok(sensitive)
    }

    fn module_calls(&mut self, depth: usize) -> Result<(), PlanError> {
        if self.scanner.peek()? != Some(b'{') {
            self.scanner.value()?;
            return Ok(());
        }
        self.scanner.open(b'{')?;
        let mut first = true;
        while self.scanner.next_key(&mut first)? {
            self.module_call(depth)?;
        }
        Ok(())
    }

    /// A call of a module: what it gives to a sensitive variable as it stands is secret.
    fn module_call(&mut self, depth: usize) -> Result<(), PlanError> {
        if self.scanner.peek()? != Some(b'{') {
            self.scanner.value()?;
            return Ok(());
        }
        let mut given: Map<String, Value> = Map::new();
        let mut sensitive = HashSet::new();
        self.scanner.open(b'{')?;
        let mut first = true;
        while self.scanner.next_key(&mut first)? {
            match self.scanner.key() {
                b"\"expressions\"" => given = self.built()?,
                b"\"module\"" => sensitive = self.configured_module(depth + 1)?,
                _ => {
                    self.scanner.value()?;
                }
            }
        }
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
