//! Which of a pull request's reviews count.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::facts::{Actor, ActorKind, Membership, MembershipAnswer, PullRequest, Review, ReviewState};
use super::policy::{Approver, BindsTo, Policy};
use super::reason::{Reason, short};
use crate::record::SameContent;

/// What the reviews of one pull request come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The pull request.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// The commit that approvals are bound to.
    pub head: String,
    /// How many approvals are needed.
    pub needed: u32,
    /// The approvals that count, one a person.
    pub counted: Vec<Counted>,
    /// The approvals that do not count, and why.
    pub not_counted: Vec<NotCounted>,
    /// Whose latest opinion asks for changes; `None` for an account that is gone.
    pub changes_requested_by: Vec<Option<String>>,
    /// Who could approve, as a phrase.
    pub who_could: String,
}

/// An approval that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Who.
    pub login: String,
    /// The commit it was given on: the head, or one that is proven to carry the same.
    pub commit: String,
    /// When.
    pub at: Option<Timestamp>,
}

/// An approval that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCounted {
    /// Who; `None` when the account is gone.
    pub login: Option<String>,
    /// Why.
    pub why: WhyNot,
}

/// Why an approval does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyNot {
    /// The account is gone.
    NoAccount,
    /// Not a person.
    NotAPerson,
    /// They opened the pull request.
    Author,
    /// They pushed its last commit.
    LastPusher,
    /// They pushed the earlier commit that they approved.
    OwnPush(String),
    /// They cannot write to the repository.
    NoWriteAccess,
    /// It was given on another commit.
    OtherCommit(Option<String>),
    /// They are not among the approvers.
    NotAnApprover,
    /// Whether they are in an approving team is not known.
    TeamNotTold,
    /// It was dismissed.
    Dismissed,
    /// Their latest review says something we do not know.
    UnknownState(String),
}

impl fmt::Display for NotCounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.login.as_deref().unwrap_or("a deleted account");
        match &self.why {
            WhyNot::NoAccount => write!(f, "{who} no longer exists"),
            WhyNot::NotAPerson => write!(f, "{who} is not a person"),
            WhyNot::Author => write!(f, "{who} is the author"),
            WhyNot::LastPusher => write!(f, "{who} pushed the last commit, if only by `Update branch`"),
            WhyNot::OwnPush(commit) => write!(f, "{who} pushed {}, which they approved", short(commit)),
            WhyNot::NoWriteAccess => write!(f, "{who} cannot write to this repository"),
            WhyNot::OtherCommit(Some(commit)) => {
                write!(f, "{who} approved {}, an earlier commit", short(commit))
            }
            WhyNot::OtherCommit(None) => {
                write!(f, "{who} approved a commit that GitHub no longer names")
            }
            WhyNot::NotAnApprover => write!(f, "{who} is not among the approvers"),
            WhyNot::TeamNotTold => write!(f, "{who}'s teams are not known"),
            WhyNot::Dismissed => write!(f, "{who}'s review was dismissed"),
            WhyNot::UnknownState(word) => {
                write!(f, "{who}'s latest review is `{word}`, which is not known")
            }
        }
    }
}

