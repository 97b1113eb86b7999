//! The lock lies where Terraform's lies: for each place that can name an address, a region or a
//! checksum setting, the requests of plain Terraform and ours, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::harness::fault_proxy::{Fault, FaultProxy, Seen};
use crate::harness::files::{PROD, PROD_KEY, PROD_LOCK, backend};
use crate::harness::laptop::Laptop;
use crate::harness::ministack::Ministack;
use crate::harness::process::Finished;
use crate::harness::world::World;
use crate::lock_store::table;

/// The addresses that settings can name: one for each service, one for all of them, and one more
/// that would be wrong. Each is a way to the same stand-in.
const ADDRESSES: [&str; 5] = ["S3", "DYNAMODB", "STS", "ALL", "OTHER"];

const ROLE: &str = "arn:aws:iam::000000000000:role/state";

/// One combination of settings; a word such as `{S3}` stands for an address.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Lines of the backend block.
    pub(crate) block: &'static str,
    pub(crate) env: &'static [(&'static str, &'static str)],
    /// The shared configuration file.
    pub(crate) config: &'static str,
}

pub(crate) struct Place {
    pub(crate) world: World,
    proxies: Vec<FaultProxy>,
}

/// What one program asked of AWS: for each kind of request where it went, in which style, and signed
/// for which region; and the headers that settings decide.
type Side = BTreeMap<String, BTreeSet<String>>;

impl Place {
    pub(crate) fn new(case: &Case) -> Place {
        let bucket = Ministack::shared().bucket();
        table(Ministack::shared(), &bucket.name);
        let proxies: Vec<_> = ADDRESSES.iter().map(|_| FaultProxy::start(&bucket.endpoint, |_| Fault::None)).collect();
        let world = World::with_bucket(bucket);
        let place = Place { world, proxies };
        let text = backend(&place.world.bucket, PROD_KEY, "#settings");
        let own = text.lines().find(|line| line.contains("endpoints = {")).unwrap();
        let text = text.replace(own, "").replace("#settings", &place.filled(case.block));
        place.world.main.write(&format!("{PROD}/backend.tf"), &text);
        place
    }

    /// With addresses in place of the words, and the table's name.
    fn filled(&self, text: &str) -> String {
        let mut text = text.replace("{TABLE}", &self.world.bucket.name).replace("{ROLE}", ROLE);
        for (name, proxy) in ADDRESSES.iter().zip(&self.proxies) {
            text = text.replace(&format!("{{{name}}}"), &proxy.endpoint);
        }
        text
    }

