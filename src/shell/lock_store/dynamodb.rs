//! Requests to the lock table, with the item Terraform writes.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::Timestamp;

use super::error::AwsError;
use super::s3::{Attempts, Clock};

/// The lock item of one state.
#[derive(Debug, Clone, Copy)]
pub(super) struct LockItem<'a> {
    pub(super) client: &'a Client,
    pub(super) table: &'a str,
    /// Bucket and state key.
    pub(super) lock_id: &'a str,
}

impl LockItem<'_> {
    /// Writes the item if there is none.
    pub(super) async fn put(self, info: &str) -> Result<(), AwsError> {
        let request = self
            .client
            .put_item()
            .table_name(self.table)
            .item("LockID", self.id())
            .item("Info", AttributeValue::S(info.to_owned()))
            .condition_expression("attribute_not_exists(LockID)");
        match request.customize().config_override(config(Attempts::One)).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(AwsError::from_sdk("PutItem", self.place(), error)),
        }
    }

    /// The item's `Info` (empty when it has none), and the table's clock.
    pub(super) async fn get(self, attempts: Attempts) -> Result<Option<(String, Option<Timestamp>)>, AwsError> {
        let clock = Clock::default();
        let request = self
            .client
            .get_item()
            .table_name(self.table)
            .key("LockID", self.id())
            .consistent_read(true)
            .projection_expression("LockID, Info");
        match request.customize().interceptor(clock.clone()).config_override(config(attempts)).send().await {
            Ok(answer) => Ok(answer.item.map(|item| (info_of(&item), clock.0.get().copied()))),
            Err(error) => Err(AwsError::from_sdk("GetItem", self.place(), error)),
        }
    }

    /// Deletes the item if its `Info` is exactly this. `false`: there was none.
    pub(super) async fn delete(self, info: &str) -> Result<bool, AwsError> {
        let mut request = self
            .client
            .delete_item()
            .table_name(self.table)
            .key("LockID", self.id())
            .return_values(ReturnValue::AllOld)
            .expression_attribute_values(":seen", AttributeValue::S(info.to_owned()));
        let condition = if info.is_empty() {
            "attribute_not_exists(Info) OR Info = :seen"
        } else {
            "attribute_not_exists(LockID) OR Info = :seen"
        };
        request = request.condition_expression(condition);
        match request.customize().config_override(config(Attempts::One)).send().await {
            Ok(answer) => Ok(answer.attributes.is_some_and(|item| !item.is_empty())),
            Err(error) => Err(AwsError::from_sdk("DeleteItem", self.place(), error)),
        }
    }

    fn id(self) -> AttributeValue {
        AttributeValue::S(self.lock_id.to_owned())
    }

    fn place(self) -> String {
        format!("DynamoDB table {}", self.table)
    }
}

fn config(attempts: Attempts) -> Builder {
    match attempts {
        Attempts::One => Builder::new().retry_config(RetryConfig::disabled()),
        Attempts::AsConfigured => Builder::new(),
    }
}

fn info_of(item: &HashMap<String, AttributeValue>) -> String {
    item.get("Info").and_then(|info| info.as_s().ok()).cloned().unwrap_or_default()
}
