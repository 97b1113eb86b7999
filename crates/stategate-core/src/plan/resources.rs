//! The parts of a plan that are as long as it has resources.
//!
//! Most resources stay as they are: those are only asked for what they mark as sensitive. Of a
//! change, no more is built than somebody wants to see.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read;

use memchr::memmem;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::change::{Change, ResourceChange};
use super::delta::differs;
use super::differing::{build_differing, names_what_it_loses};
use super::error::PlanError;
use super::large::MARKED;
use super::reader::Document;
use super::scan::Span;
use super::summary::{DeferredSummary, Kind};
use super::totals::moved;

/// Steps into modules; deeper ones are not searched for secrets, and may hold any.
const MAX_MODULE_DEPTH: usize = 200;

/// Resources of which it is remembered that their values are known. Of more, those of the prior state
/// are looked at again.
const MOST_SEEN: usize = 200_000;

/// Larger marks are not remembered for the next resource, in bytes.
const MOST_REMEMBERED: usize = 16 * 1024;

/// Where the fields of an entry are, each as it is named in the document.
#[derive(Default)]
struct Entry {
    head: [Option<Span>; 10],
    change: Spans,
}

const HEAD: [&[u8]; 10] = [
    b"\"address\"",
    b"\"previous_address\"",
    b"\"module_address\"",
    b"\"mode\"",
    b"\"type\"",
    b"\"name\"",
    b"\"index\"",
    b"\"provider_name\"",
    b"\"deposed\"",
    b"\"action_reason\"",
];

/// Where the fields of a change are.
pub(super) type Spans = [Option<Span>; 9];

pub(super) const CHANGE: [&[u8]; 9] = [
    b"\"actions\"",
    b"\"importing\"",
    b"\"replace_paths\"",
    b"\"before\"",
    b"\"before_sensitive\"",
    b"\"after\"",
    b"\"after_sensitive\"",
    b"\"after_unknown\"",
    b"\"before_identity\"",
];

impl<R: Read> Document<'_, '_, R> {
    /// An entry of `resource_changes`.
    pub(super) fn resource_change(&mut self) -> Result<(), PlanError> {
        let entry = self.entry()?;
        let [actions, importing, _, before, ..] = entry.change;
        let [address, previous_address, _, _, _, _, _, _, deposed, _] = entry.head;
        // A deposed object has the same address, and what is created another value before.
        let is_known = deposed.is_none() && before.is_some_and(|before| self.scanner.bytes(before) != b"null");
        if let Some(address) = address.filter(|_| is_known && self.seen.len() < MOST_SEEN) {
            self.seen.insert(hash(self.scanner.bytes(address)));
        }
        let still = actions.is_some_and(|actions| self.scanner.bytes(actions) == b"[\"no-op\"]");
        if still && previous_address.is_none() && importing.is_none() {
            self.totals.plan.unchanged += 1;
            return self.mark_entry(&entry);
        }
        let mut change = self.small_fields(&entry)?;
        // OpenTofu 1.11 lists what it opens, in every plan. That changes nothing.
        if change.mode == "ephemeral" && change.change.actions == ["open"] {
            self.totals.plan.opened += 1;
            return self.mark_entry(&entry);
        }
        let kind = Kind::of(&change.change.actions);
        // The same again for what is written in an unusual way.
        if kind == Kind::NoOp && !moved(&change) && change.change.importing.is_none() {
            self.totals.plan.unchanged += 1;
            return self.mark_entry(&entry);
        }
        if self.visitors.is_empty() && !self.totals.has_room(kind) {
            self.totals.plan.hidden.may_be_more = true;
            self.mark_entry(&entry)?;
        } else {
            self.differing_change(&entry, &mut change.change)?;
        }
        if kind == Kind::Unknown {
            let words = change.change.actions.join(", ");
            self.unknown(if words.is_empty() { "no action".to_owned() } else { words }, &Value::Null);
        }
        self.totals.resource(&change);
        self.effects.change(&change, kind);
        for visitor in self.visitors.iter_mut() {
            visitor.resource_change(&change);
        }
        Ok(())
    }

