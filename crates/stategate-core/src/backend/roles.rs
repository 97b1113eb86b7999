//! The roles that the backend takes: `assume_role`, in both spellings, and
//! `assume_role_with_web_identity`.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use super::settings::{BackendError, Env, Settings, duration, expand, given};
use super::{AssumeRole, WebIdentity, WebIdentityToken};

#[derive(Deserialize)]
pub(super) struct Role {
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
pub(super) struct WebRole {
    duration: Option<String>,
    policy: Option<String>,
    policy_arns: Option<Vec<String>>,
    #[serde(rename = "role_arn")]
    arn: Option<String>,
    session_name: Option<String>,
    web_identity_token: Option<String>,
    web_identity_token_file: Option<String>,
}

impl Settings {
    /// The nested spelling, else the flat one.
    pub(super) fn take_assume_role(&mut self) -> Result<Option<AssumeRole>, BackendError> {
        if let Some(role) = self.assume_role.take() {
            let role_arn = given(role.arn).ok_or(BackendError::Missing { setting: "assume_role.role_arn" })?;
            return Ok(Some(AssumeRole {
                role_arn,
                session_name: given(role.session_name),
                external_id: given(role.external_id),
                duration: duration("assume_role.duration", role.duration)?,
                policy: trimmed(role.policy),
                policy_arns: role.policy_arns.unwrap_or_default(),
                tags: role.tags.unwrap_or_default().into_iter().collect(),
                transitive_tag_keys: role.transitive_tag_keys.unwrap_or_default(),
                source_identity: given(role.source_identity),
            }));
        }
        let Some(role_arn) = given(self.role_arn.take()) else { return Ok(None) };
        Ok(Some(AssumeRole {
            role_arn,
            session_name: given(self.session_name.take()),
            external_id: given(self.external_id.take()),
            duration: self.assume_role_duration_seconds.map(Duration::from_secs),
            policy: trimmed(self.assume_role_policy.take()),
            policy_arns: self.assume_role_policy_arns.take().unwrap_or_default(),
            tags: self.assume_role_tags.take().unwrap_or_default().into_iter().collect(),
            transitive_tag_keys: self.assume_role_transitive_tag_keys.take().unwrap_or_default(),
            source_identity: None,
        }))
    }
}

impl WebRole {
    pub(super) fn into_web_identity(self, env: Env<'_>) -> Result<WebIdentity, BackendError> {
        let role_arn = given(self.arn)
            .or_else(|| given(env("AWS_ROLE_ARN")))
            .ok_or(BackendError::Missing { setting: "assume_role_with_web_identity.role_arn" })?;
        let file = given(self.web_identity_token_file).or_else(|| given(env("AWS_WEB_IDENTITY_TOKEN_FILE")));
        let token = match (given(self.web_identity_token), file) {
            (Some(token), _) => WebIdentityToken::Inline(SecretString::from(token)),
            (None, Some(file)) => WebIdentityToken::File(expand(&file, env)),
            (None, None) => {
                let setting = "assume_role_with_web_identity.web_identity_token";
                return Err(BackendError::Missing { setting });
            }
        };
        Ok(WebIdentity {
            role_arn,
            duration: duration("assume_role_with_web_identity.duration", self.duration)?,
            session_name: given(self.session_name).or_else(|| given(env("AWS_ROLE_SESSION_NAME"))),
            policy: trimmed(self.policy),
            policy_arns: self.policy_arns.unwrap_or_default(),
            token,
        })
    }
}

/// The role and the token that the environment names, as a login step leaves them.
pub(super) fn environment_identity(env: Env<'_>) -> Option<WebIdentity> {
    Some(WebIdentity {
        role_arn: given(env("AWS_ROLE_ARN"))?,
        token: WebIdentityToken::File(given(env("AWS_WEB_IDENTITY_TOKEN_FILE"))?),
        session_name: given(env("AWS_ROLE_SESSION_NAME")),
        duration: None,
        policy: None,
        policy_arns: Vec::new(),
    })
}

/// A policy often comes from a heredoc.
fn trimmed(policy: Option<String>) -> Option<String> {
    given(policy.map(|policy| policy.trim().to_owned()))
}
