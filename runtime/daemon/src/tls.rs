//! The daemon's own certificate: TLS 1.3, and nothing older.
//!
//! Who asks proves themselves by a capability, not by a certificate.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use tokio_rustls::rustls::{
    ServerConfig, crypto,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::TLS13,
};
use worknode_actors::outside::bounded_file;
use worknode_policies::signing::{Message, digest};

/// Bytes of a file of certificates, and of one with a key.
const FILE: u64 = 1024 * 1024;

/// Which of the two files something is wrong with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Certificate,
    Key,
}

impl Which {
    /// The name of its key under `[daemon]`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Key => "key",
        }
    }
}

/// What is wrong with one of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) which: Which,
    pub(crate) what: String,
    pub(crate) hint: &'static str,
}

/// What a server needs to prove itself.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) config: Arc<ServerConfig>,
    /// Digest of the certificate and its key, which tells it from others.
    pub(crate) print: String,
}

/// What a server needs that proves itself by the certificate in one file and the key in the other.
///
/// # Errors
/// Everything that is wrong with them.
pub(crate) fn server(certificate: &Path, key: &Path) -> Result<Own, Vec<Trouble>> {
    let (chain, key) = match (chain(certificate), private_key(key)) {
        (Ok(chain), Ok(key)) => (chain, key),
        (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
    };
    let print = print(&chain, &key);
    let unfit = |error: &dyn std::fmt::Display| {
        vec![Trouble {
            which: Which::Key,
            what: format!("the key does not go with the certificate: {error}"),
            hint: "name the key for which the certificate was made",
        }]
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| unfit(&error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| unfit(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Own {
        config: Arc::new(config),
        print,
    })
}

fn print(chain: &[CertificateDer<'_>], key: &PrivateKeyDer<'_>) -> String {
    let parts = chain.iter().map(AsRef::as_ref).chain([key.secret_der()]);
    digest(&parts.fold(Message::of("worknode certificate"), Message::bytes))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let trouble = |what: String| Trouble {
        which: Which::Certificate,
        what: format!("the certificate in `{}` cannot be used: {what}", path.display()),
        hint: "name a file of certificates in PEM, the server's own first",
    };
    let bytes = bounded_file(path, FILE).map_err(trouble)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let chain = chain.map_err(|error| trouble(error.to_string()))?;
    if chain.is_empty() {
        return Err(trouble("there is no certificate in it".to_owned()));
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Trouble> {
    let trouble = |what: String, hint| Trouble {
        which: Which::Key,
        what: format!("the key in `{}` cannot be used: {what}", path.display()),
        hint,
    };
    let form = "name a file with a private key in PEM";
    let bytes = bounded_file(path, FILE).map_err(|what| trouble(what, form))?;
    let mode = fs::metadata(path).map_or(0o777, |meta| meta.permissions().mode());
    if mode & 0o077 != 0 {
        let what = format!("others can read it (mode {:o})", mode & 0o777);
        return Err(trouble(what, "make it yours alone: chmod 600, or 400"));
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| trouble(error.to_string(), form))
}
