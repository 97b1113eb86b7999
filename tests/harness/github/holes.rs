//! Wrong answers of GraphQL's: lists with something missing. Each answer is sound before the hole is cut
//! into it.

use serde_json::{Value, json};

use super::state::{Hole, HoleKind};

/// The whole answer, with these holes in it and these errors beside it.
pub fn cut(holes: &[Hole], mut data: Value, mut errors: Vec<Value>) -> Value {
    for hole in holes {
        walk(&mut data, hole, &mut Vec::new(), &mut errors);
    }
    if errors.is_empty() { json!({ "data": data }) } else { json!({ "data": data, "errors": errors }) }
}

fn walk(value: &mut Value, hole: &Hole, path: &mut Vec<Value>, errors: &mut Vec<Value>) {
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                path.push(at.into());
                let is_broken = item.get(hole.list).is_some() && hole.what == HoleKind::Error;
                walk(item, hole, path, errors);
                // A list that may not be null takes what it belongs to with it, up to a place that may.
                if is_broken {
                    *item = Value::Null;
                }
                path.pop();
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                path.push(name.as_str().into());
                if name == hole.list && field.get("nodes").is_some() {
                    break_list(field, hole.what, path, errors);
                } else {
                    walk(field, hole, path, errors);
                }
                path.pop();
            }
        }
        _ => {}
    }
}

fn break_list(list: &mut Value, what: HoleKind, path: &[Value], errors: &mut Vec<Value>) {
    match what {
        HoleKind::NullNode => {
            if let Some(last) = list["nodes"].as_array_mut().and_then(|nodes| nodes.last_mut()) {
                *last = Value::Null;
            }
        }
        HoleKind::NoCursor => list["pageInfo"] = json!({ "hasNextPage": true, "endCursor": null }),
        HoleKind::NoPageInfo => list["pageInfo"] = Value::Null,
        HoleKind::Error => {
            *list = Value::Null;
            errors.push(json!({ "type": "FORBIDDEN", "message": "Something is not accessible", "path": path }));
        }
    }
}
