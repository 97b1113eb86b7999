//! Reading the backend: the JSON that `init` wrote, then the environment, as Terraform does.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::SignedDuration;
use md5::{Digest as _, Md5};
use secrecy::SecretString;
use serde::Deserialize;

use super::{AssumeRole, Backend, Credentials, Encryption, Endpoints, Keys, WebIdentity, WebIdentityToken};

/// Why the backend could not be read. No message quotes a value: the file can hold credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The file is not JSON, or not of the shape Terraform writes.
    #[error("`.terraform/terraform.tfstate` cannot be read at `{place}` (line {line}, column {column})")]
    Unreadable {
        /// The JSON path, `.` for the document itself.
        place: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// No backend block: the state is a local file.
    #[error("the root module has no backend block: its state is a local file that cannot be shared or locked")]
    NoBackend,
    /// A backend other than S3.
    #[error("the root module uses the backend \"{kind}\"; stategate works with \"s3\"")]
    NotS3 {
        /// The backend's type.
        kind: String,
    },
    /// A setting without which there is no state.
    #[error("the S3 backend in `.terraform/terraform.tfstate` has no `{setting}`")]
    Missing {
        /// The setting's name.
        setting: &'static str,
    },
    /// A setting that has no meaning as it stands.
    #[error("the S3 backend's `{setting}` {why}")]
    Invalid {
        /// The setting's name.
        setting: &'static str,
        /// What is wrong, fitting after the name.
        why: &'static str,
    },
}

impl BackendError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            BackendError::Unreadable { .. } | BackendError::Missing { .. } => {
                "run `terraform init` again in this directory (`-reconfigure` if the backend changed)".into()
            }
            BackendError::NoBackend => {
                "add `backend \"s3\" { bucket, key, region, use_lockfile = true }` to the `terraform` block and run `terraform init`".into()
            }
            BackendError::NotS3 { .. } => {
                "move the state to S3 (`backend \"s3\"`, then `terraform init -migrate-state`)".into()
            }
            BackendError::Invalid { setting, .. } => {
                format!("correct `{setting}` in the backend block, then run `terraform init -reconfigure`")
            }
        }
    }
}

#[derive(Deserialize)]
struct File {
    backend: Option<Block>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    config: serde_json::Value,
}

