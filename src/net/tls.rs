//! Whom we trust: the system's certificates (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others), or
//! only those of a bundle.

use std::sync::{Arc, LazyLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::trouble::Trouble;

/// Read once: both clients trust the same, and on some systems it takes a while.
static SYSTEM: LazyLock<RootCertStore> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!("certificates could not be read: {error}");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
});

/// What a client needs for TLS. Without any certificate each server will be refused, and say so.
pub(super) fn config(bundle: Option<&str>) -> Result<Arc<ClientConfig>, Trouble> {
    let roots = match bundle {
        Some(file) => of_bundle(file)?,
        None => SYSTEM.clone(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Trouble::Setup(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn of_bundle(file: &str) -> Result<RootCertStore, Trouble> {
    let unusable = |why: &dyn std::fmt::Display| Trouble::Setup(format!("the CA bundle {file} cannot be used: {why}"));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))? {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    if roots.is_empty() { Err(unusable(&"it holds no certificate")) } else { Ok(roots) }
}
