//! The way out: one HTTP client for AWS and GitHub alike, with the same proxies, certificates,
//! time limits and words for what went wrong. It sends each request once; what may be sent again
//! is decided by whoever sends it.

mod connect;
mod proxy;
mod tls;
mod trouble;

use std::time::Duration;

use http::header::PROXY_AUTHORIZATION;
use http::{Request, Response, Uri};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use self::connect::Connector;
pub use self::trouble::{Trouble, causes};
use crate::core::network::Network;

/// An HTTP client. Cheap to clone; clones share their connections.
pub struct Http<B> {
    client: Client<Connector, B>,
    connector: Connector,
}

impl<B> Clone for Http<B> {
    fn clone(&self) -> Self {
        Http { client: self.client.clone(), connector: self.connector.clone() }
    }
}

impl<B> std::fmt::Debug for Http<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Http")
    }
}

impl<B> Http<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// A client that reaches the outside so. `connect` is the most that a connection may take,
    /// through the proxy and TLS included. A proxy or a bundle that is none is an error of each
    /// request.
    pub fn new(network: &Network, connect: Duration) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new());
        let connector = Connector::new(network, connect);
        Http { client: builder.build(connector.clone()), connector }
    }

    /// Sends a request with an absolute address.
    ///
    /// # Errors
    ///
    /// When there is no connection, or it ends before the answer begins.
    pub async fn send(&self, mut request: Request<B>) -> Result<Response<Incoming>, Trouble> {
        if let Some(authorization) = self.connector.proxy_authorization(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
        }
        self.client.request(request).await.map_err(|error| Trouble::from_client(&error))
    }
}

/// One line of the debug log for a request and how it ended: no header, no query, no body.
pub fn log_exchange(method: &str, to: &Uri, attempt: u32, since: Instant, ended: Result<u16, &Trouble>) {
    let host = to.host().unwrap_or_default();
    // A container's path to its credentials is a secret of its own.
    let path = if host.starts_with("169.254.") { "/…" } else { to.path() };
    let time = since.elapsed().as_millis();
    match ended {
        Ok(status) => tracing::debug!("{method} {host} {path}: {status} in {time} ms, attempt {attempt}"),
        Err(trouble) => tracing::debug!("{method} {host} {path}: {trouble}, after {time} ms, attempt {attempt}"),
    }
}
