//! Why no answer came, in words that name the remedy.

use std::error::Error;

/// Why no answer came. Never holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The proxy's address or the bundle of certificates cannot be used; nothing was sent.
    #[error("{0}")]
    Setup(String),
    /// The proxy did not let us through; nothing was sent.
    #[error("the proxy {proxy} {why}")]
    Proxy {
        /// Its address, without user and password.
        proxy: String,
        /// What it did, fitting after its name.
        why: String,
    },
    /// The server is not who it should be, as far as we can tell; nothing was sent.
    #[error("the certificate of {host} is not trusted: {why}")]
    Certificate {
        /// The server's name.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// No connection in time; nothing was sent.
    #[error("no connection to {host} within {seconds} s")]
    Slow {
        /// The server's name.
        host: String,
        /// How long it was tried.
        seconds: u64,
    },
    /// No connection: no such host, refused, no TLS; nothing was sent.
    #[error("{why}")]
    Unreached {
        /// The server's name.
        host: String,
        /// What failed, the server's name included.
        why: String,
    },
    /// The connection failed, before or after the request was sent.
    #[error("{0}")]
    Connection(String),
}

impl Trouble {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Trouble::Setup(_) => {
                "correct HTTPS_PROXY or AWS_CA_BUNDLE, or the backend's `https_proxy` or `custom_ca_bundle`"
            }
            Trouble::Proxy { .. } => {
                "check HTTPS_PROXY (for AWS also the backend's `https_proxy`) and the proxy's rules; NO_PROXY names hosts to be reached without it"
            }
            Trouble::Certificate { why, .. } if why != "UnknownIssuer" => {
                "the certificate is not one for this host now: check the address, the proxy and the machine's clock"
            }
            Trouble::Certificate { .. } => {
                "give the certificate of the authority that signed it: SSL_CERT_FILE=FILE for AWS and GitHub, AWS_CA_BUNDLE=FILE or the backend's `custom_ca_bundle` for AWS alone"
            }
            Trouble::Slow { .. } | Trouble::Unreached { .. } | Trouble::Connection(_) => {
                "check the network and the address; where the way out is a proxy, set HTTPS_PROXY"
            }
        }
    }

    /// Whether the request certainly never left this machine, and will not on another try.
    pub fn is_final(&self) -> bool {
        matches!(self, Trouble::Setup(_) | Trouble::Certificate { .. })
    }

    /// Whether the request certainly never left this machine. Another try may be luckier.
    pub fn is_unsent(&self) -> bool {
        self.is_final() || matches!(self, Trouble::Proxy { .. } | Trouble::Slow { .. } | Trouble::Unreached { .. })
    }

    /// The trouble at the bottom of an error, if that is what it was.
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Trouble> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(trouble) = error.downcast_ref::<Trouble>() {
                return Some(trouble);
            }
            next = error.source();
        }
        None
    }

    pub(super) fn from_client(error: &hyper_util::client::legacy::Error) -> Trouble {
        Trouble::find(error).cloned().unwrap_or_else(|| Trouble::Connection(causes(error)))
    }
}

/// An error's own words and those of what caused it, in one line. Of each only the first line:
/// some append a backtrace.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        let said = said.lines().next().unwrap_or_default().trim();
        if !text.contains(said) {
            text = if text.is_empty() { said.to_owned() } else { format!("{text}: {said}") };
        }
        next = error.source();
    }
    text
}
