//! Reads a plan's JSON once, from front to back, while it is still being written.
//!
//! Only what changes is built, one change at a time. The prior state and the configuration are
//! walked over for what they mark as sensitive; the rest is skipped.

use std::collections::HashSet;
use std::io::Read;

use memchr::memmem;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::action::ActionInvocation;
use super::aside::{Given, Sensitive, Used};
use super::change::{Change, ResourceChange};
use super::effects::Collector;
use super::error::PlanError;
use super::exact::exact;
use super::large::{MARKED, told_by_size, weight};
use super::resources::{CHANGE, hash};
use super::scan::{self, Scanner, Span};
use super::secrets::Marked;
use super::summary::{CheckSummary, DeferredSummary, Kind, PlanSummary};
use super::totals::{MOST_MESSAGES, Totals};

/// Variables of which it is remembered that the plan holds their values.
const MOST_TOLD: usize = 10_000;

/// Sees each change of a plan as it is read; the changes are not kept.
///
/// A resource that does not change (`no-op`, neither moved nor imported) is not shown, and of one that
/// does, attributes that stay may be left out, except for those that may say which object it is.
pub trait PlanVisitor {
    /// A resource will be created, updated, replaced, destroyed, forgotten, read, moved, imported,
    /// or will have something done to it that we do not know.
    fn resource_change(&mut self, change: &ResourceChange);

    /// An output of the root module will change.
    fn output_change(&mut self, _name: &str, _change: &Change) {}

    /// Somebody changed a resource outside of Terraform.
    fn drift(&mut self, _change: &ResourceChange) {}

    /// A resource is left for a later plan, which may do this to it.
    fn deferred(&mut self, _deferred: &DeferredSummary, _change: &ResourceChange) {}

    /// The apply will invoke an action of a provider.
    fn action(&mut self, _action: &ActionInvocation) {}

    /// The plan holds something that we do not know; the same can come up again. `content` is a whole
    /// part of the plan, or `null` for a word that stands in a change.
    fn unknown(&mut self, _what: &str, _content: &Value) {}
}

/// Reads a plan from `terraform show -json`, showing each change to the visitors on the way.
///
/// # Errors
///
/// When the stream breaks, or holds something other than a plan that we know how to read.
pub fn read_plan(reader: impl Read, visitors: &mut [&mut dyn PlanVisitor]) -> Result<PlanSummary, PlanError> {
    Document::new(reader, visitors).read()
}

pub(super) struct Document<'v, 'd, R> {
    pub(super) scanner: Scanner<R>,
    pub(super) visitors: &'v mut [&'d mut dyn PlanVisitor],
    pub(super) totals: Totals,
    pub(super) marked: Marked,
    /// The marks of the last resource as they were written, and as they are built; those of the next are
    /// mostly the same.
    pub(super) last_marks: (Vec<u8>, Value),
    /// The root module's variables, of which the configuration says which are sensitive.
    variables: Given,
    pub(super) sensitive_variables: Sensitive,
    /// The root module's variables whose values the plan holds, by the hash of their name.
    pub(super) told_variables: HashSet<u64>,
    /// What the apply does that stands in no change.
    pub(super) effects: Collector,
    /// How much is put aside of values that may prove to be sensitive.
    pub(super) put_aside: Used,
    /// How much is kept of the messages of checks.
    messages: usize,
    /// The resources, by the hash of their address, whose values in the prior state are known
    /// already as what was before the change.
    pub(super) seen: HashSet<u64>,
    /// The way to the value that is being read, for errors.
    pub(super) place: Vec<Step>,
}

#[derive(Clone, Copy)]
pub(super) enum Step {
    Key(&'static str),
    Index(usize),
}

/// What the keys at the top say about the kind of document.
#[derive(Default)]
struct Signs {
    plan: bool,
    state: bool,
    log: bool,
    /// What it is instead of a plan.
    other: Option<&'static str>,
}

impl Signs {
    /// A key that no plan has.
    fn see(&mut self, key: &[u8]) {
        match key {
            b"\"serial\"" | b"\"lineage\"" | b"\"values\"" => self.state = true,
            b"\"@level\"" | b"\"@message\"" => self.log = true,
            b"\"provider_schemas\"" => self.other = Some("the output of `terraform providers schema -json`"),
            b"\"valid\"" => self.other = Some("the output of `terraform validate -json`"),
            b"\"provider_selections\"" => self.other = Some("the output of `terraform version -json`"),
            _ => {}
        }
    }

