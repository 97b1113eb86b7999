//! Which way leads to a host: straight, or through a proxy.

use std::net::IpAddr;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use secrecy::{ExposeSecret as _, SecretString};

use super::trouble::Trouble;
use stategate_core::network::Network;

/// The proxies of one network, checked.
pub(super) struct Proxies(Matcher);

/// The proxy on the way to some host.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) uri: Uri,
    /// `Proxy-Authorization`, marked as sensitive.
    pub(super) authorization: Option<HeaderValue>,
}

impl Proxy {
    /// Its address as people may see it.
    pub(super) fn name(&self) -> String {
        let uri = &self.uri;
        format!("{}://{}", uri.scheme_str().unwrap_or("http"), uri.authority().map_or("", |a| a.as_str()))
    }
}

impl Proxies {
    pub(super) fn new(network: &Network) -> Result<Proxies, Trouble> {
        let mut builder = Matcher::builder();
        if let Some(address) = checked("http", network.http_proxy.as_ref())? {
            builder = builder.http(address);
        }
        if let Some(address) = checked("https", network.https_proxy.as_ref())? {
            builder = builder.https(address);
        }
        let builder = builder.no(network.no_proxy.as_deref().unwrap_or_default());
        Ok(Proxies(builder.build()))
    }

    /// The proxy on the way there, if one is.
    pub(super) fn on_the_way_to(&self, to: &Uri) -> Option<Proxy> {
        if is_local_service(to.host()?) {
            return None;
        }
        let found = self.0.intercept(to)?;
        Some(Proxy { uri: found.uri().clone(), authorization: found.basic_auth().cloned() })
    }
}

/// Loopback, and the link-local addresses from which a machine or a container gets its
/// credentials: no proxy may stand in front of those, whatever the environment says.
pub(super) fn is_local_service(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address == EC2_METADATA_V6,
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

const EC2_METADATA_V6: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// An address that can be a proxy's. The matcher itself takes one that cannot for none, and would
/// go straight.
fn checked(scheme: &str, address: Option<&SecretString>) -> Result<Option<String>, Trouble> {
    let Some(address) = address else { return Ok(None) };
    let address = with_one_at(address.expose_secret().trim());
    let probe = Uri::from_static("http://probe.invalid/");
    let found = Matcher::builder().http(address.as_str()).build().intercept(&probe);
    match found.and_then(|found| found.uri().scheme_str().map(str::to_owned)).as_deref() {
        Some("http" | "https") => Ok(Some(address)),
        Some(other) => Err(Trouble::Setup(format!(
            "the proxy for {scheme}:// is a {other}:// one; only http:// and https:// work"
        ))),
        None => Err(Trouble::Setup(format!("the proxy for {scheme}:// is not an address such as http://proxy:3128"))),
    }
}

/// Up to the last `@` stand user and password, as Terraform reads it. The matcher takes the first,
/// and the rest of a password for the host's name.
fn with_one_at(address: &str) -> String {
    let start = address.find("://").map_or(0, |at| at + "://".len());
    let (scheme, rest) = address.split_at(start);
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((user, host)) => format!("{scheme}{}@{host}{path}", user.replace('@', "%40")),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    fn proxies(https: &str, http: &str, no: &str) -> Result<Proxies, Trouble> {
        let given = |text: &str| (!text.is_empty()).then(|| SecretString::from(text));
        let network = Network {
            http_proxy: given(http),
            https_proxy: given(https),
            no_proxy: Some(no.to_owned()),
            ca_bundle: None,
        };
        Proxies::new(&network)
    }

    fn way(no: &str, to: &'static str) -> Option<String> {
        let proxies = proxies("http://user:pass@secure:3128", "http://plain:3128", no).unwrap();
        proxies.on_the_way_to(&Uri::from_static(to)).map(|proxy| proxy.name())
    }

    #[test]
    fn each_scheme_has_its_proxy_and_no_proxy_its_hosts() {
        let secure = Some("http://secure:3128".to_owned());
        assert_eq!(way("", "https://api.github.com/x"), secure);
        assert_eq!(way("", "http://minio.acme.example/x"), Some("http://plain:3128".to_owned()));
        for no in ["api.github.com", "github.com", ".github.com", "a.example, github.com", "*", "API.GitHub.com"] {
            assert_eq!(way(no, "https://api.github.com/x"), None, "{no}");
        }
        for no in ["hub.com", "github.com.example", "gist.github.com"] {
            assert_eq!(way(no, "https://api.github.com/x"), secure, "{no}");
        }
        assert_eq!(way("10.0.0.0/8", "https://10.1.2.3/x"), None);
        assert_eq!(way("10.0.0.0/8", "https://192.0.2.3/x"), secure);
    }

    #[test]
    fn a_machines_own_services_are_never_asked_through_a_proxy() {
        for to in [
            "http://127.0.0.1:8080/",
            "http://localhost/",
            "http://[::1]/",
            "http://169.254.169.254/latest/meta-data",
            "http://169.254.170.2/v2/credentials",
            "http://[fd00:ec2::254]/latest",
        ] {
            assert_eq!(way("", to), None, "{to}");
        }
    }

    #[test]
    fn a_proxys_name_has_no_password_however_it_is_written() {
        for address in [
            "http://octocat:hunter2@proxy:3128",
            "octocat:hunter2@proxy:3128",
            "http://octocat:x@hunter2@proxy:3128",
            "http://octocat:hunter2%2F%40@proxy:3128/",
            "https://hunter2@proxy:3128",
        ] {
            let proxy = proxies(address, "", "").unwrap().on_the_way_to(&Uri::from_static("https://host/")).unwrap();
            assert!(proxy.name().ends_with("://proxy:3128"), "{address}: {}", proxy.name());
            assert!(!format!("{proxy:?}").contains("hunter2"), "{proxy:?}");
        }
        let proxies = proxies("http://octocat:x@hunter2@proxy:3128", "", "").unwrap();
        let proxy = proxies.on_the_way_to(&Uri::from_static("https://host/")).unwrap();
        let expected = base64::engine::general_purpose::STANDARD.encode("octocat:x@hunter2");
        assert_eq!(proxy.authorization.unwrap(), format!("Basic {expected}"));
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_being_quoted() {
        for wrong in ["socks5://user:hunter2@proxy:1080", "ftp://user:hunter2@proxy", "http://", "http://user:hunter2@"]
        {
            let error = proxies(wrong, "", "").map(drop).unwrap_err();
            assert!(matches!(error, Trouble::Setup(_)), "{wrong}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert!(proxies("proxy:3128", "", "").is_ok(), "a scheme may be left out");
    }
}
