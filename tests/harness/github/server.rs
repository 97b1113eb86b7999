//! The HTTP server in front of the fake: records, faults, tokens and permissions.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::state::{self, Fault, State, Token};
use super::{graphql, rest, schema};
use crate::harness::process::runtime;

/// What is asked, after the server understood who asks.
#[derive(Debug)]
pub struct Question {
    pub method: String,
    /// The path's parts, decoded.
    pub path: Vec<String>,
    pub query: BTreeMap<String, String>,
    pub body: Value,
    pub token: Token,
    /// Where the fake is, for the addresses in its answers.
    pub base: String,
}

/// What is answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Answer {
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    /// An error in GitHub's own shape.
    pub fn error(status: u16, message: &str) -> Self {
        let fields = json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": status.to_string(),
        });
        Self::new(status, schema::build("BasicError", &fields))
    }
}

/// The server; it stops when dropped.
#[derive(Debug)]
pub struct Server {
    port: u16,
    task: JoinHandle<()>,
}

impl Server {
    pub fn start(state: Arc<Mutex<State>>) -> Self {
        let listener = runtime().block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).expect("a port is free");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let app = Router::new().fallback(move |request: Request<Body>| serve(Arc::clone(&state), port, request));
        let task = runtime().spawn(async move {
            axum::serve(listener, app).await.expect("the fake GitHub serves");
        });
        Self { port, task }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(state: Arc<Mutex<State>>, port: u16, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 8 << 20).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let path = head.uri.path().to_owned();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let headers: BTreeMap<String, String> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();

    let (answer, delay) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = take_fault(&mut state, &head.method, &path);
        let base = format!("http://127.0.0.1:{port}");
        let mut answer = match &fault {
            Some(fault) if !fault.after && fault.status.is_some() => faulty(fault),
            _ => guarded(&mut state, |state| respond(state, &base, &head.method, &path, &query, &headers, &body)),
        };
        if let Some(fault) = fault.as_ref().filter(|fault| fault.after) {
            answer = faulty(fault);
        }
        state.requests.push(state::Request {
            method: head.method.to_string(),
            path,
            query,
            headers,
            body,
            status: answer.status,
        });
        (answer, fault.map_or(Duration::ZERO, |fault| fault.delay))
    };
    tokio::time::sleep(delay).await;

    let mut response = Response::builder()
        .status(answer.status)
        .header("content-type", "application/json; charset=utf-8")
        .header("x-ratelimit-limit", "1000")
        .header("x-ratelimit-remaining", "999");
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = if answer.body.is_null() { Body::empty() } else { Body::from(answer.body.to_string()) };
    response.body(body).expect("the answer's headers are sound")
}

/// A defect of the fake fails the test, and not the program that asked.
fn guarded(state: &mut State, respond: impl FnOnce(&mut State) -> Answer) -> Answer {
    match catch_unwind(AssertUnwindSafe(|| respond(state))) {
        Ok(answer) => answer,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            state.violations.push(text.unwrap_or_else(|| "an answer could not be made".to_owned()));
            Answer::new(500, json!({ "message": "the fake GitHub failed" }))
        }
    }
}

fn respond(
    state: &mut State,
    base: &str,
    method: &Method,
    path: &str,
    query: &str,
    headers: &BTreeMap<String, String>,
    body: &Value,
) -> Answer {
    // GitHub Enterprise Server has the same interfaces under /api.
    let path = path.strip_prefix("/api/v3").or_else(|| path.strip_prefix("/api")).unwrap_or(path);
    let path: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
    let Some(authorization) = headers.get("authorization") else {
        return match path.first().map(String::as_str) {
            Some("graphql") => Answer::error(401, "This endpoint requires you to be authenticated."),
            _ => Answer::error(404, "Not Found"),
        };
    };
    let secret = authorization.split_once(' ').map_or(authorization.as_str(), |(_, secret)| secret);
    let Some(token) = state.tokens.get(secret).cloned() else {
        return Answer::error(401, "Bad credentials");
    };
    let query = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let question =
        Question { method: method.to_string(), path, query, body: body.clone(), token, base: base.to_owned() };
    if question.path.first().is_some_and(|part| part == "graphql") {
        graphql::answer(state, &question)
    } else {
        rest::answer(state, &question)
    }
}

fn take_fault(state: &mut State, method: &Method, path: &str) -> Option<Fault> {
    let fits = |fault: &Fault| {
        fault.times > 0
            && path.contains(&fault.path)
            && fault.method.as_ref().is_none_or(|wanted| wanted == method.as_str())
    };
    let fault = state.faults.iter_mut().find(|fault| fits(fault))?;
    fault.times -= 1;
    Some(fault.clone())
}

fn faulty(fault: &Fault) -> Answer {
    let status = fault.status.unwrap_or(500);
    let message = match status {
        429 | 403 => "You have exceeded a secondary rate limit.",
        _ => "Server Error",
    };
    Answer { headers: fault.headers.clone(), ..Answer::error(status, message) }
}

fn decode(part: &str) -> String {
    let bytes = part.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| part.get(at + 1..at + 3)).flatten();
        if let Some(byte) = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            decoded.push(byte);
            at += 3;
        } else {
            decoded.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