    fn verdict(&self, whole: bool) -> Result<(), PlanError> {
        match self {
            Self { plan: true, .. } => Ok(()),
            Self { log: true, .. } => Err(PlanError::Log),
            Self { state: true, .. } => Err(PlanError::State),
            _ if whole => Err(PlanError::NotAPlan { kind: self.other }),
            _ => Ok(()),
        }
    }
}

impl<'v, 'd, R: Read> Document<'v, 'd, R> {
    pub(super) fn new(reader: R, visitors: &'v mut [&'d mut dyn PlanVisitor]) -> Self {
        Self {
            scanner: Scanner::new(reader),
            visitors,
            totals: Totals::default(),
            marked: Marked::default(),
            last_marks: (Vec::new(), Value::Null),
            variables: Given::default(),
            sensitive_variables: Sensitive::default(),
            told_variables: HashSet::new(),
            effects: Collector::default(),
            put_aside: Used::default(),
            messages: 0,
            seen: HashSet::new(),
            place: Vec::new(),
        }
    }

    fn read(&mut self) -> Result<PlanSummary, PlanError> {
        PlanError::check_head(&mut self.scanner)?;
        let mut signs = Signs::default();
        let walked = self.top(&mut signs);
        // What kind of document it is says more than where its walk ended.
        signs.verdict(walked.is_ok())?;
        walked.map_err(|error| error.within(&self.path()))?;
        PlanError::check_tail(&mut self.scanner)?;
        self.variables.mark(&self.sensitive_variables, &mut self.marked);
        let mut plan = std::mem::take(&mut self.totals).finish();
        plan.effects = std::mem::take(&mut self.effects).finish(|name| self.sensitive_variables.has(name));
        plan.secrets = std::mem::take(&mut self.marked).finish();
        if plan.secrets.withheld().is_some() {
            plan.forget_values();
        }
        Ok(plan)
    }

    fn top(&mut self, signs: &mut Signs) -> Result<(), PlanError> {
        self.scanner.open(b'{')?;
        let mut first = true;
        let mut known: Vec<Vec<u8>> = Vec::new();
        while self.scanner.next_key(&mut first)? {
            self.place.clear();
            let key: Vec<u8> = self.scanner.key().to_vec();
            if known.contains(&key) {
                return Err(PlanError::twice(self.scanner.position()));
            }
            match key.as_slice() {
                b"\"format_version\"" => {
                    let version: Option<String> = self.small("format_version")?;
                    self.format_version(version);
                }
                b"\"terraform_version\"" => {
                    self.totals.plan.terraform_version = self.small("terraform_version")?;
                }
                b"\"timestamp\"" => self.totals.plan.timestamp = self.small("timestamp")?,
                b"\"complete\"" => self.totals.plan.complete = self.small("complete")?,
                b"\"applyable\"" => self.totals.plan.applyable = self.small("applyable")?,
                b"\"errored\"" => {
                    let errored: Option<bool> = self.small("errored")?;
                    self.totals.plan.errored = errored.unwrap_or(false);
                }
                b"\"planned_values\"" => {
                    signs.plan = true;
                    self.place.push(Step::Key("planned_values"));
                    self.scanner.value()?;
                }
                b"\"resource_changes\"" => {
                    signs.plan = true;
                    self.effects.changes_begin();
                    self.each("resource_changes", Self::resource_change)?;
                }
                b"\"resource_drift\"" => self.each("resource_drift", Self::drift)?,
                b"\"deferred_changes\"" => self.each("deferred_changes", Self::deferred)?,
                b"\"action_invocations\"" => self.each("action_invocations", Self::invocation)?,
                b"\"deferred_action_invocations\"" => {
                    self.each("deferred_action_invocations", Self::deferred_invocation)?;
                }
                b"\"output_changes\"" => {
                    signs.plan = true;
                    self.outputs()?;
                }
                b"\"checks\"" => self.each("checks", Self::check)?,
                b"\"variables\"" => {
                    self.place.push(Step::Key("variables"));
                    self.each_entry(Self::variable)?;
                }
                b"\"prior_state\"" => {
                    self.place.push(Step::Key("prior_state"));
                    self.descend(&[b"\"values\""], Self::state_values)?;
                }
                b"\"configuration\"" => {
                    self.place.push(Step::Key("configuration"));
                    self.configured()?;
                }
                b"\"relevant_attributes\"" | b"\"proposed_unknown\"" => {
                    self.scanner.value()?;
                }
                other => {
                    signs.see(other);
                    if self.unknown_part(other)? {
                        signs.other = Some("the output of `terraform output -json`");
                    }
                    continue;
                }
            }
            known.push(key);
        }
        self.place.clear();
        Ok(())
    }

