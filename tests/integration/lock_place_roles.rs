//! STS is asked for roles where Terraform asks it, when several settings name an address at once: the
//! block, the environment's variable for STS, its variable for all services, the profile.

use crate::harness::network::Proxy;
use crate::lock_place::{Case, Place, check};

/// Every variable that names another address.
const OTHERS: [(&str, &str); 3] =
    [("AWS_ENDPOINT_URL_STS", "{OTHER}"), ("AWS_STS_ENDPOINT", "{OTHER}"), ("AWS_ENDPOINT_URL", "{OTHER}")];
const NO_KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
const TOKEN: [(&str, &str); 2] = [("AWS_ROLE_ARN", "{ROLE}"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "{TOKEN}")];
const BLOCK: &str = "    endpoints = { s3 = \"{S3}\", sts = \"{STS}\" }\n";
const ROLE: &str = "    assume_role = { role_arn = \"{ROLE}\", session_name = \"state\" }\n    endpoints = { s3 = \"{S3}\", sts = \"{STS}\" }\n";
const OLD: &str = "    sts_endpoint = \"{STS}\"\n    endpoint = \"{S3}\"\n    assume_role = { role_arn = \"{ROLE}\", session_name = \"state\" }\n";
const PLAIN: &str =
    "    endpoints = { s3 = \"{S3}\" }\n    assume_role = { role_arn = \"{ROLE}\", session_name = \"state\" }\n";

const PROFILE: (&str, &str) = ("AWS_PROFILE", "lab");
const OF_PROFILE: &str = "[profile lab]\nregion = us-east-1\nrole_arn = {ROLE}\nsource_profile = source\n[profile source]\naws_access_key_id = test\naws_secret_access_key = test\n";
const CHAIN: &str = "[profile lab]\nregion = us-east-1\nrole_arn = {ROLE}\nsource_profile = middle\n[profile middle]\nrole_arn = arn:aws:iam::000000000000:role/middle\nsource_profile = source\n[profile source]\naws_access_key_id = test\naws_secret_access_key = test\n";
const BY_TOKEN: &str = "[profile lab]\nregion = us-east-1\nrole_arn = {ROLE}\nweb_identity_token_file = {TOKEN}\n";
const SERVICES: &str = "[profile lab]\nregion = us-east-1\nrole_arn = {ROLE}\nsource_profile = source\nservices = x\nendpoint_url = {OTHER}\n[profile source]\naws_access_key_id = test\naws_secret_access_key = test\n[services x]\nsts =\n  endpoint_url = {OTHER}\n";

/// A list of variables, made of parts, that lives as long as a constant.
fn env(parts: &[&[(&'static str, &'static str)]]) -> &'static [(&'static str, &'static str)] {
    parts.concat().leak()
}

#[test]
fn the_blocks_address_of_sts_comes_before_each_of_the_environment() {
    for (name, block, own, config) in [
        ("the block's role", ROLE, &[][..], ""),
        ("the block's role, the old spelling", OLD, &[], ""),
        ("the environment's token", BLOCK, &[NO_KEYS, TOKEN].concat(), ""),
        ("a profile's role", BLOCK, &[&NO_KEYS[..], &[PROFILE]].concat(), OF_PROFILE),
        ("a profile's role from a role", BLOCK, &[&NO_KEYS[..], &[PROFILE]].concat(), CHAIN),
        ("a profile's token", BLOCK, &[&NO_KEYS[..], &[PROFILE]].concat(), BY_TOKEN),
        ("a profile's role, then the block's", ROLE, &[&NO_KEYS[..], &[PROFILE]].concat(), OF_PROFILE),
        ("a profile's role, with services", BLOCK, &[&NO_KEYS[..], &[PROFILE]].concat(), SERVICES),
    ] {
        check(&Case { name, block, env: env(&[own, &OTHERS]), config });
    }
}

#[test]
fn the_environments_addresses_of_sts_go_in_terraforms_order() {
    let s3 = "    endpoints = { s3 = \"{S3}\" }\n";
    let new = [("AWS_ENDPOINT_URL_STS", "{STS}"), OTHERS[1], OTHERS[2]];
    let old = [("AWS_STS_ENDPOINT", "{STS}"), OTHERS[2]];
    for (name, variables) in [("for STS", &new[..]), ("for STS, the old one", &old)] {
        for (role, block, own, config) in [
            ("the block's role", PLAIN, &[][..], ""),
            ("the environment's token", s3, &[NO_KEYS, TOKEN].concat(), ""),
            ("a profile's role", s3, &[&NO_KEYS[..], &[PROFILE]].concat(), OF_PROFILE),
            ("a profile's token", s3, &[&NO_KEYS[..], &[PROFILE]].concat(), BY_TOKEN),
            ("a profile's role, with services", s3, &[&NO_KEYS[..], &[PROFILE]].concat(), SERVICES),
        ] {
            let name = format!("{role}; the environment's address {name}").leak();
            check(&Case { name, block, env: env(&[own, variables]), config });
        }
    }
}

/// Terraform's SDK takes these roles before it knows the address for all services. A proxy that lets
/// nobody through hears whom each program asks.
#[test]
fn an_address_for_all_services_gives_no_role_of_the_environment_or_a_profile() {
    let s3 = "    max_retries = 1\n    endpoints = { s3 = \"{S3}\" }\n";
    let of_profile = [NO_KEYS[0], NO_KEYS[1], PROFILE];
    let general = "[profile lab]\nregion = us-east-1\nrole_arn = {ROLE}\nsource_profile = source\nendpoint_url = {OTHER}\n[profile source]\naws_access_key_id = test\naws_secret_access_key = test\n";
    for (name, own, config) in [
        ("the environment's token", [NO_KEYS, TOKEN].concat(), ""),
        ("a profile's role", of_profile.to_vec(), OF_PROFILE),
        ("a profile's token", of_profile.to_vec(), BY_TOKEN),
        ("a profile's role, with services", of_profile.to_vec(), SERVICES),
        ("a profile's role, with the profile's address for all", of_profile.to_vec(), general),
    ] {
        let variables: &[_] = if config == general { &[] } else { &OTHERS[2..] };
        let case = Case { name, block: s3, env: env(&[&own, variables]), config };
        let place = Place::new(&case);
        let laptop = place.laptop(&case);
        let with_keys = laptop.clone().env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        let ready = with_keys.terraform(&["init", "-input=false", "-no-color"]);
        assert_eq!(ready.code, Some(0), "{name}: {}", ready.text());
        let (theirs, ours) = (Proxy::start(&[]), Proxy::start(&[]));
        let hosts = |proxy: &Proxy| {
            let mut lines: Vec<_> = proxy.asked().into_iter().map(|asked| asked.line).collect();
            lines.dedup();
            lines
        };
        let refused = laptop.clone().env("HTTPS_PROXY", &theirs.url()).terraform(&["plan", "-input=false"]);
        assert_eq!(refused.code, Some(1), "{name}: {}", refused.text());
        let lock = ["lock", "--reason", "test", "--init", "false"];
        let refused = laptop.env("HTTPS_PROXY", &ours.url()).stategate(&lock);
        assert_eq!(refused.code, Some(20), "{name}: {}", refused.text());
        assert_eq!(hosts(&ours), hosts(&theirs), "{name}");
        assert!(hosts(&ours).iter().any(|line| line.contains("sts.")), "{name}: {:?}", hosts(&ours));
    }
}
