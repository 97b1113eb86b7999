#!/usr/bin/env bash
# octocrab's client repeats a POST after a 502, 500 or 503 by default, so that one comment can become four.
#
# Seen with octocrab 0.54.9 (crates.io), a server on loopback that counts and answers 502:
#   octocrab.issues("acme", "infra").create_comment(1, "hello")    one call, 4 requests
# The server may have done each of them before its answer was lost; GitHub has no key that makes a POST
# count once.
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"

cat >server.py <<'PY'
import http.server
import sys


class Counting(http.server.BaseHTTPRequestHandler):
    posts = 0

    def do_POST(self):
        Counting.posts += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(502)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        body = str(Counting.posts).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
print(server.server_port, flush=True)
server.serve_forever()
PY
python3 server.py >port &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
until [ -s port ]; do sleep 0.1; done
url=http://127.0.0.1:$(cat port)

mkdir -p post/src
cat >post/Cargo.toml <<'TOML'
[package]
name = "post"
version = "0.0.0"
edition = "2021"
[dependencies]
octocrab = "=0.54.9"
tokio = { version = "1", features = ["macros", "rt"] }
TOML
cat >post/src/main.rs <<'RS'
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let client = octocrab::Octocrab::builder().base_uri(url).expect("a base").build().expect("a client");
    let made = client.issues("acme", "infra").create_comment(1, "hello").await;
    println!("{}", if made.is_err() { "failed" } else { "made" });
}
RS
cargo build --quiet --manifest-path post/Cargo.toml
same 'the call' failed "$(post/target/debug/post "$url")"
same 'requests' 4 "$(curl --silent "$url")"
