//! A workflow as it is printed for copying: read strictly, judged, and run through the action's own
//! steps. What the harness does not understand fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;
use yaml_serde::Value;

use super::action::Action;
use super::github::events::Event;
use super::runner::Step;
use super::world::World;

/// Scopes and levels, as `permissions:` has them.
type Permissions = BTreeMap<String, String>;

/// One combination of a matrix; empty without a matrix.
type Combination = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Workflow {
    pub name: String,
    pub on: BTreeMap<String, Option<Trigger>>,
    pub permissions: Option<Permissions>,
    pub concurrency: Option<Concurrency>,
    pub jobs: BTreeMap<String, Job>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    #[serde(default)]
    pub branches: Vec<String>,
    #[serde(default)]
    pub paths: Vec<String>,
    #[serde(default)]
    pub types: Vec<String>,
    #[serde(default)]
    pub inputs: BTreeMap<String, Input>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub description: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub required: bool,
    pub default: Option<Value>,
    #[serde(default)]
    pub options: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Concurrency {
    pub group: String,
    #[serde(default)]
    pub cancel_in_progress: bool,
    pub queue: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Job {
    pub name: Option<String>,
    #[serde(rename = "if")]
    pub condition: Option<String>,
    pub runs_on: Value,
    pub timeout_minutes: Option<u32>,
    pub permissions: Option<Permissions>,
    pub environment: Option<String>,
    pub strategy: Option<Strategy>,
    pub concurrency: Option<Concurrency>,
    pub steps: Vec<WorkflowStep>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Strategy {
    #[serde(default = "yes")]
    pub fail_fast: bool,
    pub matrix: BTreeMap<String, Vec<Value>>,
}

/// No `run:` and no `timeout-minutes:`, on purpose: a script needs a shell, and a step's timeout
/// leaves the clean-up no time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowStep {
    pub name: Option<String>,
    pub id: Option<String>,
    #[serde(rename = "if")]
    pub condition: Option<String>,
    pub uses: String,
    #[serde(default)]
    pub with: BTreeMap<String, Value>,
}

fn yes() -> bool {
    true
}

/// What a `uses:` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Uses {
    Checkout,
    Credentials,
    Terraform,
    OpenTofu,
    Stategate,
}

impl WorkflowStep {
    fn uses(&self) -> Result<Uses, String> {
        let (action, commit) = self.uses.split_once('@').unwrap_or((&self.uses, ""));
        if commit.len() != 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("{action} is not pinned by its full commit"));
        }
        Ok(match action {
            "actions/checkout" => Uses::Checkout,
            "aws-actions/configure-aws-credentials" => Uses::Credentials,
            "hashicorp/setup-terraform" => Uses::Terraform,
            "opentofu/setup-opentofu" => Uses::OpenTofu,
            "acme/stategate" => Uses::Stategate,
            _ => return Err(format!("the harness does not know the action {action}")),
        })
    }

    /// Whether it runs only when a step before it failed, or somebody cancelled.
    fn is_after_failure(&self) -> bool {
        self.condition.as_deref() == Some("failure() || cancelled()")
    }

    fn input(&self, name: &str) -> Option<String> {
        self.with.get(name).map(text)
    }
}

/// A scalar as GitHub hands it to an action.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        other => panic!("an input is text, and not {other:?}"),
    }
}