#[derive(Deserialize)]
struct Settings {
    access_key: Option<String>,
    acl: Option<String>,
    assume_role: Option<Role>,
    assume_role_with_web_identity: Option<WebRole>,
    bucket: Option<String>,
    custom_ca_bundle: Option<String>,
    dynamodb_endpoint: Option<String>,
    dynamodb_table: Option<String>,
    encrypt: Option<bool>,
    endpoint: Option<String>,
    endpoints: Option<EndpointSettings>,
    external_id: Option<String>,
    force_path_style: Option<bool>,
    http_proxy: Option<String>,
    https_proxy: Option<String>,
    insecure: Option<bool>,
    key: Option<String>,
    kms_key_id: Option<String>,
    max_retries: Option<u32>,
    no_proxy: Option<String>,
    profile: Option<String>,
    region: Option<String>,
    role_arn: Option<String>,
    secret_key: Option<String>,
    session_name: Option<String>,
    shared_config_files: Option<Vec<String>>,
    shared_credentials_file: Option<String>,
    shared_credentials_files: Option<Vec<String>>,
    skip_s3_checksum: Option<bool>,
    sse_customer_key: Option<String>,
    sts_endpoint: Option<String>,
    sts_region: Option<String>,
    token: Option<String>,
    use_dualstack_endpoint: Option<bool>,
    use_fips_endpoint: Option<bool>,
    use_lockfile: Option<bool>,
    use_path_style: Option<bool>,
    workspace_key_prefix: Option<String>,
    // The flat spelling of `assume_role`, before Terraform 1.6 and in OpenTofu.
    assume_role_duration_seconds: Option<u64>,
    assume_role_policy: Option<String>,
    assume_role_policy_arns: Option<Vec<String>>,
    assume_role_tags: Option<BTreeMap<String, String>>,
    assume_role_transitive_tag_keys: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
struct EndpointSettings {
    dynamodb: Option<String>,
    s3: Option<String>,
    sts: Option<String>,
}

#[derive(Deserialize)]
struct Role {
    duration: Option<String>,
    external_id: Option<String>,
    policy: Option<String>,
    policy_arns: Option<Vec<String>>,
    #[serde(rename = "role_arn")]
    arn: Option<String>,
    session_name: Option<String>,
    source_identity: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    transitive_tag_keys: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct WebRole {
    duration: Option<String>,
    policy: Option<String>,
    policy_arns: Option<Vec<String>>,
    #[serde(rename = "role_arn")]
    arn: Option<String>,
    session_name: Option<String>,
    web_identity_token: Option<String>,
    web_identity_token_file: Option<String>,
}

impl Backend {
    /// Reads the backend in effect.
    ///
    /// `terraform_tfstate` is the content of `.terraform/terraform.tfstate`, which `init` writes
    /// and which knows `-backend-config`; `workspace` is Terraform's; `env` looks up environment
    /// variables.
    pub fn read(
        terraform_tfstate: &[u8],
        workspace: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Backend, BackendError> {
        let file: File = from_json(&mut serde_json::Deserializer::from_slice(terraform_tfstate))?;
        let block = file.backend.ok_or(BackendError::NoBackend)?;
        if block.kind != "s3" {
            return Err(BackendError::NotS3 { kind: block.kind });
        }
        let settings: Settings = serde_path_to_error::deserialize(&block.config).map_err(|error| {
            BackendError::Unreadable { place: format!("backend.config.{}", error.path()), line: 1, column: 1 }
        })?;
        settings.into_backend(workspace, env)
    }
}

fn from_json<'a, T: Deserialize<'a>>(
    json: &mut serde_json::Deserializer<serde_json::de::SliceRead<'a>>,
) -> Result<T, BackendError> {
    serde_path_to_error::deserialize(json).map_err(|error| BackendError::Unreadable {
        place: error.path().to_string(),
        line: error.inner().line(),
        column: error.inner().column(),
    })
}

impl Settings {
    fn into_backend(mut self, workspace: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Backend, BackendError> {
        let from_env = |names: &[&str]| names.iter().find_map(|name| given(env(name)));
        let ignored = self.ignored();
        let credentials = self.take_credentials(env)?;
        let endpoints = self.endpoints.take().unwrap_or_default();
        let bucket = given(self.bucket.take()).ok_or(BackendError::Missing { setting: "bucket" })?;
        let key = given(self.key.take()).ok_or(BackendError::Missing { setting: "key" })?;
        let customer_key = given(self.sse_customer_key.take()).or_else(|| from_env(&["AWS_SSE_CUSTOMER_KEY"]));
        Ok(Backend {
            bucket,
            key,
            workspace: workspace.to_owned(),
            workspace_key_prefix: self.workspace_key_prefix.unwrap_or_else(|| "env:".to_owned()),
            region: given(self.region).or_else(|| from_env(&["AWS_REGION", "AWS_DEFAULT_REGION"])),
            use_lockfile: self.use_lockfile.unwrap_or(false),
            dynamodb_table: given(self.dynamodb_table),
            encryption: encryption(self.encrypt.unwrap_or(false), given(self.kms_key_id), customer_key)?,
            acl: given(self.acl),
            skip_s3_checksum: self.skip_s3_checksum.unwrap_or(false),
            use_path_style: self.use_path_style.or(self.force_path_style).unwrap_or(false),
            endpoints: Endpoints {
                s3: given(endpoints.s3)
                    .or(given(self.endpoint))
                    .or_else(|| from_env(&["AWS_ENDPOINT_URL_S3", "AWS_S3_ENDPOINT"])),
                dynamodb: given(endpoints.dynamodb)
                    .or(given(self.dynamodb_endpoint))
                    .or_else(|| from_env(&["AWS_ENDPOINT_URL_DYNAMODB", "AWS_DYNAMODB_ENDPOINT"])),
                sts: given(endpoints.sts)
                    .or(given(self.sts_endpoint))
                    .or_else(|| from_env(&["AWS_ENDPOINT_URL_STS", "AWS_STS_ENDPOINT"])),
            },
            credentials,
            max_attempts: self
                .max_retries
                .or_else(|| from_env(&["AWS_MAX_ATTEMPTS"])?.parse().ok())
                .filter(|attempts| *attempts > 0),
            use_fips: self.use_fips_endpoint.unwrap_or(false),
            use_dualstack: self.use_dualstack_endpoint.unwrap_or(false),
            ignored,
        })
    }

    /// Settings that are set and that we cannot honour.
    fn ignored(&self) -> Vec<&'static str> {
        let set = [
            ("custom_ca_bundle", self.custom_ca_bundle.is_some()),
            ("http_proxy", self.http_proxy.is_some()),
            ("https_proxy", self.https_proxy.is_some()),
            ("no_proxy", self.no_proxy.is_some()),
            ("insecure", self.insecure == Some(true)),
        ];
        set.into_iter().filter_map(|(name, set)| set.then_some(name)).collect()
    }