    /// A value that is small, or of which all is needed.
    pub(super) fn small<T: DeserializeOwned>(&mut self, key: &'static str) -> Result<T, PlanError> {
        self.place.push(Step::Key(key));
        let span = self.scanner.kept_value()?;
        let value = self.parse(span)?;
        self.scanner.let_go();
        self.place.pop();
        Ok(value)
    }

    /// A variable of the root module.
    fn variable(&mut self) -> Result<(), PlanError> {
        let name = self.key_text();
        // Of very many, one that is taken for withheld harms nothing.
        if self.told_variables.len() < MOST_TOLD {
            self.told_variables.insert(hash(name.as_bytes()));
        }
        let [value] = self.fields_if_any([b"\"value\""])?;
        if let Some(value) = value {
            self.effects.variable(&name, self.scanner.bytes(value));
        }
        let mut variables = std::mem::take(&mut self.variables);
        self.put_aside(name, value, &mut variables)?;
        self.variables = variables;
        self.scanner.let_go();
        Ok(())
    }

    /// Builds a value of which nobody knows yet whether it is sensitive. Of what is too much, only its
    /// size is kept.
    pub(super) fn put_aside(&mut self, name: String, value: Option<Span>, given: &mut Given) -> Result<(), PlanError> {
        let Some(span) = value.filter(|_| given.takes(&name, &mut self.put_aside)) else { return Ok(()) };
        let weight = weight(self.scanner.bytes(span));
        let fits = self.put_aside.takes(weight);
        given.put(name, if fits { self.parse(span)? } else { told_by_size(span.length()) });
        Ok(())
    }

    /// The key that was just read.
    pub(super) fn key_text(&self) -> String {
        serde_json::from_slice(self.scanner.key()).unwrap_or_default()
    }

    /// Builds what was kept, or says where in it the first fault is.
    pub(super) fn parse<T: DeserializeOwned>(&self, span: Span) -> Result<T, PlanError> {
        let bytes = self.scanner.bytes(span);
        let reduced;
        let bytes = if self.has_marked(span) {
            reduced = scan::reduced(bytes)?;
            &reduced
        } else {
            bytes
        };
        let bytes = &*exact(bytes);
        serde_json::from_slice(bytes).or_else(|_fault| {
            // Only now is it worth the time to find out the path.
            let mut reader = serde_json::Deserializer::from_slice(bytes);
            serde_path_to_error::deserialize(&mut reader).map_err(|error| {
                let path = error.path().to_string();
                PlanError::wrong_value(self.scanner.position_of(span), &path, error.inner())
            })
        })
    }

    /// Whether a string in what was kept begins like a stand-in and is none.
    pub(super) fn has_marked(&self, span: Span) -> bool {
        !span.reduced && memmem::find(self.scanner.bytes(span), MARKED).is_some()
    }

    /// Walks over an array, or `null`.
    pub(super) fn each(
        &mut self,
        key: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<(), PlanError>,
    ) -> Result<(), PlanError> {
        self.place.push(Step::Key(key));
        if self.scanner.peek()? == Some(b'n') {
            self.scanner.value()?;
        } else {
            self.scanner.open(b'[')?;
            let mut first = true;
            let mut index = 0;
            while self.scanner.next_element(&mut first)? {
                self.place.push(Step::Index(index));
                element(self)?;
                self.scanner.let_go();
                self.place.pop();
                index += 1;
            }
        }
        self.place.pop();
        Ok(())
    }

    /// Goes into an object along `keys`, skipping everything beside them.
    pub(super) fn descend(
        &mut self,
        keys: &[&[u8]],
        found: fn(&mut Self) -> Result<(), PlanError>,
    ) -> Result<(), PlanError> {
        let Some((wanted, rest)) = keys.split_first() else { return found(self) };
        self.each_entry(|document| {
            if document.scanner.key() == *wanted {
                return document.descend(rest, found);
            }
            document.skip()
        })
    }

    /// Moves over a value that nobody wants.
    pub(super) fn skip(&mut self) -> Result<(), PlanError> {
        self.scanner.value()?;
        Ok(())
    }