    pub(crate) fn laptop(&self, case: &Case) -> Laptop {
        let files = self.world.place("aws");
        fs::write(files.join("credentials"), "").unwrap();
        fs::write(files.join("token"), "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvY3RvY2F0In0.").unwrap();
        let path = |name: &str| files.join(name).display().to_string();
        let filled = |text: &str| self.filled(&text.replace("{TOKEN}", &path("token")));
        fs::write(files.join("config"), filled(case.config)).unwrap();
        let mut laptop = self
            .world
            .laptop()
            .env("AWS_CONFIG_FILE", &path("config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", &path("credentials"));
        for (name, value) in case.env {
            laptop = laptop.env(name, &filled(value));
        }
        laptop
    }

    fn marks(&self) -> Vec<usize> {
        self.proxies.iter().map(|proxy| proxy.seen().len()).collect()
    }

    fn since(&self, marks: &[usize]) -> Side {
        let mut side = Side::new();
        for ((name, proxy), mark) in ADDRESSES.iter().zip(&self.proxies).zip(marks) {
            for seen in &proxy.seen()[*mark..] {
                note(&mut side, name, seen);
            }
        }
        side
    }
}

fn note(side: &mut Side, address: &str, seen: &Seen) {
    let kind = if seen.header("x-amz-target").is_some() {
        "DynamoDB"
    } else if seen.path.starts_with("/tfstate-") {
        "S3"
    } else {
        "STS"
    };
    let scope = seen.header("authorization").and_then(|text| text.split_once("Credential=")).map(|(_, scope)| scope);
    let region = scope.and_then(|scope| scope.split('/').nth(2)).unwrap_or("unsigned");
    side.entry(kind.to_owned()).or_default().insert(format!("{address} {region}"));
    if seen.path.contains(".tflock") && seen.method == "PUT" {
        let names = ["x-amz-sdk-checksum-algorithm", "x-amz-checksum-sha256", "x-amz-trailer"];
        let has: Vec<_> = names.iter().filter(|name| seen.header(name).is_some()).copied().collect();
        side.entry("checksum of the lock".to_owned()).or_default().insert(has.join(", "));
    }
    if seen.path.contains("terraform.tfstate") && seen.method == "GET" {
        let mode = seen.header("x-amz-checksum-mode").unwrap_or("none");
        side.entry("checksum asked for".to_owned()).or_default().insert(mode.to_owned());
    }
}

/// Terraform writes the state; then Terraform's plan, our lock and Terraform's plan against it, and
/// our unlock, all in the same environment.
#[track_caller]
pub(crate) fn check(case: &Case) {
    let place = Place::new(case);
    let laptop = place.laptop(case);
    let failed = |finished: &Finished| format!("{}: {}", case.name, finished.text());
    let init = laptop.terraform(&["init", "-input=false", "-no-color"]);
    assert_eq!(init.code, Some(0), "{}", failed(&init));
    let applied = laptop.terraform(&["apply", "-input=false", "-no-color", "-auto-approve"]);
    assert_eq!(applied.code, Some(0), "{}", failed(&applied));
    let marks = place.marks();
    let planned = laptop.terraform(&["plan", "-input=false", "-no-color"]);
    assert_eq!(planned.code, Some(0), "{}", failed(&planned));
    let theirs = place.since(&marks);

    let marks = place.marks();
    let locked = laptop.stategate(&["lock", "--reason", "test", "--init", "false"]);
    assert_eq!(locked.code, Some(0), "{}", failed(&locked));
    let shown = laptop.stategate(&["status", "--json", "--init", "false"]);
    assert_eq!(shown.code, Some(0), "{}", failed(&shown));
    let ours = place.since(&marks);
    assert_eq!(ours, theirs, "{}", case.name);

    // Whoever looks elsewhere would plan on.
    assert!(place.world.bucket.get(PROD_LOCK).is_some(), "{}", case.name);
    let excluded = laptop.terraform(&["plan", "-input=false", "-no-color"]);
    assert_eq!(excluded.code, Some(1), "{}", failed(&excluded));
    assert!(excluded.text().contains("Error acquiring the state lock"), "{}", failed(&excluded));
}

const PROFILE: (&str, &str) = ("AWS_PROFILE", "lab");
const NO_KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];

#[test]
fn an_address_of_the_block_or_the_environment_is_terraforms() {
    for case in [
        Case {
            name: "the block's",
            block: "    endpoints = { s3 = \"{S3}\" }\n",
            env: &[("AWS_ENDPOINT_URL_S3", "{OTHER}"), ("AWS_ENDPOINT_URL", "{OTHER}")],
            ..Case::default()
        },
        Case {
            name: "AWS_ENDPOINT_URL_S3",
            env: &[("AWS_ENDPOINT_URL_S3", "{S3}"), ("AWS_S3_ENDPOINT", "{OTHER}"), ("AWS_ENDPOINT_URL", "{OTHER}")],
            ..Case::default()
        },
        Case {
            name: "AWS_S3_ENDPOINT",
            env: &[("AWS_S3_ENDPOINT", "{S3}"), ("AWS_ENDPOINT_URL", "{OTHER}")],
            ..Case::default()
        },
        Case { name: "AWS_ENDPOINT_URL", env: &[("AWS_ENDPOINT_URL", "{ALL}")], ..Case::default() },
        Case {
            name: "a table, by variables",
            block: "    dynamodb_table = \"{TABLE}\"\n",
            env: &[("AWS_ENDPOINT_URL_S3", "{S3}"), ("AWS_DYNAMODB_ENDPOINT", "{DYNAMODB}")],
            ..Case::default()
        },
        Case {
            name: "a table, one address for all",
            block: "    dynamodb_table = \"{TABLE}\"\n",
            env: &[("AWS_ENDPOINT_URL", "{ALL}"), ("AWS_ENDPOINT_URL_DYNAMODB", "{DYNAMODB}")],
            ..Case::default()
        },
    ] {
        check(&case);
    }
}

