//! Where the credentials come from: the same places as for Terraform, in its order, which is not
//! the SDK's own.

use std::error::Error;
use std::time::Duration;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds;
use aws_config::imds::client::EndpointMode;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_s3::config::IdentityCache;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use secrecy::ExposeSecret as _;

use super::http::AwsHttp;
use super::profile::ProfileCredentials;
use stategate_core::backend::{self, AssumeRole, Backend, Endpoints, Metadata, WebIdentity, WebIdentityToken};
use stategate_core::refusal::{Refusal, is_bad_credentials};

const SESSION_NAME: &str = "stategate";
/// What Terraform asks for where `assume_role` names no duration, in seconds.
const TERRAFORMS_DURATION: i32 = 900;

/// A profile named in the block alone; else the environment's keys, its token, the profile of the
/// environment, the container's role, the machine's. STS is asked at the backend's address, for a
/// role of the environment or of a profile as well.
pub(super) fn chain(
    backend: &Backend,
    sdk: &SdkConfig,
    endpoints: &Endpoints,
    http: AwsHttp,
) -> CredentialsProviderChain {
    let is_amazon = endpoints.sts.is_none();
    let config = ProviderConfig::without_region()
        .with_region(sdk.region().cloned())
        .with_http_client(http)
        .with_use_fips(sdk.use_fips().filter(|_| is_amazon).or(Some(false)))
        .with_use_dual_stack(sdk.use_dual_stack().filter(|_| is_amazon).or(Some(false)));
    let profile = ProfileCredentials::new(backend, sdk, endpoints, config.clone());
    if backend.credentials.profile.is_some() {
        return CredentialsProviderChain::first_try("Profile", profile);
    }
    let chain = CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new());
    let chain = match &backend.credentials.environment_identity {
        Some(identity) => {
            let role = Role::WebIdentity(identity.clone());
            chain.or_else("WebIdentityToken", RoleCredentials::new(sts(backend, sdk, endpoints), role))
        }
        None => chain.or_else("WebIdentityToken", NoToken),
    };
    let container = EcsCredentialsProvider::builder().configure(&config).build();
    let chain = chain.or_else("Profile", profile).or_else("EcsContainer", container);
    match machine(&backend.credentials.metadata, &config) {
        Some(machine) => chain.or_else("Ec2InstanceMetadata", machine),
        None => chain,
    }
}

/// The machine's own role, unless the block says not to ask. (That `false` asks in spite of
/// `AWS_EC2_METADATA_DISABLED`, as for Terraform, is not in the SDK's reach.)
pub(super) fn machine(metadata: &Metadata, config: &ProviderConfig) -> Option<ImdsCredentialsProvider> {
    if metadata.enabled == Some(false) {
        return None;
    }
    let mut client = imds::Client::builder().configure(config);
    if metadata.ipv6 {
        client = client.endpoint_mode(EndpointMode::IpV6);
    }
    if let Some(endpoint) = &metadata.endpoint {
        client = match client.endpoint(endpoint) {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!("the metadata service's address {endpoint} is none, it is not asked: {error}");
                return None;
            }
        };
    }
    Some(ImdsCredentialsProvider::builder().configure(config).imds_client(client.build()).build())
}

/// The files that the block names in place of the usual ones.
#[expect(deprecated, reason = "the new names are in a crate meant for the SDK's own use")]
pub(super) fn profile_files(
    credentials: &backend::Credentials,
) -> Option<aws_config::profile::profile_file::ProfileFiles> {
    let named = !credentials.shared_config_files.is_empty() || !credentials.shared_credentials_files.is_empty();
    named.then(|| files(credentials).build())
}

#[expect(deprecated, reason = "the new names are in a crate meant for the SDK's own use")]
fn files(credentials: &backend::Credentials) -> aws_config::profile::profile_file::Builder {
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
    let (config, keys) = (&credentials.shared_config_files, &credentials.shared_credentials_files);
    let mut files = ProfileFiles::builder()
        .include_default_config_file(config.is_empty())
        .include_default_credentials_file(keys.is_empty());
    for file in config {
        files = files.with_file(ProfileFileKind::Config, file);
    }
    for file in keys {
        files = files.with_file(ProfileFileKind::Credentials, file);
    }
    files
}

/// The same configuration with the credentials of the backend's roles in place of those found.
pub(super) fn with_roles(backend: &Backend, mut config: SdkConfig, endpoints: &Endpoints) -> SdkConfig {
    let web_identity = backend.credentials.web_identity.clone().map(Role::WebIdentity);
    let assumed = backend.credentials.assume_role.clone().map(Role::Assumed);
    for role in web_identity.into_iter().chain(assumed) {
        let provider = RoleCredentials::new(sts(backend, &config, endpoints), role);
        config = config
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(provider))
            .identity_cache(IdentityCache::lazy().build())
            .build();
    }
    config
}

/// STS where the backend has it, in the region that the block names for it.
pub(super) fn sts(backend: &Backend, config: &SdkConfig, endpoints: &Endpoints) -> aws_sdk_sts::Client {
    sts_in(backend.credentials.sts_region.as_deref(), config, endpoints)
}

/// The same in another region, or in the backend's own.
pub(super) fn sts_in(region: Option<&str>, config: &SdkConfig, endpoints: &Endpoints) -> aws_sdk_sts::Client {
    let mut sts = aws_sdk_sts::config::Builder::from(config);
    sts.set_endpoint_url(endpoints.sts.clone());
    if endpoints.sts.is_some() {
        sts = sts.use_fips(false).use_dual_stack(false);
    }
    if let Some(region) = region {
        sts = sts.region(Region::new(region.to_owned()));
    }
    aws_sdk_sts::Client::from_conf(sts.build())
}

