//! The door that other machines may knock at: TCP with TLS, a bounded number at a time.

use std::{
    io,
    net::SocketAddr,
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
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};

/// Connections at the same time. One more waits at the door.
const CONNECTIONS: usize = 1_024;
/// How long somebody may take to begin to speak, and to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection may be silent in both directions. Longer than any answer takes, and than
/// streams of events are silent.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// When to look again after nobody could be let in: most often files are short for a while.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The first byte of whoever begins to agree on keys.
const BEGINS_TLS: u8 = 0x16;
/// What is told to whoever does not.
const PLAIN: &str = r#"{"title":"usage","status":400,"code":"usage","detail":"this port speaks TLS only","hint":"begin the address with https://"}"#;

/// Listens, and lets in who has agreed on keys.
#[derive(Debug)]
pub(crate) struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(Encrypted, SocketAddr)>,
    accepting: JoinHandle<()>,
}

impl TlsListener {
    /// # Errors
    /// When the listener is of no use.
    pub(super) fn new(listener: TcpListener, config: Arc<ServerConfig>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(1);
        Ok(Self {
            address,
            ready,
            accepting: tokio::spawn(accept_all(listener, config.into(), sender)),
        })
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
    acceptor: TlsAcceptor,
    ready: mpsc::Sender<(Encrypted, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, from)) => {
                let (acceptor, ready) = (acceptor.clone(), ready.clone());
                tokio::spawn(async move {
                    if let Some(stream) = let_in(stream, &acceptor).await {
                        // A door that is closed lets nobody in.
                        let _ = ready.send((Encrypted::new(stream, place), from)).await;
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

async fn let_in(mut stream: TcpStream, acceptor: &TlsAcceptor) -> Option<TlsStream<TcpStream>> {
    let agreed = tokio::time::timeout(HANDSHAKE, async {
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

/// A connection that nobody reads along. Gives its place back when it ends, and ends when it is
/// silent for too long.
#[derive(Debug)]
pub(crate) struct Encrypted {
    stream: TlsStream<TcpStream>,
    silent: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Encrypted {
    fn new(stream: TlsStream<TcpStream>, place: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            silent: Box::pin(tokio::time::sleep(IDLE)),
            _place: place,
        }
    }

    fn heard<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.silent.as_mut().reset(Instant::now() + IDLE);
            return outcome;
        }
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
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.heard(context, outcome)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.heard(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.heard(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.heard(context, outcome)
    }
}
