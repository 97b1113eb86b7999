//! A state as `terraform show -json` tells it: what in it is secret.
//!
//! After an apply it knows the values that no plan could know.

use std::io::Read;

use super::error::PlanError;
use super::reader::Document;
use super::secrets::Secrets;

/// Reads from `terraform show -json`, without a plan file, what a state marks as sensitive.
///
/// # Errors
///
/// When the stream breaks, or holds something other than JSON.
pub fn read_state(reader: impl Read) -> Result<Secrets, PlanError> {
    Document::new(reader, &mut []).state()
}

impl<R: Read> Document<'_, '_, R> {
    fn state(&mut self) -> Result<Secrets, PlanError> {
        PlanError::check_head(&mut self.scanner)?;
        let walked = self.descend(&[b"\"values\""], Self::state_values);
        walked.map_err(|error| error.within(&self.path()))?;
        PlanError::check_tail(&mut self.scanner)?;
        Ok(std::mem::take(&mut self.marked).finish())
    }

    pub(super) fn state_values(&mut self) -> Result<(), PlanError> {
        self.each_entry(|document| match document.scanner.key() {
            b"\"outputs\"" => document.state_outputs(),
            b"\"root_module\"" => document.state_module(),
            _ => document.skip(),
        })
    }

    fn state_outputs(&mut self) -> Result<(), PlanError> {
        self.each_entry(|document| {
            let [sensitive, value] = document.fields_if_any([b"\"sensitive\"", b"\"value\""])?;
            if document.field("sensitive", sensitive)? == Some(true)
                && let Some(value) = document.field("value", value)?
            {
                document.marked.add_all(&value);
            }
            document.scanner.let_go();
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_state_marks_is_hidden_in_values_too() {
        let state = json!({"format_version": "1.0", "terraform_version": "1.11.4", "values": {
        "outputs": {"key": {"sensitive": true, "type": "string", "value": "of-an-output"},
                    "open": {"sensitive": false, "type": "string", "value": "in-the-open"}},
        "root_module": {
            "resources": [{"address": "a.b", "values": {"id": "an-id", "password": "of-the-root"},
                           "sensitive_values": {"password": true}}],
            "child_modules": [{"address": "module.m", "resources": [
                {"address": "module.m.a.b", "values": {"pin": [12, 345_678]}, "sensitive_values": {"pin": [false, true]}}]}],
        }}});
        let secrets = read_state(state.to_string().as_bytes()).unwrap();
        let told =
            json!({"of-the-root": ["x of-an-output x", "in-the-open", "an-id"], "n": 345_678, "m": 12, "t": true});
        assert_eq!(
            secrets.scrub_value(&told),
            json!({"(sensitive value)": ["x (sensitive value) x", "in-the-open", "an-id"],
                   "n": "(sensitive value)", "m": 12, "t": true})
        );
    }

    #[test]
    fn a_state_that_holds_nothing_marks_nothing_and_what_is_no_json_is_an_error() {
        for empty in [r#"{"format_version":"1.0"}"#, r#"{"values":null}"#, r#"{"values":{"outputs":null}}"#] {
            assert!(read_state(empty.as_bytes()).unwrap().is_empty(), "{empty}");
        }
        for broken in ["", "no state", r#"{"values":{"root_module":{"#] {
            assert!(read_state(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
