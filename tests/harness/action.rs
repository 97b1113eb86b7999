//! `action.yml` as the runner reads it: inputs with defaults, steps with conditions and variables.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// The composite action.
#[derive(Debug, Deserialize)]
pub struct Action {
    pub inputs: BTreeMap<String, Input>,
    pub outputs: BTreeMap<String, Output>,
    pub runs: Runs,
}

#[derive(Debug, Deserialize)]
pub struct Input {
    pub description: String,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub default: String,
}

#[derive(Debug, Deserialize)]
pub struct Output {
    pub description: String,
    pub value: String,
}

#[derive(Debug, Deserialize)]
pub struct Runs {
    pub using: String,
    pub steps: Vec<ActionStep>,
}

#[derive(Debug, Deserialize)]
pub struct ActionStep {
    pub name: String,
    pub id: Option<String>,
    #[serde(rename = "if")]
    pub condition: Option<String>,
    pub shell: String,
    pub env: BTreeMap<String, String>,
    pub run: String,
}

impl Action {
    /// This project's.
    pub fn read() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml");
        let text = fs::read_to_string(file).expect("action.yml can be read");
        yaml_serde::from_str(&text).expect("action.yml is an action")
    }

    /// The inputs as the steps see them: those given, the defaults for the others.
    pub fn inputs(&self, given: &BTreeMap<String, String>, token: &str) -> BTreeMap<String, String> {
        for name in given.keys() {
            assert!(self.inputs.contains_key(name), "the action has no input {name}");
        }
        let value = |name: &String, input: &Input| match given.get(name) {
            Some(value) => value.clone(),
            None if input.default == "${{ github.token }}" => token.to_owned(),
            None => input.default.clone(),
        };
        self.inputs.iter().map(|(name, input)| (name.clone(), value(name, input))).collect()
    }
}

impl ActionStep {
    /// Whether the step runs after the steps before it ended so.
    pub fn runs(&self, inputs: &BTreeMap<String, String>, failed: bool) -> bool {
        let Some(condition) = &self.condition else { return !failed };
        let mut condition = Condition { rest: inner(condition).unwrap_or(condition).trim(), inputs, failed };
        let truth = condition.any();
        assert!(condition.rest.is_empty(), "the harness cannot read the rest of this condition: {}", condition.rest);
        // As on GitHub, a condition without a status function only holds after success.
        let asks_status = self.condition.as_ref().is_some_and(|text| text.contains("()"));
        truth && (asks_status || !failed)
    }

    /// The variables, filled in.
    pub fn variables(&self, inputs: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let value = |text: &String| match inner(text).and_then(|text| text.trim().strip_prefix("inputs.")) {
            Some(name) => inputs.get(name).unwrap_or_else(|| panic!("the action has no input {name}")).clone(),
            None => text.clone(),
        };
        self.env.iter().map(|(name, text)| (name.clone(), value(text))).collect()
    }
}

fn inner(text: &str) -> Option<&str> {
    text.trim().strip_prefix("${{")?.strip_suffix("}}")
}

/// Enough of GitHub's expressions: `||`, `&&`, `==`, `!=`, parentheses, inputs, strings and `always()`.
struct Condition<'a> {
    rest: &'a str,
    inputs: &'a BTreeMap<String, String>,
    failed: bool,
}

impl<'a> Condition<'a> {
    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn any(&mut self) -> bool {
        let mut truth = self.all();
        while self.take("||") {
            truth |= self.all();
        }
        truth
    }

    fn all(&mut self) -> bool {
        let mut truth = self.one();
        while self.take("&&") {
            truth &= self.one();
        }
        truth
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            let truth = self.any();
            assert!(self.take(")"), "a condition lacks its closing parenthesis");
            return truth;
        }
        if self.take("always()") {
            return true;
        }
        if self.take("success()") {
            return !self.failed;
        }
        let left = self.operand();
        if self.take("==") {
            return left == self.operand();
        }
        assert!(self.take("!="), "the harness cannot read this condition: {}", self.rest);
        left != self.operand()
    }

    fn operand(&mut self) -> &'a str {
        if let Some(rest) = self.rest.strip_prefix('\'') {
            let (text, rest) = rest.split_once('\'').expect("a string is closed");
            self.rest = rest.trim_start();
            return text;
        }
        let end = self.rest.find(|letter: char| !letter.is_alphanumeric() && !"._-".contains(letter));
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest.trim_start();
        let input = name.strip_prefix("inputs.").and_then(|name| self.inputs.get(name));
        input.unwrap_or_else(|| panic!("the harness does not know {name}"))
    }
}
