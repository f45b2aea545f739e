//! The certificate at the door, read anew with the configuration.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use worknode_core::event::ConfigMistake;

use super::ReloadView;
use crate::{
    config::{CONFIG_FILE, Loaded},
    door::{self, Certificate},
    tls::Trouble,
};

/// What a view calls it.
const NAME: &str = "certificate";

/// The certificate in force, and where it is read from.
#[derive(Debug)]
pub(super) struct Renewed {
    certificate: Certificate,
    files: Mutex<Option<[PathBuf; 2]>>,
}

impl Renewed {
    pub(super) fn new(certificate: Certificate, loaded: &Loaded) -> Self {
        Self {
            certificate,
            files: Mutex::new(door::files(&loaded.sources.dir, &loaded.config.daemon)),
        }
    }

    /// Where it is read from now.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.iter().flatten().cloned().collect()
    }

    /// Takes up what the configuration names now. A door that is to have none any more is another
    /// door: that is for the next start.
    pub(super) async fn renew(&self, loaded: &Loaded, view: &mut ReloadView) {
        let Some(files) = door::files(&loaded.sources.dir, &loaded.config.daemon) else {
            return;
        };
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = Some(files.clone());
        let certificate = self.certificate.clone();
        let renewed = tokio::task::spawn_blocking(move || certificate.renew(&files)).await;
        match renewed {
            Ok(Ok(true)) => view.taken_up.push(NAME.to_owned()),
            Ok(Ok(false)) => {}
            // It was good a moment ago: somebody is changing it.
            Ok(Err(troubles)) => view.mistakes.extend(troubles.into_iter().map(mistake)),
            Err(error) => tracing::error!(%error, "the certificate could not be read anew"),
        }
    }
}

fn mistake(trouble: Trouble) -> ConfigMistake {
    ConfigMistake {
        place: CONFIG_FILE.to_owned(),
        file: None,
        line: None,
        key: format!("daemon.{}", trouble.which.name()),
        message: trouble.what,
        hint: Some(trouble.hint.to_owned()),
    }
}
