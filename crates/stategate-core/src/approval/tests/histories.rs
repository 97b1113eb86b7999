//! Review histories, and what the gate makes of them.
//!
//! The pull request is `author`'s, `pusher` pushed its last commit, and its head is `H`. A history
//! is a list of reviews, oldest first: `login state commit flags…`. The login `-` is a deleted
//! account, one in `[bot]` an app, one in `[mannequin]` a placeholder. Flags: `reader` cannot
//! write, `for=org/team` reviews on a team's behalf, `at=N` was submitted at second N.

use super::*;

struct History {
    name: &'static str,
    /// `N` approvals, `by=LIST` approvers, `content`, `unknown` (who pushed last), `moved=BRANCH@SECOND`
    /// (away from it, by hand), `member=team/login`, `stranger=team/login`,
    /// `untold=team/login`, `same=COMMIT` (proven to carry what the head carries) or
    /// `same=COMMIT/login` (and pushed by them).
    policy: &'static str,
    reviews: &'static str,
    /// `approved: who…`, or `blocked: part | part`, each part to be found in the reasons.
    expected: &'static str,
}

const fn history(name: &'static str, policy: &'static str, reviews: &'static str, expected: &'static str) -> History {
    History { name, policy, reviews, expected }
}

#[rustfmt::skip]
const HISTORIES: &[History] = &[
    // Nobody, one, several.
    history("no review at all", "", "", "blocked: #7 has 0 of 1 approval of its head commit"),
    history("one approval of the head", "", "reviewer approved H", "approved: reviewer"),
    history("two approvals where one is enough", "", "reviewer approved H; second approved H", "approved: reviewer second"),
    history("one approval where two are needed", "2", "reviewer approved H", "blocked: #7 has 1 of 2 approvals"),
    history("two approvals where two are needed", "2", "reviewer approved H; second approved H", "approved: reviewer second"),
    history("the same person twice is one", "2", "reviewer approved H; reviewer approved H", "blocked: 1 of 2"),
    history("the same person in another case is one", "2", "reviewer approved H; Reviewer approved H", "blocked: 1 of 2"),
    history("three needed, two had", "3", "reviewer approved H; second approved H", "blocked: 2 of 3"),
    history("three needed, three had", "3", "reviewer approved H; second approved H; third approved H", "approved: reviewer second third"),
    history("none needed, none had", "0", "", "approved:"),
    history("none needed, but changes are requested", "0", "reviewer changes H", "blocked: reviewer requests changes"),
    // Comments, drafts and dismissed reviews are no approvals.
    history("a comment", "", "reviewer commented H", "blocked: 0 of 1"),
    history("a draft", "", "reviewer pending H", "blocked: 0 of 1"),
    history("a dismissed approval", "", "reviewer dismissed H", "blocked: 0 of 1 | reviewer's review was dismissed"),
    history("a comment after an approval leaves it", "", "reviewer approved H; reviewer commented H", "approved: reviewer"),
    history("a comment on a later commit after an approval leaves it where it was", "", "reviewer approved old; reviewer commented H", "blocked: 0 of 1"),
    history("a draft after an approval leaves it", "", "reviewer approved H; reviewer pending H", "approved: reviewer"),
    history("a comment before an approval", "", "reviewer commented H; reviewer approved H", "approved: reviewer"),
    history("dismissed, then approved anew", "", "reviewer dismissed H; reviewer approved H", "approved: reviewer"),
    history("approved, then dismissed", "", "reviewer approved H; reviewer dismissed H", "blocked: was dismissed"),
    history("one dismissed, another approved", "", "reviewer dismissed H; second approved H", "approved: second"),
    history("one dismissed, another approved, two needed", "2", "reviewer dismissed H; second approved H", "blocked: 1 of 2 | reviewer's review was dismissed"),
    history("a draft that would ask for changes", "", "reviewer approved H; second pending H", "approved: reviewer"),
    // Requests for changes.
    history("changes requested", "", "reviewer changes H", "blocked: reviewer requests changes on #7 | 0 of 1"),
    history("one approves, another requests changes", "", "reviewer approved H; second changes H", "blocked: second requests changes"),
    history("another requests changes first", "", "second changes H; reviewer approved H", "blocked: second requests changes"),
    history("changes requested on an old commit still stand", "", "second changes old; reviewer approved H", "blocked: second requests changes"),
    history("requested, then approved by the same person", "", "reviewer changes old; reviewer approved H", "approved: reviewer"),
    history("approved, then requested by the same person", "", "reviewer approved H; reviewer changes H", "blocked: reviewer requests changes | 0 of 1"),
    history("requested, then only commented", "", "reviewer changes H; reviewer commented H; second approved H", "blocked: reviewer requests changes"),
    history("requested, then a draft", "", "reviewer changes H; reviewer pending H; second approved H", "blocked: reviewer requests changes"),
    history("requested, then dismissed", "", "reviewer changes H; reviewer dismissed H; second approved H", "approved: second"),
    history("a dismissed request alone", "", "second dismissed H; reviewer approved H", "approved: reviewer"),
    history("two request changes, one is satisfied", "", "reviewer changes H; second changes H; second approved H", "blocked: reviewer requests changes"),
    history("requested, approved on an old commit", "", "reviewer changes older; reviewer approved old", "blocked: 0 of 1 | reviewer approved old"),
    history("an app requests changes", "", "reviewer approved H; lint[bot] changes H", "blocked: lint requests changes"),
    history("a reader requests changes", "", "reviewer approved H; stranger changes H reader", "approved: reviewer"),
    history("a deleted account requested changes", "", "reviewer approved H; - changes H", "blocked: an account that no longer exists requests changes"),
    history("two deleted accounts, one of which requested changes", "", "- changes H; - approved H; reviewer approved H", "blocked: no longer exists requests changes"),
    history("the author requests changes", "", "reviewer approved H; author changes H", "blocked: author requests changes"),
    history("the pusher requests changes", "", "reviewer approved H; pusher changes H", "blocked: pusher requests changes"),
    history("enough approvals do not outvote a request", "", "reviewer approved H; second approved H; third changes H", "blocked: third requests changes"),
    history("somebody who is no approver requests changes", "by=reviewer", "reviewer approved H; second changes H", "blocked: second requests changes"),
    // On which commit. Peers take an approval of any commit: the change that was pushed after the
    // review is applied unseen (runatlantis/atlantis#3601, #4450; lyft/atlantis#642).
    history("an approval of an old commit", "", "reviewer approved old", "blocked: 0 of 1 | reviewer approved old, an earlier commit"),
    history("an approval of an old commit beside one of the head", "2", "reviewer approved old; second approved H", "blocked: 1 of 2 | reviewer approved old"),
    history("approved anew after the push", "", "reviewer approved old; reviewer approved H", "approved: reviewer"),
    history("approved the head, then an old commit", "", "reviewer approved H; reviewer approved old", "blocked: reviewer approved old"),
    history("an approval without a commit", "", "reviewer approved ?", "blocked: a commit that GitHub no longer names"),
    history("all approvals are old", "2", "reviewer approved old; second approved older", "blocked: 0 of 2 | reviewer approved old | second approved older"),
    history("an old approval bound to content, nothing proven", "content", "reviewer approved old", "blocked: 0 of 1"),
    history("an old approval bound to content, proven the same", "content same=old", "reviewer approved old", "approved: reviewer"),
    history("an old approval bound to the commit, proven the same", "same=old", "reviewer approved old", "blocked: 0 of 1"),
    history("an older approval than the one proven", "content same=old", "reviewer approved older", "blocked: reviewer approved older"),
    history("content: the head counts as ever", "content", "reviewer approved H", "approved: reviewer"),
    history("content: two, one of each", "2 content same=old", "reviewer approved old; second approved H", "approved: reviewer second"),
    history("content: an old request for changes stands", "content same=old", "reviewer approved old; second changes old", "blocked: second requests changes"),
    history("content: without a commit", "content same=old", "reviewer approved ?", "blocked: 0 of 1"),
    history("content: who only updated the branch after their approval", "content same=old", "pusher approved old", "approved: pusher"),
    history("content: who pushed what they approved, before somebody updated the branch", "content same=old/Reviewer", "reviewer approved old", "blocked: 0 of 1 | reviewer pushed old, which they approved"),
    history("content: who pushed last and approved something else", "content same=older", "pusher approved old", "blocked: pusher approved old, an earlier commit"),
    history("content: who updated the branch and approved that", "content same=old", "pusher approved H", "blocked: pusher pushed the last commit"),
    history("the commit: who updated the branch after their approval", "same=old", "pusher approved old", "blocked: pusher pushed the last commit"),
    history("content: the author's own approval of an old commit", "content same=old", "author approved old", "blocked: author is the author"),
    // By whom. Peers take an approval by anybody, bots and strangers included (the same reports).
    history("the author", "", "author approved H", "blocked: author is the author"),
    history("the author in another case", "", "AUTHOR approved H", "blocked: AUTHOR is the author"),
    history("the author and another, one needed", "", "author approved H; reviewer approved H", "approved: reviewer"),
    history("the author and another, two needed", "2", "author approved H; reviewer approved H", "blocked: 1 of 2 | author is the author"),
    history("who pushed the last commit", "", "pusher approved H", "blocked: pusher pushed the last commit"),
    history("who pushed the last commit, in another case", "", "Pusher approved H", "blocked: pushed the last commit"),
    history("who pushed last and another", "", "pusher approved H; reviewer approved H", "approved: reviewer"),
    history("a reader", "", "stranger approved H reader", "blocked: stranger cannot write to this repository"),
    history("a reader beside a writer", "", "stranger approved H reader; reviewer approved H", "approved: reviewer"),
    history("a reader where two are needed", "2", "stranger approved H reader; reviewer approved H", "blocked: 1 of 2"),
    history("an app", "", "ci[bot] approved H", "blocked: ci is not a person"),
    history("an app with the name of a person", "", "reviewer[bot] approved H", "blocked: reviewer is not a person"),
    history("an app and a person of the same name are two", "", "reviewer approved H; reviewer[bot] dismissed H", "approved: reviewer"),
    history("two apps", "2", "ci[bot] approved H; lint[bot] approved H", "blocked: 0 of 2"),
    history("a mannequin", "", "imported[mannequin] approved H", "blocked: not a person"),
    history("a deleted account", "", "- approved H", "blocked: a deleted account no longer exists"),
    history("a deleted account beside a person", "", "- approved H; reviewer approved H", "approved: reviewer"),
    history("two deleted accounts", "2", "- approved H; - approved H", "blocked: 0 of 2"),
    history("a name that contains the author's", "", "author2 approved H", "approved: author2"),
    // Who pushed last, where GitHub does not tell.
    history("an unknown pusher, one approval", "unknown", "reviewer approved H", "blocked: 0 of 1 | reviewer may have pushed the last commit | no account"),
    history("an unknown pusher, one approval more than needed", "unknown", "reviewer approved H; second approved H", "approved: reviewer"),
    history("an unknown pusher, as many as needed", "2 unknown", "reviewer approved H; second approved H", "blocked: 1 of 2 | second may have pushed"),
    history("an unknown pusher, none needed", "0 unknown", "", "approved:"),
    history("an unknown pusher and the author", "unknown", "reviewer approved H; author approved H", "blocked: 0 of 1"),
    history("an unknown pusher, content, an old approval", "content same=old unknown", "reviewer approved old", "approved: reviewer"),
    // For another base branch.
    history("approved, then moved here", "moved=scratch@20", "reviewer approved H at=10", "blocked: 0 of 1 | reviewer approved it for `scratch`"),
    history("moved here, then approved", "moved=scratch@20", "reviewer approved H at=30", "approved: reviewer"),
    history("approved, moved here, approved anew", "moved=scratch@20", "reviewer approved H at=10; reviewer approved H at=30", "approved: reviewer"),
    history("approved and moved in the same second", "moved=scratch@20", "reviewer approved H at=20", "blocked: for `scratch`"),
    history("approved here, moved away and back", "moved=main@20 moved=scratch@30", "reviewer approved H at=10", "approved: reviewer"),
    history("moved away, approved there, moved back", "moved=main@20 moved=scratch@30", "reviewer approved H at=25", "blocked: for `scratch`"),
    history("moved twice after the approval", "moved=a@20 moved=b@30", "reviewer approved H at=10", "blocked: for `a`"),
    history("moved at some time, approved at an unknown one", "moved=scratch@20", "reviewer approved H", "blocked: before it was moved"),
    history("moved from where GitHub does not say", "moved=?@20", "reviewer approved H at=10", "blocked: reviewer approved it before it was moved"),
    history("a name that would end the code", "moved=a`b@20", "reviewer approved H at=10", "blocked: for `a'b`"),
    history("content: an old approval for another base", "content same=old moved=scratch@20", "reviewer approved old at=10", "blocked: for `scratch`"),
    history("an objection counts for whatever base it was raised", "moved=scratch@20", "second changes H at=10; reviewer approved H at=30", "blocked: second requests changes"),
    // Words we do not know.
    history("an unknown state", "", "reviewer BLESSED H", "blocked: reviewer's latest review is `BLESSED`"),
    history("an unknown state after an approval takes it away", "", "reviewer approved H; reviewer BLESSED H", "blocked: 0 of 1 | `BLESSED`"),
    history("an unknown state beside an approval", "", "second BLESSED H; reviewer approved H", "approved: reviewer"),
    history("an unknown state lifts no request for changes", "", "reviewer changes H; reviewer BLESSED H; second approved H", "blocked: reviewer requests changes"),
    history("an approval after an unknown state", "", "reviewer BLESSED H; reviewer approved H", "approved: reviewer"),
    history("a lower-case word is not GitHub's", "", "reviewer Approved H", "blocked: `Approved`"),
    // The order is that of time, where it is told.
    history("the later one counts, whatever the order", "", "reviewer approved H at=20; reviewer changes H at=10", "approved: reviewer"),
    history("the later one counts, whatever the order, to block", "", "reviewer changes H at=20; reviewer approved H at=10", "blocked: reviewer requests changes"),
    history("at the same time, the later in the list", "", "reviewer approved H at=10; reviewer changes H at=10", "blocked: reviewer requests changes"),
    history("where a time is missing, the order of the list", "", "reviewer approved H at=20; reviewer changes H", "blocked: reviewer requests changes"),
    // Approvers.
    history("an approver", "by=reviewer", "reviewer approved H", "approved: reviewer"),
    history("an approver in another case", "by=REVIEWER", "reviewer approved H", "approved: reviewer"),
    history("not an approver", "by=second", "reviewer approved H", "blocked: reviewer is not among the approvers"),
    history("an approver who cannot write", "by=reviewer", "reviewer approved H reader", "blocked: cannot write"),
    history("an approver who is the author", "by=author", "author approved H", "blocked: author is the author"),
    history("an approver that is an app", "by=ci", "ci[bot] approved H", "blocked: not a person"),
    history("two needed, one approver", "2 by=reviewer", "reviewer approved H; second approved H", "blocked: 1 of 2 | second is not among the approvers"),
    history("two approvers", "2 by=reviewer,second", "reviewer approved H; second approved H", "approved: reviewer second"),
    history("a member of the team", "by=acme/infra member=infra/reviewer", "reviewer approved H", "approved: reviewer"),
    history("not a member of the team", "by=acme/infra stranger=infra/reviewer", "reviewer approved H", "blocked: not among the approvers"),
    history("on the team's behalf, where the token sees no team", "by=acme/infra untold=infra/reviewer", "reviewer approved H for=acme/infra", "approved: reviewer"),
    history("on the team's behalf, and a member still", "by=acme/infra member=infra/reviewer", "reviewer approved H for=acme/infra", "approved: reviewer"),
    history("on the team's behalf, but no member any more", "by=acme/infra stranger=infra/reviewer", "reviewer approved H for=acme/infra", "blocked: not among the approvers"),
    history("on the team's behalf, and nobody asked the team", "by=acme/infra", "reviewer approved H for=acme/infra", "blocked: whether reviewer is in the team"),
    history("on the team's behalf, in another case", "by=Acme/Infra untold=infra/reviewer", "reviewer approved H for=acme/infra", "approved: reviewer"),
    history("on another team's behalf", "by=acme/infra stranger=infra/reviewer", "reviewer approved H for=acme/docs", "blocked: not among the approvers"),
    history("the team's members are not told", "by=acme/infra untold=infra/reviewer", "reviewer approved H", "blocked: 0 of 1 | whether reviewer is in the team acme/infra is not told | 403"),
    history("the team was not asked for", "by=acme/infra", "reviewer approved H", "blocked: whether reviewer is in the team acme/infra is not told"),
    history("the team is not told, but a person is named", "by=acme/infra,reviewer untold=infra/reviewer", "reviewer approved H", "approved: reviewer"),
    history("one team is not told, the other has them", "by=acme/docs,acme/infra untold=docs/reviewer member=infra/reviewer", "reviewer approved H", "approved: reviewer"),
    history("a team not told does not matter when others are enough", "by=acme/infra,second untold=infra/reviewer", "reviewer approved H; second approved H", "approved: second"),
    history("a team member on an old commit", "by=acme/infra member=infra/reviewer", "reviewer approved old", "blocked: reviewer approved old"),
];