    /// Goes over the entries of an object; `entry` moves over each one's value. Anything else is
    /// skipped.
    pub(super) fn each_entry(
        &mut self,
        mut entry: impl FnMut(&mut Self) -> Result<(), PlanError>,
    ) -> Result<(), PlanError> {
        if self.scanner.peek()? != Some(b'{') {
            self.scanner.value()?;
            return Ok(());
        }
        self.scanner.open(b'{')?;
        let mut first = true;
        while self.scanner.next_key(&mut first)? {
            entry(self)?;
        }
        Ok(())
    }

    /// The fields of the next value, all kept until let go; those of anything but an object are none.
    pub(super) fn fields_if_any<const N: usize>(&mut self, names: [&[u8]; N]) -> Result<[Option<Span>; N], PlanError> {
        if self.scanner.peek()? != Some(b'{') {
            self.scanner.pass()?;
            return Ok([None; N]);
        }
        self.fields(names)
    }

    /// The fields of an object that was just reached, all kept until let go.
    pub(super) fn fields<const N: usize>(&mut self, names: [&[u8]; N]) -> Result<[Option<Span>; N], PlanError> {
        let mut spans = [None; N];
        self.begin_entry()?;
        let mut first = true;
        while self.scanner.next_key(&mut first)? {
            self.field_of(&names, &mut spans)?;
        }
        Ok(spans)
    }

    /// Goes into an object of which parts are kept until let go.
    pub(super) fn begin_entry(&mut self) -> Result<(), PlanError> {
        self.scanner.peek()?;
        self.scanner.keep();
        Ok(self.scanner.open(b'{')?)
    }

    /// Moves over the value of the key that was just read, keeping it if it is among `names`.
    pub(super) fn field_of(&mut self, names: &[&[u8]], spans: &mut [Option<Span>]) -> Result<(), PlanError> {
        let slot = names.iter().position(|name| *name == self.scanner.key());
        match slot.and_then(|slot| spans.get_mut(slot)) {
            Some(Some(_)) => return Err(PlanError::twice(self.scanner.position())),
            Some(slot) => *slot = Some(self.scanner.value()?),
            None => self.scanner.pass()?,
        }
        Ok(())
    }

    fn outputs(&mut self) -> Result<(), PlanError> {
        self.place.push(Step::Key("output_changes"));
        match self.scanner.peek()? {
            Some(b'{' | b'n') => self.each_entry(Self::output)?,
            _ => self.scanner.open(b'{')?,
        }
        self.place.pop();
        Ok(())
    }

    fn output(&mut self) -> Result<(), PlanError> {
        let name = self.key_text();
        let spans = self.fields(CHANGE)?;
        let mut change = self.small_change(&spans)?;
        self.large_change(&spans, &mut change)?;
        self.scanner.let_go();
        self.mark_change(&change);
        let kind = Kind::of(&change.actions);
        if kind == Kind::Unknown {
            self.unknown(change.actions.join(", "), &Value::Null);
        }
        if kind != Kind::NoOp {
            self.totals.output(&name, &change);
            self.effects.undecided.output(&name, &change.after_unknown);
            for visitor in self.visitors.iter_mut() {
                visitor.output_change(&name, &change);
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), PlanError> {
        let span = self.scanner.kept_value()?;
        let check: Value = self.parse(span)?;
        let text = |value: &Value, pointer: &str| {
            value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let none = Vec::new();
        let instances = check.get("instances").and_then(Value::as_array).unwrap_or(&none);
        // A check that expands to no instance still has a status of its own.
        let seen = if instances.is_empty() { std::slice::from_ref(&check) } else { instances };
        for instance in seen {
            let status = text(instance, "/status");
            match status.as_str() {
                "pass" => self.totals.plan.checks_passed += 1,
                "unknown" => self.totals.plan.checks_unknown += 1,
                _ => {
                    let problems = instance.get("problems").and_then(Value::as_array).unwrap_or(&none);
                    let problems: Vec<String> = problems.iter().map(|problem| text(problem, "/message")).collect();
                    self.messages += problems.iter().map(String::len).sum::<usize>();
                    let has_room = self.messages <= MOST_MESSAGES;
                    self.totals.check(CheckSummary {
                        address: text(instance, "/address/to_display"),
                        status,
                        problems: if has_room { problems } else { Vec::new() },
                    });
                }
            }
        }
        Ok(())
    }

    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.place {
            match step {
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => path.extend([".", key]),
                Step::Index(index) => path.extend(["[", &index.to_string(), "]"]),
            }
        }
        path
    }
}
