//! The GraphQL interface: the whole object is made, and the query selects from it. A field that the
//! fake does not have is refused as GitHub refuses one that it does not have.

use std::collections::BTreeMap;

use graphql_parser::query::{
    Definition, Document, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet, TypeCondition,
    Value as Literal, parse_query,
};
use serde_json::{Map, Value, json};

use super::graphql_schema;
use super::holes;
use super::queue::Entry;
use super::server::{Answer, Question};
use super::state::{Comment, Commit, Pull, PullEvent, PullEventKind, Review, State, is_bot, now};
use super::views::tree;

/// Why a query is refused.
struct Refusal(Value);

struct Query<'a> {
    fragments: BTreeMap<&'a str, &'a FragmentDefinition<'static, String>>,
    variables: Value,
}

/// Answers with `data`, or with `errors`.
pub fn answer(state: &mut State, question: &Question) -> Answer {
    let text = question.body["query"].as_str().unwrap_or_default();
    let document = match parse_query::<String>(text) {
        Ok(document) => document.into_static(),
        Err(error) => return refused(refusal("graphqlParseError", &error.to_string())),
    };
    if let Some(problem) = graphql_schema::refusal(&document) {
        return refused(refusal("undefinedField", &problem));
    }
    match execute(state, question, &document) {
        Ok((data, errors)) => {
            state.violations.extend(graphql_schema::violations(&document, &data));
            Answer::ok(holes::cut(&state.holes, data, errors))
        }
        Err(refusal) => refused(refusal),
    }
}

fn refused(Refusal(error): Refusal) -> Answer {
    let data = error.get("type").map(|_| Value::Null);
    Answer::ok(match data {
        Some(data) => json!({ "data": data, "errors": [error] }),
        None => json!({ "errors": [error] }),
    })
}

fn refusal(code: &str, message: &str) -> Refusal {
    Refusal(json!({ "message": message, "extensions": { "code": code }, "locations": [{ "line": 1, "column": 1 }] }))
}

/// An error of the resolver, as against one of the query itself.
fn failure(kind: &str, message: &str) -> Refusal {
    Refusal(json!({ "type": kind, "message": message, "path": [], "locations": [{ "line": 1, "column": 1 }] }))
}

fn execute(
    state: &mut State,
    question: &Question,
    document: &Document<'static, String>,
) -> Result<(Value, Vec<Value>), Refusal> {
    let mut query =
        Query { fragments: BTreeMap::new(), variables: question.body.get("variables").cloned().unwrap_or_default() };
    let mut operation = None;
    for definition in &document.definitions {
        match definition {
            Definition::Fragment(fragment) => {
                query.fragments.insert(&fragment.name, fragment);
            }
            Definition::Operation(found) => operation = Some(found),
        }
    }
    let (selection, variables, mutates) = match operation {
        Some(OperationDefinition::Query(query)) => (&query.selection_set, query.variable_definitions.as_slice(), false),
        Some(OperationDefinition::Mutation(query)) => {
            (&query.selection_set, query.variable_definitions.as_slice(), true)
        }
        Some(OperationDefinition::SelectionSet(set)) => (set, [].as_slice(), false),
        _ => return Err(refusal("missingOperation", "A query attribute must be specified and must be a string.")),
    };
    for variable in variables {
        let required = matches!(variable.var_type, graphql_parser::query::Type::NonNullType(_));
        if required && variable.default_value.is_none() && query.variables[&variable.name].is_null() {
            let message =
                format!("Variable ${} of type {} was provided invalid value", variable.name, variable.var_type);
            return Err(refusal("missingRequiredVariable", &message));
        }
    }

    let mut data = Map::new();
    let mut errors = Vec::new();
    for field in query.fields(selection, if mutates { "Mutation" } else { "Query" })? {
        let arguments = query.arguments(field);
        let value = match field.name.as_str() {
            "rateLimit" if !mutates => {
                json!({ "__typename": "RateLimit", "limit": 1000, "cost": 1, "remaining": 999, "resetAt": now() })
            }
            "viewer" if !mutates => actor(&question.token.login),
            "repository" if !mutates => repository(state, question, &arguments)?,
            "user" | "organization" if !mutates => match account(state, question, &field.name, &arguments) {
                Ok(account) => account,
                // These may be null, so an error leaves the rest of the answer alone.
                Err(Refusal(mut error)) => {
                    error["path"] = json!([name_of(field)]);
                    errors.push(error);
                    Value::Null
                }
            },
            "minimizeComment" if mutates => minimize(state, question, &arguments)?,
            other => {
                let kind = if mutates { "Mutation" } else { "Query" };
                return Err(undefined(other, kind));
            }
        };
        let selected = query.select(state, &value, &field.selection_set)?;
        data.insert(name_of(field), selected);
    }
    Ok((Value::Object(data), errors))
}