    /// An entry of `resource_drift`.
    pub(super) fn drift(&mut self) -> Result<(), PlanError> {
        let entry = self.entry()?;
        let mut change = self.small_fields(&entry)?;
        let kind = Kind::of(&change.change.actions);
        // What is gone, or appeared, is told by its address.
        if !self.visitors.is_empty() || kind == Kind::Update {
            self.differing_change(&entry, &mut change.change)?;
        } else {
            self.mark_entry(&entry)?;
        }
        if kind != Kind::NoOp {
            for visitor in self.visitors.iter_mut() {
                visitor.drift(&change);
            }
        }
        self.totals.state_move(&change);
        // What only moves to another type is listed here as well.
        let is_news = kind != Kind::Update || differs(&change.change);
        if kind != Kind::NoOp && is_news {
            self.totals.drift(&change);
        }
        Ok(())
    }

    /// An entry of `deferred_changes`.
    pub(super) fn deferred(&mut self) -> Result<(), PlanError> {
        let mut reason = [None];
        let mut entry = Entry::default();
        self.begin_entry()?;
        let mut first = true;
        while self.scanner.next_key(&mut first)? {
            if self.scanner.key() == b"\"resource_change\"" {
                entry = self.entry()?;
            } else {
                self.field_of(&[b"\"reason\""], &mut reason)?;
            }
        }
        let mut change = self.small_fields(&entry)?;
        if self.visitors.is_empty() {
            self.mark_entry(&entry)?;
        } else {
            self.whole_change(&entry, &mut change.change)?;
        }
        let reason = self.field("reason", reason[0])?.unwrap_or_default();
        let deferred = DeferredSummary { address: change.address.clone(), reason };
        for visitor in self.visitors.iter_mut() {
            visitor.deferred(&deferred, &change);
        }
        self.totals.deferred(deferred);
        Ok(())
    }

    /// A module of the prior state: what its resources mark, and its child modules.
    pub(super) fn state_module(&mut self) -> Result<(), PlanError> {
        if self.place.len() > MAX_MODULE_DEPTH {
            self.marked.give_up();
            return self.skip();
        }
        self.each_entry(|document| match document.scanner.key() {
            b"\"resources\"" => document.each("resources", Self::state_resource),
            b"\"child_modules\"" => document.each("child_modules", Self::state_module),
            _ => document.skip(),
        })
    }

    fn state_resource(&mut self) -> Result<(), PlanError> {
        let [address, deposed, values, marks] =
            self.fields([b"\"address\"", b"\"deposed_key\"", b"\"values\"", b"\"sensitive_values\""])?;
        let is_seen = |address| self.seen.contains(&hash(self.scanner.bytes(address)));
        if deposed.is_none() && address.is_some_and(is_seen) {
            return Ok(());
        }
        self.mark(values, marks)
    }

    /// Walks over an entry, keeping what matters of it.
    fn entry(&mut self) -> Result<Entry, PlanError> {
        let mut entry = Entry::default();
        self.begin_entry()?;
        let mut first = true;
        while self.scanner.next_key(&mut first)? {
            if self.scanner.key() == b"\"change\"" && self.scanner.peek()? == Some(b'{') {
                if entry.change.iter().any(Option::is_some) {
                    return Err(PlanError::twice(self.scanner.position()));
                }
                entry.change = self.fields(CHANGE)?;
            } else {
                self.field_of(&HEAD, &mut entry.head)?;
            }
        }
        Ok(entry)
    }