    fn take_credentials(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Result<Credentials, BackendError> {
        let secret = |text: Option<String>| given(text).map(SecretString::from);
        let keys = match (given(self.access_key.take()), secret(self.secret_key.take())) {
            (Some(access_key), Some(secret_key)) => {
                Some(Keys { access_key, secret_key, token: secret(self.token.take()) })
            }
            (None, None) => None,
            (Some(_), None) => return Err(BackendError::Missing { setting: "secret_key" }),
            (None, Some(_)) => return Err(BackendError::Missing { setting: "access_key" }),
        };
        let mut shared_credentials_files = self.shared_credentials_files.take().unwrap_or_default();
        shared_credentials_files.extend(given(self.shared_credentials_file.take()));
        let web_identity =
            self.assume_role_with_web_identity.take().map(|role| role.into_web_identity(env)).transpose()?;
        Ok(Credentials {
            keys,
            profile: given(self.profile.take()),
            shared_config_files: self.shared_config_files.take().unwrap_or_default(),
            shared_credentials_files,
            assume_role: self.take_assume_role()?,
            web_identity,
        })
    }

    /// The nested spelling, else the flat one.
    fn take_assume_role(&mut self) -> Result<Option<AssumeRole>, BackendError> {
        let sts_region = given(self.sts_region.take());
        if let Some(role) = self.assume_role.take() {
            let role_arn = given(role.arn).ok_or(BackendError::Missing { setting: "assume_role.role_arn" })?;
            return Ok(Some(AssumeRole {
                role_arn,
                session_name: given(role.session_name),
                external_id: given(role.external_id),
                duration: duration("assume_role.duration", role.duration)?,
                policy: given(role.policy),
                policy_arns: role.policy_arns.unwrap_or_default(),
                tags: role.tags.unwrap_or_default().into_iter().collect(),
                transitive_tag_keys: role.transitive_tag_keys.unwrap_or_default(),
                source_identity: given(role.source_identity),
                sts_region,
            }));
        }
        let Some(role_arn) = given(self.role_arn.take()) else { return Ok(None) };
        Ok(Some(AssumeRole {
            role_arn,
            session_name: given(self.session_name.take()),
            external_id: given(self.external_id.take()),
            duration: self.assume_role_duration_seconds.map(Duration::from_secs),
            policy: given(self.assume_role_policy.take()),
            policy_arns: self.assume_role_policy_arns.take().unwrap_or_default(),
            tags: self.assume_role_tags.take().unwrap_or_default().into_iter().collect(),
            transitive_tag_keys: self.assume_role_transitive_tag_keys.take().unwrap_or_default(),
            source_identity: None,
            sts_region,
        }))
    }
}

impl WebRole {
    fn into_web_identity(self, env: &dyn Fn(&str) -> Option<String>) -> Result<WebIdentity, BackendError> {
        let role_arn = given(self.arn)
            .or_else(|| given(env("AWS_ROLE_ARN")))
            .ok_or(BackendError::Missing { setting: "assume_role_with_web_identity.role_arn" })?;
        let file = || given(self.web_identity_token_file).or_else(|| given(env("AWS_WEB_IDENTITY_TOKEN_FILE")));
        let token = match given(self.web_identity_token) {
            Some(token) => WebIdentityToken::Inline(SecretString::from(token)),
            None => WebIdentityToken::File(
                file().ok_or(BackendError::Missing { setting: "assume_role_with_web_identity.web_identity_token" })?,
            ),
        };
        Ok(WebIdentity {
            role_arn,
            duration: duration("assume_role_with_web_identity.duration", self.duration)?,
            session_name: given(self.session_name).or_else(|| given(env("AWS_ROLE_SESSION_NAME"))),
            policy: given(self.policy),
            policy_arns: self.policy_arns.unwrap_or_default(),
            token,
        })
    }
}

/// Which headers Terraform sends: none at all without `encrypt`, whatever else is set; then the
/// KMS key comes before the customer's.
fn encryption(
    encrypt: bool,
    kms_key_id: Option<String>,
    customer_key: Option<String>,
) -> Result<Encryption, BackendError> {
    if !encrypt {
        return Ok(Encryption::BucketDefault);
    }
    if let Some(key_id) = kms_key_id {
        return Ok(Encryption::Kms { key_id });
    }
    let Some(key) = customer_key else { return Ok(Encryption::Aes256) };
    let setting = "sse_customer_key";
    let Ok(bytes) = BASE64.decode(&key) else {
        return Err(BackendError::Invalid { setting, why: "is not base64" });
    };
    if bytes.len() != 32 {
        return Err(BackendError::Invalid { setting, why: "is not 256 bits long" });
    }
    let key_md5 = BASE64.encode(Md5::digest(&bytes));
    Ok(Encryption::Customer { key: SecretString::from(key), key_md5 })
}

/// A duration in Go's spelling, such as `1h30m`.
fn duration(setting: &'static str, text: Option<String>) -> Result<Option<Duration>, BackendError> {
    let Some(text) = given(text) else { return Ok(None) };
    match text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok()) {
        Some(duration) => Ok(Some(duration)),
        None => Err(BackendError::Invalid { setting, why: "is not a duration such as \"1h\"" }),
    }
}

/// An empty string counts as not given, as in Terraform.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
