//! How the outside is reached: proxies and trusted certificates, as the environment and the
//! backend block name them.

use secrecy::SecretString;

/// Looks up an environment variable.
type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How a service is reached. Nothing of it is checked yet: a mistake shows with the first request.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// For `http://` addresses. An address of a proxy can hold a password.
    pub http_proxy: Option<SecretString>,
    /// For `https://` addresses.
    pub https_proxy: Option<SecretString>,
    /// Hosts that are reached without a proxy, separated by commas.
    pub no_proxy: Option<String>,
    /// A file of certificates to trust instead of the system's.
    pub ca_bundle: Option<String>,
}

impl Network {
    /// As the environment says: `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, else the same in lower
    /// case.
    pub fn from_env(env: Env<'_>) -> Network {
        let variable = |name: &str| {
            let given = |name: &str| env(name).filter(|value| !value.trim().is_empty());
            given(name).or_else(|| given(&name.to_ascii_lowercase()))
        };
        Network {
            http_proxy: variable("HTTP_PROXY").map(SecretString::from),
            https_proxy: variable("HTTPS_PROXY").map(SecretString::from),
            no_proxy: variable("NO_PROXY"),
            ca_bundle: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn read(env: &[(&str, &str)]) -> Network {
        Network::from_env(&|name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn both_spellings_count_and_an_empty_one_is_none() {
        let upper = read(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:1"), ("no_proxy", "c")]);
        assert_eq!(upper.https_proxy.unwrap().expose_secret(), "http://a:1");
        assert_eq!(upper.no_proxy.as_deref(), Some("c"));
        assert!(upper.http_proxy.is_none());
        let lower = read(&[("HTTPS_PROXY", " "), ("https_proxy", "http://b:1"), ("http_proxy", "http://c:1")]);
        assert_eq!(lower.https_proxy.unwrap().expose_secret(), "http://b:1");
        assert_eq!(lower.http_proxy.unwrap().expose_secret(), "http://c:1");
    }

    #[test]
    fn a_proxys_password_is_not_printed() {
        let network = read(&[("HTTPS_PROXY", "http://octocat:hunter2@proxy:3128")]);
        assert!(!format!("{network:?}").contains("hunter2"));
    }
}
