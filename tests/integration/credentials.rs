//! Credentials from every place the backend can name: what stategate sends is what Terraform
//! sends, and the lock is signed with the same key.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use stategate::shell::lock_store::{AwsErrorKind, Bucket, preflight};

use crate::harness::fault_proxy::{Fault, FaultProxy, Seen};
use crate::harness::files::{PROD, PROD_KEY, PROD_LOCK, backend};
use crate::harness::laptop::Laptop;
use crate::harness::ministack::Ministack;
use crate::harness::network::Proxy;
use crate::harness::process::runtime;
use crate::harness::world::World;
use crate::lock_store;

/// A world whose requests to AWS are recorded.
struct Recorded {
    world: World,
    proxy: FaultProxy,
}

/// What one program asked of AWS.
#[derive(Debug)]
struct Side {
    /// The forms sent to STS.
    sts: Vec<BTreeMap<String, String>>,
    /// Key and region of the signatures of those requests.
    sts_signed: Vec<(String, String)>,
    /// Key and region in the signature of each request to S3.
    s3_signed: Vec<(String, String)>,
    /// Whether the requests to S3 had a session's token.
    has_token: bool,
}

impl Recorded {
    fn new(settings: &str) -> Self {
        let mut bucket = Ministack::shared().bucket();
        let proxy = FaultProxy::start(&bucket.endpoint, |_| Fault::None);
        bucket.endpoint.clone_from(&proxy.endpoint);
        let world = World::with_bucket(bucket);
        world.main.write(&format!("{PROD}/backend.tf"), &backend(&world.bucket, PROD_KEY, settings));
        Self { world, proxy }
    }

    /// `terraform plan` with its own lock, then `stategate status` and a freeze, which takes the
    /// lock, in the same environment.
    fn run(&self, variables: &[(&str, &str)]) -> (Side, Side) {
        let mut laptop = self.world.laptop();
        for (name, value) in variables {
            laptop = laptop.env(name, value);
        }
        laptop.plan().succeeded();
        let terraform = side(&self.proxy.seen());
        let from = self.proxy.seen().len();
        laptop.stategate(&["lock", "--reason", "test", "--init", "false"]).succeeded();
        let ours = side(&self.proxy.seen()[from..]);
        assert!(!ours.s3_signed.is_empty(), "the lock was written");
        (terraform, ours)
    }
}

fn side(seen: &[Seen]) -> Side {
    let is_sts = |seen: &&Seen| seen.method == "POST" && seen.header("x-amz-target").is_none();
    let is_s3 = |seen: &&Seen| seen.path.contains("tfstate");
    let s3 = || seen.iter().filter(is_s3);
    Side {
        sts: seen.iter().filter(is_sts).map(|seen| form(&seen.body)).collect(),
        sts_signed: seen.iter().filter(is_sts).filter_map(signed).collect(),
        s3_signed: {
            let mut signed: Vec<_> = s3().filter_map(signed).collect();
            signed.sort();
            signed.dedup();
            signed
        },
        has_token: s3().all(|seen| seen.header("x-amz-security-token").is_some()),
    }
}

/// `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn signed(seen: &Seen) -> Option<(String, String)> {
    let (_, scope) = seen.header("authorization")?.split_once("Credential=")?;
    let mut parts = scope.split('/');
    let key = parts.next()?.to_owned();
    Some((key, parts.nth(1)?.to_owned()))
}

