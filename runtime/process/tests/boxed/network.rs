//! The network, when it is limited.

use std::net::{TcpListener, UdpSocket};

use worknode_process::sandbox::Sandbox;

use crate::{
    scene::{Scene, closed_by},
    words,
};

const HERE: (&str, u16) = ("127.0.0.1", 0);

fn nothing(scene: &Scene) -> Sandbox {
    Sandbox {
        connect: Some(vec![]),
        ..scene.sandbox()
    }
}

#[test]
fn p9_only_named_ports_are_reached() {
    let servers = [TcpListener::bind(HERE).unwrap(), TcpListener::bind(HERE).unwrap()];
    let [named, other] = servers
        .each_ref()
        .map(|server| server.local_addr().unwrap().port());
    let only = |scene: &Scene| Sandbox {
        connect: Some(vec![named]),
        ..scene.sandbox()
    };
    closed_by(only, |_| words!["connect", other.to_string()]);
    closed_by(only, |_| words!["fast-open", other.to_string()]);
    let scene = Scene::new();
    let output = scene.attempt(&only(&scene), words!["connect", named.to_string()]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn p9_only_named_ports_are_bound() {
    closed_by(nothing, |_| words!["listen", "0"]);
    let scene = Scene::new();
    let any = Sandbox {
        bind: Some(vec![0]),
        ..scene.sandbox()
    };
    let output = scene.attempt(&any, words!["listen", "0"]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn p9_a_limit_on_one_direction_closes_the_other() {
    let server = TcpListener::bind(HERE).unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let only_bind = |scene: &Scene| Sandbox {
        bind: Some(vec![0]),
        ..scene.sandbox()
    };
    closed_by(only_bind, |_| words!["connect", port.as_str()]);
}

#[test]
fn p9_no_datagram_leaves_a_limited_network() {
    let server = UdpSocket::bind(HERE).unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    closed_by(nothing, |_| words!["datagram", port.as_str()]);
}

#[test]
fn p9_relatives_of_tcp_do_not_leave_a_limited_network() {
    let scene = Scene::new();
    let known = scene
        .attempt(&scene.sandbox(), words!["multipath"])
        .status
        .success();
    if known {
        closed_by(nothing, |_| words!["multipath"]);
    } else {
        // This kernel does not have it; the filter answers before the kernel can say so.
        let output = scene.attempt(&nothing(&scene), words!["multipath"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("os error 1)"), "{output:?}");
    }
}

#[test]
fn p9_no_raw_packet_is_sent() {
    if rustix::process::geteuid().is_root() {
        crate::scene::closed(|_| words!["raw"]);
    }
}
