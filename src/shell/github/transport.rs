//! One exchange with GitHub: a request with what each request says, and its answer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tower_service::Service;

use super::answer::Answer;
use crate::net::{Http, Trouble, causes};
use stategate_core::network::Network;

/// The version of the API whose answers we read.
const VERSION: &str = "2022-11-28";

/// octocrab over our own way out: its own client knows no proxy and repeats writes.
pub(super) fn client(network: &Network, connect: Duration) -> Octocrab {
    let transport = Transport(Http::new(network, connect));
    match OctocrabBuilder::new_empty().with_service(transport).with_auth(AuthState::None).build() {
        Ok(client) => client,
        Err(never) => match never {},
    }
}

/// Sends a request once, to an absolute address.
pub(super) async fn send(
    client: &Octocrab,
    token: &SecretString,
    method: &'static str,
    to: &Uri,
    body: Option<&Value>,
) -> Result<Answer, Trouble> {
    let unusable = |why: String| Trouble::Connection(why);
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_unprintable| unusable("the token cannot be sent".to_owned()))?;
    authorization.set_sensitive(true);
    let mut request = Request::builder()
        .method(method)
        .uri(to.clone())
        .header(ACCEPT, "application/vnd.github+json")
        .header(AUTHORIZATION, authorization)
        .header(USER_AGENT, concat!("stategate/", env!("CARGO_PKG_VERSION")))
        .header("x-github-api-version", VERSION);
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = request.body(body).map_err(|error| unusable(error.to_string()))?;
    let trouble = |error: octocrab::Error| {
        Trouble::find(&error).cloned().unwrap_or_else(|| unusable(causes(&error).replace(token.expose_secret(), "***")))
    };
    let response = client.execute(request).await.map_err(trouble)?;
    let (head, body) = response.into_parts();
    let body = client.body_to_string(Response::from_parts(head.clone(), body)).await.map_err(trouble)?;
    // A proxy's error page can repeat what it was sent.
    let body = if body.contains(token.expose_secret()) { body.replace(token.expose_secret(), "***") } else { body };
    Ok(Answer::new(head.status.as_u16(), &head.headers, body))
}

#[derive(Clone)]
struct Transport(Http<OctoBody>);

impl Service<Request<OctoBody>> for Transport {
    type Response = Response<Incoming>;
    type Error = Trouble;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Trouble>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Trouble>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<OctoBody>) -> Self::Future {
        let http = self.0.clone();
        Box::pin(async move { http.send(request).await })
    }
}
