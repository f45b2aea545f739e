//! The door that other machines may knock at: TCP with TLS, a bounded number at a time.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
    time::{Instant, Sleep},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::Certificate;
use crate::http::{Room, Slot};

/// Connections at the same time. One more waits at the door.
const CONNECTIONS: usize = 1_024;
/// Of these, what may come from one place. One more is not let in.
const EACH: usize = 256;
/// How long somebody may take to begin to speak, and to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection may be told nothing. Longer than any answer takes, and than streams of events
/// are silent. What it says itself does not count: else who says a word now and then would stay for ever.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// When to look again after nobody could be let in: most often files are short for a while.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The first byte of whoever begins to agree on keys.
const BEGINS_TLS: u8 = 0x16;
/// What is told to whoever does not.
const PLAIN: &str = r#"{"title":"usage","status":400,"code":"usage","detail":"this port speaks TLS only","hint":"begin the address with https://"}"#;

/// How many are let in, and how long they may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    connections: usize,
    each: usize,
    handshake: Duration,
    idle: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            each: EACH,
            handshake: HANDSHAKE,
            idle: IDLE,
        }
    }
}

/// Listens, and lets in who has agreed on keys.
#[derive(Debug)]
pub(crate) struct TlsListener {
    address: SocketAddr,
    certificate: Certificate,
    ready: mpsc::Receiver<(Encrypted, SocketAddr)>,
    accepting: JoinHandle<()>,
}