fn form(body: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The roles taken, without what `validate` asks besides.
fn roles(side: &Side) -> Vec<&BTreeMap<String, String>> {
    let mut roles: Vec<_> = side.sts.iter().filter(|form| form["Action"].starts_with("AssumeRole")).collect();
    roles.dedup();
    roles
}

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/state";

#[test]
fn a_role_is_taken_as_terraform_takes_it_and_signs_the_lock() {
    let role = format!(
        r#"    sts_region = "eu-west-1"
    assume_role = {{
      role_arn            = "{ROLE}"
      external_id         = "acme:42"
      session_name        = "state-of-prod"
      duration            = "1h30m"
      policy              = jsonencode({{ Version = "2012-10-17", Statement = [] }})
      policy_arns         = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
      source_identity     = "octocat"
      tags                = {{ team = "platform" }}
      transitive_tag_keys = ["team"]
    }}
"#
    );
    let role = role.replace(
        "jsonencode({ Version = \"2012-10-17\", Statement = [] })",
        r#""{\"Version\":\"2012-10-17\",\"Statement\":[]}""#,
    );
    let recorded = Recorded::new(&role);
    let (terraform, ours) = recorded.run(&[]);
    assert_eq!(roles(&ours), [roles(&terraform)[0]], "field by field");
    assert_eq!(roles(&ours)[0].len(), 12, "{:#?}", roles(&ours));
    assert_eq!(ours.sts_signed[0], ("test".to_owned(), "eu-west-1".to_owned()));
    assert_eq!(ours.sts_signed[0], terraform.sts_signed[0]);
    session_signs(&terraform, &ours);
}

/// The lock is signed with a session's key, in Terraform's region.
#[track_caller]
fn session_signs(terraform: &Side, ours: &Side) {
    for side in [terraform, ours] {
        assert!(side.has_token, "{side:#?}");
        // Each of Terraform's two processes has a session of its own.
        for (key, region) in &side.s3_signed {
            assert!(key.starts_with("ASIA") && region == "us-east-1", "{side:#?}");
        }
    }
    assert_eq!(ours.s3_signed.len(), 1, "{ours:#?}");
}

#[test]
fn a_role_without_further_words_is_asked_for_as_terraform_does() {
    let recorded = Recorded::new(&format!("    assume_role = {{ role_arn = \"{ROLE}\", session_name = \"state\" }}\n"));
    let (terraform, ours) = recorded.run(&[]);
    assert_eq!(roles(&ours), [roles(&terraform)[0]]);
    session_signs(&terraform, &ours);
}

#[test]
fn a_token_takes_a_role_as_terraform_does() {
    let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvY3RvY2F0In0.";
    let inline = format!(
        "    assume_role_with_web_identity = {{ role_arn = \"{ROLE}\", session_name = \"state\", duration = \"20m\", web_identity_token = \"{token}\" }}\n"
    );
    let recorded = Recorded::new(&inline);
    let (terraform, ours) = recorded.run(&[]);
    assert_eq!(roles(&ours), [roles(&terraform)[0]]);
    assert!(ours.sts_signed.is_empty(), "such a request is not signed: {ours:#?}");
    session_signs(&terraform, &ours);

    let home = recorded.world.place("token");
    fs::write(home.join("token"), token).unwrap();
    let file = "    assume_role_with_web_identity = { role_arn = \"ROLE\", session_name = \"state\", web_identity_token_file = \"$TOKENS/token\" }\n";
    let recorded = Recorded::new(&file.replace("ROLE", ROLE));
    let (terraform, ours) = recorded.run(&[("TOKENS", &home.display().to_string())]);
    assert_eq!(roles(&ours), [roles(&terraform)[0]]);
    assert_eq!(ours.sts[0]["WebIdentityToken"], token);
    session_signs(&terraform, &ours);
}

#[test]
fn a_profile_in_files_of_its_own_comes_before_the_environments_keys() {
    let recorded = Recorded::new("");
    let files = recorded.world.place("aws");
    let (config, keys) = (files.join("config"), files.join("credentials"));
    fs::write(&config, "[profile state]\nregion = eu-central-1\n[profile other]\n").unwrap();
    fs::write(&keys, "[state]\naws_access_key_id = AKIAIOSFODNN7STATE\naws_secret_access_key = x\n").unwrap();
    let settings = format!(
        "    profile = \"state\"\n    shared_config_files = [\"{}\"]\n    shared_credentials_files = [\"$FILES/credentials\"]\n",
        config.display()
    );
    let backend = backend(&recorded.world.bucket, PROD_KEY, &settings);
    recorded.world.main.write(&format!("{PROD}/backend.tf"), &backend);
    // The harness gives every process AWS_ACCESS_KEY_ID=test besides.
    let (terraform, ours) = recorded.run(&[("FILES", &files.display().to_string())]);
    let expected = [("AKIAIOSFODNN7STATE".to_owned(), "us-east-1".to_owned())];
    assert_eq!(terraform.s3_signed, expected);
    assert_eq!(ours.s3_signed, expected);
}

#[test]
fn keys_in_the_block_come_before_everything() {
    let recorded =
        Recorded::new("    access_key = \"AKIAIOSFODNN7BLOCK\"\n    secret_key = \"the-blocks-own-secret\"\n");
    let (terraform, ours) = recorded.run(&[]);
    assert_eq!(ours.s3_signed, terraform.s3_signed);
    assert_eq!(ours.s3_signed[0].0, "AKIAIOSFODNN7BLOCK");
}

/// Which comes first, keys, token or profile, is not the SDK's order but Terraform's.
#[test]
fn the_environments_token_comes_before_its_profile() {
    let recorded = Recorded::new("");
    let files = recorded.world.place("aws");
    fs::write(files.join("token"), "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvY3RvY2F0In0.").unwrap();
    fs::write(
        files.join("credentials"),
        "[default]\naws_access_key_id = AKIAIOSFODNN7OTHER\naws_secret_access_key = x\n",
    )
    .unwrap();
    let path = |name: &str| files.join(name).display().to_string();
    let (terraform, ours) = recorded.run(&[
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_SHARED_CREDENTIALS_FILE", &path("credentials")),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &path("token")),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ROLE_SESSION_NAME", "state"),
        ("AWS_ENDPOINT_URL_STS", &recorded.proxy.endpoint),
    ]);
    session_signs(&terraform, &ours);
}

