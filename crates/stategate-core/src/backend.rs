//! Terraform's S3 backend as it is in effect: what `init` wrote to
//! `.terraform/terraform.tfstate`, what the environment adds, and the workspace. From these
//! follow the keys of the state, its lock and our own objects, and how each request is made.
//!
//! The file can hold credentials. They are kept as secrets, and no error quotes a value of it.

mod keys;
mod roles;
mod settings;
mod tags;

use std::time::Duration;

use secrecy::SecretString;

use super::network::Network;
pub use keys::{Place, TrailKey};
pub use settings::BackendError;
pub use tags::Tags;

/// The S3 backend of one root module in one workspace.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of Terraform's own backend block")]
pub struct Backend {
    /// The bucket that holds the state.
    pub bucket: String,
    /// The `key` of the backend block, without the workspace.
    pub key: String,
    /// Terraform's workspace; `default` when nobody chose one.
    pub workspace: String,
    /// Where other workspaces' states lie; `env:` by default.
    pub workspace_key_prefix: String,
    /// `None` leaves it to the SDK: the profile's region.
    pub region: Option<String>,
    /// Terraform on its own takes the S3 lockfile.
    pub use_lockfile: bool,
    /// Terraform on its own takes a lock item in this table.
    pub dynamodb_table: Option<String>,
    /// How every object beside the state is encrypted: as the state is.
    pub encryption: Encryption,
    /// A canned ACL for every object written.
    pub acl: Option<String>,
    /// OpenTofu's `state_tags`, for the state itself.
    pub state_tags: Tags,
    /// OpenTofu's `lock_tags`, for the lockfile.
    pub lock_tags: Tags,
    /// Send no checksum of our choosing, for stores that reject one.
    pub skip_s3_checksum: bool,
    /// `host/bucket/key` instead of `bucket.host/key`.
    pub use_path_style: bool,
    /// Service endpoints other than AWS's own.
    pub endpoints: Endpoints,
    /// Where credentials come from, beside the SDK's default chain.
    pub credentials: Credentials,
    /// Proxies and certificates, for all of AWS.
    pub network: Network,
    /// Attempts in all for a request that may be repeated; Terraform's default when `None`.
    pub max_attempts: Option<u32>,
    /// Slow down when the service asks for it, instead of only repeating (`retry_mode = "adaptive"`).
    pub adaptive_retries: bool,
    /// FIPS endpoints; `None` leaves it to the profile.
    pub use_fips: Option<bool>,
    /// Dual-stack (IPv6) endpoints; `None` leaves it to the profile.
    pub use_dualstack: Option<bool>,
    /// Which accounts the credentials may belong to.
    pub accounts: Accounts,
    /// Whether nobody wants to know the account of the credentials (`skip_requesting_account_id`), as
    /// where there is no STS.
    pub skip_account: bool,
    /// `insecure = true`, which we do not follow.
    insecure: bool,
}

/// `allowed_account_ids` or `forbidden_account_ids`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Accounts {
    /// Any.
    #[default]
    Any,
    /// Only these.
    Only(Vec<String>),
    /// All but these.
    AllBut(Vec<String>),
}

impl Accounts {
    /// Whether credentials of this account may be used.
    pub fn allow(&self, account: &str) -> bool {
        let has = |accounts: &[String]| accounts.iter().any(|known| known == account);
        match self {
            Accounts::Any => true,
            Accounts::Only(accounts) => has(accounts),
            Accounts::AllBut(accounts) => !has(accounts),
        }
    }
}

/// The encryption headers of the state's objects.
#[derive(Debug, Clone)]
pub enum Encryption {
    /// No header: the bucket's default applies.
    BucketDefault,
    /// `encrypt = true`: keys managed by S3.
    Aes256,
    /// `encrypt` and `kms_key_id`.
    Kms {
        /// The key's ARN, ID or alias.
        key_id: String,
    },
    /// `encrypt` and `sse_customer_key`: the key goes along with every request, reads included.
    Customer {
        /// The key, base64 as in the configuration and on the wire.
        key: SecretString,
        /// The MD5 of the key's bytes, base64.
        key_md5: String,
    },
}

/// Endpoints other than AWS's own; what is `None` is left to the SDK.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// For S3.
    pub s3: Option<String>,
    /// For the lock table.
    pub dynamodb: Option<String>,
    /// For assuming roles.
    pub sts: Option<String>,
}