#[test]
fn each_history_is_judged_as_written() {
    assert!(HISTORIES.len() >= 80, "{}", HISTORIES.len());
    for history in HISTORIES {
        let (policy, memberships, mut pull_request) = read_policy(history.policy);
        pull_request.reviews = read_reviews(history.reviews);
        let mut facts = facts_with(pull_request);
        facts.memberships = memberships;
        let decision = decide(&policy, &facts);
        let name = history.name;
        match history.expected.split_once(':').unwrap() {
            ("approved", who) => {
                let Decision::Approved(approval) = &decision else {
                    panic!("{name}: {decision:?}");
                };
                assert_eq!(approval.by(), who.split_whitespace().collect::<Vec<_>>(), "{name}");
            }
            ("blocked", parts) => {
                let Decision::Blocked(blocked) = &decision else {
                    panic!("{name}: {decision:?}");
                };
                let said: Vec<String> = blocked.reasons.iter().map(Reason::to_string).collect();
                for part in parts.split('|').map(str::trim) {
                    assert!(said.iter().any(|reason| reason.contains(part)), "{name}: {part:?} is not in {said:#?}");
                }
                for reason in &blocked.reasons {
                    assert!(reason.next_step().to_string().len() > 10, "{name}: {reason:?}");
                }
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn the_order_of_different_people_never_matters() {
    for history in HISTORIES {
        let (policy, memberships, planned) = read_policy(history.policy);
        let reviews = read_reviews(history.reviews);
        let is_alone = |review: &Review| {
            let same = |other: &&Review| {
                other.author.as_ref().map(|a| a.login.to_lowercase())
                    == review.author.as_ref().map(|a| a.login.to_lowercase())
            };
            reviews.iter().filter(same).count() == 1
        };
        if !reviews.iter().all(is_alone) {
            continue;
        }
        let judge = |reviews: Vec<Review>| {
            let mut facts = facts_with(PullRequest { reviews, ..planned.clone() });
            facts.memberships.clone_from(&memberships);
            matches!(decide(&policy, &facts), Decision::Approved(_))
        };
        let reversed = reviews.iter().rev().cloned().collect();
        assert_eq!(judge(reviews.clone()), judge(reversed), "{}", history.name);
    }
}

fn read_policy(text: &str) -> (Policy, Vec<Membership>, PullRequest) {
    let mut policy = Policy::default();
    let mut memberships = Vec::new();
    let mut pull_request = pull_request();
    let mut member = |team: &str, answer| {
        let (slug, login) = team.split_once('/').unwrap();
        memberships.push(Membership { org: "acme".to_owned(), slug: slug.to_owned(), login: login.to_owned(), answer });
    };
    for word in text.split_whitespace() {
        match word.split_once('=') {
            Some(("by", list)) => policy.approvers = approvers(list).unwrap(),
            Some(("member", team)) => member(team, MembershipAnswer::Member),
            Some(("stranger", team)) => member(team, MembershipAnswer::NotMember),
            Some(("untold", team)) => member(team, MembershipAnswer::NotTold { why: "403".to_owned() }),
            Some(("same", commit)) => {
                let (commit, pusher) = commit.split_once('/').map_or((commit, None), |(c, by)| (c, Some(by)));
                let same = same_content(commit, HEAD, 7).pushed_by(pusher.map(str::to_owned));
                pull_request.same_content.push(same);
            }
            Some(("moved", change)) => {
                let (from, second) = change.split_once('@').unwrap();
                let at = jiff::Timestamp::from_second(second.parse().unwrap()).unwrap();
                let from = (from != "?").then(|| from.to_owned());
                pull_request.base_changes.push(BaseChange { at, from });
            }
            None if word == "unknown" => pull_request.pushers = pushed_by_somebody(),
            None if word == "content" => policy.binds_to = BindsTo::Content,
            None => policy.required_approvals = word.parse().unwrap(),
            other => panic!("{other:?}"),
        }
    }
    (policy, memberships, pull_request)
}

fn read_reviews(text: &str) -> Vec<Review> {
    text.split(';')
        .map(str::trim)
        .filter(|review| !review.is_empty())
        .map(|review| {
            let mut words = review.split_whitespace();
            let (login, state, commit) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let (login, kind) = match login.split_once('[') {
                None => (login, ActorKind::User),
                Some((login, "bot]")) => (login, ActorKind::Bot),
                Some((login, _)) => (login, ActorKind::Other("Mannequin".to_owned())),
            };
            let mut review = Review {
                author: (login != "-").then(|| Actor { login: login.to_owned(), kind }),
                state: match state {
                    "approved" => ReviewState::from_word("APPROVED"),
                    "changes" => ReviewState::from_word("CHANGES_REQUESTED"),
                    "commented" => ReviewState::from_word("COMMENTED"),
                    "dismissed" => ReviewState::from_word("DISMISSED"),
                    "pending" => ReviewState::from_word("PENDING"),
                    other => ReviewState::from_word(other),
                },
                commit: match commit {
                    "?" => None,
                    "H" => Some(HEAD.to_owned()),
                    other => Some(other.to_owned()),
                },
                can_write: true,
                submitted_at: None,
                on_behalf_of: Vec::new(),
            };
            for flag in words {
                match flag.split_once('=') {
                    None => review.can_write = flag != "reader",
                    Some(("for", team)) => review.on_behalf_of.push(team.to_owned()),
                    Some((_, second)) => {
                        let second = second.parse().unwrap();
                        review.submitted_at = Some(jiff::Timestamp::from_second(second).unwrap());
                    }
                }
            }
            review
        })
        .collect()
}