#[test]
fn an_account_that_the_backend_does_not_allow_takes_no_lock() {
    let plain = Ministack::shared().bucket();
    for (settings, is_allowed) in [
        (r#""allowed_account_ids":["000000000000"]"#, true),
        (r#""allowed_account_ids":["111122223333"]"#, false),
        (r#""forbidden_account_ids":["000000000000"]"#, false),
    ] {
        let bucket = runtime().block_on(Bucket::connect(lock_store::backend(&plain.endpoint, &plain.name, settings)));
        match runtime().block_on(preflight(&bucket)) {
            Ok(()) => assert!(is_allowed, "{settings}"),
            Err(error) => {
                assert!(!is_allowed, "{settings}: {error}");
                assert_eq!(error.kind, AwsErrorKind::Account("000000000000".to_owned()));
            }
        }
    }
    // Terraform says so itself at `init`.
    let recorded = Recorded::new("    allowed_account_ids = [\"111122223333\"]\n");
    let finished = recorded.world.laptop().stategate(&["lock", "--reason", "test"]);
    assert_eq!(finished.code, Some(20), "{}", finished.text());
    assert!(finished.stderr.contains("an account that the backend does not allow"), "{}", finished.text());
}

/// STS as it is for everybody whom a role's trust policy does not name.
pub(crate) fn refusing_sts(code: &'static str) -> String {
    let answer = move || async move {
        let text = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>no way</Message></Error><RequestId>r</RequestId></ErrorResponse>"
        );
        (axum::http::StatusCode::FORBIDDEN, [("content-type", "text/xml")], text)
    };
    let app = axum::Router::new().fallback(answer);
    let listener = runtime().block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    runtime().spawn(async move { axum::serve(listener, app).await });
    url
}

#[test]
fn a_role_that_sts_does_not_give_is_named_with_the_remedy() {
    for (code, headline, remedy) in [
        ("AccessDenied", format!("the role {ROLE} cannot be taken (AccessDenied): no way"), "trust policy"),
        ("ExpiredToken", "the AWS credentials have expired (ExpiredToken)".to_owned(), "Renew the session"),
    ] {
        let file = serde_json::json!({ "version": 3, "backend": { "type": "s3", "config": {
            "bucket": "tfstate", "key": "k", "region": "us-east-1", "access_key": "test", "secret_key": "test",
            "use_lockfile": true, "assume_role": { "role_arn": ROLE }, "endpoints": { "sts": refusing_sts(code) },
        } } });
        let read = stategate_core::backend::Backend::read(file.to_string().as_bytes(), "default", &|_| None).unwrap();
        let bucket = runtime().block_on(Bucket::connect(read));
        let error = runtime().block_on(preflight(&bucket)).err();
        assert!(error.is_none(), "only a denial of the lock itself counts beforehand: {error:?}");
        let error = runtime().block_on(bucket.get("k")).unwrap_err();
        assert!(error.to_string().contains(&headline), "{error}");
        assert!(error.hint().contains(remedy), "{}", error.hint());
    }
}

/// As `aws login` leaves it: Terraform 1.14 and later take it, too.
#[test]
fn a_session_of_aws_login_signs_the_lock() {
    use sha2::Digest as _;
    let recorded = Recorded::new("");
    let files = recorded.world.place("login");
    let session = "arn:aws:iam::111122223333:user/octocat";
    fs::write(files.join("config"), format!("[profile me]\nregion = us-east-1\nlogin_session = {session}\n")).unwrap();
    let name: String = sha2::Sha256::digest(session).iter().map(|byte| format!("{byte:02x}")).collect();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let cached = serde_json::json!({
        "accessToken": {
            "accessKeyId": "ASIALOGIN", "secretAccessKey": "x", "sessionToken": "y",
            "accountId": "111122223333", "expiresAt": "2099-01-01T00:00:00Z",
        },
        "tokenType": "aws_sigv4", "refreshToken": "z", "clientId": "arn:aws:signin:::devtools/same-device",
        "dpopKey": key,
    });
    fs::write(files.join(format!("{name}.json")), cached.to_string()).unwrap();
    let laptop = recorded.world.laptop();
    laptop.terraform(&["init", "-input=false"]).succeeded();
    let from = recorded.proxy.seen().len();
    let variables = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_PROFILE", "me"),
        ("AWS_CONFIG_FILE", &files.join("config").display().to_string()),
        ("AWS_LOGIN_CACHE_DIRECTORY", &files.display().to_string()),
    ];
    let laptop = variables.iter().fold(laptop, |laptop, (name, value)| laptop.env(name, value));
    laptop.stategate(&["lock", "--reason", "test", "--init", "false"]).succeeded();
    let ours = side(&recorded.proxy.seen()[from..]);
    assert_eq!(ours.s3_signed, [("ASIALOGIN".to_owned(), "us-east-1".to_owned())]);
    assert!(ours.has_token, "{ours:#?}");
}

/// A machine's metadata service, where the backend says it is.
fn metadata_service() -> String {
    use axum::routing::{get, put};
    let role = "/latest/meta-data/iam/security-credentials/";
    let session = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAMACHINE","SecretAccessKey":"x","Token":"y","LastUpdated":"2026-01-01T00:00:00Z","Expiration":"2099-01-01T00:00:00Z"}"#;
    let app = axum::Router::new()
        .route("/latest/api/token", put(|| async { ([("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "token") }))
        .route(role, get(|| async { "runner" }))
        .route(&format!("{role}runner"), get(move || async move { session }));
    let listener = runtime().block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    runtime().spawn(async move { axum::serve(listener, app).await });
    url
}

#[test]
fn a_machines_role_is_asked_for_where_the_backend_says() {
    let variables = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_EC2_METADATA_DISABLED", "")];
    let url = metadata_service();
    let recorded = Recorded::new("");
    let text = backend(&recorded.world.bucket, PROD_KEY, &format!("    ec2_metadata_service_endpoint = \"{url}\"\n"));
    let asked = text.replace("    skip_metadata_api_check     = true\n", "");
    recorded.world.main.write(&format!("{PROD}/backend.tf"), &asked);
    let (terraform, ours) = recorded.run(&variables);
    let expected = [("ASIAMACHINE".to_owned(), "us-east-1".to_owned())];
    assert_eq!(terraform.s3_signed, expected);
    assert_eq!(ours.s3_signed, expected);

    // With `skip_metadata_api_check` nobody asks it.
    recorded.world.bucket.delete(PROD_LOCK);
    let world = &recorded.world;
    world.main.write(&format!("{PROD}/backend.tf"), &text);
    let mut laptop = world.laptop();
    laptop.terraform(&["init", "-input=false"]).succeeded();
    for (name, value) in variables {
        laptop = laptop.env(name, value);
    }
    let finished = laptop.stategate(&["lock", "--reason", "test", "--init", "false"]);
    assert_eq!(finished.code, Some(20), "{}", finished.text());
    assert!(finished.stderr.contains("no AWS credentials"), "{}", finished.text());
}

/// Amazon's own endpoints, as Terraform picks them: a proxy that lets nobody through hears the
/// names.
#[test]
fn amazons_endpoints_are_those_that_terraform_picks() {
    for settings in [
        &[][..],
        &["use_fips_endpoint"],
        &["use_dualstack_endpoint"],
        &["use_fips_endpoint", "use_dualstack_endpoint"],
        &["use_path_style"],
    ] {
        let (theirs, ours) = (Proxy::start(&[]), Proxy::start(&[]));
        let recorded = Recorded::new("");
        let lines: String = settings.iter().map(|name| format!("    {name} = true\n")).collect();
        let text = format!(
            "terraform {{\n  backend \"s3\" {{\n    bucket = \"tfstate\"\n    key = \"k\"\n    region = \"us-east-1\"\n    use_lockfile = true\n    max_retries = 1\n    https_proxy = \"{}\"\n    skip_credentials_validation = true\n    skip_requesting_account_id = true\n{lines}  }}\n}}\n",
            theirs.url()
        );
        recorded.world.main.write(&format!("{PROD}/backend.tf"), &text);
        let finished = recorded.world.laptop().terraform(&["init", "-input=false"]);
        assert_eq!(finished.code, Some(1), "{}", finished.text());

        let mut config = serde_json::json!({
            "bucket": "tfstate", "key": "k", "region": "us-east-1", "use_lockfile": true,
            "access_key": "test", "secret_key": "test", "max_retries": 1, "https_proxy": ours.url(),
        });
        for name in settings {
            config[*name] = true.into();
        }
        let file = serde_json::json!({ "version": 3, "backend": { "type": "s3", "config": config } });
        let read = stategate_core::backend::Backend::read(file.to_string().as_bytes(), "default", &|_| None).unwrap();
        let bucket = runtime().block_on(Bucket::connect(read));
        runtime().block_on(bucket.get("k")).unwrap_err();
        let lines = |proxy: &Proxy| -> Vec<String> {
            let mut lines: Vec<_> = proxy.asked().into_iter().map(|asked| asked.line).collect();
            lines.dedup();
            lines
        };
        assert!(!lines(&ours).is_empty(), "{settings:?}");
        assert_eq!(lines(&ours), lines(&theirs), "{settings:?}");
    }
}

/// Each cause is told in its own words, by whoever meets it first: Terraform's `init`, or, where
/// that has run already, our own requests.
#[test]
fn each_of_awss_refusals_has_its_headline_and_its_remedy() {
    let fault = Arc::new(Mutex::new(Fault::None));
    let decide = Arc::clone(&fault);
    let mut bucket = Ministack::shared().bucket();
    let proxy = FaultProxy::start(&bucket.endpoint, move |_| *decide.lock().unwrap());
    bucket.endpoint.clone_from(&proxy.endpoint);
    let world = World::with_bucket(bucket);
    let laptop = world.laptop();
    laptop.terraform(&["init", "-input=false"]).succeeded();
    let check = |laptop: &Laptop, headline: &str, remedy: &str| {
        for init in ["false", "true"] {
            let finished = laptop.stategate(&["lock", "--reason", "test", "--init", init]);
            assert_eq!(finished.code, Some(20), "--init {init}: {}", finished.text());
            let last: Vec<&str> = finished.stderr.lines().skip_while(|line| !line.starts_with("error: ")).collect();
            let told = |line: &str, text: &str| {
                last.iter().any(|found| found.trim_start().starts_with(line) && found.to_lowercase().contains(text))
            };
            assert!(told("error:", headline), "--init {init}: {headline}: {}", finished.text());
            assert!(told("next:", remedy), "--init {init}: {remedy}: {}", finished.text());
        }
    };
    for (status, code, headline, remedy) in [
        (404, "NoSuchBucket", "bucket does not exist", "`bucket`"),
        (400, "ExpiredToken", "expired", "renew the session"),
        (403, "InvalidAccessKeyId", "does not accept the credentials", "aws_access_key_id"),
        (301, "PermanentRedirect", "region", "`region`"),
        (403, "AccessDenied", "denie", "allow the role"),
    ] {
        *fault.lock().unwrap() = Fault::Status(status, code);
        check(&laptop, headline, remedy);
    }
    *fault.lock().unwrap() = Fault::None;
    let without = laptop.clone().env("AWS_ACCESS_KEY_ID", "").env("AWS_SECRET_ACCESS_KEY", "");
    check(&without, "no aws credentials", "id-token: write");
    assert!(world.bucket.locks().is_empty());
}
