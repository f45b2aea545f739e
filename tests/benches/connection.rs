//! A client that costs little.

use std::path::Path;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::Failure;

/// A connection that is kept, and as much HTTP as is needed here: a client that costs little leaves
/// the machine to the daemon.
pub(crate) struct Connection {
    stream: UnixStream,
    read: Vec<u8>,
}

impl Connection {
    pub(crate) async fn to(socket: &Path) -> Result<Self, Failure> {
        let stream = loop {
            match UnixStream::connect(socket).await {
                // More knock at once than the kernel lets wait at the door.
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    tokio::task::yield_now().await;
                }
                outcome => break outcome?,
            }
        };
        Ok(Self {
            stream,
            read: Vec::with_capacity(1_024),
        })
    }

    /// `POST path` with a body: the status, and what came.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Result<(u16, Vec<u8>), Failure> {
        self.ask("POST", path, body).await
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nhost: worknode\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.read.clear();
        let head = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let text = String::from_utf8_lossy(&self.read[..head]).to_ascii_lowercase();
        let status = text
            .split(' ')
            .nth(1)
            .ok_or("an answer without a status")?
            .parse()?;
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(Ok(0), |length| length.trim().parse::<usize>())?;
        while self.read.len() < head + length {
            self.more().await?;
        }
        Ok((status, self.read[head..head + length].to_vec()))
    }

    async fn more(&mut self) -> Result<(), Failure> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            return Err("the daemon closed a connection".into());
        }
        Ok(())
    }
}