/// Counts a pull request's reviews, and gives the reasons why they are not enough.
pub(super) fn tally(policy: &Policy, pull_request: &PullRequest, memberships: &[Membership]) -> (Tally, Vec<Reason>) {
    let mut tally = Tally {
        number: pull_request.number,
        url: pull_request.url.clone(),
        head: pull_request.head.clone(),
        needed: policy.required_approvals,
        counted: Vec::new(),
        not_counted: Vec::new(),
        changes_requested_by: Vec::new(),
        who_could: who_could(policy, pull_request),
    };
    let mut untold = Vec::new();
    for review in latest_opinions(&pull_request.reviews) {
        let login = review.author.as_ref().map(|author| author.login.clone());
        let why = match &review.state {
            // A stranger's change request must not stop a team, but one whose author is gone may
            // have been a colleague's.
            ReviewState::ChangesRequested if review.can_write || review.author.is_none() => {
                tally.changes_requested_by.push(login);
                continue;
            }
            ReviewState::ChangesRequested | ReviewState::Commented | ReviewState::Pending => {
                continue;
            }
            ReviewState::Dismissed => WhyNot::Dismissed,
            ReviewState::Unknown(word) => WhyNot::UnknownState(word.clone()),
            ReviewState::Approved => match count(policy, pull_request, memberships, review) {
                Ok(counted) => {
                    tally.counted.push(counted);
                    continue;
                }
                Err(why) => {
                    if why == WhyNot::TeamNotTold {
                        untold.extend(teams_not_told(policy, memberships, login.as_deref()));
                    }
                    why
                }
            },
        };
        tally.not_counted.push(NotCounted { login, why });
    }
    let mut reasons: Vec<Reason> = tally
        .changes_requested_by
        .iter()
        .map(|by| Reason::ChangesRequested { number: tally.number, by: by.clone() })
        .collect();
    let had = u32::try_from(tally.counted.len()).unwrap_or(u32::MAX);
    if had < tally.needed {
        reasons.push(Reason::TooFewApprovals {
            number: tally.number,
            head: tally.head.clone(),
            needed: tally.needed,
            had,
            not_counted: tally.not_counted.clone(),
            who_could: tally.who_could.clone(),
        });
        reasons.extend(untold);
    }
    (tally, reasons)
}

/// The latest opinion of each person, in the order in which people first gave one.
///
/// A comment or a draft is no opinion. A word we do not know takes an approval away, but never
/// lifts a request for changes.
fn latest_opinions(reviews: &[Review]) -> Vec<&Review> {
    let mut chronological: Vec<&Review> = reviews.iter().collect();
    if chronological.iter().all(|r| r.submitted_at.is_some()) {
        chronological.sort_by_key(|r| r.submitted_at);
    }
    let mut place_of: BTreeMap<String, usize> = BTreeMap::new();
    let mut latest: Vec<&Review> = Vec::new();
    for review in chronological {
        if matches!(review.state, ReviewState::Commented | ReviewState::Pending) {
            continue;
        }
        // Deleted accounts cannot be told apart, so none of them supersedes another.
        let Some(author) = &review.author else {
            latest.push(review);
            continue;
        };
        let place = *place_of.entry(identity(author)).or_insert(latest.len());
        let Some(current) = latest.get_mut(place) else {
            latest.push(review);
            continue;
        };
        let keeps = current.state == ReviewState::ChangesRequested && matches!(review.state, ReviewState::Unknown(_));
        if !keeps {
            *current = review;
        }
    }
    latest
}

/// Logins are the same in whatever case; an app's login may be a person's.
fn identity(actor: &Actor) -> String {
    let kind = match &actor.kind {
        ActorKind::User => "user",
        ActorKind::Bot => "bot",
        ActorKind::Other(word) => word,
    };
    format!("{kind} {}", actor.login.to_ascii_lowercase())
}

fn count(
    policy: &Policy,
    pull_request: &PullRequest,
    memberships: &[Membership],
    review: &Review,
) -> Result<Counted, WhyNot> {
    let author = review.author.as_ref().ok_or(WhyNot::NoAccount)?;
    let is = |login: &str| author.login.eq_ignore_ascii_case(login);
    if author.kind != ActorKind::User || author.login.is_empty() {
        return Err(WhyNot::NotAPerson);
    }
    if pull_request.author.as_ref().is_some_and(|a| is(&a.login)) {
        return Err(WhyNot::Author);
    }
    if !review.can_write {
        return Err(WhyNot::NoWriteAccess);
    }
    let commit = review.commit.as_ref().ok_or(WhyNot::OtherCommit(None))?;
    let pushed_last = pull_request.last_pushers.iter().any(|login| is(login));
    let same = same_content(policy.binds_to, pull_request, commit);
    if *commit == pull_request.head && !commit.is_empty() {
        if pushed_last {
            return Err(WhyNot::LastPusher);
        }
    } else if let Some(same) = same {
        // Who pushed after it brought nothing to review: what counts is who pushed what they approved.
        if same.pushers().iter().any(|login| is(login)) {
            return Err(WhyNot::OwnPush(commit.clone()));
        }
    } else if pushed_last && policy.binds_to == BindsTo::Commit {
        return Err(WhyNot::LastPusher);
    } else {
        return Err(WhyNot::OtherCommit(Some(commit.clone())));
    }
    is_approver(policy, memberships, review, author)?;
    Ok(Counted { login: author.login.clone(), commit: commit.clone(), at: review.submitted_at })
}

