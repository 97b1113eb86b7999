//! Parts of a plan that only later versions know.

use std::io::Read;

use serde_json::Value;

use super::error::PlanError;
use super::reader::Document;

impl<R: Read> Document<'_, '_, R> {
    /// A part that later versions may bring: skipped, but told when it seems to hold changes.
    ///
    /// Whether it seems to be an output of the root module, as `terraform output -json` tells it.
    pub(super) fn unknown_part(&mut self, key: &[u8]) -> Result<bool, PlanError> {
        let name = String::from_utf8_lossy(key).trim_matches('"').to_owned();
        let word = name.to_ascii_lowercase();
        if word.contains("_change") || word.contains("_invocation") {
            return self.unknown_changes(name).map(|()| false);
        }
        let of_an_output = match self.scanner.peek()? {
            Some(b'{') => {
                let (mut first, mut of_an_output) = (true, 0);
                self.scanner.open(b'{')?;
                while self.scanner.next_key(&mut first)? {
                    of_an_output += u32::from(matches!(self.scanner.key(), b"\"sensitive\"" | b"\"value\""));
                    self.scanner.value()?;
                }
                of_an_output
            }
            _ => self.skip().map(|()| 0)?,
        };
        Ok(of_an_output == 2)
    }

    /// A part that seems to hold changes of a kind that we do not know.
    fn unknown_changes(&mut self, name: String) -> Result<(), PlanError> {
        let span = self.scanner.kept_value()?;
        let content: Value = self.parse(span)?;
        self.scanner.let_go();
        let is_empty = match &content {
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::String(text) => text.is_empty(),
            Value::Number(_) | Value::Bool(_) => false,
            Value::Null => true,
        };
        if !is_empty {
            self.unknown(name, &content);
        }
        Ok(())
    }

    pub(super) fn unknown(&mut self, what: String, content: &Value) {
        for visitor in self.visitors.iter_mut() {
            visitor.unknown(&what, content);
        }
        self.totals.unknown(what);
    }

    pub(super) fn format_version(&mut self, version: Option<String>) {
        if let Some(version) = &version {
            let major = version.split('.').next().unwrap_or_default();
            if !matches!(major, "0" | "1") {
                self.unknown(format!("format version {version}"), &Value::Null);
            }
        }
        self.totals.plan.format_version = version;
    }
}
