//! AWS clients as the backend describes them: region, endpoints, credentials, retries, timeouts.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use secrecy::ExposeSecret as _;

use super::credentials;
use super::http::AwsHttp;
use stategate_core::backend::Backend;

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
    /// S3 is Amazon's own, not a store at an endpoint that somebody named.
    pub(super) is_amazon: bool,
}

/// Asks nothing of AWS; credentials are resolved with the first request.
pub(super) async fn clients(backend: &Backend) -> Clients {
    let config = sdk_config(backend).await;
    let mut s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(backend.use_path_style);
    s3.set_endpoint_url(backend.endpoints.s3.clone().or_else(|| config.endpoint_url().map(str::to_owned)));
    if backend.skip_s3_checksum {
        s3 = s3.request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    }
    let mut dynamodb = aws_sdk_dynamodb::config::Builder::from(&config);
    dynamodb.set_endpoint_url(backend.endpoints.dynamodb.clone().or_else(|| config.endpoint_url().map(str::to_owned)));
    Clients {
        is_amazon: backend.endpoints.s3.is_none() && config.endpoint_url().is_none(),
        s3: aws_sdk_s3::Client::from_conf(s3.build()),
        dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
        sts: credentials::sts(backend, &config),
    }
}

async fn sdk_config(backend: &Backend) -> SdkConfig {
    let http = AwsHttp::new(&backend.network, CONNECT);
    let retries = if backend.adaptive_retries { RetryConfig::adaptive() } else { RetryConfig::standard() };
    let retries = retries.with_max_attempts(backend.max_attempts.unwrap_or(ATTEMPTS));
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .retry_config(retries)
        .timeout_config(timeouts);
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
    loader = match &backend.credentials.keys {
        Some(keys) => {
            let token = keys.token.as_ref().map(|token| token.expose_secret().to_owned());
            let secret = keys.secret_key.expose_secret();
            loader.credentials_provider(Credentials::new(&keys.access_key, secret, token, None, "the backend block"))
        }
        None => loader.credentials_provider(credentials::chain(backend, http)),
    };
    credentials::with_roles(backend, loader.load().await)
}
