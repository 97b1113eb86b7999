//! A server on loopback that answers as a test tells it, and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::shell::github::{Connection, GitHub, Pauses};
use stategate_core::network::Network;

/// What the client asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    /// The path with its query.
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Value,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// What the server answers.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) after: Duration,
}

impl Reply {
    pub(super) fn json(body: &Value) -> Self {
        Self::status(200, body)
    }

    pub(super) fn status(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string(), after: Duration::ZERO }
    }

    pub(super) fn message(status: u16, message: &str) -> Self {
        Self::status(status, &serde_json::json!({ "message": message }))
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Answers only when the client no longer listens.
    pub(super) fn too_late(mut self) -> Self {
        self.after = Duration::from_secs(2);
        self
    }
}

type Handler = dyn Fn(&Asked) -> Reply + Send + Sync;

pub(super) struct Fake {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    pub(super) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Handler> = Arc::new(answer);
        let app = Router::new().fallback(handle).with_state((Arc::clone(&asked), answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, asked }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The method and path of each request so far.
    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }

    /// A client whose waits are too short to be noticed.
    pub(super) fn client(&self) -> GitHub {
        self.client_at("", "/graphql")
    }

    pub(super) fn client_at(&self, api: &str, graphql: &str) -> GitHub {
        GitHub::connect(Connection {
            api_url: format!("{}{api}", self.url),
            graphql_url: format!("{}{graphql}", self.url),
            token: "ghs_secret".into(),
            network: Network::default(),
            pauses: Pauses {
                connect: Duration::from_millis(500),
                answer: Duration::from_millis(500),
                tries: vec![Duration::from_millis(1); 3],
                index: vec![Duration::from_millis(1); 5],
                rate_limit: Duration::from_secs(3),
                rate_limit_least: Duration::from_millis(1),
            },
        })
        .unwrap()
    }
}

type Shared = (Arc<Mutex<Vec<Asked>>>, Arc<Handler>);

async fn handle(State((asked, answer)): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let one = Asked {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: parts
            .headers
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    };
    asked.lock().unwrap().push(one.clone());
    let reply = answer(&one);
    tokio::time::sleep(reply.after).await;
    let mut response = (StatusCode::from_u16(reply.status).unwrap(), reply.body).into_response();
    for (name, value) in reply.headers {
        response.headers_mut().append(name, value.parse().unwrap());
    }
    response
}
