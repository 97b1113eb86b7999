//! A role that nobody gives: what STS, or the disk, said about it, by whoever asks first, Terraform's
//! `init` or our own requests.

use std::fs;

use crate::credentials::{ROLE, refusing_sts};
use crate::harness::files::{PROD, PROD_KEY, backend};
use crate::harness::world::World;

/// A role by the environment's token, or by a profile: what STS, or the disk, said is told, and not
/// that there are no credentials.
#[test]
fn a_role_that_is_refused_is_not_told_as_missing_credentials() {
    let world = World::new();
    let laptop = world.laptop();
    laptop.terraform(&["init", "-input=false"]).succeeded();
    let files = world.place("roles");
    let path = |name: &str| files.join(name).display().to_string();
    fs::write(files.join("token"), "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvY3RvY2F0In0.").unwrap();
    let profile = format!(
        "[profile ci]\nregion = us-east-1\nrole_arn = {ROLE}\nsource_profile = src\n[profile src]\naws_access_key_id = test\naws_secret_access_key = test\n"
    );
    fs::write(files.join("config"), profile).unwrap();
    let (token, gone, config) = (path("token"), path("gone"), path("config"));
    let by_token =
        |file: &str| vec![("AWS_ROLE_ARN", ROLE.to_owned()), ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_owned())];
    let by_profile = || vec![("AWS_PROFILE", "ci".to_owned()), ("AWS_CONFIG_FILE", config.clone())];
    for (variables, code, headline, remedy) in [
        (by_token(&token), "AccessDenied", "web identity token (accessdenied)", "trust policy"),
        (by_token(&token), "ExpiredTokenException", "token has expired", "right before this one"),
        (by_token(&token), "InvalidIdentityToken", "(invalididentitytoken)", "identity provider"),
        (by_token(&gone), "AccessDenied", "cannot be read", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        (by_profile(), "AccessDenied", "the profile's role cannot be taken", "`source_profile`"),
        (by_profile(), "ExpiredToken", "expired (expiredtoken)", "aws sso login"),
    ] {
        let sts = refusing_sts(code);
        let mut laptop = laptop.clone();
        for (name, value) in [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")] {
            laptop = laptop.env(name, value);
        }
        let text = backend(&world.bucket, PROD_KEY, "");
        let text = text.replace(&format!("sts = \"{}\"", world.bucket.endpoint), &format!("sts = \"{sts}\""));
        laptop.files.write(&format!("{PROD}/backend.tf"), &text);
        let with_keys = laptop.clone().env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        with_keys.terraform(&["init", "-input=false", "-reconfigure"]).succeeded();
        for (name, value) in &variables {
            laptop = laptop.env(name, value);
        }
        for init in ["true", "false"] {
            let finished = laptop.stategate(&["lock", "--reason", "test", "--init", init]);
            assert_eq!(finished.code, Some(20), "{code}, --init {init}: {}", finished.text());
            let told: Vec<&str> = finished.stderr.lines().skip_while(|line| !line.starts_with("error: ")).collect();
            let told = told.join("\n");
            assert!(told.to_lowercase().contains(headline), "{code}, --init {init}: {headline}: {}", finished.text());
            assert!(told.contains(remedy), "{code}, --init {init}: {remedy}: {}", finished.text());
            assert!(!told.contains("there are no AWS credentials"), "{code}, --init {init}: {}", finished.text());
        }
    }
}
