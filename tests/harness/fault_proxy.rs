//! A proxy between a client and the AWS stand-in that records every request and treats it as a
//! bad network or a bad service would.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::process::runtime;

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing bad.
    None,
    /// The connection is cut before the request arrives.
    Lose,
    /// The request is carried out, then the connection is cut.
    LoseAnswer,
    /// The connection is cut, and the request is carried out later.
    Late(Duration),
    /// The request is carried out late, and answered.
    Delay(Duration),
    /// The request is carried out twice at once; the second answer arrives.
    Twice,
    /// The request is answered, and a copy of it is carried out later.
    CopyLater(Duration),
    /// Carried out as a store does that ignores conditions.
    WithoutConditions,
    /// Carried out and answered, with a `Date` that is later by this.
    ClockAhead(Duration),
    /// This status and code instead of carrying it out.
    Status(u16, &'static str),
    /// This status and code after carrying it out.
    DoneBut(u16, &'static str),
}

/// One request as it came by.
#[derive(Debug, Clone)]
pub struct Seen {
    /// From 0, over all connections.
    pub number: usize,
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// What is done to the lock: `PUT`, `GET`, `DELETE`, `PutItem`, `GetItem`, `DeleteItem`.
    pub fn operation(&self) -> &str {
        match self.header("x-amz-target") {
            Some(target) => target.rsplit('.').next().unwrap(),
            None => &self.method,
        }
    }
}

/// Requests that nobody waits for any more, and when each is due. On a slow machine one can come later
/// than that; then whatever comes after it waits, so that no request is ever later than was said.
#[derive(Debug, Clone, Default)]
struct Strays(Arc<Mutex<Vec<(usize, Instant)>>>);

impl Strays {
    /// The request with this number will arrive after the delay.
    fn expect(&self, number: usize, delay: Duration) {
        self.0.lock().unwrap().push((number, Instant::now() + delay));
    }

    fn arrived(&self, number: usize) {
        self.0.lock().unwrap().retain(|(stray, _)| *stray != number);
    }

    /// Waits for those that are due.
    async fn due(&self) {
        let now = Instant::now();
        while self.0.lock().unwrap().iter().any(|(_, due)| *due <= now) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

type Plan = dyn Fn(&Seen) -> Fault + Send + Sync;

/// A running proxy.
#[derive(Debug, Clone)]
pub struct FaultProxy {
    pub endpoint: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    strays: Strays,
}

impl FaultProxy {
    /// Starts one before `upstream` (`http://host:port`). `plan` decides each request's fate.
    pub fn start(upstream: &str, plan: impl Fn(&Seen) -> Fault + Send + Sync + 'static) -> Self {
        let upstream = upstream.strip_prefix("http://").unwrap().to_owned();
        let plan: Arc<Plan> = Arc::new(plan);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let record = Arc::clone(&seen);
        let strays = Strays::default();
        let expected = strays.clone();
        runtime().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let record = (Arc::clone(&record), expected.clone());
                tokio::spawn(serve(client, upstream.clone(), Arc::clone(&plan), record));
            }
        });
        Self { endpoint, seen, strays }
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until no request is on its way that nobody waits for.
    pub async fn settled(&self) {
        while !self.strays.0.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What was done so far, in short.
    pub fn operations(&self) -> Vec<String> {
        self.seen().iter().map(|seen| seen.operation().to_owned()).collect()
    }
}

/// One request a connection; the client opens another for the next.
async fn serve(
    mut client: TcpStream,
    upstream: String,
    plan: Arc<Plan>,
    (record, strays): (Arc<Mutex<Vec<Seen>>>, Strays),
) {
    let Ok(Some((raw, mut seen))) = read_request(&mut client).await else { return };
    strays.due().await;
    {
        let mut record = record.lock().unwrap();
        seen.number = record.len();
        record.push(seen.clone());
    }
    let is_s3 = seen.header("x-amz-target").is_none();
    let answer = match plan(&seen) {
        Fault::None => forward(&upstream, &raw).await.ok(),
        Fault::Lose => None,
        Fault::WithoutConditions => forward(&upstream, &without_conditions(&raw)).await.ok(),
        Fault::LoseAnswer => {
            forward(&upstream, &raw).await.unwrap();
            None
        }
        Fault::Late(delay) => {
            strays.expect(seen.number, delay);
            drop(client);
            tokio::time::sleep(delay).await;
            forward(&upstream, &raw).await.unwrap();
            strays.arrived(seen.number);
            return;
        }
        Fault::Delay(delay) => {
            tokio::time::sleep(delay).await;
            forward(&upstream, &raw).await.ok()
        }
        Fault::Twice => {
            forward(&upstream, &raw).await.unwrap();
            forward(&upstream, &raw).await.ok()
        }
        Fault::CopyLater(delay) => {
            let answer = forward(&upstream, &raw).await.ok();
            strays.expect(seen.number, delay);
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                forward(&upstream, &raw).await.unwrap();
                strays.arrived(seen.number);
            });
            answer
        }
        Fault::ClockAhead(by) => forward(&upstream, &raw).await.ok().map(|answer| with_clock_ahead(&answer, by)),
        Fault::Status(status, code) => Some(error(status, code, is_s3)),
        Fault::DoneBut(status, code) => {
            forward(&upstream, &raw).await.unwrap();
            Some(error(status, code, is_s3))
        }
    };
    if let Some(answer) = answer {
        // A client that has gone away does not care.
        let _gone = client.write_all(&answer).await;
        let _gone = client.shutdown().await;
    }
}

/// Head and body as they came, but for `Connection: close`.
async fn read_request(client: &mut TcpStream) -> io::Result<Option<(Vec<u8>, Seen)>> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let request_line = lines.next().unwrap();
    let mut words = request_line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, length)| length.parse().unwrap());
    while bytes.len() < head_end + 4 + length {
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    let body = bytes[head_end + 4..].to_vec();
    let mut raw = format!("{request_line}\r\nconnection: close\r\n").into_bytes();
    for (name, value) in headers.iter().filter(|(name, _)| name != "connection") {
        raw.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    raw.extend_from_slice(b"\r\n");
    raw.extend_from_slice(&body);
    Ok(Some((raw, Seen { number: 0, method, path, headers, body })))
}

fn without_conditions(raw: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(raw.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let stays = |line: &&str| !line.starts_with("if-match:") && !line.starts_with("if-none-match:");
    let head: Vec<_> = head.split("\r\n").filter(stays).collect();
    format!("{}\r\n\r\n{body}", head.join("\r\n")).into_bytes()
}

fn with_clock_ahead(answer: &[u8], by: Duration) -> Vec<u8> {
    let head_end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8_lossy(&answer[..head_end]);
    let is_date = |line: &&str| line.to_ascii_lowercase().starts_with("date:");
    let mut lines: Vec<String> = head.split("\r\n").filter(|line| !is_date(line)).map(str::to_owned).collect();
    let date = (jiff::Timestamp::now() + by).strftime("%a, %d %b %Y %H:%M:%S GMT");
    lines.push(format!("date: {date}"));
    [lines.join("\r\n").as_bytes(), &answer[head_end..]].concat()
}

async fn forward(upstream: &str, raw: &[u8]) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(raw).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    Ok(answer)
}

fn error(status: u16, code: &str, is_s3: bool) -> Vec<u8> {
    let (kind, body) = if is_s3 {
        (
            "application/xml",
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>by the proxy</Message></Error>"),
        )
    } else {
        (
            "application/x-amz-json-1.0",
            format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"by the proxy"}}"#),
        )
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status} By the proxy\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}
