//! What a team demands before a change is applied.

/// The gate's rules, from the flags of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How many people must have approved (`--required-approvals`).
    pub required_approvals: u32,
    /// Whose approval counts (`--approvers`); empty means everybody with write access.
    pub approvers: Vec<Approver>,
    /// What an approval is bound to (`--approval-binds-to`).
    pub binds_to: BindsTo,
    /// The environment whose required reviewers must have approved this run: `Some` with
    /// `--require-environment-approval`, `None` without.
    pub environment: Option<RequiredEnvironment>,
    /// Whether a commit that came by no pull request may be applied (`--allow-direct-push`).
    pub allow_direct_push: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            required_approvals: 1,
            approvers: Vec::new(),
            binds_to: BindsTo::Commit,
            environment: None,
            allow_direct_push: false,
        }
    }
}

/// The environment that must have been approved, by name.
///
/// The name is optional because `--require-environment-approval` without `--environment` is a
/// mistake that the gate answers for, with all other reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredEnvironment(pub Option<String>);

/// Somebody whose approval counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approver {
    /// A user, by login.
    User(String),
    /// A team of an organisation, `org/team`.
    Team {
        /// The organisation's login.
        org: String,
        /// The team's slug.
        slug: String,
    },
}

impl std::fmt::Display for Approver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(login) => f.write_str(login),
            Self::Team { org, slug } => write!(f, "{org}/{slug}"),
        }
    }
}

/// An entry of `--approvers` that names neither a user nor a team.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` is neither a login (`octocat`) nor a team (`org/team`)")]
pub struct ApproverError {
    /// The entry as it was given.
    pub entry: String,
}

impl std::str::FromStr for Approver {
    type Err = ApproverError;

    /// Reads `login`, `@login`, `org/team` or `@org/team`.
    fn from_str(entry: &str) -> Result<Self, Self::Err> {
        let plain = entry.strip_prefix('@').unwrap_or(entry);
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        match plain.split_once('/') {
            Some((org, slug)) if is_name(org) && is_name(slug) => {
                Ok(Self::Team { org: org.to_owned(), slug: slug.to_owned() })
            }
            None if is_name(plain) => Ok(Self::User(plain.to_owned())),
            _ => Err(ApproverError { entry: entry.to_owned() }),
        }
    }
}

/// Reads a whole list, separated by commas, white space or both.
///
/// # Errors
///
/// When an entry names neither a user nor a team, or when there are only commas: an empty list lets
/// everybody who can write approve, which nobody asks for that way.
pub fn approvers(list: &str) -> Result<Vec<Approver>, ApproverError> {
    let entries = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
    let read = entries.map(str::parse).collect::<Result<Vec<_>, _>>()?;
    let entry = list.trim();
    if read.is_empty() && !entry.is_empty() { Err(ApproverError { entry: entry.to_owned() }) } else { Ok(read) }
}

/// What an approval is bound to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BindsTo {
    /// The head commit that was merged, and no other.
    #[default]
    Commit,
    /// What could reach the apply: an approval of an earlier commit counts while everything is
    /// proven to be the same since.
    Content,
}
