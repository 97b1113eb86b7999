//! AWS clients as the backend describes them: region, endpoints, credentials, retries, timeouts.

use std::time::Duration;

use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::IdentityCache;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use secrecy::ExposeSecret as _;

use super::credentials;
use super::http::AwsHttp;
use stategate_core::backend::{Backend, Endpoints};

/// Long enough for a state upload's first byte, short enough to leave time for asking again.
const ATTEMPT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// Terraform's own default for `max_retries`, counted in attempts.
const ATTEMPTS: u32 = 5;

/// The services behind one backend.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
    pub(super) sts: aws_sdk_sts::Client,
    /// STS with the credentials that the job has, before the backend's role: the ones that Terraform's
    /// providers find. `None` where nobody can be expected to answer.
    pub(super) identity: Option<aws_sdk_sts::Client>,
    /// S3 is Amazon's own, not a store at an endpoint that somebody named.
    pub(super) is_amazon: bool,
}

/// Asks nothing of AWS; credentials are resolved with the first request.
pub(super) async fn clients(backend: &Backend) -> Clients {
    let http = AwsHttp::new(&backend.network, CONNECT);
    let config = sdk_config(backend, http.clone()).await;
    let endpoints = in_effect(&backend.endpoints, &config);
    let chain = credentials::chain(backend, &config, &of_chain(&backend.endpoints, &config), http);
    let found = with_credentials(backend, config, chain);
    let config = credentials::with_roles(backend, found.clone(), &endpoints);
    // A token of the backend's may be all that the job has.
    let of_job = if backend.credentials.web_identity.is_some() { &config } else { &found };
    let has_sts = (endpoints.s3.is_none() || endpoints.sts.is_some()) && !backend.skip_account;
    // It is asked once, or not at all: nothing waits for it.
    let once = || of_job.to_builder().retry_config(RetryConfig::disabled()).build();
    let identity = has_sts.then(|| credentials::sts(backend, &once(), &endpoints));
    let mut s3 = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(backend.use_path_style)
        .request_checksum_calculation(checksums(backend));
    s3.set_endpoint_url(endpoints.s3.clone());
    let mut dynamodb = aws_sdk_dynamodb::config::Builder::from(&config);
    dynamodb.set_endpoint_url(endpoints.dynamodb.clone());
    // Terraform ignores both switches where an address is given; the SDK would refuse to send.
    if endpoints.s3.is_some() {
        s3 = s3.use_fips(false).use_dual_stack(false);
    }
    if endpoints.dynamodb.is_some() {
        dynamodb = dynamodb.use_fips(false).use_dual_stack(false);
    }
    Clients {
        is_amazon: endpoints.s3.is_none(),
        s3: aws_sdk_s3::Client::from_conf(s3.build()),
        dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
        sts: credentials::sts(backend, &config, &endpoints),
        identity,
    }
}

/// A checksum that a request names is sent whatever the environment and the profile say, as
/// Terraform sends it; without one, `skip_s3_checksum` means none at all.
fn checksums(backend: &Backend) -> RequestChecksumCalculation {
    if backend.skip_s3_checksum {
        RequestChecksumCalculation::WhenRequired
    } else {
        RequestChecksumCalculation::WhenSupported
    }
}

/// The address of each service: what the backend names, else what the environment or the profile
/// names for that service, else what they name for all.
fn in_effect(named: &Endpoints, config: &SdkConfig) -> Endpoints {
    let endpoint = |named: &Option<String>, service: &str| {
        let of_all = || config.endpoint_url().map(str::to_owned);
        // An empty variable names no address.
        named.clone().or_else(|| of_service(config, service)).or_else(of_all).filter(|address| !address.is_empty())
    };
    Endpoints {
        s3: endpoint(&named.s3, "s3"),
        dynamodb: endpoint(&named.dynamodb, "dynamodb"),
        sts: endpoint(&named.sts, "sts"),
    }
}

/// The same for the roles that the environment or a profile takes: Terraform's SDK looks for them
/// before it knows the address for all services, so that one does not count there.
fn of_chain(named: &Endpoints, config: &SdkConfig) -> Endpoints {
    let of_sts = || of_service(config, "sts").filter(|address| config.endpoint_url() != Some(address));
    let sts = named.sts.clone().or_else(of_sts).filter(|address| !address.is_empty());
    Endpoints { sts, ..Endpoints::default() }
}

/// What the environment or the profile names for one service; where they do not, what they name for all.
fn of_service(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
    config.service_config()?.load_config(key.build().ok()?)
}

/// Everything but credentials.
async fn sdk_config(backend: &Backend, http: AwsHttp) -> SdkConfig {
    let retries = if backend.adaptive_retries { RetryConfig::adaptive() } else { RetryConfig::standard() };
    let retries = retries.with_max_attempts(backend.max_attempts.unwrap_or(ATTEMPTS));
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(retries)
        .timeout_config(timeouts)
        .no_credentials();
    if let Some(region) = &backend.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &backend.credentials.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(fips) = backend.use_fips {
        loader = loader.use_fips(fips);
    }
    if let Some(dualstack) = backend.use_dualstack {
        loader = loader.use_dual_stack(dualstack);
    }
    if let Some(files) = credentials::profile_files(&backend.credentials) {
        loader = loader.profile_files(files);
    }
    loader.load().await
}

/// The keys of the block, else what the chain finds.
fn with_credentials(backend: &Backend, config: SdkConfig, chain: CredentialsProviderChain) -> SdkConfig {
    let found = match &backend.credentials.keys {
        Some(keys) => {
            let token = keys.token.as_ref().map(|token| token.expose_secret().to_owned());
            let secret = keys.secret_key.expose_secret();
            SharedCredentialsProvider::new(Credentials::new(&keys.access_key, secret, token, None, "the backend block"))
        }
        None => SharedCredentialsProvider::new(chain),
    };
    config.into_builder().credentials_provider(found).identity_cache(IdentityCache::lazy().build()).build()
}
