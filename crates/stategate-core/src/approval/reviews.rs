//! Which of a pull request's reviews count.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::facts::{
    Actor, ActorKind, BaseChange, Dismissal, Membership, MembershipAnswer, PullRequest, Review, ReviewState,
};
use super::policy::{Approver, BindsTo, Policy};
use super::reason::{Reason, short};
use crate::record::SameContent;
use crate::sentence::Sentence;

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
    /// What people should know beside that: objections that were dismissed, and what the approvals
    /// weakly rest on.
    pub notes: Vec<Sentence>,
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
    /// They may have pushed its last commit, for who did is not known: why.
    MayHavePushed(String),
    /// It was given while the pull request went into another branch; `None` where GitHub does not say
    /// into which.
    OtherBase(Option<String>),
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
            WhyNot::MayHavePushed(why) => {
                write!(f, "{who} may have pushed the last commit, for who did is unknown: {why}")
            }
            WhyNot::OtherBase(Some(branch)) => {
                write!(f, "{who} approved it for `{}`, before it was moved to this branch", branch.replace('`', "'"))
            }
            WhyNot::OtherBase(None) => write!(f, "{who} approved it before it was moved to this branch"),
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
        notes: Vec::new(),
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
    set_aside(&mut tally, pull_request);
    tally.notes = notes(&tally, pull_request);
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
            is_pusher_unknown: pull_request.pushers.unknown().is_some(),
            is_alone: policy.approvers.is_empty() && is_alone(pull_request),
        });
        reasons.extend(untold);
    }
    (tally, reasons)
}

/// Where it is not known who pushed the last commit, one of its approvals may be the pusher's own. No
/// more than one can be, so one is set aside, and one more than needed proves that enough are others'.
fn set_aside(tally: &mut Tally, pull_request: &PullRequest) {
    let Some(why) = pull_request.pushers.unknown().filter(|_| tally.needed > 0) else { return };
    let Some(at) = tally.counted.iter().rposition(|counted| counted.commit == tally.head) else { return };
    let login = Some(tally.counted.remove(at).login);
    tally.not_counted.push(NotCounted { login, why: WhyNot::MayHavePushed(why.to_owned()) });
}

fn notes(tally: &Tally, pull_request: &PullRequest) -> Vec<Sentence> {
    let approved = |login: &String| tally.counted.iter().any(|counted| counted.login.eq_ignore_ascii_case(login));
    let name = |login: &Option<String>| login.clone().unwrap_or_else(|| "a deleted account".to_owned());
    let mut notes: Vec<Sentence> = Vec::new();
    for Dismissal { reviewer, by } in &pull_request.dismissals {
        if reviewer.as_ref().is_some_and(approved) {
            continue;
        }
        let note = format!("{} asked for changes; dismissed by {} (", name(reviewer), name(by));
        let note = Sentence::from(note).pull_request(tally.number).words(")");
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let rests_on_commit = tally.counted.iter().any(|counted| counted.commit == tally.head);
    if rests_on_commit && tally.needed > 0 && pull_request.pushers.is_by_commit_alone() {
        let note = format!(
            "Who pushed {} is known from the commit alone ({}): this GitHub shows neither its activity nor its runs",
            short(&tally.head),
            pull_request.pushers.known().join(", ")
        );
        notes.push(note.into());
    }
    notes
}

/// Whether no person but the author and who pushed last gave any opinion: perhaps there is nobody
/// else.
fn is_alone(pull_request: &PullRequest) -> bool {
    let is_other = |author: &Actor| {
        author.kind == ActorKind::User
            && !pull_request.author.as_ref().is_some_and(|a| a.is_named(&author.login))
            && !pull_request.pushers.is_known(&author.login)
    };
    !pull_request.reviews.iter().filter_map(|review| review.author.as_ref()).any(is_other)
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
    let pushed_last = pull_request.pushers.is_known(&author.login);
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
    given_for_this_base(pull_request, review)?;
    is_approver(policy, memberships, review, author)?;
    Ok(Counted { login: author.login.clone(), commit: commit.clone(), at: review.submitted_at })
}

/// Whether the pull request went into its present base branch when the review was given. What it goes
/// into decides what its diff is.
fn given_for_this_base(pull_request: &PullRequest, review: &Review) -> Result<(), WhyNot> {
    let changes = &pull_request.base_changes;
    if changes.is_empty() {
        return Ok(());
    }
    let Some(given) = review.submitted_at else { return Err(WhyNot::OtherBase(None)) };
    // GitHub's moments are whole seconds: what happened in the same second may have happened after.
    let together = changes.iter().filter(|change| change.at == given);
    let next = changes.iter().filter(|change| change.at > given).min_by_key(|change| change.at);
    let is_elsewhere = |change: &&BaseChange| change.from.as_ref() != Some(&pull_request.base_branch);
    match together.chain(next).find(is_elsewhere) {
        Some(change) => Err(WhyNot::OtherBase(change.from.clone())),
        None => Ok(()),
    }
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
                let is_for_team = review.on_behalf_of.iter().any(|team| team.eq_ignore_ascii_case(&name));
                match membership(memberships, org, slug, &author.login) {
                    // The review was the team's when it was given; who has left it since is no member.
                    // Where the token sees no teams, that it was the team's is all there is.
                    Some(MembershipAnswer::NotTold { .. }) if is_for_team => return Ok(()),
                    answer => answer,
                }
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
    let author = pull_request.author.as_ref();
    let mut except: Vec<String> = author.iter().map(|author| format!("{} (its author)", author.login)).collect();
    let others = pull_request.pushers.known().iter().filter(|login| !author.is_some_and(|a| a.is_named(login)));
    except.extend(others.map(|login| format!("{login} (who pushed last)")));
    if !except.is_empty() {
        phrase.push_str(", except ");
        phrase.push_str(&except.join(" and "));
    }
    phrase
}