    /// All but the values.
    fn small_fields(&self, entry: &Entry) -> Result<ResourceChange, PlanError> {
        let [address, previous, module, mode, r#type, name, index, provider, deposed, reason] = entry.head;
        Ok(ResourceChange {
            address: self.field("address", address)?.unwrap_or_default(),
            previous_address: self.field("previous_address", previous)?,
            module_address: self.field("module_address", module)?,
            mode: self.field("mode", mode)?.unwrap_or_default(),
            r#type: self.field("type", r#type)?.unwrap_or_default(),
            name: self.field("name", name)?.unwrap_or_default(),
            index: self.field("index", index)?,
            provider_name: self.field("provider_name", provider)?.unwrap_or_default(),
            deposed: self.field("deposed", deposed)?,
            change: self.small_change(&entry.change).map_err(|error| error.within("change"))?,
            action_reason: self.field("action_reason", reason)?,
        })
    }

    /// All of a change but the values.
    pub(super) fn small_change(&self, spans: &Spans) -> Result<Change, PlanError> {
        let [actions, importing, replace_paths, .., before_identity] = *spans;
        Ok(Change {
            actions: self.field("actions", actions)?.unwrap_or_default(),
            importing: self.field("importing", importing)?,
            replace_paths: self.field("replace_paths", replace_paths)?.unwrap_or_default(),
            before_identity: self.field("before_identity", before_identity)?.unwrap_or_default(),
            ..Change::default()
        })
    }

    /// The values, which can be large.
    pub(super) fn large_change(&self, spans: &Spans, change: &mut Change) -> Result<(), PlanError> {
        let [_, _, _, before, _, after, ..] = *spans;
        change.before = self.field("before", before)?.unwrap_or_default();
        change.after = self.field("after", after)?.unwrap_or_default();
        self.marks_of_change(spans, change)
    }

    /// What is sensitive or unknown of the values.
    fn marks_of_change(&self, spans: &Spans, change: &mut Change) -> Result<(), PlanError> {
        let [_, _, _, _, before_sensitive, _, after_sensitive, after_unknown, _] = *spans;
        change.before_sensitive = self.field("before_sensitive", before_sensitive)?.unwrap_or_default();
        change.after_sensitive = self.field("after_sensitive", after_sensitive)?.unwrap_or_default();
        change.after_unknown = self.field("after_unknown", after_unknown)?.unwrap_or_default();
        Ok(())
    }

    /// The values of a change, and what they mark.
    fn whole_change(&mut self, entry: &Entry, change: &mut Change) -> Result<(), PlanError> {
        self.large_change(&entry.change, change).map_err(|error| error.within("change"))?;
        self.mark_change(change);
        Ok(())
    }

    /// The same without the attributes that stay, where these can be told before anything is built.
    fn differing_change(&mut self, entry: &Entry, change: &mut Change) -> Result<(), PlanError> {
        self.marks_of_change(&entry.change, change).map_err(|error| error.within("change"))?;
        if let [_, _, _, Some(before), _, Some(after), ..] = entry.change
            && !self.has_marked(before)
            && !self.has_marked(after)
            && build_differing(self.scanner.bytes(before), self.scanner.bytes(after), change)
        {
            // All of its values say which object is lost, where nothing names it.
            if names_what_it_loses(change) {
                self.mark_change(change);
                return Ok(());
            }
            change.unchanged = 0;
        }
        self.whole_change(entry, change)
    }

    pub(super) fn field<T: DeserializeOwned>(&self, name: &str, span: Option<Span>) -> Result<Option<T>, PlanError> {
        span.map_or(Ok(None), |span| self.parse(span)).map_err(|error: PlanError| error.within(name))
    }

    /// Takes what an entry marks, without building the rest of it.
    fn mark_entry(&mut self, entry: &Entry) -> Result<(), PlanError> {
        let [_, _, _, before, before_marks, after, after_marks, ..] = entry.change;
        self.mark(before, before_marks)?;
        let bytes = |span: Option<Span>| span.map(|span| self.scanner.bytes(span));
        if bytes(before) == bytes(after) && bytes(before_marks) == bytes(after_marks) {
            return Ok(());
        }
        self.mark(after, after_marks)
    }

    pub(super) fn mark(&mut self, value: Option<Span>, marks: Option<Span>) -> Result<(), PlanError> {
        let (Some(value), Some(marks)) = (value, marks) else { return Ok(()) };
        let written = self.scanner.bytes(marks);
        if written != self.last_marks.0 {
            if memmem::find(written, b"true").is_none() && memmem::find(written, MARKED).is_none() {
                return Ok(());
            }
            let built = self.parse(marks)?;
            self.last_marks = (self.scanner.bytes(marks).to_vec(), built);
        }
        if self.marked.add_json(self.scanner.bytes(value), &self.last_marks.1).is_err() {
            // Whatever is wrong, the usual way finds out where.
            let value: Value = self.parse(value)?;
            self.marked.add(&value, &self.last_marks.1);
        }
        if self.last_marks.0.len() > MOST_REMEMBERED {
            self.last_marks = (Vec::new(), Value::Null);
        }
        Ok(())
    }

    /// Takes what a change marks.
    pub(super) fn mark_change(&mut self, change: &Change) {
        self.marked.add(&change.before, &change.before_sensitive);
        self.marked.add(&change.after, &change.after_sensitive);
    }
}

pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
