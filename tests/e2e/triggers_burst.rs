//! A thousand triggers on one event, through the real program, which is killed in the middle of it:
//! bounded, recorded, nothing lost and nothing doubled.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use serde_json::Value;
use worknode_tests::{
    scene::Scene,
    wait::{until, wait_for},
};

/// Triggers that tell the operator, which is over at once, and those that ask a server.
const QUICK: usize = 900;
const ASKING: usize = 100;
/// How many servers are asked at the same time.
const LANE: usize = 32;

/// What a server has seen.
#[derive(Debug, Default)]
struct Seen {
    open: usize,
    most: usize,
    keys: Vec<String>,
    /// Nobody gets an answer before.
    answers: bool,
}

#[derive(Debug, Default)]
struct Server {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Server {
    /// One that answers nobody until it is told to.
    fn start() -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        let server = Arc::new(Self::default());
        let serving = Arc::clone(&server);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let server = Arc::clone(&serving);
                thread::spawn(move || server.serve(&stream));
            }
        });
        (server, address)
    }

    fn serve(&self, stream: &TcpStream) {
        let Some(key) = key_of(stream) else { return };
        let mut seen = self.seen.lock().unwrap();
        seen.open += 1;
        seen.most = seen.most.max(seen.open);
        seen.keys.push(key);
        let mut seen = self.changed.wait_while(seen, |seen| !seen.answers).unwrap();
        seen.open -= 1;
        drop(seen);
        // Whoever asked may have been killed meanwhile.
        let _ = (&*stream).write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    }

    fn asked(&self) -> usize {
        self.seen.lock().unwrap().keys.len()
    }

    /// From now on everybody is answered at once; those who went away are forgotten.
    fn answer(&self) {
        self.seen.lock().unwrap().answers = true;
        self.changed.notify_all();
    }
}

/// Which firing a request is about.
fn key_of(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut key, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "idempotency-key" => key = Some(value.trim().to_owned()),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    key
}

fn team(address: &str) -> String {
    let mut config = "[team]\nname = \"burst\"\n\n".to_owned();
    for at in 0..QUICK + ASKING {
        let deed = if at < QUICK {
            "\"operator\"".to_owned()
        } else {
            format!("{{ webhook = {{ url = \"{address}\", timeout = \"60s\" }} }}")
        };
        writeln!(
            config,
            "[[trigger]]\nname = \"t{at}\"\nevent = \"go\"\nnotify = {deed}"
        )
        .unwrap();
    }
    config
}

/// How often each trigger's firing is told of with such an event.
fn by_trigger(events: &[Value], kind: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events.iter().filter(|event| event["type"] == kind) {
        let trigger = event["data"]["trigger"].as_str().unwrap().to_owned();
        *counts.entry(trigger).or_default() += 1;
    }
    counts
}

#[test]
fn p6_p8_a_thousand_triggers_on_one_event_all_act_once_although_the_daemon_is_killed() {
    let (server, address) = Server::start();
    let scene = Scene::with_team(&team(&address));
    let daemon = scene.daemon();
    scene.wait_for_daemon();
    scene.worknode(&["emit", "go"]).ok();
    // As many as may be asked at once; the others wait, and what is quick waits for none of them.
    wait_for("a full lane", || server.asked() == LANE);
    until("all that is quick", || {
        let acted = by_trigger(&scene.events(), "trigger_acted").len();
        if acted == QUICK { Ok(()) } else { Err(acted) }
    });
    assert_eq!(server.asked(), LANE);
    assert_eq!(
        by_trigger(&scene.events(), "trigger_fired").len(),
        QUICK + ASKING,
        "who waits has been recorded"
    );
    daemon.kill();
    let before = server.asked();
    server.answer();

    let _daemon = scene.daemon();
    let events = until("all", || {
        let events = scene.events();
        let acted = by_trigger(&events, "trigger_acted").len();
        if acted == QUICK + ASKING {
            Ok(events)
        } else {
            Err(acted)
        }
    });
    for kind in ["trigger_fired", "trigger_acted"] {
        let counts = by_trigger(&events, kind);
        assert_eq!(counts.len(), QUICK + ASKING, "{kind}");
        assert!(counts.values().all(|count| *count == 1), "{kind}: {counts:?}");
    }
    let failed = events
        .iter()
        .find(|event| event["type"] == "trigger_acted" && event["data"]["failed"] == true);
    assert_eq!(failed, None);
    // Nobody was asked twice but those whose answer the first daemon did not hear.
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.keys.iter().collect::<BTreeSet<_>>().len(), ASKING);
    assert_eq!(seen.keys.len(), ASKING + before);
    assert!(seen.most <= 2 * LANE, "{}", seen.most);
}
