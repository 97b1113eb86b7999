//! AWS: ministack, a stand-in for S3, `DynamoDB`, KMS, IAM and STS, on a loopback port.

use std::fs::{self, File};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::bucket::Bucket;
use super::process::{free_port, run, wait_for};
use super::python::{harness_dir, python};

/// The key that works everywhere; with IAM enforced it is the root user's.
pub const ACCESS_KEY: &str = "test";
pub const SECRET_KEY: &str = "test";
pub const REGION: &str = "us-east-1";

/// Runs ministack inside the interpreter and leaves when standard input closes, which it does when
/// the starting process ends, however it ends.
const START: &str = r#"
import os, runpy, sys, threading
def leave_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)
threading.Thread(target=leave_with_parent, daemon=True).start()
sys.argv = ["ministack"]
runpy.run_module("ministack", run_name="__main__")
"#;

/// The AWS client for Python comes with ministack.
const CREATE_USER: &str = r#"
import sys
from botocore.session import Session
endpoint, region, name, policy = sys.argv[1:]
iam = Session().create_client("iam", region_name=region, endpoint_url=endpoint)
iam.create_user(UserName=name)
iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=policy)
key = iam.create_access_key(UserName=name)["AccessKey"]
print(key["AccessKeyId"], key["SecretAccessKey"])
"#;

/// A running ministack; stopped when dropped, and when this process ends.
#[derive(Debug)]
pub struct Ministack {
    process: Child,
    port: u16,
}

impl Ministack {
    /// The one that all tests of this process share; each takes a bucket of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Ministack> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// One of its own, with further variables such as `("AUTH", "true")` (IAM enforced).
    pub fn start(variables: &[(&str, &str)]) -> Self {
        // Another process may take the free port first, so a start may be repeated.
        for _ in 0..3 {
            if let Some(ministack) = Self::try_start(variables) {
                return ministack;
            }
        }
        panic!("ministack does not start; its log is in {}", harness_dir().join("ministack").display());
    }

    fn try_start(variables: &[(&str, &str)]) -> Option<Self> {
        let port = free_port();
        let scratch = harness_dir().join("ministack");
        fs::create_dir_all(&scratch).expect("ministack's directory can be made");
        let log = File::create(scratch.join(format!("{port}.log"))).expect("ministack's log can be made");
        let mut process = Command::new(python())
            .args(["-c", START])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", &scratch)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("CLOUDTRAIL_RECORDING", "1")
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("the log's handle can be shared"))
            .stderr(log)
            .spawn()
            .expect("the virtual environment's python starts");
        let ready = wait_for("ministack to listen", Duration::from_mins(1), || {
            let ended = process.try_wait().is_ok_and(|status| status.is_some());
            let listens = TcpStream::connect(("127.0.0.1", port)).is_ok();
            (ended || listens).then_some(!ended)
        });
        ready.then_some(Self { process, port })
    }

    /// Where S3 and `DynamoDB` answer.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A new bucket, versioned as a team's state bucket is.
    pub fn bucket(&self) -> Bucket {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("tfstate-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Bucket::create(&self.endpoint(), &name)
    }

    /// An IAM user with one policy, on a stand-in started with `AUTH`: its access key and secret.
    pub fn user(&self, name: &str, policy: &Value) -> (String, String) {
        let mut command = Command::new(python());
        command.args(["-c", CREATE_USER, &self.endpoint(), REGION, name, &policy.to_string()]);
        let made = run(command.envs(Self::credentials())).succeeded();
        let (key, secret) = made.stdout.trim().split_once(' ').expect("a key and a secret");
        (key.to_owned(), secret.to_owned())
    }

    /// What a process needs to reach it with the working key, and with nothing else of this machine.
    pub fn credentials() -> [(&'static str, &'static str); 4] {
        [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_REGION", REGION),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // Nothing to do about a process that has gone already.
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}
