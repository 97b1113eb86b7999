//! The way out: through a proxy, with a private certificate authority, for GitHub and AWS alike;
//! and what the debug log tells of each request.

use crate::harness::bucket::Bucket;
use crate::harness::files::{PROD, PROD_KEY, backend};
use crate::harness::ministack::Ministack;
use crate::harness::network::{PROXY_PASSWORD, Proxy, authority};
use crate::harness::process::dead_port;
use crate::harness::runner::{Outcome, Step};
use crate::harness::world::World;

const S3: &str = "s3.acme.example";
const API: &str = "api.github.acme.example";

/// A world whose AWS and GitHub are known by public names, behind TLS, and only through a proxy.
struct Company {
    world: World,
    proxy: Proxy,
    ca: String,
    number: u64,
}

impl Company {
    fn new() -> Self {
        let bucket = Ministack::shared().bucket();
        let s3 = authority().front(&[S3], &bucket.endpoint);
        let world = World::with_bucket(bucket.clone());
        let api = authority().front(&[API], &world.github.api_url());
        let proxy = Proxy::start(&[(S3, s3), (API, api)]);
        let ca = authority().file(&world.place("ca"));
        let number = world.pull_request("From within the company", |files| {
            files.write(&format!("{PROD}/backend.tf"), &backend(&named(&bucket), PROD_KEY, ""));
        });
        Self { world, proxy, ca, number }
    }

    /// A plan in which GitHub has its public name. No variable names a proxy or an authority yet.
    fn plan(&self) -> Step<'_> {
        Step::plan(&self.world, self.number)
            .env("GITHUB_API_URL", &format!("https://{API}"))
            .env("GITHUB_GRAPHQL_URL", &format!("https://{API}/graphql"))
            .env("RUNNER_DEBUG", "1")
    }
}

/// The bucket under its public name.
fn named(bucket: &Bucket) -> Bucket {
    let mut named = bucket.clone();
    named.endpoint = format!("https://{S3}");
    named
}

/// Nothing that a person reads holds the proxy's password.
#[track_caller]
fn without_password(outcome: &Outcome) {
    // The runner's own log may hold it in base64 too.
    let encoded = "b2N0b2NhdDp0aGUtcHJveHlzLW93bi1wYXNzcGhyYXNl";
    for text in [&outcome.log, &outcome.summary] {
        assert!(!text.contains(PROXY_PASSWORD) && !text.contains(encoded), "{text}");
    }
}

#[test]
fn aws_and_github_are_reached_through_the_proxy_and_trusted_by_a_private_authority() {
    let company = Company::new();
    let outcome = company
        .plan()
        .env("HTTPS_PROXY", &company.proxy.url_with_password())
        .env("SSL_CERT_FILE", &company.ca)
        .run()
        .exits(0);
    without_password(&outcome);
    assert!(company.world.github.comment(company.number).contains("module.web"), "the comment arrives");
    assert!(company.world.bucket.locks().is_empty(), "the lock is released");
    for (host, by) in [(S3, "AWS"), (API, "GitHub")] {
        assert!(company.proxy.times(&format!("CONNECT {host}:443")) >= 1, "{by}: {:?}", company.proxy.asked());
    }
    // All of it, Terraform's own requests included, went that way and with the proxy's password.
    let expected = Some("Basic b2N0b2NhdDp0aGUtcHJveHlzLW93bi1wYXNzcGhyYXNl".to_owned());
    assert!(company.proxy.asked().iter().all(|asked| asked.authorization == expected), "{:?}", company.proxy.asked());
}

#[test]
fn the_lower_case_variable_counts_and_awss_bundle_is_for_aws_alone() {
    let company = Company::new();
    let outcome =
        company.plan().env("https_proxy", &company.proxy.url()).env("AWS_CA_BUNDLE", &company.ca).run().exits(21);
    assert!(company.proxy.times(S3) > 0 && company.proxy.times(API) > 0, "{:?}", company.proxy.asked());
    let outcome = outcome.says(&format!("the certificate of {API} is not trusted: UnknownIssuer"));
    outcome.says("SSL_CERT_FILE");
}