/// A person, or the organisation with its teams, which the workflow's token cannot see.
fn account(state: &State, question: &Question, kind: &str, arguments: &Map<String, Value>) -> Result<Value, Refusal> {
    let login = arguments.get("login").and_then(Value::as_str).unwrap_or_default();
    let not_found = || failure("NOT_FOUND", &format!("Could not resolve to a login of '{login}'."));
    if kind == "user" {
        let person = state.people.keys().find(|person| person.eq_ignore_ascii_case(login));
        return person.map(|person| actor(person)).ok_or_else(not_found);
    }
    if !login.eq_ignore_ascii_case(&state.owner) {
        return Err(not_found());
    }
    let seen = question.may("members", false);
    let teams = state.teams.keys().filter(|_| seen);
    let teams: Vec<Value> = teams.map(|slug| json!({ "__typename": "Team", "slug": slug })).collect();
    Ok(json!({ "__typename": "Organization", "login": state.owner, "teams": connection("Team", &teams) }))
}

impl<'a> Query<'a> {
    /// The fields of a selection that hold for the type, with fragments opened.
    fn fields(
        &self,
        set: &'a SelectionSet<'static, String>,
        kind: &str,
    ) -> Result<Vec<&'a Field<'static, String>>, Refusal> {
        let mut fields = Vec::new();
        for item in &set.items {
            let (condition, inner) = match item {
                Selection::Field(field) => {
                    fields.push(field);
                    continue;
                }
                Selection::InlineFragment(fragment) => (fragment.type_condition.as_ref(), &fragment.selection_set),
                Selection::FragmentSpread(spread) => {
                    let fragment = self.fragments.get(spread.fragment_name.as_str());
                    let fragment = fragment.ok_or_else(|| refusal("useAndDefineFragment", &spread.fragment_name))?;
                    (Some(&fragment.type_condition), &fragment.selection_set)
                }
            };
            let fits = condition.is_none_or(|TypeCondition::On(wanted)| wanted == kind);
            if fits {
                fields.extend(self.fields(inner, kind)?);
            }
        }
        Ok(fields)
    }

    fn arguments(&self, field: &Field<'static, String>) -> Map<String, Value> {
        field.arguments.iter().map(|(name, value)| (name.clone(), self.value(value))).collect()
    }

    fn value(&self, literal: &Literal<'_, String>) -> Value {
        match literal {
            Literal::Variable(name) => self.variables[name].clone(),
            Literal::Int(number) => number.as_i64().into(),
            Literal::Float(number) => (*number).into(),
            Literal::String(text) | Literal::Enum(text) => text.clone().into(),
            Literal::Boolean(truth) => (*truth).into(),
            Literal::Null => Value::Null,
            Literal::List(items) => items.iter().map(|item| self.value(item)).collect(),
            Literal::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), self.value(value))).collect(),
        }
    }

    fn select(&self, state: &State, value: &Value, set: &'a SelectionSet<'static, String>) -> Result<Value, Refusal> {
        let object = match value {
            Value::Array(items) => {
                return items.iter().map(|item| self.select(state, item, set)).collect::<Result<Value, _>>();
            }
            Value::Object(object) if !set.items.is_empty() => object,
            scalar => return Ok(scalar.clone()),
        };
        let kind = object.get("__typename").and_then(Value::as_str).expect("each object has its type");
        let mut selected = Map::new();
        for field in self.fields(set, kind)? {
            let arguments = self.arguments(field);
            let found = match (kind, field.name.as_str()) {
                ("Repository", "object") => commit_by(state, arguments.get("oid")),
                ("Repository", "pullRequest") => pull_by(state, arguments.get("number")),
                ("Repository", "mergeQueue") => queue(state)?,
                ("Organization", "team") => {
                    let teams = object["teams"]["nodes"].as_array().into_iter().flatten();
                    let wanted = |team: &&Value| Some(&team["slug"]) == arguments.get("slug");
                    teams.clone().find(wanted).cloned().unwrap_or_default()
                }
                (_, name) => object.get(name).cloned().ok_or_else(|| undefined(name, kind))?,
            };
            let found = if found.get("nodes").is_some() { page(&found, &arguments)? } else { found };
            if found.is_object() && field.selection_set.items.is_empty() {
                let message = format!("Field must have selections (field '{}' of '{kind}')", field.name);
                return Err(refusal("selectionMismatch", &message));
            }
            selected.insert(name_of(field), self.select(state, &found, &field.selection_set)?);
        }
        Ok(Value::Object(selected))
    }
}