/// Says in the list of what was tried that no token was.
#[derive(Debug)]
struct NoToken;

impl ProvideCredentials for NoToken {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let why = "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not both set";
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded(why)))
    }
}

/// Takes a role by STS whenever credentials are due. The SDK's own providers leave out several
/// of the backend's settings: `endpoints.sts`, an inline token, session tags that are passed on.
#[derive(Debug)]
pub(super) struct RoleCredentials {
    sts: aws_sdk_sts::Client,
    role: Role,
    of_profile: bool,
}

#[derive(Debug)]
pub(super) enum Role {
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
    fn new(sts: aws_sdk_sts::Client, role: Role) -> RoleCredentials {
        RoleCredentials { sts, role, of_profile: false }
    }

    /// The same for a role that a profile names.
    pub(super) fn of_profile(sts: aws_sdk_sts::Client, role: Role) -> RoleCredentials {
        RoleCredentials { sts, role, of_profile: true }
    }

    fn refused<E>(&self, role: &str, error: SdkError<E, HttpResponse>) -> CredentialsError
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let Some(code) = error.code().map(str::to_owned) else { return CredentialsError::provider_error(error) };
        let message = error.message().unwrap_or_default().to_owned();
        let asked = match &self.role {
            Role::WebIdentity(_) => Asked::Token,
            Role::Assumed(_) if self.of_profile => Asked::Profile,
            Role::Assumed(_) => Asked::Block,
        };
        CredentialsError::provider_error(RoleRefused { role: role.to_owned(), asked, code, message })
    }

    async fn assume(&self, role: &AssumeRole) -> Result<Credentials, CredentialsError> {
        let mut request = self
            .sts
            .assume_role()
            .role_arn(&role.role_arn)
            .role_session_name(role.session_name.as_deref().unwrap_or(SESSION_NAME))
            .set_external_id(role.external_id.clone())
            .set_source_identity(role.source_identity.clone())
            .set_policy(role.policy.clone())
            .duration_seconds(seconds(role.duration).unwrap_or(TERRAFORMS_DURATION));
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
        let answer = request.send().await.map_err(|error| self.refused(&role.role_arn, error))?;
        session(answer.credentials())
    }

    async fn assume_with_web_identity(&self, identity: &WebIdentity) -> Result<Credentials, CredentialsError> {
        let token = match &identity.token {
            WebIdentityToken::Inline(token) => token.expose_secret().to_owned(),
            WebIdentityToken::File(path) => tokio::fs::read_to_string(path)
                .await
                .map_err(|source| CredentialsError::provider_error(TokenUnreadable { path: path.clone(), source }))?,
        };
        let mut request = self
            .sts
            .assume_role_with_web_identity()
            .role_arn(&identity.role_arn)
            .role_session_name(identity.session_name.as_deref().unwrap_or(SESSION_NAME))
            .web_identity_token(token.trim())
            .set_policy(identity.policy.clone())
            .set_duration_seconds(seconds(identity.duration));
        for arn in &identity.policy_arns {
            request = request.policy_arns(policy_arn(arn));
        }
        let answer = request.send().await.map_err(|error| self.refused(&identity.role_arn, error))?;
        session(answer.credentials())
    }
}

/// STS does not give us a role.
#[derive(Debug, thiserror::Error)]
#[error("the role {role} cannot be taken{} ({code}): {message}", if matches!(.asked, Asked::Token) { " with the web identity token" } else { "" })]
pub(super) struct RoleRefused {
    role: String,
    asked: Asked,
    pub(super) code: String,
    message: String,
}

/// What a role was asked for with.
#[derive(Debug, Clone, Copy)]
enum Asked {
    /// Other credentials, because the block names the role.
    Block,
    /// Other credentials, because a profile names the role.
    Profile,
    /// An OIDC token.
    Token,
}

impl RoleRefused {
    /// What it means for whoever has to mend it.
    pub(super) fn refusal(&self) -> Refusal {
        match self.asked {
            Asked::Token => Refusal::of_token(&self.code),
            _ if is_bad_credentials(&self.code) => Refusal::BadCredentials(self.code.clone()),
            Asked::Block => Refusal::Role,
            Asked::Profile => Refusal::ProfileRole,
        }
    }

    /// The message, with the headline of its cause first.
    pub(super) fn words(&self) -> String {
        match self.asked {
            Asked::Profile => format!("{}: {} ({}): {}", Refusal::ProfileRole, self.role, self.code, self.message),
            Asked::Block | Asked::Token => self.to_string(),
        }
    }
}

/// The OIDC token cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the web identity token's file {path} cannot be read: {source}")]
pub(super) struct TokenUnreadable {
    pub(super) path: String,
    source: std::io::Error,
}

fn seconds(duration: Option<Duration>) -> Option<i32> {
    i32::try_from(duration?.as_secs()).ok()
}

fn policy_arn(arn: &str) -> aws_sdk_sts::types::PolicyDescriptorType {
    aws_sdk_sts::types::PolicyDescriptorType::builder().arn(arn).build()
}

fn session(given: Option<&aws_sdk_sts::types::Credentials>) -> Result<Credentials, CredentialsError> {
    let given = given.ok_or_else(|| CredentialsError::provider_error("STS answered without credentials"))?;
    let expires = std::time::SystemTime::try_from(*given.expiration()).ok();
    let token = Some(given.session_token().to_owned());
    Ok(Credentials::new(given.access_key_id(), given.secret_access_key(), token, expires, "STS"))
}
