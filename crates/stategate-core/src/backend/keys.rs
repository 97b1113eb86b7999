//! Where things lie in the bucket: the state, its lock, and our own objects beside it.
//!
//! A key is also read back here. The plan role may write some of our objects, and IAM's `*` matches
//! `/`, so a key counts only when it has exactly the shape that we write.

use jiff::Timestamp;

use super::{Backend, Tags};

/// Our own objects lie under this prefix, beside the states.
const OURS: &str = "stategate";

/// How a time is spelled in the key of a trail entry: `2026-11-20T12:00:00.500000000Z`.
const TIME_LENGTH: usize = 30;

/// Where our own objects of one state lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// With the slash at its end.
    prefix: String,
}

/// What the key of a trail entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailKey<'a> {
    /// When it was done.
    pub at: Timestamp,
    /// What was done, in letters, digits and dashes.
    pub action: &'a str,
}

impl Place {
    /// Beside the state with this key.
    pub fn beside(state_key: &str) -> Self {
        Self { prefix: format!("{OURS}/{state_key}/") }
    }

    /// What all keys begin with.
    pub fn all(&self) -> &str {
        &self.prefix
    }

    /// What the keys of the reviewed-plan records begin with.
    pub fn plans(&self) -> String {
        format!("{}plans/", self.prefix)
    }

    /// The key of the record of a head commit; `None` when that is no SHA: it comes from outside and
    /// becomes part of a path.
    pub fn plan(&self, head_sha: &str) -> Option<String> {
        let is_sha =
            matches!(head_sha.len(), 40 | 64) && head_sha.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_sha.then(|| format!("{}{head_sha}.json", self.plans()))
    }

    /// What the keys of the trail begin with.
    pub fn trail(&self) -> String {
        format!("{}audit/", self.prefix)
    }

    /// The key of a trail entry; such keys sort by time.
    pub fn trail_entry(&self, at: Timestamp, action: &str) -> String {
        let action: String = action.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        format!("{}{at:.9}-{action}.json", self.trail())
    }

    /// Reads the key of a trail entry; `None` for any other key, whatever it begins and ends with.
    pub fn read_trail_entry<'a>(&self, key: &'a str) -> Option<TrailKey<'a>> {
        let name = key.strip_prefix(&self.trail())?.strip_suffix(".json")?;
        let (time, rest) = name.split_at_checked(TIME_LENGTH)?;
        let action = rest.strip_prefix('-')?;
        let at: Timestamp = time.parse().ok()?;
        (self.trail_entry(at, action) == key && !action.is_empty()).then_some(TrailKey { at, action })
    }

    /// What the keys begin with of all that is there of a run whose lock stays on purpose.
    pub fn rescued(&self, run_id: u64, attempt: u32) -> String {
        format!("{}rescued/{run_id}-{attempt}.", self.prefix)
    }

    /// Whether a key is one that a run writes whose lock stays on purpose.
    pub fn is_rescued(&self, key: &str, run_id: u64, attempt: u32) -> bool {
        let ending = key.strip_prefix(&self.rescued(run_id, attempt));
        ending.is_some_and(|ending| {
            let is_part = |kind: &str| !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            matches!(ending, "tfstate" | "kept") || ending.strip_suffix(".part").is_some_and(is_part)
        })
    }
}

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

    /// Where our own objects of this state lie.
    pub fn place(&self) -> Place {
        Place::beside(&self.state_key())
    }

    /// Where a state goes whose upload failed.
    pub fn rescued_key(&self, run_id: u64, attempt: u32) -> String {
        format!("{}tfstate", self.place().rescued(run_id, attempt))
    }

    /// Where a part of such a state goes that is not whole: of what kind it is.
    pub fn rescued_part_key(&self, (run_id, attempt): (u64, u32), kind: &str) -> String {
        format!("{}{kind}.part", self.place().rescued(run_id, attempt))
    }

    /// Where it is written down that a run's lock stays on purpose.
    pub fn kept_key(&self, run_id: u64, attempt: u32) -> String {
        format!("{}kept", self.place().rescued(run_id, attempt))
    }

    /// The tags of an object that is written: a state has the state's, one that is rescued as well,
    /// the lockfile has its own. What OpenTofu does not write has none.
    pub fn tags_of(&self, key: &str) -> Tags {
        let rescued = format!("{OURS}/{}/rescued/", self.state_key());
        if key == self.lock_key() {
            self.lock_tags.clone()
        } else if key == self.state_key() || key.starts_with(&rescued) && key.ends_with(".tfstate") {
            self.state_tags.clone()
        } else {
            Tags::default()
        }
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
