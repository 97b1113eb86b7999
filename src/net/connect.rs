//! A connection to a host: straight or through its proxy, and encrypted where the address says so.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::proxy::{Proxies, Proxy};
use super::tls;
use super::trouble::{Trouble, causes};
use stategate_core::network::Network;

/// A proxy's answer to `CONNECT` is a line and some headers.
const LONGEST_ANSWER: usize = 16 * 1024;

#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    limit: Duration,
    /// Or why nothing can be connected to.
    ways: Result<Arc<Ways>, Trouble>,
}

struct Ways {
    proxies: Proxies,
    tls: Arc<ClientConfig>,
}

impl Connector {
    pub(super) fn new(network: &Network, limit: Duration) -> Connector {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let ways = || {
            let proxies = Proxies::new(network)?;
            Ok(Arc::new(Ways { proxies, tls: tls::config(network.ca_bundle.as_deref())? }))
        };
        Connector { tcp, limit, ways: ways() }
    }

    /// What a request must tell the proxy itself: only where it is passed on unencrypted.
    pub(super) fn proxy_authorization(&self, to: &Uri) -> Option<HeaderValue> {
        let ways = self.ways.as_ref().ok().filter(|_| to.scheme_str() == Some("http"))?;
        ways.proxies.on_the_way_to(to)?.authorization
    }

    async fn connect(mut self, to: &Uri) -> Result<Stream, Trouble> {
        let ways = self.ways.clone()?;
        let is_secure = to.scheme_str() == Some("https");
        let Some(proxy) = ways.proxies.on_the_way_to(to) else {
            let tcp = self.reach(to).await.map_err(|why| unreached(to, &why))?;
            return Ok(Stream { io: ways.secured(tcp, to, is_secure).await?, through_proxy: false });
        };
        let refused = |why: String| Trouble::Proxy { proxy: proxy.name(), why };
        let tcp = self.reach(&proxy.uri).await.map_err(|why| refused(format!("cannot be reached: {why}")))?;
        let io = ways.secured(tcp, &proxy.uri, proxy.uri.scheme_str() == Some("https")).await?;
        if !is_secure {
            return Ok(Stream { io, through_proxy: true });
        }
        let io = tunnel(io, &proxy, to).await.map_err(refused)?;
        Ok(Stream { io: ways.secured(io, to, true).await?, through_proxy: false })
    }

    async fn reach(&mut self, to: &Uri) -> Result<Box<dyn Io>, String> {
        match self.tcp.call(to.clone()).await {
            Ok(stream) => Ok(Box::new(stream.into_inner())),
            Err(error) => Err(causes(&error)),
        }
    }
}

impl Ways {
    async fn secured(&self, io: Box<dyn Io>, to: &Uri, is_secure: bool) -> Result<Box<dyn Io>, Trouble> {
        if !is_secure {
            return Ok(io);
        }
        let host = to.host().unwrap_or_default();
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name)
            .map_err(|error| unreached(to, &format!("`{host}` is not a host's name: {error}")))?;
        match TlsConnector::from(Arc::clone(&self.tls)).connect(name, io).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(rustls::Error::InvalidCertificate(why)) => {
                    Err(Trouble::Certificate { host: host.to_owned(), why: format!("{why:?}") })
                }
                _ => Err(unreached(to, &format!("no TLS: {}", causes(&error)))),
            },
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Trouble;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Trouble>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Trouble>> {
        self.tcp.poll_ready(context).map_err(|error| Trouble::Connection(causes(&error)))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (connector, limit) = (self.clone(), self.limit);
        Box::pin(async move {
            match tokio::time::timeout(limit, connector.connect(&to)).await {
                Ok(connected) => connected.map(TokioIo::new),
                Err(_) => Err(Trouble::Slow { host: place(&to), seconds: limit.as_secs() }),
            }
        })
    }
}

/// Asks the proxy for a way through; what went wrong fits after its name.
async fn tunnel(mut io: Box<dyn Io>, proxy: &Proxy, to: &Uri) -> Result<Box<dyn Io>, String> {
    let cut = |error: io::Error| format!("broke off: {error}");
    let place = place(to);
    let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    io.write_all(&request).await.map_err(cut)?;
    io.flush().await.map_err(cut)?;
    // Byte by byte: what comes after the answer belongs to the tunnel.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() == LONGEST_ANSWER {
            return Err("does not answer as a proxy".to_owned());
        }
        answer.push(io.read_u8().await.map_err(cut)?);
    }
    let answer = String::from_utf8_lossy(&answer);
    let line = answer.lines().next().unwrap_or_default();
    let status = line.split_whitespace().nth(1).filter(|_| line.starts_with("HTTP/1."));
    match status {
        Some(status) if status.len() == 3 && status.starts_with('2') => Ok(io),
        Some("407") => Err(format!("asks for a user and a password (407), on the way to {place}")),
        Some(status) => Err(format!("refused the way to {place} ({status:.3})")),
        None => Err("does not answer as a proxy".to_owned()),
    }
}

/// Nothing was sent, for this reason.
fn unreached(to: &Uri, why: &str) -> Trouble {
    Trouble::Unreached { host: to.host().unwrap_or_default().to_owned(), why: format!("{}: {why}", place(to)) }
}

/// Host and port.
fn place(to: &Uri) -> String {
    let port = to.port_u16().unwrap_or(if to.scheme_str() == Some("https") { 443 } else { 80 });
    format!("{}:{port}", to.host().unwrap_or_default())
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection, ready for requests.
pub(super) struct Stream {
    io: Box<dyn Io>,
    /// Then a request names its whole address, and the proxy passes it on.
    through_proxy: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.through_proxy)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