impl Workflow {
    /// Every workflow that a page prints: the fenced YAML blocks that begin with a name.
    pub fn all(page: &str) -> Vec<(String, Self)> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let page = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0));
        blocks.filter(|block| block.starts_with("name:")).map(|block| (block.to_owned(), Self::parse(block))).collect()
    }

    /// The one that a page prints under this name.
    pub fn printed(page: &str, name: &str) -> Self {
        let found = Self::all(page).into_iter().map(|(_, workflow)| workflow).find(|workflow| workflow.name == name);
        found.unwrap_or_else(|| panic!("{page} prints no workflow {name:?}"))
    }

    pub fn parse(text: &str) -> Self {
        yaml_serde::from_str(text)
            .unwrap_or_else(|error| panic!("not a workflow that the harness knows: {error}\n{text}"))
    }

    /// Everything that is wrong with it, whatever it is run with.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.permissions.as_ref().is_none_or(|permissions| !permissions.is_empty()) {
            problems.push("permissions belong to the jobs, and the workflow has none".to_owned());
        }
        for trigger in self.on.keys().filter(|name| *name == "pull_request_target") {
            problems.push(format!("{trigger} runs a stranger's code with secrets"));
        }
        for (name, job) in &self.jobs {
            let found = job.problems();
            problems.extend(found.into_iter().map(|problem| format!("job {name}: {problem}")));
        }
        problems
    }

    /// Whether an event starts it; `changed` is a file that the event's commits change.
    pub fn starts_on(&self, event: &Event, changed: &str) -> bool {
        let Some(trigger) = self.on.get(event.name) else { return false };
        let Some(trigger) = trigger else { return true };
        let branch = match event.name {
            "push" => event.git_ref.trim_start_matches("refs/heads/"),
            _ => event.base_ref.as_str(),
        };
        let matches = |pattern: &String| match pattern.strip_suffix("/**") {
            Some(directory) => changed.starts_with(&format!("{directory}/")),
            None => pattern == changed,
        };
        let in_branch = trigger.branches.is_empty() || trigger.branches.iter().any(|name| name == branch);
        in_branch && (trigger.paths.is_empty() || trigger.paths.iter().any(matches))
    }

    /// The uses of the action, in order, each as the runner would start it for this event: with the
    /// inputs as they are printed, and a token that may do what the job's `permissions:` say.
    pub fn steps<'a>(&self, world: &'a World, event: &Event) -> Vec<Step<'a>> {
        assert!(self.on.contains_key(event.name), "{} is not started by {}", self.name, event.name);
        let mut steps = Vec::new();
        for job in self.jobs.values() {
            let permissions = job.permissions.clone().unwrap_or_default();
            for combination in job.combinations() {
                let mut expressions = Expressions::new(event, combination, self.inputs(event));
                if !job.condition.as_ref().is_none_or(|condition| expressions.holds(condition)) {
                    continue;
                }
                for concurrency in self.concurrency.iter().chain(&job.concurrency) {
                    expressions.fill(&concurrency.group);
                }
                let may = |scope: &str| permissions.get(scope).map_or("none", String::as_str);
                // A machine of one's own brings a role.
                let (mut is_checked_out, mut has_credentials) = (false, job.is_self_hosted());
                let mut is_renewed = job.is_self_hosted();
                let first = steps.len();
                let trusted = is_trusted(event);
                let runs = |step: &&WorkflowStep| {
                    step.is_after_failure() || step.condition.as_ref().is_none_or(|text| expressions.holds(text))
                };
                for step in job.steps.iter().filter(runs).collect::<Vec<_>>() {
                    let inputs = step.with.iter();
                    let token = world.github.workflow_token(&scopes(&permissions, trusted));
                    expressions.token.clone_from(&token);
                    let inputs: BTreeMap<String, String> =
                        inputs.map(|(name, value)| (name.clone(), expressions.fill(&text(value)))).collect();
                    match step.uses().unwrap_or_else(|problem| panic!("{problem}")) {
                        Uses::Credentials if step.is_after_failure() => is_renewed = may("id-token") == "write",
                        Uses::Stategate if step.is_after_failure() => {
                            assert!(is_renewed, "{}: nothing renews the credentials before it", self.name);
                            let main: Step<'a> =
                                steps.pop().filter(|_| steps.len() >= first).expect("a step that can fail");
                            steps.push(main.after_failure(step_of(world, event, &inputs, &token, true)));
                        }
                        Uses::Checkout => is_checked_out = may("contents") != "none",
                        Uses::Credentials => {
                            assert!(trusted, "{}: GitHub gives no token for AWS, so this step fails", self.name);
                            has_credentials = may("id-token") == "write";
                        }
                        // The harness's Terraform is on the PATH.
                        Uses::Terraform | Uses::OpenTofu => {}
                        Uses::Stategate => {
                            assert!(is_checked_out, "nothing is checked out");
                            steps.push(step_of(world, event, &inputs, &token, has_credentials));
                        }
                    }
                }
            }
        }
        steps
    }

    /// What `workflow_dispatch` was given, and its defaults.
    fn inputs(&self, event: &Event) -> BTreeMap<String, String> {
        let Some(Some(trigger)) = self.on.get("workflow_dispatch") else { return BTreeMap::new() };
        let given = &event.payload["inputs"];
        let names = given.as_object().into_iter().flat_map(|given| given.keys());
        for name in names {
            assert!(trigger.inputs.contains_key(name), "{} has no input {name}", self.name);
        }
        let value = |name: &str, input: &Input| {
            let given = given[name].as_str().map(str::to_owned);
            let default = input.default.as_ref().map(text);
            let empty = if input.kind == "boolean" { "false" } else { "" };
            given.or(default).unwrap_or_else(|| empty.to_owned())
        };
        trigger.inputs.iter().map(|(name, input)| (name.clone(), value(name, input))).collect()
    }
}