#[test]
fn the_backends_own_proxy_and_bundle_are_for_aws_alone() {
    let company = Company::new();
    let bucket = named(&company.world.bucket);
    let settings = format!(
        "    https_proxy = \"{}\"\n    custom_ca_bundle = \"{}\"\n",
        company.proxy.url_with_password(),
        company.ca
    );
    let number = company.world.pull_request("Proxy in the block", |files| {
        files.write(&format!("{PROD}/backend.tf"), &backend(&bucket, PROD_KEY, &settings));
    });
    // GitHub is asked straight, at its loopback address.
    let outcome = Step::plan(&company.world, number).env("RUNNER_DEBUG", "1").run().exits(0);
    without_password(&outcome);
    assert!(!outcome.log.contains("no effect"), "nothing is ignored:\n{}", outcome.log);
    assert!(company.proxy.times(S3) > 0, "{:?}", company.proxy.asked());
    assert_eq!(company.proxy.times(API), 0);
    assert!(company.world.bucket.locks().is_empty());
}

/// Terraform takes `http_proxy` for `https://` too where nothing names another.
#[test]
fn the_backends_http_proxy_alone_is_for_everything_as_for_terraform() {
    let company = Company::new();
    let settings = format!("    http_proxy = \"{}\"\n    custom_ca_bundle = \"{}\"\n", company.proxy.url(), company.ca);
    let text = backend(&named(&company.world.bucket), PROD_KEY, &settings);
    company.world.main.write(&format!("{PROD}/backend.tf"), &text);
    let laptop = company.world.laptop();
    laptop.plan().succeeded();
    let terraforms = company.proxy.times(S3);
    assert!(terraforms > 0, "{:?}", company.proxy.asked());
    laptop.stategate(&["lock", "--reason", "test", "--init", "false"]).succeeded();
    assert!(company.proxy.times(S3) > terraforms, "{:?}", company.proxy.asked());
    assert_eq!(company.world.bucket.locks().len(), 1);
}

/// As for an Enterprise Server or a store without TLS: the proxy gets the whole address.
#[test]
fn an_unencrypted_address_goes_through_its_own_proxy() {
    let world = World::new();
    let number = world.new_image();
    let port = world.github.api_url().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::start(&[(API, port)]);
    let outcome = Step::plan(&world, number)
        .env("GITHUB_API_URL", &format!("http://{API}"))
        .env("GITHUB_GRAPHQL_URL", &format!("http://{API}/graphql"))
        .env("HTTP_PROXY", &proxy.url_with_password())
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .run()
        .exits(0);
    without_password(&outcome);
    let asked = proxy.asked();
    assert_eq!(asked[0].line, format!("POST http://{API}/graphql HTTP/1.1"));
    assert!(asked.iter().all(|asked| asked.authorization.is_some()), "{asked:?}");
}

/// `.invalid` never resolves: whoever goes straight to it says so, and the proxy is not asked.
#[test]
fn a_host_in_no_proxy_is_reached_without_it() {
    let company = Company::new();
    let outcome = company
        .plan()
        .env("GITHUB_API_URL", "https://api.github.invalid")
        .env("GITHUB_GRAPHQL_URL", "https://api.github.invalid/graphql")
        .env("HTTPS_PROXY", &company.proxy.url())
        .env("NO_PROXY", "other.example,.github.invalid")
        .env("SSL_CERT_FILE", &company.ca)
        .run()
        .exits(21);
    assert!(company.proxy.times(S3) > 0, "AWS goes through the proxy: {:?}", company.proxy.asked());
    assert_eq!(company.proxy.times("invalid"), 0, "{:?}", company.proxy.asked());
    outcome.says("api.github.invalid:443: dns error");
}