fn undefined(field: &str, kind: &str) -> Refusal {
    refusal("undefinedField", &format!("Field '{field}' doesn't exist on type '{kind}'"))
}

fn name_of(field: &Field<'static, String>) -> String {
    field.alias.clone().unwrap_or_else(|| field.name.clone())
}

/// A connection's page, by `first`, `last`, `after` and the filters that reviews know.
fn page(connection: &Value, arguments: &Map<String, Value>) -> Result<Value, Refusal> {
    let number =
        |name: &str| arguments.get(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let kind = connection["__typename"].as_str().unwrap_or_default();
    let (first, last) = (number("first"), number("last"));
    if first.or(last).is_none() {
        let message = format!("You must provide a `first` or `last` value to properly paginate the `{kind}`.");
        return Err(failure("MISSING_PAGINATION_BOUNDARIES", &message));
    }
    if first.or(last).is_some_and(|size| size > 100) {
        return Err(failure("EXCESSIVE_PAGINATION", "Requesting more than 100 records is not allowed."));
    }
    let mut nodes = connection["nodes"].as_array().cloned().unwrap_or_default();
    if let Some(kinds) = arguments.get("itemTypes").and_then(Value::as_array) {
        let is_of =
            |node: &Value, kind: &Value| kind.as_str().map(type_of_item).as_deref() == node["__typename"].as_str();
        nodes.retain(|node| kinds.iter().any(|kind| is_of(node, kind)));
    }
    if arguments.get("writersOnly") == Some(&Value::Bool(true)) {
        nodes.retain(|node| node["authorCanPushToRepository"] == true);
    }
    let total = nodes.len();
    let after = arguments.get("after").and_then(Value::as_str).and_then(|cursor| cursor.parse::<usize>().ok());
    let start = after.unwrap_or(0).min(total);
    let range = match (first, last) {
        (Some(size), _) => start..(start + size).min(total),
        (None, size) => total.saturating_sub(size.unwrap_or(total)).max(start)..total,
    };
    let page_info = json!({
        "__typename": "PageInfo",
        "hasNextPage": range.end < total,
        "hasPreviousPage": range.start > 0,
        "startCursor": (!range.is_empty()).then(|| range.start.to_string()),
        "endCursor": (!range.is_empty()).then(|| range.end.to_string()),
    });
    Ok(json!({ "__typename": kind, "nodes": nodes[range], "totalCount": total, "pageInfo": page_info }))
}

/// `BASE_REF_CHANGED_EVENT` → `BaseRefChangedEvent`.
fn type_of_item(word: &str) -> String {
    let part = |part: &str| format!("{}{}", &part[..1], part[1..].to_lowercase());
    word.split('_').map(part).collect()
}

fn connection(kind: &str, nodes: &[Value]) -> Value {
    json!({ "__typename": format!("{kind}Connection"), "nodes": nodes })
}

fn repository(state: &State, question: &Question, arguments: &Map<String, Value>) -> Result<Value, Refusal> {
    let is = |name: &str, expected: &str| arguments.get(name).and_then(Value::as_str) == Some(expected);
    if !is("owner", &state.owner) || !is("name", &state.name) {
        return Err(failure("NOT_FOUND", "Could not resolve to a Repository with the given name."));
    }
    if !question.may("contents", false) || !question.may("pull_requests", false) {
        return Err(failure("FORBIDDEN", "Resource not accessible by integration"));
    }
    let tip = &state.branches[&state.default_branch];
    Ok(json!({
        "__typename": "Repository",
        "nameWithOwner": state.slug(),
        "isPrivate": true,
        "defaultBranchRef": {
            "__typename": "Ref",
            "name": state.default_branch,
            "target": state.commits.get(tip).map(|commit| commit_object(state, commit, true)),
        },
    }))
}

fn commit_by(state: &State, oid: Option<&Value>) -> Value {
    let commit = oid.and_then(Value::as_str).and_then(|sha| state.commits.get(sha));
    commit.map_or(Value::Null, |commit| commit_object(state, commit, true))
}

fn pull_by(state: &State, number: Option<&Value>) -> Value {
    let pull = number.and_then(Value::as_u64).and_then(|number| state.pulls.get(&number));
    pull.map_or(Value::Null, |pull| pull_object(state, pull))
}

fn queue(state: &State) -> Result<Value, Refusal> {
    if state.hides_queue {
        return Err(failure("FORBIDDEN", "Resource not accessible by integration"));
    }
    let entry = |entry: &Entry| {
        let pull = state.pulls.get(&entry.number).map(|pull| pull_object(state, pull));
        let head = oid(entry.commits.last().map(String::as_str));
        json!({ "__typename": "MergeQueueEntry", "headCommit": head, "pullRequest": pull })
    };
    let entries: Vec<Value> = state.queue.iter().map(entry).collect();
    Ok(json!({ "__typename": "MergeQueue", "entries": connection("MergeQueueEntry", &entries) }))
}

/// People are shown without a bot's suffix here, and typed.
fn actor(login: &str) -> Value {
    let kind = if is_bot(login) { "Bot" } else { "User" };
    let login = login.trim_end_matches("[bot]");
    json!({ "__typename": kind, "login": login, "url": format!("https://github.com/{login}") })
}

fn maybe_actor(login: Option<&str>) -> Value {
    login.map_or(Value::Null, actor)
}

fn oid(sha: Option<&str>) -> Value {
    sha.map_or(Value::Null, |sha| json!({ "__typename": "Commit", "oid": sha }))
}

fn commit_object(state: &State, commit: &Commit, with_pulls: bool) -> Value {
    let person =
        |login: Option<&str>| json!({ "__typename": "GitActor", "user": maybe_actor(login), "date": commit.at });
    let parents: Vec<Value> = commit.parents.iter().map(|sha| oid(Some(sha))).collect();
    let mut object = json!({
        "__typename": "Commit",
        "oid": commit.sha,
        "message": commit.message,
        "messageHeadline": commit.message.lines().next(),
        "committedDate": commit.at,
        "author": person(commit.author.as_deref()),
        "committer": person(commit.committer()),
        "signature": commit.on_page.then(|| json!({
            "__typename": "GpgSignature",
            "isValid": true,
            "wasSignedByGitHub": true,
        })),
        "parents": connection("Commit", &parents),
        "tree": { "__typename": "Tree", "oid": tree(&commit.sha) },
    });
    if with_pulls {
        let belongs = |pull: &&Pull| pull.index_lag == 0 && pull.brought(&commit.sha);
        let pulls: Vec<Value> = state.pulls.values().filter(belongs).map(|pull| pull_object(state, pull)).collect();
        object["associatedPullRequests"] = connection("PullRequest", &pulls);
    }
    object
}

fn pull_object(state: &State, pull: &Pull) -> Value {
    let commits = pull.commits.iter().filter_map(|sha| state.commits.get(sha));
    let commits: Vec<Value> = commits
        .map(|commit| json!({ "__typename": "PullRequestCommit", "commit": commit_object(state, commit, false) }))
        .collect();
    let reviews: Vec<Value> = pull.reviews.iter().map(|review| review_object(state, review)).collect();
    let opinions: Vec<Value> = pull.latest_opinions().into_iter().map(|review| review_object(state, review)).collect();
    let comments = state.comments.values().filter(|comment| comment.issue == pull.number);
    let comments: Vec<Value> = comments.map(comment_object).collect();
    let events: Vec<Value> = pull.events.iter().map(|event| event_object(state, pull, event)).collect();
    json!({
        "__typename": "PullRequest",
        "id": format!("PR_{}", pull.number),
        "number": pull.number,
        "title": pull.title,
        "url": format!("https://github.com/{}/pull/{}", state.slug(), pull.number),
        "state": if pull.merged() { "MERGED" } else if pull.open { "OPEN" } else { "CLOSED" },
        "merged": pull.merged(),
        "mergedAt": pull.merge.as_ref().map(|merge| merge.at),
        "isDraft": false,
        "baseRefName": pull.base,
        "baseRefOid": pull.base_sha,
        "headRefName": pull.branch,
        "headRefOid": pull.head_sha(),
        "isCrossRepository": pull.head_owner != state.owner,
        "baseRepository": { "__typename": "Repository", "nameWithOwner": state.slug() },
        "headRepository": { "__typename": "Repository", "nameWithOwner": format!("{}/{}", pull.head_owner, state.name) },
        "mergeCommit": oid(pull.merge.as_ref().map(|merge| merge.sha.as_str())),
        "author": actor(&pull.author),
        "mergedBy": maybe_actor(pull.merge.as_ref().map(|merge| merge.by.as_str())),
        // Null where the branch requires no reviews, as here.
        "reviewDecision": null,
        "commits": connection("PullRequestCommit", &commits),
        "timelineItems": connection("PullRequestTimelineItems", &events),
        "reviews": connection("PullRequestReview", &reviews),
        "latestOpinionatedReviews": connection("PullRequestReview", &opinions),
        "comments": connection("IssueComment", &comments),
    })
}

fn review_object(state: &State, review: &Review) -> Value {
    let team = |slug: &String| json!({ "__typename": "Team", "slug": slug, "combinedSlug": format!("{}/{slug}", state.owner) });
    let teams: Vec<Value> = review.on_behalf_of.iter().map(team).collect();
    let can_push = review.author.as_deref().is_some_and(|login| state.can_write(login));
    json!({
        "__typename": "PullRequestReview",
        "id": format!("PRR_{}", review.id),
        "state": review.state,
        "submittedAt": review.at,
        "authorAssociation": "CONTRIBUTOR",
        "authorCanPushToRepository": can_push,
        "author": maybe_actor(review.author.as_deref()),
        "commit": oid(review.commit.as_deref()),
        "onBehalfOf": connection("Team", &teams),
    })
}

fn event_object(state: &State, pull: &Pull, event: &PullEvent) -> Value {
    let (kind, own) = match &event.what {
        PullEventKind::BaseChanged { from, to } => {
            ("BaseRefChangedEvent", json!({ "previousRefName": from, "currentRefName": to }))
        }
        PullEventKind::BaseFollowed { from, to } => {
            ("AutomaticBaseChangeSucceededEvent", json!({ "oldBase": from, "newBase": to }))
        }
        PullEventKind::Dismissed { review, state: was } => {
            let of = pull.reviews.iter().find(|one| one.id == *review).map(|one| review_object(state, one));
            ("ReviewDismissedEvent", json!({ "previousReviewState": was, "review": of }))
        }
    };
    let mut object = json!({
        "__typename": kind,
        "id": format!("PE_{}", event.id),
        "actor": actor(&event.by),
        "createdAt": event.at,
    });
    for (name, value) in own.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    object
}

fn comment_object(comment: &Comment) -> Value {
    json!({
        "__typename": "IssueComment",
        "id": format!("IC_{}", comment.id),
        "databaseId": comment.id,
        "body": comment.body,
        "author": actor(&comment.author),
        "isMinimized": comment.minimized,
        "createdAt": comment.created,
    })
}

fn minimize(state: &mut State, question: &Question, arguments: &Map<String, Value>) -> Result<Value, Refusal> {
    if !question.may("issues", true) && !question.may("pull_requests", true) {
        return Err(failure("FORBIDDEN", "Resource not accessible by integration"));
    }
    let input = arguments.get("input").cloned().unwrap_or_default();
    let id = input["subjectId"].as_str().and_then(|id| id.strip_prefix("IC_")).and_then(|id| id.parse().ok());
    let Some(comment) = id.and_then(|id: u64| state.comments.get_mut(&id)) else {
        return Err(failure("NOT_FOUND", "Could not resolve to a node with the global id."));
    };
    let reason = match input["classifier"].as_str() {
        Some("OUTDATED") => "outdated",
        Some("RESOLVED") => "resolved",
        _ => {
            return Err(refusal("argumentLiteralsIncompatible", "classifier is not one of ReportedContentClassifiers"));
        }
    };
    comment.minimized = true;
    let minimized = json!({ "__typename": "IssueComment", "isMinimized": true, "minimizedReason": reason });
    Ok(json!({ "__typename": "MinimizeCommentPayload", "minimizedComment": minimized }))
}
