//! The certificate by which the daemon proves itself, which may be renewed while it runs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::{
    config::model::DaemonSection,
    tls::{self, Own, Trouble},
};

/// The files that `section` names, relative to `dir`: the certificate and its key.
pub(crate) fn files(dir: &Path, section: &DaemonSection) -> Option<[PathBuf; 2]> {
    let files = (section.certificate.as_ref()?, section.key.as_ref()?);
    Some([dir.join(files.0), dir.join(files.1)])
}

/// What is in force. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Certificate(Arc<watch::Sender<Own>>);

impl Certificate {
    /// Goes by this one from here on.
    pub(crate) fn new(own: Own) -> Self {
        Self(Arc::new(watch::Sender::new(own)))
    }

    /// For whoever knocks now. Who was let in before goes on under what they agreed on.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let config: Arc<ServerConfig> = Arc::clone(&self.0.borrow().config);
        config.into()
    }

    /// Takes up what is in these files now. False when it is what was there before.
    ///
    /// # Errors
    /// What is wrong with them. Then all stays as it is.
    pub(crate) fn renew(&self, [certificate, key]: &[PathBuf; 2]) -> Result<bool, Vec<Trouble>> {
        let own = tls::server(certificate, key)?;
        Ok(self.0.send_if_modified(|present| {
            let is_new = present.print != own.print;
            if is_new {
                *present = own;
            }
            is_new
        }))
    }
}
