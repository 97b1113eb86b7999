//! The credentials of a profile, its roles above all. The SDK's own provider takes a role too, but asks
//! STS at the environment's address even where the backend names another, and heeds no
//! `duration_seconds`. So the roles are taken here; what they start from, the SDK reads.

use std::borrow::Cow;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
#[expect(deprecated, reason = "the new names are in a crate meant for the SDK's own use")]
use aws_config::profile::profile_file::ProfileFiles;
use aws_config::profile::{Profile, ProfileFileCredentialsProvider, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_s3::config::IdentityCache;
use aws_types::os_shim_internal::{Env, Fs};

use super::credentials::{Role, RoleCredentials, machine, profile_files, sts_in};
use stategate_core::backend::{AssumeRole, Backend, Endpoints, Metadata, WebIdentity, WebIdentityToken};

/// A profile's credentials: the block's profile, else the environment's, else the default one.
#[derive(Debug)]
pub(super) struct ProfileCredentials {
    name: Option<String>,
    #[expect(deprecated, reason = "the new names are in a crate meant for the SDK's own use")]
    files: ProfileFiles,
    config: ProviderConfig,
    sdk: SdkConfig,
    endpoints: Endpoints,
    metadata: Metadata,
}

/// Where the first credentials come from, before any role.
#[derive(Debug)]
enum Source {
    /// Keys that stand in a profile.
    Keys(Credentials),
    /// A profile's token, for a role.
    Token(WebIdentity),
    /// A profile's `credential_source`.
    Named(String),
    /// A profile that names no role, in any way the SDK knows: keys, SSO, `aws login`, a process.
    Profile(String),
}

impl ProfileCredentials {
    pub(super) fn new(backend: &Backend, sdk: &SdkConfig, endpoints: &Endpoints, config: ProviderConfig) -> Self {
        let credentials = &backend.credentials;
        ProfileCredentials {
            name: credentials.profile.clone().or_else(|| credentials.environment_profile.clone()),
            files: profile_files(credentials).unwrap_or_default(),
            config,
            sdk: sdk.clone(),
            endpoints: endpoints.clone(),
            metadata: credentials.metadata.clone(),
        }
    }

    async fn load(&self) -> Result<Credentials, CredentialsError> {
        let name = self.name.clone().map(Cow::Owned);
        let Ok(profiles) = aws_config::profile::load(&Fs::real(), &Env::real(), &self.files, name).await else {
            return self.by_sdk(self.name.as_deref()).await;
        };
        // Where the profiles make no chain, the SDK says why.
        let Some((source, roles)) = chain(&profiles) else { return self.by_sdk(self.name.as_deref()).await };
        let mut found = match source {
            Source::Keys(keys) => keys,
            Source::Token(identity) => self.take(Role::WebIdentity(identity), None).await?,
            Source::Named(source) => self.named(&source).await?,
            Source::Profile(name) => self.by_sdk(Some(&name)).await?,
        };
        for role in roles {
            found = self.take(Role::Assumed(role), Some(found)).await?;
        }
        Ok(found)
    }

    async fn by_sdk(&self, name: Option<&str>) -> Result<Credentials, CredentialsError> {
        let mut profile =
            ProfileFileCredentialsProvider::builder().configure(&self.config).profile_files(self.files.clone());
        if let Some(name) = name {
            profile = profile.profile_name(name);
        }
        profile.build().provide_credentials().await
    }

    async fn named(&self, source: &str) -> Result<Credentials, CredentialsError> {
        match source {
            "Environment" => EnvironmentVariableCredentialsProvider::new().provide_credentials().await,
            "EcsContainer" => {
                EcsCredentialsProvider::builder().configure(&self.config).build().provide_credentials().await
            }
            "Ec2InstanceMetadata" => match machine(&self.metadata, &self.config) {
                Some(machine) => machine.provide_credentials().await,
                None => Err(CredentialsError::not_loaded("the backend says not to ask the machine for its role")),
            },
            other => Err(CredentialsError::invalid_configuration(format!("there is no credential_source {other}"))),
        }
    }

    async fn take(&self, role: Role, with: Option<Credentials>) -> Result<Credentials, CredentialsError> {
        let mut sdk = self.sdk.to_builder().identity_cache(IdentityCache::lazy().build());
        if let Some(credentials) = with {
            sdk = sdk.credentials_provider(SharedCredentialsProvider::new(credentials));
        }
        let sts = sts_in(None, &sdk.build(), &self.endpoints);
        RoleCredentials::of_profile(sts, role).provide_credentials().await
    }
}

impl ProvideCredentials for ProfileCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

/// Where the selected profile's credentials start, and the roles from there, in order; `None` when the
/// profiles make no chain.
fn chain(profiles: &ProfileSet) -> Option<(Source, Vec<AssumeRole>)> {
    let mut roles = Vec::new();
    let mut seen = Vec::new();
    let mut name = profiles.selected_profile();
    let source = loop {
        let profile = profiles.get_profile(name)?;
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        // Keys of a profile that is another's source come before its role.
        if let Some(keys) = keys(profile).filter(|_| seen.len() > 1) {
            break Source::Keys(keys);
        }
        let Some(arn) = given(profile, "role_arn") else { break Source::Profile(name.to_owned()) };
        if let Some(file) = given(profile, "web_identity_token_file") {
            break Source::Token(identity(profile, arn, file));
        }
        roles.push(role(profile, arn));
        match (profile.get("source_profile"), profile.get("credential_source")) {
            (Some(source), None) if source == name => break Source::Keys(keys(profile)?),
            (Some(source), None) => name = source,
            (None, Some(source)) => break Source::Named(source.to_owned()),
            _ => return None,
        }
    };
    roles.reverse();
    Some((source, roles))
}

fn given<'a>(profile: &'a Profile, setting: &str) -> Option<&'a str> {
    profile.get(setting).filter(|value| !value.is_empty())
}

fn keys(profile: &Profile) -> Option<Credentials> {
    let (key, secret) = given(profile, "aws_access_key_id").zip(given(profile, "aws_secret_access_key"))?;
    let token = given(profile, "aws_session_token").map(str::to_owned);
    Some(Credentials::new(key, secret, token, None, "the profile"))
}

fn role(profile: &Profile, arn: &str) -> AssumeRole {
    let duration = given(profile, "duration_seconds").and_then(|seconds| seconds.parse().ok());
    AssumeRole {
        role_arn: arn.to_owned(),
        session_name: given(profile, "role_session_name").map(str::to_owned),
        external_id: given(profile, "external_id").map(str::to_owned),
        duration: duration.map(Duration::from_secs),
        policy: None,
        policy_arns: Vec::new(),
        tags: Vec::new(),
        transitive_tag_keys: Vec::new(),
        source_identity: None,
    }
}

fn identity(profile: &Profile, arn: &str, file: &str) -> WebIdentity {
    WebIdentity {
        role_arn: arn.to_owned(),
        token: WebIdentityToken::File(file.to_owned()),
        session_name: given(profile, "role_session_name").map(str::to_owned),
        duration: None,
        policy: None,
        policy_arns: Vec::new(),
    }
}