#[test]
fn a_proxy_that_cannot_be_reached_or_refuses_is_named_without_its_password() {
    let world = World::new();
    let number = world.new_image();
    // AWS is at a loopback address, for which no proxy is asked.
    let plan = |proxy: &str| {
        Step::plan(&world, number)
            .env("GITHUB_API_URL", &format!("https://{API}"))
            .env("GITHUB_GRAPHQL_URL", &format!("https://{API}/graphql"))
            .env("HTTPS_PROXY", proxy)
            .env("RUNNER_DEBUG", "1")
            .run()
    };
    let gone = dead_port();
    let outcome = plan(&format!("http://octocat:{PROXY_PASSWORD}@127.0.0.1:{gone}"));
    without_password(&outcome);
    outcome.exits(21).says(&format!("the proxy http://127.0.0.1:{gone} cannot be reached")).says("Connection refused");

    let outcome = plan(&Proxy::start(&[]).url_with_password());
    without_password(&outcome);
    outcome.exits(21).says(&format!("refused the way to {API}:443 (403)")).says("NO_PROXY");

    let outcome = plan(&format!("socks5://octocat:{PROXY_PASSWORD}@127.0.0.1:{gone}"));
    without_password(&outcome);
    outcome.exits(20).says("only http:// and https:// work").says("HTTPS_PROXY");
}

/// Everything in a job's environment and in its backend block that nobody may read.
const SECRETS: [&str; 6] = [
    "the-environments-own-secret-key",
    "the-environments-own-session-token",
    "the-blocks-own-secret-key",
    "the-blocks-own-session-token",
    "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    PROXY_PASSWORD,
];

#[test]
fn the_debug_log_has_each_request_and_no_secret() {
    let company = Company::new();
    let settings = format!(
        "    access_key = \"AKIAIOSFODNN7BLOCK\"\n    secret_key = \"{}\"\n    token = \"{}\"\n    sse_customer_key = \"{}\"\n    https_proxy = \"{}\"\n",
        SECRETS[2],
        SECRETS[3],
        SECRETS[4],
        company.proxy.url_with_password()
    );
    let number = company.world.pull_request("Secrets in the block", |files| {
        files.write(&format!("{PROD}/backend.tf"), &backend(&named(&company.world.bucket), PROD_KEY, &settings));
    });
    let token = company.world.github.workflow_token(crate::harness::github::WORKFLOW_PERMISSIONS);
    let run = |debug: &str| {
        Step::plan(&company.world, number)
            .token(&token)
            .env("AWS_SECRET_ACCESS_KEY", SECRETS[0])
            .env("AWS_SESSION_TOKEN", SECRETS[1])
            .env("SSL_CERT_FILE", &company.ca)
            .env("RUNNER_DEBUG", debug)
            .run()
            .exits(0)
    };
    let quiet = run("");
    assert!(!quiet.log.contains("attempt 1"), "{}", quiet.log);
    let outcome = run("1");
    let log = format!("{}{}", outcome.log, outcome.cleanup.clone().map(|(_, log)| log).unwrap_or_default());
    let lock = format!("/{}/prod/app/terraform.tfstate.tflock", company.world.bucket.name);
    for line in [
        format!("PUT {S3} {lock}: 200 in "),
        format!("DELETE {S3} {lock}: 204 in "),
        "POST 127.0.0.1 /graphql: 200 in ".to_owned(),
        "GET 127.0.0.1 /repos/acme/infra/issues/".to_owned(),
    ] {
        let found = log.lines().find(|text| text.contains(&line));
        assert!(found.is_some_and(|text| text.contains(" ms, attempt 1")), "{line}:\n{log}");
    }
    let marks =
        ["Signature", "Credential=", "x-amz-security-token", "Bearer", "uthorization", "x-id=", "\"Operation\""];
    for hidden in SECRETS.iter().chain(&marks).copied().chain([token.as_str()]) {
        assert!(!log.contains(hidden), "the log tells {hidden}:\n{log}");
        assert!(
            !outcome.summary.contains(hidden) && !company.world.github.comment(number).contains(hidden),
            "{hidden}"
        );
    }
    without_password(&outcome);
}

#[test]
fn a_comment_whose_answer_is_lost_on_the_way_is_written_once() {
    let world = World::applied();
    let number = world.new_image();
    world.github.lose_answers(1, "POST", "/comments", 502);
    Step::plan(&world, number).env("RUNNER_DEBUG", "1").run().exits(0).says("/comments: 502 in ");
    assert_eq!(world.github.comments(number).len(), 1);
}