fn step_of<'a>(
    world: &'a World,
    event: &Event,
    inputs: &BTreeMap<String, String>,
    token: &str,
    has_credentials: bool,
) -> Step<'a> {
    let action = Action::read();
    for (name, _) in action.inputs.iter().filter(|(_, input)| input.required) {
        assert!(inputs.contains_key(name), "the required input {name} is not given");
    }
    let commands = ["plan", "apply", "unlock", "status", "lock", "release"];
    let command = commands.into_iter().find(|command| *command == inputs["command"]).expect("a command of the action");
    // What is not printed is what action.yml says.
    let mut step = Step::new(world, command, event.clone())
        .with("working-directory", &action.inputs["working-directory"].default)
        .token(token);
    for (name, value) in inputs {
        step = step.with(name, value);
    }
    if !has_credentials {
        step = step.without_env("AWS_ACCESS_KEY_ID").without_env("AWS_SECRET_ACCESS_KEY");
    }
    step
}

/// Whether GitHub gives the run more than a token that reads.
fn is_trusted(event: &Event) -> bool {
    let head = &event.payload["pull_request"]["head"]["repo"]["full_name"];
    let is_fork = head.is_string() && *head != event.payload["repository"]["full_name"];
    !is_fork && event.payload["sender"]["login"] != "dependabot[bot]"
}

/// A token's scopes; each may see that the repository is there. An outsider's only reads.
fn scopes(permissions: &Permissions, trusted: bool) -> Vec<(&'static str, &'static str)> {
    let known = |scope: &str| match scope {
        "contents" => Some("contents"),
        "actions" => Some("actions"),
        "pull-requests" => Some("pull_requests"),
        // Not for GitHub's interfaces: it is for the token that AWS takes.
        "id-token" => None,
        other => panic!("the harness does not know the permission {other}"),
    };
    let level = |level: &str| if level == "write" && trusted { "write" } else { "read" };
    let given = permissions.iter().filter_map(|(scope, at)| Some((known(scope)?, level(at))));
    given.chain([("metadata", "read")]).collect()
}

impl Job {
    /// Every combination of the matrix, in the order of its names.
    pub fn combinations(&self) -> Vec<Combination> {
        let mut found = vec![Combination::new()];
        for (name, values) in self.strategy.iter().flat_map(|strategy| &strategy.matrix) {
            let with = |value: &Value, combination: &Combination| {
                let mut combination = combination.clone();
                combination.insert(name.clone(), text(value));
                combination
            };
            found = found.iter().flat_map(|one| values.iter().map(move |value| with(value, one))).collect();
        }
        found
    }

