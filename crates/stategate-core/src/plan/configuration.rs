//! What the configuration itself declares sensitive: variables, in modules of any depth.

use std::io::Read;

use serde_json::Value;

use super::aside::{Given, Sensitive};
use super::error::PlanError;
use super::reader::Document;

/// Modules in modules; deeper ones are not searched, and may declare anything.
const MAX_DEPTH: usize = 100;

impl<R: Read> Document<'_, '_, R> {
    /// The root module, whose variables' values the plan tells elsewhere.
    pub(super) fn configured_root(&mut self) -> Result<(), PlanError> {
        self.sensitive_variables = self.configured_module(0)?;
        Ok(())
    }

    /// A module; gives the names of its sensitive variables, of which the defaults are secret.
    fn configured_module(&mut self, depth: usize) -> Result<Sensitive, PlanError> {
        let mut sensitive = Sensitive::default();
        if depth > MAX_DEPTH {
            self.marked.give_up();
            self.skip()?;
            return Ok(sensitive);
        }
        self.each_entry(|document| match document.scanner.key() {
            b"\"variables\"" => document.each_entry(|document| {
                let name = document.key_text();
                let [is_sensitive, default] = document.fields_if_any([b"\"sensitive\"", b"\"default\""])?;
                if document.field("sensitive", is_sensitive)? == Some(true) {
                    let default: Option<Value> = document.field("default", default)?;
                    document.marked.add_all(&default.unwrap_or_default());
                    sensitive.add(name, &mut document.put_aside);
                }
                document.scanner.let_go();
                Ok(())
            }),
            b"\"module_calls\"" => document.each_entry(|document| document.module_call(depth)),
            _ => document.skip(),
        })?;
        Ok(sensitive)
    }

    /// A call of a module: what it gives to a sensitive variable as it stands is secret.
    fn module_call(&mut self, depth: usize) -> Result<(), PlanError> {
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
                b"\"module\"" => sensitive = document.configured_module(depth + 1)?,
                _ => document.skip()?,
            }
            Ok(())
        })?;
        given.mark(&sensitive, &mut self.marked);
        self.put_aside = put_aside;
        Ok(())
    }
}
