//! The daemon as other machines reach it: by a certificate of the test, on this machine.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, Stream, SupportedProtocolVersion, crypto,
    pki_types::{CertificateDer, ServerName},
    version::{TLS12, TLS13},
};
use worknode_tests::{
    http::Door,
    program::{Done, command},
    scene::Scene,
    wait::wait_for,
};

const TEAM: &str = r#"
[team]
name = "t"

[[agent]]
name = "worker"
command = ["true"]

[daemon]
listen = "ADDRESS"
certificate = "own.pem"
key = "own.key"
"#;

fn pem(kind: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n",
        STANDARD.encode(der)
    )
}

/// Makes a certificate for `localhost` with its key, which only its owner can read.
fn certify(scene: &Scene, name: &str) -> CertificateDer<'static> {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = own.cert.der().clone();
    scene.write(&format!("{name}.pem"), &pem("CERTIFICATE", &certificate));
    let key = format!("{name}.key");
    scene.write(&key, &pem("PRIVATE KEY", &own.signing_key.serialize_der()));
    protect(scene, &key, 0o600);
    certificate
}

fn protect(scene: &Scene, name: &str, mode: u32) {
    fs::set_permissions(scene.file(name), fs::Permissions::from_mode(mode)).unwrap();
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The program as somebody elsewhere calls it.
fn from_elsewhere(scene: &Scene, address: &str, args: &[&str], token: bool) -> Done {
    let elsewhere = tempfile::tempdir().unwrap();
    let port = address.rsplit(':').next().unwrap();
    let mut command = command(elsewhere.path());
    command
        .args(["--url", &format!("https://localhost:{port}")])
        .args(args);
    if token {
        command.env("WORKNODE_TOKEN_FILE", scene.file(".worknode/keys/operator.token"));
    }
    command.output().unwrap().into()
}

/// What a request of this version of TLS comes to.
fn ask(
    address: &str,
    authority: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> Option<String> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    let mut stream = Stream::new(&mut connection, &mut socket);
    let request = "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // A server that closes without saying so has said all the same.
    let _ = stream.read_to_end(&mut answer);
    (!answer.is_empty()).then(|| String::from_utf8(answer).unwrap())
}

#[test]
fn p9_who_comes_from_elsewhere_comes_by_tls_and_with_a_capability() {
    let address = free_address();
    let scene = Scene::new();
    let authority = certify(&scene, "own");
    let scene = scene.and_team(&TEAM.replace("ADDRESS", &address));
    scene.worknode(&["up", "-d"]).ok();
    let ca = scene.file("own.pem");
    let ca = ca.to_str().unwrap();

    let status = from_elsewhere(&scene, &address, &["--ca", ca, "status", "--json"], true);
    assert_eq!(status.ok().json()["team"], "t");
    let nobody = from_elsewhere(&scene, &address, &["--ca", ca, "status"], false);
    nobody.fails(4).says(&["WORKNODE_TOKEN_FILE"]);
    let unproved = from_elsewhere(&scene, &address, &["status"], true);
    unproved
        .fails(7)
        .says(&["no daemon answers at `https://localhost"]);
    from_elsewhere(&scene, &address, &["--ca", ca, "down"], true).fails(2);
    // What is on this machine is not taken for what is there.
    for local in [
        &["logs", "worker"][..],
        &["audit", "verify"],
        &["trigger", "next"],
    ] {
        let args = ["--ca", ca].iter().chain(local).copied().collect::<Vec<_>>();
        from_elsewhere(&scene, &address, &args, true)
            .fails(2)
            .says(&["about what is on this machine"]);
    }
    let gone = free_address();
    for local in [&["trigger", "list"][..], &["trigger", "remove", "x"]] {
        from_elsewhere(&scene, &gone, local, true)
            .fails(7)
            .says(&["no daemon answers at `https://localhost"]);
    }

    let bare = ask(&address, &authority, &TLS13).unwrap();
    assert!(
        bare.starts_with("HTTP/1.1 403") && bare.contains("needs a capability"),
        "{bare}"
    );
    assert_eq!(ask(&address, &authority, &TLS12), None, "nothing older");
    let plain = Door::Tcp(address, None).get("/api/v1/status");
    assert_eq!(plain.status, 400);
    assert!(plain.body.contains("TLS only"), "{plain:?}");
    scene.worknode(&["down"]).ok();
}

#[test]
fn p9_what_others_could_reach_or_read_is_told_with_its_place() {
    let scene = Scene::new();
    certify(&scene, "own");
    certify(&scene, "other");
    let check = |team: &str| {
        scene.write("worknode.toml", team);
        scene.worknode(&["check"])
    };
    let outside = TEAM.replace("ADDRESS", "0.0.0.0:7077");
    check(&outside).ok();
    let without = outside.replace("certificate = \"own.pem\"\nkey = \"own.key\"\n", "");
    check(&without)
        .fails(2)
        .says(&["daemon.listen", "without TLS only loopback"]);
    let half = outside.replace("key = \"own.key\"\n", "");
    check(&half)
        .fails(2)
        .says(&["daemon.key: a certificate without its key"]);
    let nowhere = outside.replace("listen = \"0.0.0.0:7077\"\n", "");
    check(&nowhere)
        .fails(2)
        .says(&["daemon.listen: a certificate, and nowhere to listen"]);
    let other = outside.replace("own.key", "other.key");
    check(&other)
        .fails(2)
        .says(&["daemon.key", "does not go with the certificate"]);
    protect(&scene, "own.key", 0o640);
    let both = check(&outside.replace("own.pem", "README.md"));
    both.fails(2).says(&[
        "worknode.toml:11:1: daemon.certificate",
        "there is no certificate in it",
        "worknode.toml:12:1: daemon.key",
        "others can read it (mode 640)",
        "chmod 600",
    ]);
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart_and_a_bad_one_is_refused() {
    let address = free_address();
    let scene = Scene::new();
    let first = certify(&scene, "own");
    let scene = scene.and_team(&TEAM.replace("ADDRESS", &address));
    scene.worknode(&["up", "-d"]).ok();
    ask(&address, &first, &TLS13).unwrap();
    // The files are watched: nobody needs to say a word.
    let second = certify(&scene, "own");
    wait_for("the second certificate", || {
        ask(&address, &second, &TLS13).is_some()
    });
    assert_eq!(ask(&address, &first, &TLS13), None, "the first is gone");
    let told = scene.wait_for_event("the event", |event| event["type"] == "config_reloaded");
    assert_eq!(told["data"]["taken_up"][0], "certificate");
    assert!(told["data"]["restart"].is_null(), "{told}");

    scene.write("own.pem", "nothing of use");
    scene.worknode(&["reload"]).fails(2).says(&["daemon.certificate"]);
    ask(&address, &second, &TLS13).unwrap();
    scene
        .worknode(&["status"])
        .ok()
        .says(&["configuration refused", "daemon.certificate"]);
    scene.wait_for_event("the refusal", |event| event["type"] == "config_rejected");

    // Other files, named in the configuration.
    let third = certify(&scene, "other");
    let other = TEAM.replace("ADDRESS", &address).replace("own.", "other.");
    scene.write("worknode.toml", &other);
    wait_for("the third certificate", || {
        ask(&address, &third, &TLS13).is_some()
    });
    let fourth = certify(&scene, "other");
    wait_for("the fourth certificate", || {
        ask(&address, &fourth, &TLS13).is_some()
    });
    let status = scene.worknode(&["status", "--json"]).ok().json();
    assert!(status["config"].is_null(), "{status}");
    scene.worknode(&["down"]).ok();
}