impl TlsListener {
    /// # Errors
    /// When the listener is of no use.
    pub(super) fn new(listener: TcpListener, certificate: Certificate, bounds: Bounds) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(1);
        Ok(Self {
            address,
            ready,
            accepting: tokio::spawn(accept_all(listener, certificate.clone(), bounds, sender)),
            certificate,
        })
    }

    /// What it shows of itself.
    pub(super) fn certificate(&self) -> Certificate {
        self.certificate.clone()
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for TlsListener {
    type Io = Encrypted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Encrypted, SocketAddr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // Nobody is let in any more: the daemon ends.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// One at a time is accepted; who is slow to agree on keys keeps nobody else waiting.
async fn accept_all(
    listener: TcpListener,
    certificate: Certificate,
    bounds: Bounds,
    ready: mpsc::Sender<(Encrypted, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let room = Room::new("the number of connections", bounds.connections, bounds.each);
    while let Ok(permit) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, from)) => {
                let Ok(slot) = room.take(home(from.ip())) else {
                    tracing::debug!(%from, "too many come from there; one is not let in");
                    continue;
                };
                let place = Place {
                    _permit: permit,
                    _slot: slot,
                };
                let (acceptor, ready) = (certificate.acceptor(), ready.clone());
                tokio::spawn(async move {
                    if let Some(stream) = let_in(stream, &acceptor, bounds.handshake).await {
                        let stream = Encrypted::new(stream, bounds.idle, place);
                        // A door that is closed lets nobody in.
                        let _ = ready.send((stream, from)).await;
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "nobody can be let in for a while");
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }
}

/// Where somebody comes from. Who has one address of IPv6 mostly has all of its last 64 bits.
fn home(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        v4 => v4,
    }
}

async fn let_in(
    mut stream: TcpStream,
    acceptor: &TlsAcceptor,
    most: Duration,
) -> Option<TlsStream<TcpStream>> {
    let agreed = tokio::time::timeout(most, async {
        let mut first = [0];
        stream.peek(&mut first).await?;
        if first == [BEGINS_TLS] {
            return acceptor.accept(stream).await.map(Some);
        }
        refuse(&mut stream).await.map(|()| None)
    });
    match agreed.await {
        Ok(Ok(agreed)) => agreed,
        Ok(Err(error)) => {
            tracing::debug!(%error, "somebody did not agree on keys");
            None
        }
        Err(_) => {
            tracing::debug!("somebody took too long to agree on keys");
            None
        }
    }
}

/// Tells somebody who speaks plainly what is spoken here. Nothing of what they said is looked at.
async fn refuse(stream: &mut TcpStream) -> io::Result<()> {
    let length = PLAIN.len();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{PLAIN}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // What is unread when it is closed would cut off the answer. Whoever goes on speaking meets the
    // time limit.
    tokio::io::copy(stream, &mut tokio::io::sink()).await.map(drop)
}

/// A connection that nobody reads along. Gives its place back when it ends, and ends when nothing has
/// been said to it for too long.
#[derive(Debug)]
pub(crate) struct Encrypted {
    stream: TlsStream<TcpStream>,
    idle: Duration,
    silent: Pin<Box<Sleep>>,
    _place: Place,
}

/// One among all, and one among those from the same place.
#[derive(Debug)]
struct Place {
    _permit: OwnedSemaphorePermit,
    _slot: Slot<IpAddr>,
}

impl Encrypted {
    fn new(stream: TlsStream<TcpStream>, idle: Duration, place: Place) -> Self {
        Self {
            stream,
            idle,
            silent: Box::pin(tokio::time::sleep(idle)),
            _place: place,
        }
    }

    /// The outcome, or a failure when nothing was said for too long.
    fn unless_over<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            return outcome;
        }
        self.is_over(context)
    }

    /// Fails when nothing was said for too long.
    fn is_over<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        ready!(self.silent.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Looked at first, and not moved by what is heard.
        if let Poll::Ready(over) = self.is_over(context) {
            return Poll::Ready(over);
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        // Only this is saying something: a server flushes whenever it has read, also nothing.
        if matches!(outcome, Poll::Ready(Ok(1..))) {
            let until = Instant::now() + self.idle;
            self.silent.as_mut().reset(until);
        }
        self.unless_over(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.unless_over(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.unless_over(context, outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, path::PathBuf};

    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use tokio::{io::AsyncReadExt as _, net::TcpSocket};
    use tokio_rustls::{
        TlsConnector, client,
        rustls::{
            ClientConfig, RootCertStore, crypto,
            pki_types::{CertificateDer, ServerName},
            version::TLS13,
        },
    };

    use super::*;

    /// A door that says what it is told, to whoever is let in.
    struct Echo {
        address: SocketAddr,
        certificate: Certificate,
        dir: tempfile::TempDir,
        _task: JoinHandle<()>,
    }

    fn pem(kind: &str, der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
    }

    /// Makes a certificate with its key, and says where they are.
    fn certify(dir: &tempfile::TempDir, name: &str) -> (CertificateDer<'static>, [PathBuf; 2]) {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let files = ["pem", "key"].map(|ending| dir.path().join(format!("{name}.{ending}")));
        std::fs::write(&files[0], pem("CERTIFICATE", own.cert.der())).unwrap();
        std::fs::write(&files[1], pem("PRIVATE KEY", &own.signing_key.serialize_der())).unwrap();
        std::fs::set_permissions(&files[1], std::fs::Permissions::from_mode(0o600)).unwrap();
        (own.cert.der().clone(), files)
    }

    /// What it is told, it says again; or nothing.
    async fn open(bounds: Bounds, answers: bool) -> (Echo, CertificateDer<'static>) {
        let dir = tempfile::tempdir().unwrap();
        let (authority, [certificate, key]) = certify(&dir, "own");
        let certificate = Certificate::new(crate::tls::server(&certificate, &key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut listener = TlsListener::new(listener, certificate.clone(), bounds).unwrap();
        let address = listener.address;
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await;
                tokio::spawn(async move {
                    let mut word = [0; 5];
                    while stream.read_exact(&mut word).await.is_ok() {
                        if answers {
                            stream.write_all(&word).await.unwrap();
                        }
                        // As HTTP servers do, whether there is something or not.
                        stream.flush().await.unwrap();
                    }
                });
            }
        });
        let echo = Echo {
            address,
            certificate,
            dir,
            _task: task,
        };
        (echo, authority)
    }

    type Client = client::TlsStream<TcpStream>;

    async fn enter(address: SocketAddr, authority: &CertificateDer<'static>) -> io::Result<Client> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    async fn speaks(client: &mut Client) {
        client.write_all(b"hello").await.unwrap();
        let mut word = [0; 5];
        client.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"hello");
    }

    /// Resolves when the other end has closed, however it did that.
    async fn closed(stream: &mut (impl AsyncRead + Unpin)) {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }

    const SOON: Duration = Duration::from_millis(300);
    const LATE: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn p8_who_says_nothing_or_stops_half_way_is_let_go_and_others_are_served_meanwhile() {
        let (echo, authority) = open(
            Bounds {
                handshake: SOON,
                ..Bounds::default()
            },
            true,
        )
        .await;
        let mut silent = TcpStream::connect(echo.address).await.unwrap();
        let mut stopped = TcpStream::connect(echo.address).await.unwrap();
        // The beginning of a hello that says that there is more.
        stopped.write_all(&[BEGINS_TLS, 3, 1, 2, 0, 1]).await.unwrap();
        let mut plain = TcpStream::connect(echo.address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let mut client = enter(echo.address, &authority).await.unwrap();
        speaks(&mut client).await;
        closed(&mut silent).await;
        closed(&mut stopped).await;
        closed(&mut plain).await;
        speaks(&mut client).await;
    }

    #[tokio::test]
    async fn p8_more_than_there_are_places_wait_until_one_is_free() {
        let (echo, authority) = open(
            Bounds {
                connections: 2,
                handshake: SOON,
                idle: LATE,
                ..Bounds::default()
            },
            true,
        )
        .await;
        let mut first = enter(echo.address, &authority).await.unwrap();
        speaks(&mut first).await;
        let mut silent = TcpStream::connect(echo.address).await.unwrap();
        // All places are taken: these two wait for that of the silent one, and then for each other's.
        let waiting = (0..2).map(|_| async {
            let mut client = enter(echo.address, &authority).await.unwrap();
            speaks(&mut client).await;
        });
        futures_util::future::join_all(waiting).await;
        closed(&mut silent).await;
        speaks(&mut first).await;
    }

    #[tokio::test]
    async fn p8_one_place_does_not_take_all_connections() {
        let bounds = Bounds {
            each: 2,
            ..Bounds::default()
        };
        let (echo, authority) = open(bounds, true).await;
        let mut first = enter(echo.address, &authority).await.unwrap();
        let mut second = enter(echo.address, &authority).await.unwrap();
        assert!(enter(echo.address, &authority).await.is_err(), "one too many");
        let elsewhere = TcpSocket::new_v4().unwrap();
        elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut elsewhere = elsewhere.connect(echo.address).await.unwrap();
        elsewhere.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        elsewhere.shutdown().await.unwrap();
        let mut answer = String::new();
        elsewhere.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("speaks TLS only"), "it is let in: {answer}");
        speaks(&mut first).await;
        speaks(&mut second).await;
    }

    #[test]
    fn one_house_has_many_addresses() {
        let home = |text: &str| home(text.parse().unwrap());
        assert_eq!(home("2001:db8:1:2:a::1"), home("2001:db8:1:2:b::2"));
        assert_ne!(home("2001:db8:1:2::1"), home("2001:db8:1:3::1"));
        assert_ne!(home("192.0.2.1"), home("192.0.2.2"));
        assert_eq!(home("::ffff:192.0.2.1"), home("192.0.2.1"));
    }

    #[tokio::test]
    async fn p8_who_is_told_nothing_for_long_is_let_go_also_when_it_speaks() {
        let (echo, authority) = open(
            Bounds {
                idle: SOON,
                ..Bounds::default()
            },
            false,
        )
        .await;
        let client = enter(echo.address, &authority).await.unwrap();
        let (mut heard, mut said) = tokio::io::split(client);
        let speaking = async {
            while said.write_all(b"h").await.is_ok() && said.flush().await.is_ok() {
                tokio::time::sleep(SOON / 10).await;
            }
        };
        tokio::select! {
            () = speaking => {}
            () = closed(&mut heard) => {}
        }
    }

    #[tokio::test]
    async fn a_renewed_certificate_is_shown_to_who_comes_next_and_a_bad_one_is_not_taken() {
        let (echo, authority) = open(Bounds::default(), true).await;
        let mut before = enter(echo.address, &authority).await.unwrap();
        let (renewed, files) = certify(&echo.dir, "renewed");
        assert!(echo.certificate.renew(&files).unwrap());
        assert!(!echo.certificate.renew(&files).unwrap(), "it is the same");
        let mut after = enter(echo.address, &renewed).await.unwrap();
        speaks(&mut after).await;
        assert!(
            enter(echo.address, &authority).await.is_err(),
            "the old one is gone"
        );
        speaks(&mut before).await;
        let (_, [other, _]) = certify(&echo.dir, "other");
        let mixed = [other, files[1].clone()];
        assert_eq!(echo.certificate.renew(&mixed).unwrap_err().len(), 1);
        speaks(&mut enter(echo.address, &renewed).await.unwrap()).await;
    }
}
