//! Listening: the Unix socket, and TCP when it is asked for, with TLS when others can reach it.

mod certificate;
mod tls;

use std::{
    fs, io,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{Router, extract::connect_info::Connected, serve::IncomingStream};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
    task::JoinHandle,
};
use worknode_core::error::{Code, Error};

pub(crate) use self::certificate::{Certificate, files};
use self::tls::{Bounds, TlsListener};
use crate::{
    config::model::DaemonSection,
    daemon::Departure,
    http::{Api, Door, Origin, Peer, router},
};

/// Where a request came from, as the kernel says.
#[derive(Clone, Copy, Debug)]
struct From(Peer);

impl Connected<IncomingStream<'_, UnixListener>> for From {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let peer = stream.io().peer_cred().ok();
        Self(Peer {
            door: Door::Socket,
            is_owner: peer.is_some_and(|peer| peer.uid() == own_uid()),
            origin: peer.map_or(Origin::Unknown, |peer| origin(peer.pid())),
        })
    }
}

/// Who comes through TCP may be anybody.
const ANYBODY: From = From(Peer {
    door: Door::Tcp,
    is_owner: false,
    origin: Origin::Unknown,
});

impl Connected<IncomingStream<'_, TcpListener>> for From {
    fn connect_info(_: IncomingStream<'_, TcpListener>) -> Self {
        ANYBODY
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for From {
    fn connect_info(_: IncomingStream<'_, TlsListener>) -> Self {
        ANYBODY
    }
}

/// Whether the process at the other end belongs to a run. It cannot hide that: whatever it did to
/// its environment, its session or its parents, it is still below its shim, or in its cgroup.
fn origin(pid: Option<i32>) -> Origin {
    let Some(pid) = pid.and_then(|pid| u32::try_from(pid).ok()) else {
        return Origin::Unknown;
    };
    match worknode_process::shim_of(pid) {
        Ok(None) => Origin::Outside,
        Ok(Some(run)) => Origin::Run(run),
        Err(error) => {
            tracing::debug!(%error, pid, "whose process is calling cannot be told");
            Origin::Unknown
        }
    }
}

/// The user of this process: who owns what it makes in `/proc`.
fn own_uid() -> u32 {
    fs::metadata("/proc/self").map_or(u32::MAX, |meta| meta.uid())
}

/// A path to `socket` that is short enough for the kernel (108 bytes, unix(7)), whatever the
/// length of the directory: through an open handle on that directory.
///
/// # Errors
/// When the directory cannot be opened.
pub fn short_path(socket: &Path) -> io::Result<(PathBuf, Option<fs::File>)> {
    const LONGEST: usize = 100;
    let (Some(dir), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Ok((socket.to_owned(), None));
    };
    if socket.as_os_str().len() <= LONGEST {
        return Ok((socket.to_owned(), None));
    }
    let handle = fs::File::open(dir)?;
    let short = Path::new("/proc/self/fd")
        .join(handle.as_raw_fd().to_string())
        .join(name);
    Ok((short, Some(handle)))
}

/// Listens on the Unix socket. Whoever holds the store's lock owns the path, so what lies there
/// is from a daemon that is gone.
pub(crate) fn listen_unix(path: &Path) -> Result<UnixListener, Error> {
    let cannot = |error: io::Error| {
        Error::new(
            Code::Failed,
            format!("cannot listen on `{}`: {error}", path.display()),
        )
    };
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot(error)),
    }
    let (short, _handle) = short_path(path).map_err(cannot)?;
    let listener = UnixListener::bind(&short).map_err(cannot)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(cannot)?;
    Ok(listener)
}

/// The door at TCP.
#[derive(Debug)]
pub(crate) enum Tcp {
    /// For this machine.
    Plain(TcpListener),
    /// For others too.
    Encrypted(TlsListener),
}

impl Tcp {
    /// The certificate that is shown there.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        match self {
            Self::Plain(_) => None,
            Self::Encrypted(listener) => Some(listener.certificate()),
        }
    }
}

/// Listens on TCP when `section` says so, with the certificate that it names, relative to `dir`.
pub(crate) async fn listen_tcp(dir: &Path, section: &DaemonSection) -> Result<Option<Tcp>, Error> {
    let Some(address) = &section.listen else {
        return Ok(None);
    };
    let cannot = |error: io::Error| {
        let error = Error::new(Code::Failed, format!("cannot listen on {address}: {error}"));
        error.hint("another program uses it, or it may not be used; choose another `listen` under [daemon]")
    };
    // The files may have changed since the configuration was checked.
    let own = files(dir, section).map(|files| own(&files)).transpose()?;
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    Ok(Some(match own {
        None => Tcp::Plain(listener),
        Some(certificate) => {
            let listener = TlsListener::new(listener, certificate, Bounds::default());
            Tcp::Encrypted(listener.map_err(cannot)?)
        }
    }))
}

fn own([certificate, key]: &[PathBuf; 2]) -> Result<Certificate, Error> {
    let own = crate::tls::server(certificate, key).map(Certificate::new);
    own.map_err(|troubles| {
        let first = troubles.into_iter().next();
        let (what, hint) = first.map_or_else(Default::default, |first| (first.what, first.hint));
        Error::new(Code::InvalidConfig, what).hint(hint)
    })
}

/// Answers requests at both doors until the daemon stops.
pub(crate) fn serve(api: &Arc<Api>, unix: UnixListener, tcp: Option<Tcp>) -> Vec<JoinHandle<()>> {
    let app = router(Arc::clone(api)).layer(axum::middleware::from_fn(note_peer));
    let mut doors = vec![tokio::spawn(serve_unix(app.clone(), unix, api.stop.subscribe()))];
    let stop = api.stop.subscribe();
    doors.extend(tcp.map(|tcp| match tcp {
        Tcp::Plain(listener) => tokio::spawn(serve_tcp(app, listener, stop)),
        Tcp::Encrypted(listener) => tokio::spawn(serve_tls(app, listener, stop)),
    }));
    doors
}

/// Hands the handlers what is known of the connection, whichever door it came through.
async fn note_peer(
    mut request: axum::extract::Request,
    next: axum::middleware::Next,
) -> axum::response::Response {
    let peer = request
        .extensions()
        .get::<axum::extract::ConnectInfo<From>>()
        .map(|info| info.0.0);
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    next.run(request).await
}

async fn serve_unix(app: Router, listener: UnixListener, stop: watch::Receiver<Option<Departure>>) {
    let app = app.into_make_service_with_connect_info::<From>();
    let served = axum::serve(listener, app)
        .with_graceful_shutdown(stopped(stop))
        .await;
    note_end("socket", served);
}

async fn serve_tcp(app: Router, listener: TcpListener, stop: watch::Receiver<Option<Departure>>) {
    let app = app.into_make_service_with_connect_info::<From>();
    let served = axum::serve(listener, app)
        .with_graceful_shutdown(stopped(stop))
        .await;
    note_end("tcp", served);
}

async fn serve_tls(app: Router, listener: TlsListener, stop: watch::Receiver<Option<Departure>>) {
    let app = app.into_make_service_with_connect_info::<From>();
    let served = axum::serve(listener, app)
        .with_graceful_shutdown(stopped(stop))
        .await;
    note_end("tls", served);
}

async fn stopped(mut stop: watch::Receiver<Option<Departure>>) {
    // A sender that is gone is a daemon that is gone.
    let _ = stop.wait_for(Option::is_some).await;
}

fn note_end(door: &str, served: io::Result<()>) {
    if let Err(error) = served {
        tracing::error!(%error, door, "a door of the daemon closed");
    }
}
