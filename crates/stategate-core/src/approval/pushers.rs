//! Who pushed a pull request's last commit: what the commit says of itself, and what GitHub says.
//!
//! A commit's committer is written by whoever makes the commit, so it proves nothing against GitHub's
//! own word. Where neither tells, anybody who can write may have pushed.

/// What a commit says of who made it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitWord {
    /// The account of its committer; `None` when no account has the committer's address.
    pub committer: Option<String>,
    /// The account of its author.
    pub author: Option<String>,
    /// Whether GitHub's own key signed it.
    pub signed_by_github: bool,
}

/// GitHub's own account, which commits what people do on its pages (an edit, "Update branch").
const ON_PAGE: &str = "web-flow";

impl CommitWord {
    /// Who pushed it, as far as it says; the error says why it does not.
    fn pusher(&self) -> Result<&str, &'static str> {
        match &self.committer {
            Some(committer) if committer != ON_PAGE => Ok(committer),
            Some(_) if !self.signed_by_github => {
                Err("its committer is web-flow, GitHub's own account, but GitHub did not sign it")
            }
            Some(_) => self.author.as_deref().ok_or("its author has no account on GitHub"),
            None => Err("its committer has no account on GitHub"),
        }
    }
}

/// GitHub's answer to who pushed a commit: from the repository's activity, or from the workflow runs
/// that the push started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushAnswer {
    /// The logins that it names.
    pub named: Vec<String>,
    /// Whether that is all.
    pub completeness: Completeness,
}

/// Whether an answer names everybody who pushed the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// It does.
    Whole,
    /// GitHub answered, and names nobody, or an account that is gone.
    Nobody,
    /// This GitHub has no such question: an older server.
    NoSuchQuestion,
    /// GitHub does not tell this token.
    Refused {
        /// GitHub's words.
        why: String,
    },
}

/// Who pushed a commit, and how well that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushers {
    known: Vec<String>,
    basis: Basis,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Basis {
    GitHub,
    CommitAlone,
    Unknown { why: String },
}

impl Default for Pushers {
    /// Nobody was asked.
    fn default() -> Self {
        Self { known: Vec::new(), basis: Basis::Unknown { why: "nobody was asked".to_owned() } }
    }
}

impl Pushers {
    /// What the commit says of itself.
    pub fn by_commit(word: &CommitWord) -> Self {
        let basis = match word.pusher() {
            Ok(_) => Basis::CommitAlone,
            Err(why) => Basis::Unknown { why: why.to_owned() },
        };
        let mut pushers = Self { known: Vec::new(), basis };
        // An author of a commit that somebody made look like GitHub's own may have pushed it too.
        let named = match &word.committer {
            Some(committer) if committer == ON_PAGE => word.author.as_ref(),
            committer => committer.as_ref(),
        };
        if let Some(login) = named {
            pushers.add(login);
        }
        pushers
    }

    /// Goes on with GitHub's answers, the best first.
    ///
    /// One that names everybody settles it. Where GitHub was asked and names nobody, the commit's own
    /// word is not enough; it is where GitHub has no such question at all.
    pub fn answered(&mut self, answers: &[PushAnswer]) {
        for login in answers.iter().flat_map(|answer| &answer.named) {
            self.add(login);
        }
        if answers.iter().any(|answer| answer.completeness == Completeness::Whole) {
            self.basis = Basis::GitHub;
            return;
        }
        let because = answers.iter().find_map(|answer| match &answer.completeness {
            Completeness::Refused { why } => Some(format!("GitHub does not tell this token: {why}")),
            _ => None,
        });
        let is_silent = answers.iter().any(|answer| answer.completeness == Completeness::Nobody);
        let because = because.or_else(|| is_silent.then(|| "GitHub names nobody".to_owned()));
        match (because, &mut self.basis) {
            (Some(because), Basis::Unknown { why }) => *why = format!("{why}, and {because}"),
            (Some(because), basis) => *basis = Basis::Unknown { why: because },
            (None, _) => {}
        }
    }