#[test]
fn an_address_of_the_profile_is_terraforms() {
    let services = "[profile lab]\nregion = eu-west-1\nservices = x\nendpoint_url = {ALL}\n[services x]\ns3 =\n  endpoint_url = {S3}\ndynamodb =\n  endpoint_url = {DYNAMODB}\n";
    let default = "[default]\nservices = x\n[services x]\ns3 =\n  endpoint_url = {S3}\n";
    for case in [
        Case { name: "services beside a general one", env: &[PROFILE], config: services, ..Case::default() },
        Case {
            name: "services with a table",
            block: "    dynamodb_table = \"{TABLE}\"\n",
            env: &[PROFILE],
            config: services,
        },
        Case { name: "services alone, of the default profile", config: default, ..Case::default() },
        Case {
            name: "the block names the profile",
            block: "    profile = \"lab\"\n",
            env: &NO_KEYS,
            config: "[profile lab]\naws_access_key_id = AKIAIOSFODNN7PROFILE\naws_secret_access_key = x\nservices = x\n[services x]\ns3 =\n  endpoint_url = {S3}\n",
        },
        Case {
            name: "a general one alone",
            env: &[PROFILE],
            config: "[profile lab]\nendpoint_url = {ALL}\n",
            ..Case::default()
        },
        Case {
            name: "the environment's for the service comes first",
            env: &[PROFILE, ("AWS_ENDPOINT_URL_S3", "{S3}")],
            config: "[profile lab]\nservices = x\n[services x]\ns3 =\n  endpoint_url = {OTHER}\n",
            ..Case::default()
        },
        Case {
            name: "the environment's for all comes before services",
            env: &[PROFILE, ("AWS_ENDPOINT_URL", "{ALL}")],
            config: services,
            ..Case::default()
        },
        Case {
            name: "an empty variable",
            block: "    endpoints = { s3 = \"{S3}\" }\n",
            env: &[("AWS_ENDPOINT_URL", "")],
            ..Case::default()
        },
        Case {
            name: "ignored addresses",
            block: "    endpoints = { s3 = \"{S3}\" }\n",
            env: &[PROFILE, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")],
            config: "[profile lab]\nendpoint_url = {OTHER}\n",
        },
    ] {
        check(&case);
    }
}

#[test]
fn sts_is_asked_for_roles_where_terraform_asks_it() {
    let assumed = "    assume_role = { role_arn = \"{ROLE}\", session_name = \"state\" }\n";
    let of_profile = "[profile lab]\nregion = us-east-1\nrole_arn = arn:aws:iam::000000000000:role/state\nsource_profile = source\n[profile source]\naws_access_key_id = test\naws_secret_access_key = test\n";
    let with_services = "[profile lab]\nregion = us-east-1\nrole_arn = arn:aws:iam::000000000000:role/state\nsource_profile = source\nservices = x\n[profile source]\naws_access_key_id = test\naws_secret_access_key = test\n[services x]\nsts =\n  endpoint_url = {STS}\ns3 =\n  endpoint_url = {S3}\n";
    let role_services =
        "[profile lab]\nservices = x\n[services x]\nsts =\n  endpoint_url = {STS}\ns3 =\n  endpoint_url = {S3}\n";
    let web: [(&str, &str); 5] = [
        NO_KEYS[0],
        NO_KEYS[1],
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "{TOKEN}"),
        ("AWS_ENDPOINT_URL_S3", "{S3}"),
    ];
    let mut web_general = web.to_vec();
    web_general.push(("AWS_ENDPOINT_URL_STS", "{STS}"));
    let mut web_old = web.to_vec();
    web_old.push(("AWS_STS_ENDPOINT", "{STS}"));
    let mut web_services = web.to_vec();
    web_services[4] = PROFILE;
    let own =
        |list: &[(&'static str, &'static str)]| -> &'static [(&'static str, &'static str)] { list.to_vec().leak() };
    let profile = |more: &[(&'static str, &'static str)]| own(&[&NO_KEYS[..], &[PROFILE], more].concat());
    for case in [
        Case {
            name: "the block's role, by the block",
            block: "    assume_role = { role_arn = \"{ROLE}\", session_name = \"state\" }\n    endpoints = { s3 = \"{S3}\", sts = \"{STS}\" }\n",
            ..Case::default()
        },
        Case {
            name: "the block's role, by the profile's services",
            block: assumed,
            env: &[PROFILE],
            config: role_services,
        },
        Case {
            name: "the block's role, by AWS_ENDPOINT_URL",
            block: assumed,
            env: &[("AWS_ENDPOINT_URL", "{ALL}")],
            ..Case::default()
        },
        Case {
            name: "the environment's token, by the block",
            block: "    endpoints = { s3 = \"{S3}\", sts = \"{STS}\" }\n",
            env: own(&web),
            ..Case::default()
        },
        Case { name: "the environment's token, by AWS_STS_ENDPOINT", env: own(&web_old), ..Case::default() },
        Case { name: "the environment's token, by AWS_ENDPOINT_URL_STS", env: own(&web_general), ..Case::default() },
        Case {
            name: "the environment's token, by the profile's services",
            env: own(&web_services),
            config: role_services,
            ..Case::default()
        },
        Case {
            name: "a profile's role, by the block",
            block: "    endpoints = { s3 = \"{S3}\", sts = \"{STS}\" }\n",
            env: profile(&[]),
            config: of_profile,
        },
        Case {
            name: "a profile's role, by AWS_STS_ENDPOINT",
            env: profile(&[("AWS_STS_ENDPOINT", "{STS}"), ("AWS_S3_ENDPOINT", "{S3}")]),
            config: of_profile,
            ..Case::default()
        },
        Case { name: "a profile's role, by its services", env: profile(&[]), config: with_services, ..Case::default() },
        Case {
            name: "a profile's role of the block, by AWS_ENDPOINT_URL_STS",
            block: "    profile = \"lab\"\n",
            env: own(&[&NO_KEYS[..], &[("AWS_ENDPOINT_URL_STS", "{STS}"), ("AWS_ENDPOINT_URL_S3", "{S3}")]].concat()),
            config: of_profile,
        },
    ] {
        check(&case);
    }
}

