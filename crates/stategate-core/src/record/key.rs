//! The key that keeps fingerprints from telling secrets.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Keys the fingerprints of a plan's values.
///
/// A plain hash of a short secret can be guessed by trying. The state's lineage, 122 random bits
/// that stand in the state alone, is the key: whoever knows it could read the secrets anyway.
/// Without a state there is no key, and then sensitive values are left out of the fingerprints.
#[derive(Clone, PartialEq, Eq)]
pub struct FingerprintKey(Option<[u8; 32]>);

impl FingerprintKey {
    /// Takes the lineage of the state, when there is a state.
    pub fn new(lineage: Option<&str>) -> Self {
        let lineage = lineage.filter(|lineage| !lineage.is_empty());
        Self(lineage.map(|lineage| mac(lineage.as_bytes(), b"stategate fingerprint key v1")))
    }

    /// Whether sensitive values can be fingerprinted.
    pub fn is_keyed(&self) -> bool {
        self.0.is_some()
    }

    /// Names the lineage without telling it, nor the key.
    pub fn lineage_digest(&self) -> Option<String> {
        self.0.map(|key| hex(&mac(&key, b"stategate lineage digest v1")))
    }

    /// Starts a fingerprint; `domain` keeps different uses apart.
    pub(super) fn start(&self, domain: &str) -> Hmac<Sha256> {
        // Without a key, whatever is left in is no secret; the constant only fills its place.
        let key = self.0.unwrap_or([0; 32]);
        let mut mac = new_mac(&key);
        mac.update(domain.as_bytes());
        mac.update(&[0]);
        mac
    }
}

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_keyed() { "FingerprintKey(***)" } else { "FingerprintKey(none)" })
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn new_mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = new_mac(key);
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|nibble| char::from_digit(u32::from(nibble), 16))
        .collect()
}
