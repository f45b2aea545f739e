//! Where the daemon listens beside its socket, and by what it proves itself there.

use std::net::SocketAddr;

use super::{Problems, World};
use crate::{
    config::{model::Config, path::shown},
    tls,
};

pub(super) fn check(config: &Config, world: &World<'_>, problems: &mut Problems) {
    let section = &config.daemon;
    let proves = proves_itself(config, world, problems);
    let Some(written) = &section.listen else {
        if section.certificate.is_some() || section.key.is_some() {
            let hint = "say where with `listen`, as in \"0.0.0.0:7077\"".to_owned();
            problems.say(
                "daemon.listen",
                "a certificate, and nowhere to listen",
                Some(hint),
            );
        }
        return;
    };
    match written.parse::<SocketAddr>() {
        Err(_) => {
            let message = format!("`{}` is not an address with a port", shown(written));
            problems.say(
                "daemon.listen",
                message,
                Some("write \"127.0.0.1:7077\"".to_owned()),
            );
        }
        Ok(address) if !address.ip().is_loopback() && !proves => {
            let message = format!(
                "`{address}` can be reached from other machines; without TLS only loopback addresses are allowed"
            );
            let hint = "name a `certificate` and its `key`, or listen on 127.0.0.1".to_owned();
            problems.say("daemon.listen", message, Some(hint));
        }
        Ok(_) => {}
    }
}

/// Is there a certificate with its key? Whether they are any good is told, too.
fn proves_itself(config: &Config, world: &World<'_>, problems: &mut Problems) -> bool {
    let section = &config.daemon;
    let (certificate, key) = match (&section.certificate, &section.key) {
        (None, None) => return false,
        (Some(certificate), Some(key)) => (certificate, key),
        (certificate, _) => {
            let (missing, there) = if certificate.is_some() {
                ("key", "certificate")
            } else {
                ("certificate", "key")
            };
            let message = format!("a {there} without its {missing} proves nothing");
            problems.say(format!("daemon.{missing}"), message, None);
            return true;
        }
    };
    let [certificate, key] = [certificate, key].map(|path| world.dir.join(path));
    for trouble in tls::server(&certificate, &key).err().unwrap_or_default() {
        let key = format!("daemon.{}", trouble.which.name());
        problems.say(key, trouble.what, Some(trouble.hint.to_owned()));
    }
    true
}
