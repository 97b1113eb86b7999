//! A company's network: a certificate authority of its own, services behind TLS under their public
//! names, and a proxy as the only way out.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::process::runtime;

/// A certificate authority that no system knows.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new(Vec::new()).expect("the parameters are sound");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("the certificate can be signed").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its certificate, in a file.
    pub fn file(&self, directory: &Path) -> String {
        let file = directory.join("authority.pem");
        std::fs::write(&file, &self.pem).expect("the certificate can be written");
        file.display().to_string()
    }

    /// TLS under these names in front of a plain server (`http://host:port`); its port.
    pub fn front(&self, names: &[&str], upstream: &str) -> u16 {
        let key = KeyPair::generate().expect("a key can be made");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("the names are sound");
        let certificate = params.signed_by(&key, &self.issuer).expect("the certificate can be signed");
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS can be set up")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .expect("the key fits");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let upstream = upstream.strip_prefix("http://").expect("a plain server").to_owned();
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        runtime().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                tokio::spawn(async move {
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
                    let _cut = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        port
    }
}

/// A proxy that knows some hosts, and what it was asked.
#[derive(Clone)]
pub struct Proxy {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// One request to the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its first line.
    pub line: String,
    pub authorization: Option<String>,
}

impl Proxy {
    /// Starts one that leads each named host to a port of this machine, and refuses any other.
    pub fn start(hosts: &[(&str, u16)]) -> Self {
        let hosts: Vec<(String, u16)> = hosts.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect();
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&asked);
        runtime().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, hosts.clone(), Arc::clone(&record)));
            }
        });
        Self { port, asked }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// With a user and a password that must never be shown.
    pub fn url_with_password(&self) -> String {
        format!("http://octocat:{PROXY_PASSWORD}@127.0.0.1:{}", self.port)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test fails while it holds the record").clone()
    }

    /// How often it was asked for a host.
    pub fn times(&self, host: &str) -> usize {
        self.asked().iter().filter(|asked| asked.line.contains(host)).count()
    }
}

pub const PROXY_PASSWORD: &str = "the-proxys-own-passphrase";

async fn serve(mut client: TcpStream, hosts: Vec<(String, u16)>, record: Arc<Mutex<Vec<Asked>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else { return };
        head.push(byte);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let line = text.lines().next().unwrap_or_default().to_owned();
    let header = |name: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let asked = Asked { line: line.clone(), authorization: header("proxy-authorization") };
    record.lock().expect("no test fails while it holds the record").push(asked);
    let target = line.split(' ').nth(1).unwrap_or_default();
    let is_tunnel = line.starts_with("CONNECT ");
    let host = target.trim_start_matches("http://").split(['/', ':']).next().unwrap_or_default();
    let Some((_, port)) = hosts.iter().find(|(known, _)| known == host) else {
        let _gone = client.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
        return;
    };
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", *port)).await else { return };
    let ready = if is_tunnel {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await
    } else {
        server.write_all(&head).await
    };
    if ready.is_ok() {
        let _cut = copy_bidirectional(&mut client, &mut server).await;
    }
}

/// The one that tests share: making keys takes a while.
pub fn authority() -> &'static Authority {
    static SHARED: OnceLock<Authority> = OnceLock::new();
    SHARED.get_or_init(Authority::new)
}
