//! A connection that nobody reads along, to a server that proves who it is.
//!
//! Whom to believe is what the system says, so that what its owner added or took away counts; or the
//! authorities of one file, and no others.

use std::{path::Path, path::PathBuf, sync::Arc};

use rustls_native_certs::load_native_certs;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, crypto,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};
use worknode_core::error::{Code, Error};

use crate::outside::{bounded_file, failed};

/// Bytes of a file of authorities.
const FILE: u64 = 1024 * 1024;

/// Encrypts `stream`, once the server has proved to be `host`. `ca` is a file of authorities in place
/// of the system's.
///
/// # Errors
/// When the authorities cannot be read, or the server does not prove it.
pub async fn connect(
    stream: TcpStream,
    host: &str,
    ca: Option<PathBuf>,
) -> Result<TlsStream<TcpStream>, Error> {
    let name = ServerName::try_from(host.to_owned()).map_err(failed)?;
    // The system's are a file of some hundred kilobytes.
    let roots = tokio::task::spawn_blocking(move || match ca {
        Some(file) => of_file(&file),
        None => of_system(),
    });
    let roots = roots.await.map_err(failed)??;
    let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.map_err(failed)
}

fn of_system() -> Result<RootCertStore, Error> {
    let found = load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(ToString::to_string).unwrap_or_default();
        let message = format!("this system trusts no authority: {why}");
        return Err(Error::new(Code::InvalidConfig, message)
            .hint("install its certificates (`ca-certificates`), or name a file with `ca`"));
    }
    Ok(roots)
}

fn of_file(path: &Path) -> Result<RootCertStore, Error> {
    let cannot = |why: String| {
        let message = format!("the authorities in `{}` cannot be used: {why}", path.display());
        Error::new(Code::InvalidConfig, message).hint("`ca` names a file of certificates in PEM")
    };
    let bytes = bounded_file(path, FILE).map_err(cannot)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| cannot(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| cannot(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(cannot("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_a_file_that_holds_no_authority_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let why = |text: &[u8]| {
            let file = dir.path().join("ca.pem");
            std::fs::write(&file, text).unwrap();
            of_file(&file).unwrap_err().message
        };
        assert!(why(b"hello").contains("no certificate"));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(why(broken).contains("cannot be used"));
        let size = usize::try_from(FILE).unwrap();
        assert!(why(&vec![b'x'; size + 1]).contains("more than"));
        assert!(
            of_file(&dir.path().join("none"))
                .unwrap_err()
                .message
                .contains("none")
        );
        assert!(of_file(dir.path()).unwrap_err().message.contains("no file"));
    }
}
