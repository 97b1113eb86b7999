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
use stategate_core::network::Network;

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

/// One request and how it ends, for the debug log: no header, no query, no body.
#[derive(Debug)]
pub struct Exchange {
    request: String,
    attempt: u32,
    since: Instant,
    is_told: bool,
}

impl Exchange {
    /// The request goes out now.
    pub fn begin(method: &str, to: &Uri, attempt: u32) -> Exchange {
        let host = to.host().unwrap_or_default();
        // A container's path to its credentials is a secret of its own.
        let path = if host.starts_with("169.254.") { "/…" } else { to.path() };
        Exchange { request: format!("{method} {host} {path}"), attempt, since: Instant::now(), is_told: false }
    }

    /// It is answered with this status, or it is not.
    pub fn end(mut self, ended: Result<u16, &Trouble>) {
        match ended {
            Ok(status) => self.tell(&status),
            Err(trouble) => self.tell(trouble),
        }
    }

    fn tell(&mut self, how: &dyn std::fmt::Display) {
        self.is_told = true;
        let Exchange { request, attempt, since, .. } = self;
        detail!("{request}: {how} in {} ms, attempt {attempt}", since.elapsed().as_millis());
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(&"given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_request_is_told_once_also_one_that_nobody_waits_for() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let uri = |text: &'static str| Uri::from_static(text);
            Exchange::begin("GET", &uri("https://user:hunter2@host/path?X-Amz-Signature=hunter2"), 1).end(Ok(200));
            drop(Exchange::begin("PUT", &uri("https://host/slow"), 2));
            let trouble = Trouble::Connection("reset".to_owned());
            Exchange::begin("GET", &uri("http://169.254.170.2/v2/credentials/hunter2"), 1).end(Err(&trouble));
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        for told in ["GET host /path: 200 in ", "PUT host /slow: given up in ", " /…: reset in ", "attempt 2"] {
            assert!(text.contains(told), "{told}: {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }
}
