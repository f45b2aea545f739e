//! The network.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
};

use rustix::net::{AddressFamily, Protocol, RawProtocol, SendFlags, SocketType, sendto, socket};

use super::failed;

pub(super) fn attempt(name: &str, args: &[&str]) -> Option<io::Result<()>> {
    Some(match (name, args) {
        ("connect", [port]) => at(port).and_then(TcpStream::connect).map(drop),
        ("listen", [port]) => at(port).and_then(TcpListener::bind).map(drop),
        ("datagram", [port]) => at(port).and_then(datagram),
        ("raw", []) => raw(),
        ("multipath", []) => multipath(),
        ("fast-open", [port]) => at(port).and_then(fast_open),
        _ => return None,
    })
}

fn at(port: &str) -> io::Result<SocketAddr> {
    let port: u16 = port.parse().map_err(failed)?;
    Ok((Ipv4Addr::LOCALHOST, port).into())
}

fn datagram(to: SocketAddr) -> io::Result<()> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?
        .send_to(b"x", to)
        .map(drop)
}

fn raw() -> io::Result<()> {
    Ok(socket(
        AddressFamily::INET,
        SocketType::RAW,
        Some(rustix::net::ipproto::ICMP),
    )
    .map(drop)?)
}

fn multipath() -> io::Result<()> {
    let protocol = RawProtocol::new(libc::IPPROTO_MPTCP.unsigned_abs()).map(Protocol::from_raw);
    Ok(socket(AddressFamily::INET, SocketType::STREAM, protocol).map(drop)?)
}

/// Connects by sending.
fn fast_open(to: SocketAddr) -> io::Result<()> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    let flags = SendFlags::from_bits_retain(libc::MSG_FASTOPEN.unsigned_abs());
    Ok(sendto(&socket, b"x", flags, &to).map(drop)?)
}