    /// Adds somebody who is known to have pushed it; whether that is all is not known any better.
    pub fn add(&mut self, login: &str) {
        if !login.is_empty() && !self.is_known(login) {
            self.known.push(login.to_owned());
        }
    }

    /// Those who are known to have pushed it, each once.
    pub fn known(&self) -> &[String] {
        &self.known
    }

    /// Whether somebody is known to have pushed it; logins are the same in whatever case.
    pub fn is_known(&self, login: &str) -> bool {
        self.known.iter().any(|known| known.eq_ignore_ascii_case(login))
    }

    /// Why it is not known who pushed it; `None` when it is.
    pub fn unknown(&self) -> Option<&str> {
        match &self.basis {
            Basis::Unknown { why } => Some(why),
            Basis::GitHub | Basis::CommitAlone => None,
        }
    }

    /// Whether only the commit itself says who pushed it.
    pub fn is_by_commit_alone(&self) -> bool {
        self.basis == Basis::CommitAlone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(committer: Option<&str>, author: Option<&str>, signed_by_github: bool) -> Pushers {
        let own = |login: Option<&str>| login.map(str::to_owned);
        Pushers::by_commit(&CommitWord { committer: own(committer), author: own(author), signed_by_github })
    }

    fn answer(named: &[&str], completeness: Completeness) -> PushAnswer {
        PushAnswer { named: named.iter().map(|login| (*login).to_owned()).collect(), completeness }
    }

    #[test]
    fn a_commit_tells_its_pusher_by_an_account_or_by_githubs_signature() {
        for (pushers, known, unknown) in [
            (commit(Some("alice"), Some("bob"), false), &["alice"][..], None),
            (commit(Some("web-flow"), Some("bob"), true), &["bob"], None),
            (commit(Some("web-flow"), Some("bob"), false), &["bob"], Some("GitHub did not sign it")),
            (commit(Some("web-flow"), None, true), &[], Some("its author has no account")),
            (commit(None, Some("bob"), false), &[], Some("its committer has no account")),
            (commit(None, None, true), &[], Some("its committer has no account")),
        ] {
            assert_eq!(pushers.known(), known);
            let why = pushers.unknown();
            assert!(why.is_some() == unknown.is_some() && why.unwrap_or("").contains(unknown.unwrap_or("")), "{why:?}");
        }
    }

    #[test]
    fn githubs_answer_settles_what_the_commit_claims() {
        let (none, refused) = (Completeness::NoSuchQuestion, Completeness::Refused { why: "403".to_owned() });
        for (answers, known, unknown) in [
            (vec![answer(&["mallory"], Completeness::Whole)], &["bob", "mallory"][..], None),
            (vec![answer(&["BOB"], Completeness::Whole)], &["bob"], None),
            (vec![answer(&[], none.clone()), answer(&["mallory"], Completeness::Whole)], &["bob", "mallory"], None),
            (vec![answer(&["mallory"], Completeness::Nobody)], &["bob", "mallory"], Some("GitHub names nobody")),
            (vec![answer(&[], none.clone()), answer(&[], Completeness::Nobody)], &["bob"], Some("GitHub names nobody")),
            (vec![answer(&[], none.clone()), answer(&[], refused)], &["bob"], Some("does not tell this token: 403")),
            (vec![answer(&[], none.clone()), answer(&[], none)], &["bob"], None),
        ] {
            let mut pushers = commit(Some("bob"), None, false);
            pushers.answered(&answers);
            assert_eq!(pushers.known(), known, "{answers:?}");
            let why = pushers.unknown();
            assert!(why.is_some() == unknown.is_some() && why.unwrap_or("").contains(unknown.unwrap_or("")), "{why:?}");
        }
        let mut without = commit(None, None, false);
        without.answered(&[answer(&[], Completeness::NoSuchQuestion)]);
        assert!(without.unknown().is_some() && !without.is_by_commit_alone());
        without.answered(&[answer(&["renovate[bot]"], Completeness::Whole)]);
        assert_eq!(without.unknown(), None);
    }
}
