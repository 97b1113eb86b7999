//! A state whose checksum is not the one that the lock table has: Terraform's words, and the command
//! that puts it right.

/// What Terraform says about such a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestMismatch {
    /// The item of the lock table: bucket, key, and `-md5`.
    pub lock_id: String,
    /// The checksum of the state as it is; `None` when there is no state.
    pub calculated: Option<String>,
}

impl DigestMismatch {
    /// Reads what Terraform or OpenTofu printed.
    pub fn read(stderr: &str) -> Option<DigestMismatch> {
        if !stderr.contains("state data in S3 does not have the expected content") {
            return None;
        }
        let lines = || stderr.lines().map(|line| line.trim_start_matches(['│', ' ']).trim_end());
        let after = |mark: &str| lines().find_map(|line| line.strip_prefix(mark)).map(str::trim);
        let is_md5 = |text: &&str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let calculated = after("Calculated checksum:").or_else(|| {
            // Older versions have it at the end of their advice alone.
            stderr.split_once("to the following value:").and_then(|(_, rest)| rest.split_whitespace().next())
        });
        let path = after("Bucket:").zip(after("Key:")).map(|(bucket, key)| format!("{bucket}/{key}"));
        Some(DigestMismatch {
            lock_id: format!("{}-md5", path.as_deref().unwrap_or("BUCKET/KEY")),
            calculated: calculated.filter(is_md5).map(str::to_owned),
        })
    }

    /// What to do: look first, for the state may be the wrong one. `table` is the lock table's name.
    pub fn remedy(&self, table: Option<&str>) -> String {
        let table = shell_words::quote(table.unwrap_or("TABLE")).into_owned();
        let key = serde_json::json!({ "LockID": { "S": self.lock_id } }).to_string();
        let key = shell_words::quote(&key).into_owned();
        let wait = "Wait two minutes and run again: another upload may be on its way. If it comes back, somebody restored, replaced or deleted the state's object";
        match &self.calculated {
            Some(value) => {
                let values = format!("{{\":d\":{{\"S\":\"{value}\"}}}}");
                let values = shell_words::quote(&values).into_owned();
                format!(
                    "{wait}: look whether the state that is there is the right one (`terraform state pull`). If it is, write its checksum {value} into `Digest` of the item {}: `aws dynamodb update-item --table-name {table} --key {key} --update-expression 'SET Digest = :d' --expression-attribute-values {values}`. If it is not, restore the right version of the object instead.",
                    self.lock_id
                )
            }
            None => format!(
                "{wait}, and there is none now: restore the right version of the object. If the state is meant to be gone, remove the item {} with its `Digest`: `aws dynamodb delete-item --table-name {table} --key {key}`.",
                self.lock_id
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_that_does_not_fit_is_put_right_by_a_command() {
        let text = |calculated: &str| {
            format!(
                "Error: error loading state: state data in S3 does not have the expected content.\n\nThe checksum calculated for the state stored in S3 does not match the checksum\nstored in DynamoDB.\n\nBucket: tfstate\nKey:    prod/it's.tfstate\nCalculated checksum: {calculated}\nStored checksum:     00000000000000000000000000000000\n"
            )
        };
        let read = DigestMismatch::read(&text("66205ecd3aa6a66dacd17222edf13c64")).unwrap();
        let remedy = read.remedy(Some("locks"));
        for part in [
            "`Digest` of the item tfstate/prod/it's.tfstate-md5",
            "--table-name locks",
            r#"--key '{"LockID":{"S":"tfstate/prod/it'\''s.tfstate-md5"}}'"#,
            r#"'{":d":{"S":"66205ecd3aa6a66dacd17222edf13c64"}}'"#,
        ] {
            assert!(remedy.contains(part), "{part}: {remedy}");
        }
        assert!(read.remedy(None).contains("--table-name TABLE"));
        let gone = DigestMismatch::read(&text("")).unwrap().remedy(Some("locks"));
        assert!(gone.contains("delete-item --table-name locks") && !gone.contains("SET Digest"), "{gone}");
        let older = "state data in S3 does not have the expected content.\n\n…you may need to manually verify the remote state and update the Digest\nvalue stored in the DynamoDB table to the following value: 66205ecd3aa6a66dacd17222edf13c64\n";
        let older = DigestMismatch::read(older).unwrap().remedy(Some("locks"));
        assert!(older.contains("66205ecd3aa6a66dacd17222edf13c64") && older.contains("BUCKET/KEY-md5"), "{older}");
        let forged = DigestMismatch::read(&text("$(touch x)")).unwrap();
        assert_eq!(forged.calculated, None, "only a checksum is taken into a command");
        assert_eq!(DigestMismatch::read("Error: no"), None);
    }
}