#[test]
fn fips_and_dual_stack_beside_an_own_address_change_nothing() {
    let block = "    use_fips_endpoint = true\n    use_dualstack_endpoint = true\n    endpoints = { s3 = \"{S3}\" }\n";
    let role = "    use_fips_endpoint = true\n    assume_role = { role_arn = \"{ROLE}\", session_name = \"state\" }\n    endpoints = { s3 = \"{S3}\", sts = \"{STS}\", dynamodb = \"{DYNAMODB}\" }\n    dynamodb_table = \"{TABLE}\"\n";
    for case in [
        Case { name: "both in the block", block, ..Case::default() },
        Case {
            name: "FIPS by the environment",
            block: "    endpoints = { s3 = \"{S3}\" }\n",
            env: &[("AWS_USE_FIPS_ENDPOINT", "true")],
            ..Case::default()
        },
        Case {
            name: "dual stack by the environment",
            block: "    endpoints = { s3 = \"{S3}\" }\n",
            env: &[("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            ..Case::default()
        },
        Case {
            name: "FIPS by the profile",
            block: "    endpoints = { s3 = \"{S3}\" }\n",
            env: &[PROFILE],
            config: "[profile lab]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\n",
        },
        Case { name: "a role and a table", block: role, ..Case::default() },
    ] {
        check(&case);
    }
}

#[test]
fn checksum_settings_of_environment_and_profile_count_as_for_terraform() {
    const S3: &str = "    endpoints = { s3 = \"{S3}\" }\n";
    const SKIP: &str = "    skip_s3_checksum = true\n    endpoints = { s3 = \"{S3}\" }\n";
    const REQUIRED: &[(&str, &str)] =
        &[("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required"), ("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")];
    const PROFILES: &str =
        "[profile lab]\nrequest_checksum_calculation = when_required\nresponse_checksum_validation = when_required\n";
    for case in [
        Case { name: "by the environment", block: S3, env: REQUIRED, ..Case::default() },
        Case { name: "by the environment, without our own", block: SKIP, env: REQUIRED, ..Case::default() },
        Case { name: "by the profile", block: S3, env: &[PROFILE], config: PROFILES },
        Case { name: "by the profile, without our own", block: SKIP, env: &[PROFILE], config: PROFILES },
        Case { name: "neither", block: S3, ..Case::default() },
    ] {
        check(&case);
    }
}
