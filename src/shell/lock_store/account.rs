//! Which AWS account the job works in. The reviewed plan and the apply should have the same.

use std::time::Duration;

use super::bucket::Bucket;
use super::error::AwsError;

/// Terraform asks STS as well and is slower: where that does not answer, nobody waits for long.
const PATIENCE: Duration = Duration::from_secs(5);

impl Bucket {
    /// The account of the job's credentials, before the backend takes a role with them. `None` where
    /// STS is not asked (another store than Amazon's without an address for STS, or
    /// `skip_requesting_account_id`) or does not tell. It needs no permission.
    pub async fn account(&self) -> Option<String> {
        let asked = self.identity()?.get_caller_identity().send();
        let why = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => match answer.account.filter(|account| is_account(account)) {
                Some(account) => return Some(account),
                None => "its answer has none".to_owned(),
            },
            Ok(Err(error)) => {
                AwsError::from_sdk("GetCallerIdentity", "the job's credentials".to_owned(), error).to_string()
            }
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        tracing::warn!("the AWS account is not known and not compared: {why}");
        None
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
