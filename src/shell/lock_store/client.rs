//! AWS clients as the backend describes them: region, endpoints, credentials, retries, timeouts.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{IdentityCache, RequestChecksumCalculation};
use secrecy::ExposeSecret as _;

use crate::core::backend::{AssumeRole, Backend, WebIdentity, WebIdentityToken};

/// Long enough for a state upload's first byte, short enough to leave time for asking again.
const ATTEMPT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// Terraform's own default for `max_retries`, counted in attempts.
const ATTEMPTS: u32 = 5;
const SESSION_NAME: &str = "stategate";

/// The services behind one backend.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
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
    }
}

async fn sdk_config(backend: &Backend) -> SdkConfig {
    let credentials = &backend.credentials;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(backend.max_attempts.unwrap_or(ATTEMPTS)))
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build());
    if let Some(region) = &backend.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &credentials.profile {
        loader = loader.profile_name(profile);
    }
    if backend.use_fips {
        loader = loader.use_fips(true);
    }
    if backend.use_dualstack {
        loader = loader.use_dual_stack(true);
    }
    if let Some(files) = profile_files(backend) {
        loader = loader.profile_files(files);
    }
    if let Some(keys) = &credentials.keys {
        let token = keys.token.as_ref().map(|token| token.expose_secret().to_owned());
        let secret = keys.secret_key.expose_secret();
        loader =
            loader.credentials_provider(Credentials::new(&keys.access_key, secret, token, None, "the backend block"));
    }
    let mut config = loader.load().await;
    if let Some(identity) = &credentials.web_identity {
        config = with_role(backend, &config, Role::WebIdentity(identity.clone()), None);
    }
    if let Some(role) = &credentials.assume_role {
        config = with_role(backend, &config, Role::Assumed(role.clone()), role.sts_region.as_deref());
    }
    config
}

#[expect(deprecated, reason = "the new names are in a crate meant for the SDK's own use")]
fn profile_files(backend: &Backend) -> Option<aws_config::profile::profile_file::ProfileFiles> {
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
    let config = &backend.credentials.shared_config_files;
    let credentials = &backend.credentials.shared_credentials_files;
    if config.is_empty() && credentials.is_empty() {
        return None;
    }
    let mut files = ProfileFiles::builder()
        .include_default_config_file(config.is_empty())
        .include_default_credentials_file(credentials.is_empty());
    for file in config {
        files = files.with_file(ProfileFileKind::Config, file);
    }
    for file in credentials {
        files = files.with_file(ProfileFileKind::Credentials, file);
    }
    Some(files.build())
}

/// The same configuration with a role's credentials in place of those found.
fn with_role(backend: &Backend, config: &SdkConfig, role: Role, sts_region: Option<&str>) -> SdkConfig {
    let mut sts = aws_sdk_sts::config::Builder::from(config);
    sts.set_endpoint_url(backend.endpoints.sts.clone().or_else(|| config.endpoint_url().map(str::to_owned)));
    if let Some(region) = sts_region {
        sts = sts.region(Region::new(region.to_owned()));
    }
    let provider = RoleCredentials { sts: aws_sdk_sts::Client::from_conf(sts.build()), role };
    config
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .identity_cache(IdentityCache::lazy().build())
        .build()
}

/// Takes a role by STS whenever credentials are due. The SDK's own providers leave out several
/// of the backend's settings: `endpoints.sts`, an inline token, session tags that are passed on.
#[derive(Debug)]
struct RoleCredentials {
    sts: aws_sdk_sts::Client,
    role: Role,
}

#[derive(Debug)]
enum Role {
    Assumed(AssumeRole),
    WebIdentity(WebIdentity),
}

impl ProvideCredentials for RoleCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            match &self.role {
                Role::Assumed(role) => self.assume(role).await,
                Role::WebIdentity(identity) => self.assume_with_web_identity(identity).await,
            }
        })
    }
}

impl RoleCredentials {
    async fn assume(&self, role: &AssumeRole) -> Result<Credentials, CredentialsError> {
        let mut request = self
            .sts
            .assume_role()
            .role_arn(&role.role_arn)
            .role_session_name(role.session_name.as_deref().unwrap_or(SESSION_NAME))
            .set_external_id(role.external_id.clone())
            .set_source_identity(role.source_identity.clone())
            .set_policy(role.policy.clone())
            .set_duration_seconds(role.duration.and_then(|duration| i32::try_from(duration.as_secs()).ok()));
        for arn in &role.policy_arns {
            request = request.policy_arns(policy_arn(arn));
        }
        for (key, value) in &role.tags {
            let tag = aws_sdk_sts::types::Tag::builder().key(key).value(value).build();
            request = request.tags(tag.map_err(CredentialsError::invalid_configuration)?);
        }
        for key in &role.transitive_tag_keys {
            request = request.transitive_tag_keys(key);
        }
        let answer = request.send().await.map_err(CredentialsError::provider_error)?;
        credentials(answer.credentials())
    }

    async fn assume_with_web_identity(&self, identity: &WebIdentity) -> Result<Credentials, CredentialsError> {
        let token = match &identity.token {
            WebIdentityToken::Inline(token) => token.expose_secret().to_owned(),
            WebIdentityToken::File(path) => tokio::fs::read_to_string(path).await.map_err(|error| {
                CredentialsError::provider_error(format!("web identity token file {path}: {error}"))
            })?,
        };
        let mut request = self
            .sts
            .assume_role_with_web_identity()
            .role_arn(&identity.role_arn)
            .role_session_name(identity.session_name.as_deref().unwrap_or(SESSION_NAME))
            .web_identity_token(token.trim())
            .set_policy(identity.policy.clone())
            .set_duration_seconds(identity.duration.and_then(|duration| i32::try_from(duration.as_secs()).ok()));
        for arn in &identity.policy_arns {
            request = request.policy_arns(policy_arn(arn));
        }
        let answer = request.send().await.map_err(CredentialsError::provider_error)?;
        credentials(answer.credentials())
    }
}

fn policy_arn(arn: &str) -> aws_sdk_sts::types::PolicyDescriptorType {
    aws_sdk_sts::types::PolicyDescriptorType::builder().arn(arn).build()
}

fn credentials(given: Option<&aws_sdk_sts::types::Credentials>) -> Result<Credentials, CredentialsError> {
    let given = given.ok_or_else(|| CredentialsError::provider_error("STS answered without credentials"))?;
    let expires = std::time::SystemTime::try_from(*given.expiration()).ok();
    let token = Some(given.session_token().to_owned());
    Ok(Credentials::new(given.access_key_id(), given.secret_access_key(), token, expires, "STS"))
}