/// What the backend says about credentials.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Keys written into the backend itself.
    pub keys: Option<Keys>,
    /// A named profile of the shared files.
    pub profile: Option<String>,
    /// The environment's profile, where the block names none.
    pub environment_profile: Option<String>,
    /// Instead of `~/.aws/config`.
    pub shared_config_files: Vec<String>,
    /// Instead of `~/.aws/credentials`.
    pub shared_credentials_files: Vec<String>,
    /// A role to take with the credentials found.
    pub assume_role: Option<AssumeRole>,
    /// A role to take with an OIDC token; replaces what would be found otherwise.
    pub web_identity: Option<WebIdentity>,
    /// The role that the environment names with a token, after its keys and before its profile.
    pub environment_identity: Option<WebIdentity>,
    /// The region whose STS is asked for roles (`sts_region`).
    pub sts_region: Option<String>,
    /// The machine's own metadata service.
    pub metadata: Metadata,
}

/// Where EC2's metadata service is, which knows a machine's credentials.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// Whether to ask it; `None` leaves it to `AWS_EC2_METADATA_DISABLED`.
    pub enabled: Option<bool>,
    /// Its address, where it is not the usual one.
    pub endpoint: Option<String>,
    /// The usual address is the IPv6 one.
    pub ipv6: bool,
}

/// An access key.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The key's ID.
    pub access_key: String,
    /// Its secret.
    pub secret_key: SecretString,
    /// The session's token, for temporary keys.
    pub token: Option<SecretString>,
}

/// `assume_role`.
#[derive(Debug, Clone, Default)]
pub struct AssumeRole {
    /// The role.
    pub role_arn: String,
    /// How the session is named in `CloudTrail`.
    pub session_name: Option<String>,
    /// What a third party's trust policy asks for.
    pub external_id: Option<String>,
    /// How long the session lasts.
    pub duration: Option<Duration>,
    /// An inline policy that narrows the session.
    pub policy: Option<String>,
    /// Managed policies that narrow the session.
    pub policy_arns: Vec<String>,
    /// The session's tags.
    pub tags: Vec<(String, String)>,
    /// Tags that later sessions inherit.
    pub transitive_tag_keys: Vec<String>,
    /// Who is behind the session, where the trust policy asks for it.
    pub source_identity: Option<String>,
}

/// `assume_role_with_web_identity`.
#[derive(Debug, Clone)]
pub struct WebIdentity {
    /// The role.
    pub role_arn: String,
    /// How the session is named in `CloudTrail`.
    pub session_name: Option<String>,
    /// How long the session lasts.
    pub duration: Option<Duration>,
    /// An inline policy that narrows the session.
    pub policy: Option<String>,
    /// Managed policies that narrow the session.
    pub policy_arns: Vec<String>,
    /// The token, or the file that holds it.
    pub token: WebIdentityToken,
}

/// Where the OIDC token is.
#[derive(Debug, Clone)]
pub enum WebIdentityToken {
    /// Written into the backend.
    Inline(SecretString),
    /// In a file, read again whenever credentials are due.
    File(String),
}

/// A store that can hold the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Store {
    /// The lockfile beside the state.
    S3,
    /// The item in the lock table.
    DynamoDb,
}

impl Store {
    /// The name that `status --json` gives.
    pub fn as_str(self) -> &'static str {
        match self {
            Store::S3 => "s3",
            Store::DynamoDb => "dynamodb",
        }
    }
}

/// Something about the backend that a person should hear about once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendWarning {
    /// The backend names no lock. We take the S3 lockfile anyway, so that runs of ours exclude
    /// each other; Terraform elsewhere neither takes nor respects it.
    TerraformDoesNotLock,
    /// Terraform would take any certificate for the bucket's; we do not.
    Insecure,
}

impl Backend {
    /// The stores that hold this state's lock, in the order in which Terraform takes them.
    pub fn stores(&self) -> &'static [Store] {
        match (self.use_lockfile, self.dynamodb_table.is_some()) {
            (true, true) => &[Store::S3, Store::DynamoDb],
            (false, true) => &[Store::DynamoDb],
            (_, false) => &[Store::S3],
        }
    }

    /// What a person should hear about this backend.
    pub fn warnings(&self) -> Vec<BackendWarning> {
        let unlocked = !self.use_lockfile && self.dynamodb_table.is_none();
        let mut warnings: Vec<_> = unlocked.then_some(BackendWarning::TerraformDoesNotLock).into_iter().collect();
        warnings.extend(self.insecure.then_some(BackendWarning::Insecure));
        warnings
    }
}

impl std::fmt::Display for BackendWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BackendWarning::TerraformDoesNotLock => f.write_str(
                "the backend locks nothing: stategate takes the S3 lockfile, but Terraform on a \
                 laptop will not respect it; set `use_lockfile = true` in the backend block",
            ),
            BackendWarning::Insecure => f.write_str(
                "the backend setting `insecure` has no effect on stategate: whoever could pass for \
                 the bucket could give the same lock to everybody; name the store's certificate \
                 authority with `custom_ca_bundle` instead",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
