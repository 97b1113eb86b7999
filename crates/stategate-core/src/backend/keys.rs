//! Where things lie in the bucket.

use super::Backend;

/// Our own objects lie under this prefix, beside the states.
const OURS: &str = "stategate";

impl Backend {
    /// The state object's key: `key`, or `prefix/workspace/key` outside the default workspace.
    pub fn state_key(&self) -> String {
        if self.workspace == "default" {
            return self.key.clone();
        }
        clean(&format!("{}/{}/{}", self.workspace_key_prefix, self.workspace, self.key))
    }

    /// The lockfile's key.
    pub fn lock_key(&self) -> String {
        format!("{}.tflock", self.state_key())
    }

    /// Bucket and state key: `Path` in lock info, and the lock item's `LockID` in DynamoDB.
    pub fn path(&self) -> String {
        format!("{}/{}", self.bucket, self.state_key())
    }

    /// Where a state goes whose upload failed.
    pub fn rescued_key(&self, run_id: u64, attempt: u32) -> String {
        format!("{}tfstate", self.rescued_prefix(run_id, attempt))
    }

    /// Where a part of such a state goes that is not whole: of what kind it is.
    pub fn rescued_part_key(&self, (run_id, attempt): (u64, u32), kind: &str) -> String {
        format!("{}{kind}.part", self.rescued_prefix(run_id, attempt))
    }

    /// Where it is written down that a run's lock stays on purpose.
    pub fn kept_key(&self, run_id: u64, attempt: u32) -> String {
        format!("{}kept", self.rescued_prefix(run_id, attempt))
    }

    /// What is before the ending of all that is there of a run whose lock stays on purpose.
    pub fn rescued_prefix(&self, run_id: u64, attempt: u32) -> String {
        format!("{OURS}/{}/rescued/{run_id}-{attempt}.", self.state_key())
    }
}

/// Terraform joins the parts of a workspace's key as paths: empty parts and `.` vanish, `..`
/// takes the part before it.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
