//! Reading the backend: the JSON that `init` wrote, then the environment, as Terraform does.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::SignedDuration;
use md5::{Digest as _, Md5};
use secrecy::SecretString;
use serde::Deserialize;

use super::roles::{Role, WebRole};
use super::{Accounts, Backend, Credentials, Encryption, Endpoints, Keys, Metadata, Tags, roles};
use crate::network::Network;

/// Looks up an environment variable.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

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
            // `-migrate-state` is refused there.
            BackendError::NotS3 { kind } if kind == "cloud" => {
                "move the state to S3: `terraform state pull > FILE`, then `backend \"s3\"` in place of `cloud`, `terraform init -reconfigure` and `terraform state push FILE`".into()
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
pub(super) struct Settings {
    access_key: Option<String>,
    acl: Option<String>,
    allowed_account_ids: Option<Vec<String>>,
    pub(super) assume_role: Option<Role>,
    assume_role_with_web_identity: Option<WebRole>,
    bucket: Option<String>,
    custom_ca_bundle: Option<String>,
    dynamodb_endpoint: Option<String>,
    dynamodb_table: Option<String>,
    ec2_metadata_service_endpoint: Option<String>,
    ec2_metadata_service_endpoint_mode: Option<String>,
    encrypt: Option<bool>,
    endpoint: Option<String>,
    endpoints: Option<EndpointSettings>,
    pub(super) external_id: Option<String>,
    forbidden_account_ids: Option<Vec<String>>,
    force_path_style: Option<bool>,
    http_proxy: Option<String>,
    https_proxy: Option<String>,
    insecure: Option<bool>,
    key: Option<String>,
    kms_key_id: Option<String>,
    // OpenTofu's, as `state_tags` is.
    lock_tags: Option<BTreeMap<String, String>>,
    max_retries: Option<u32>,
    no_proxy: Option<String>,
    profile: Option<String>,
    region: Option<String>,
    retry_mode: Option<String>,
    pub(super) role_arn: Option<String>,
    secret_key: Option<String>,
    pub(super) session_name: Option<String>,
    shared_config_files: Option<Vec<String>>,
    shared_credentials_file: Option<String>,
    shared_credentials_files: Option<Vec<String>>,
    skip_metadata_api_check: Option<bool>,
    skip_requesting_account_id: Option<bool>,
    skip_s3_checksum: Option<bool>,
    sse_customer_key: Option<String>,
    state_tags: Option<BTreeMap<String, String>>,
    sts_endpoint: Option<String>,
    sts_region: Option<String>,
    token: Option<String>,
    use_dualstack_endpoint: Option<bool>,
    use_fips_endpoint: Option<bool>,
    use_lockfile: Option<bool>,
    use_path_style: Option<bool>,
    workspace_key_prefix: Option<String>,
    // The flat spelling of `assume_role`, before Terraform 1.6 and in OpenTofu.
    pub(super) assume_role_duration_seconds: Option<u64>,
    pub(super) assume_role_policy: Option<String>,
    pub(super) assume_role_policy_arns: Option<Vec<String>>,
    pub(super) assume_role_tags: Option<BTreeMap<String, String>>,
    pub(super) assume_role_transitive_tag_keys: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
struct EndpointSettings {
    dynamodb: Option<String>,
    s3: Option<String>,
    sts: Option<String>,
}

impl Backend {
    /// Reads the backend in effect.
    ///
    /// `terraform_tfstate` is the content of `.terraform/terraform.tfstate`, which `init` writes
    /// and which knows `-backend-config`; `workspace` is Terraform's; `env` looks up environment
    /// variables.
    pub fn read(terraform_tfstate: &[u8], workspace: &str, env: Env<'_>) -> Result<Backend, BackendError> {
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
    fn into_backend(mut self, workspace: &str, env: Env<'_>) -> Result<Backend, BackendError> {
        let from_env = |names: &[&str]| names.iter().find_map(|name| given(env(name)));
        let network = self.take_network(env);
        let accounts = self.take_accounts();
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
            state_tags: Tags::new(self.state_tags),
            lock_tags: Tags::new(self.lock_tags),
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
            adaptive_retries: match given(self.retry_mode).or_else(|| from_env(&["AWS_RETRY_MODE"])).as_deref() {
                None | Some("standard" | "legacy") => false,
                Some("adaptive") => true,
                Some(_) => {
                    let (setting, why) = ("retry_mode", "is neither \"standard\" nor \"adaptive\"");
                    return Err(BackendError::Invalid { setting, why });
                }
            },
            use_fips: self.use_fips_endpoint.or_else(|| switch(env, "AWS_USE_FIPS_ENDPOINT")),
            use_dualstack: self.use_dualstack_endpoint.or_else(|| switch(env, "AWS_USE_DUALSTACK_ENDPOINT")),
            network,
            accounts,
            skip_account: self.skip_requesting_account_id.unwrap_or(false),
            insecure: self.insecure.unwrap_or(false),
        })
    }

    /// The block's own proxies and bundle, then the environment's. Without an `https_proxy`
    /// anywhere, Terraform takes `http_proxy` for both.
    fn take_network(&mut self, env: Env<'_>) -> Network {
        let from_env = Network::from_env(env);
        let plain = given(self.http_proxy.take()).map(SecretString::from);
        let secure = given(self.https_proxy.take()).map(SecretString::from);
        Network {
            https_proxy: secure.or(from_env.https_proxy).or_else(|| plain.clone()),
            http_proxy: plain.or(from_env.http_proxy),
            no_proxy: given(self.no_proxy.take()).or(from_env.no_proxy),
            ca_bundle: given(self.custom_ca_bundle.take())
                .or_else(|| given(env("AWS_CA_BUNDLE")))
                .map(|file| expand(&file, env)),
        }
    }

    fn take_metadata(&mut self, env: Env<'_>) -> Result<Metadata, BackendError> {
        let setting = "ec2_metadata_service_endpoint_mode";
        let mode = given(self.ec2_metadata_service_endpoint_mode.take())
            .or_else(|| given(env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")));
        let ipv6 = match mode.as_deref() {
            None => false,
            Some(mode) if mode.eq_ignore_ascii_case("IPv4") => false,
            Some(mode) if mode.eq_ignore_ascii_case("IPv6") => true,
            Some(_) => return Err(BackendError::Invalid { setting, why: "is neither \"IPv4\" nor \"IPv6\"" }),
        };
        let names = ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_METADATA_URL"];
        Ok(Metadata {
            enabled: self.skip_metadata_api_check.map(|skip| !skip),
            endpoint: given(self.ec2_metadata_service_endpoint.take())
                .or_else(|| names.iter().find_map(|name| given(env(name)))),
            ipv6,
        })
    }

    fn take_accounts(&mut self) -> Accounts {
        let given = |accounts: Option<Vec<String>>| accounts.filter(|accounts| !accounts.is_empty());
        match (given(self.allowed_account_ids.take()), given(self.forbidden_account_ids.take())) {
            (Some(allowed), _) => Accounts::Only(allowed),
            (None, Some(forbidden)) => Accounts::AllBut(forbidden),
            (None, None) => Accounts::Any,
        }
    }

    fn take_credentials(&mut self, env: Env<'_>) -> Result<Credentials, BackendError> {
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
        let expanded = |files: Vec<String>| files.iter().map(|file| expand(file, env)).collect();
        // Keys in the block come before a token, for Terraform too.
        let web_role = self.assume_role_with_web_identity.take().filter(|_| keys.is_none());
        let web_identity = web_role.map(|role| role.into_web_identity(env)).transpose()?;
        Ok(Credentials {
            keys,
            profile: given(self.profile.take()),
            shared_config_files: expanded(self.shared_config_files.take().unwrap_or_default()),
            shared_credentials_files: expanded(shared_credentials_files),
            sts_region: given(self.sts_region.take()),
            metadata: self.take_metadata(env)?,
            assume_role: self.take_assume_role()?,
            web_identity,
            environment_profile: given(env("AWS_PROFILE")),
            environment_identity: roles::environment_identity(env),
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

/// A switch in the environment. Terraform takes any text for a yes; an explicit no is a no here.
fn switch(env: Env<'_>, name: &str) -> Option<bool> {
    given(env(name)).map(|text| !text.eq_ignore_ascii_case("false"))
}

/// A path as Terraform reads it: `$NAME` and `${NAME}` from the environment, `~` for the home.
pub(super) fn expand(path: &str, env: Env<'_>) -> String {
    let mut expanded = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, next) = match after.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            Some(parts) => parts,
            None => after.split_at(after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len())),
        };
        expanded.push_str(&env(name).unwrap_or_default());
        rest = next;
    }
    expanded.push_str(rest);
    match (expanded.strip_prefix('~'), env("HOME")) {
        (Some(below), Some(home)) if below.is_empty() || below.starts_with('/') => format!("{home}{below}"),
        _ => expanded,
    }
}

/// A duration in Go's spelling, such as `1h30m`.
pub(super) fn duration(setting: &'static str, text: Option<String>) -> Result<Option<Duration>, BackendError> {
    let Some(text) = given(text) else { return Ok(None) };
    match text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok()) {
        Some(duration) => Ok(Some(duration)),
        None => Err(BackendError::Invalid { setting, why: "is not a duration such as \"1h\"" }),
    }
}

/// An empty string counts as not given, as in Terraform.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