/// The proof that this commit carries what the head carries, where that is enough.
fn same_content<'a>(binds_to: BindsTo, pull_request: &'a PullRequest, commit: &str) -> Option<&'a SameContent> {
    let is_proof = |same: &&SameContent| {
        same.pull_request() == pull_request.number && same.earlier() == commit && same.head() == pull_request.head
    };
    pull_request.same_content.iter().filter(|_| binds_to == BindsTo::Content).find(is_proof)
}

fn is_approver(policy: &Policy, memberships: &[Membership], review: &Review, author: &Actor) -> Result<(), WhyNot> {
    if policy.approvers.is_empty() {
        return Ok(());
    }
    let mut why = WhyNot::NotAnApprover;
    for approver in &policy.approvers {
        let answer = match approver {
            Approver::User(login) if login.eq_ignore_ascii_case(&author.login) => {
                return Ok(());
            }
            Approver::User(_) => continue,
            Approver::Team { org, slug } => {
                let name = approver.to_string();
                if review.on_behalf_of.iter().any(|team| team.eq_ignore_ascii_case(&name)) {
                    return Ok(());
                }
                membership(memberships, org, slug, &author.login)
            }
        };
        match answer {
            Some(MembershipAnswer::Member) => return Ok(()),
            Some(MembershipAnswer::NotMember) => {}
            Some(MembershipAnswer::NotTold { .. }) | None => why = WhyNot::TeamNotTold,
        }
    }
    Err(why)
}

fn membership<'a>(memberships: &'a [Membership], org: &str, slug: &str, login: &str) -> Option<&'a MembershipAnswer> {
    memberships
        .iter()
        .find(|m| {
            m.org.eq_ignore_ascii_case(org) && m.slug.eq_ignore_ascii_case(slug) && m.login.eq_ignore_ascii_case(login)
        })
        .map(|m| &m.answer)
}

/// The teams whose membership would have decided about this person, had it been told.
fn teams_not_told(policy: &Policy, memberships: &[Membership], login: Option<&str>) -> Vec<Reason> {
    let Some(login) = login else {
        return Vec::new();
    };
    policy
        .approvers
        .iter()
        .filter_map(|approver| match approver {
            Approver::User(_) => None,
            Approver::Team { org, slug } => {
                let why = match membership(memberships, org, slug, login) {
                    Some(MembershipAnswer::NotTold { why }) => why.clone(),
                    None => "it was not asked".to_owned(),
                    Some(_) => return None,
                };
                Some(Reason::TeamNotTold { team: approver.to_string(), login: login.to_owned(), why })
            }
        })
        .collect()
}

fn who_could(policy: &Policy, pull_request: &PullRequest) -> String {
    let mut phrase = if policy.approvers.is_empty() {
        "anybody who can write to this repository".to_owned()
    } else {
        let names: Vec<String> = policy.approvers.iter().map(Approver::to_string).collect();
        names.join(", ")
    };
    let mut except: Vec<String> = Vec::new();
    if let Some(author) = &pull_request.author {
        except.push(format!("{} (its author)", author.login));
    }
    for login in &pull_request.last_pushers {
        let is_author = pull_request.author.as_ref().is_some_and(|author| author.login.eq_ignore_ascii_case(login));
        if !is_author {
            except.push(format!("{login} (who pushed last)"));
        }
    }
    if !except.is_empty() {
        phrase.push_str(", except ");
        phrase.push_str(&except.join(" and "));
    }
    phrase
}