    fn is_self_hosted(&self) -> bool {
        self.runs_on.as_sequence().is_some_and(|labels| labels.iter().any(|label| text(label) == "self-hosted"))
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.timeout_minutes.is_none() {
            problems.push("no timeout-minutes".to_owned());
        }
        let action = Action::read();
        let mut needed = BTreeMap::new();
        for step in &self.steps {
            let uses = match step.uses() {
                Ok(uses) => uses,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            let mut must_be = |input: &str, value: &str| {
                if step.input(input).as_deref() != Some(value) {
                    problems.push(format!("{} needs {input}: {value}", step.uses));
                }
            };
            match uses {
                Uses::Checkout => {
                    must_be("persist-credentials", "false");
                    needed.insert("contents", "read");
                }
                Uses::Credentials => {
                    needed.insert("id-token", "write");
                }
                Uses::Terraform => must_be("terraform_wrapper", "false"),
                Uses::OpenTofu => must_be("tofu_wrapper", "false"),
                Uses::Stategate => {
                    // Is the run that holds the lock alive?
                    needed.insert("actions", "read");
                    if step.input("command").is_some_and(|command| command != "lock" && command != "status") {
                        // The comment, the reviews, and the pull request behind a commit.
                        needed.extend([("contents", "read"), ("pull-requests", "write")]);
                    }
                    let given: BTreeSet<&String> = step.with.keys().collect();
                    let unknown = given.iter().filter(|name| !action.inputs.contains_key(**name));
                    problems.extend(unknown.map(|name| format!("the action has no input {name}")));
                    let required = action.inputs.iter().filter(|(name, input)| input.required && !given.contains(name));
                    problems.extend(required.map(|(name, _)| format!("the required input {name} is not given")));
                }
            }
        }
        let of_command = |command: &str| {
            let is_it = |step: &&WorkflowStep| step.input("command").as_deref() == Some(command);
            self.steps.iter().position(|step| is_it(&step))
        };
        if let Some(apply) = of_command("apply") {
            let renewed = self
                .steps
                .iter()
                .skip(apply)
                .position(|step| step.is_after_failure() && step.uses() == Ok(Uses::Credentials));
            let released =
                of_command("release").filter(|at| self.steps.get(*at).is_some_and(WorkflowStep::is_after_failure));
            let is_whole = released > Some(apply) && (self.is_self_hosted() || renewed.is_some());
            if !is_whole {
                problems.push("after an apply that fails, nothing logs in again and runs release".to_owned());
            }
        }
        let given: BTreeMap<&str, &str> =
            self.permissions.iter().flatten().map(|(scope, level)| (scope.as_str(), level.as_str())).collect();
        for (scope, level) in &needed {
            if given.get(scope) != Some(level) {
                problems.push(format!("the permission {scope}: {level} is missing"));
            }
        }
        for scope in given.keys().filter(|scope| !needed.contains_key(**scope)) {
            problems.push(format!("nothing needs the permission {scope}"));
        }
        problems
    }
}

/// What an expression makes of a part of the event; of what is not there, nothing.
fn as_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Enough of GitHub's expressions: a name in `${{ }}`, anywhere in a text.
struct Expressions<'a> {
    event: &'a Event,
    matrix: Combination,
    inputs: BTreeMap<String, String>,
    token: String,
}

impl<'a> Expressions<'a> {
    fn new(event: &'a Event, matrix: Combination, inputs: BTreeMap<String, String>) -> Self {
        Self { event, matrix, inputs, token: String::new() }
    }

    fn fill(&self, text: &str) -> String {
        let Some((before, rest)) = text.split_once("${{") else { return text.to_owned() };
        let (expression, after) = rest.split_once("}}").expect("an expression is closed");
        format!("{before}{}{}", self.value(expression.trim()), self.fill(after))
    }

    /// A condition: comparisons of names and texts, with `&&` before `||`.
    fn holds(&self, condition: &str) -> bool {
        let operand = |text: &str| match text.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            Some(text) => text.to_owned(),
            None => self.value(text.trim()),
        };
        let compares = |text: &str| match (text.split_once(" == "), text.split_once(" != ")) {
            (Some((one, other)), None) => operand(one) == operand(other),
            (None, Some((one, other))) => operand(one) != operand(other),
            _ => panic!("the harness does not know the condition {text:?}"),
        };
        condition.split(" || ").any(|all| all.split(" && ").all(compares))
    }

    fn value(&self, expression: &str) -> String {
        let known = match expression.split_once('.') {
            Some(("matrix", name)) => self.matrix.get(name).cloned(),
            Some(("inputs", name)) => self.inputs.get(name).cloned(),
            Some(("github", "token")) => Some(self.token.clone()),
            Some(("github", "ref")) => Some(self.event.git_ref.clone()),
            Some(("github", "repository")) => Some(as_text(&self.event.payload["repository"]["full_name"])),
            Some(("github", name)) if name.starts_with("event.") => {
                let path = format!("/{}", name.trim_start_matches("event.").replace('.', "/"));
                Some(self.event.payload.pointer(&path).map(as_text).unwrap_or_default())
            }
            Some(("github", "event_name")) => Some(self.event.name.to_owned()),
            _ => None,
        };
        known.unwrap_or_else(|| panic!("the harness does not know the expression {expression:?}"))
    }
}
