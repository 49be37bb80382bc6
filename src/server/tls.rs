//! TLS: a key and a certificate chain to serve HTTPS with.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self,
        crypto::CryptoProvider,
        server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    },
};

use crate::Error;

/// A key and its certificate chain, checked to belong together. Clones are the same one, replaced
/// together.
#[derive(Clone)]
pub struct Tls {
    acceptor: Arc<Mutex<TlsAcceptor>>,
}

impl Tls {
    /// Reads a PEM private key (PKCS #8, PKCS #1 or SEC1) and a PEM certificate chain, leaf first.
    /// With `authorities`, PEM certificates, a client has to show a certificate that one of them issued.
    ///
    /// # Errors
    /// [`Error::Tls`] with what is wrong: no key or certificate in the text, a kind that is not
    /// supported, or a key that is not the certificate's.
    pub fn from_pem(key: &[u8], chain: &[u8], authorities: Option<&[u8]>) -> Result<Self, Error> {
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| Error::Tls(format!("no private key was read from `key`: {error}")))?;
        let chain = certificates("cert", chain)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients = match authorities {
            None => WebPkiClientVerifier::no_client_auth(),
            Some(authorities) => issued_by(authorities, Arc::clone(&provider))?,
        };
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_client_cert_verifier(clients))
            .and_then(|builder| builder.with_single_cert(chain, key))
            .map_err(|error| Error::Tls(format!("`key` and `cert` cannot be used: {error}")))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: Arc::new(Mutex::new(TlsAcceptor::from(Arc::new(config)))),
        })
    }

    /// Has new connections served with `other`.
    pub fn replace(&self, other: &Self) {
        let acceptor = other.acceptor();
        *self.lock() = acceptor;
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, TlsAcceptor> {
        // No code that can panic runs under this lock.
        self.acceptor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn certificates(option: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::Tls(format!("`{option}` could not be read: {error}")))?;
    if certificates.is_empty() {
        let message = format!("no certificate was read from `{option}`");
        return Err(Error::Tls(message));
    }
    Ok(certificates)
}

/// Lets in who has a certificate of one of `authorities`.
fn issued_by(
    authorities: &[u8],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let unusable = |error: &dyn Display| Error::Tls(format!("`ca` cannot be used: {error}"));
    let mut roots = rustls::RootCertStore::empty();
    for authority in certificates("ca", authorities)? {
        roots.add(authority).map_err(|error| unusable(&error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| unusable(&error))
}
