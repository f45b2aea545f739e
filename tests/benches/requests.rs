//! Requests to the daemon on connections that are kept, 64 of them: status, claims, progress. The
//! baseline is a bare axum handler in a process of its own, asked the same way in the same run: it
//! reads the same bodies, and answers with as many bytes.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use axum::{Json, Router, body::Bytes, extract::State, routing::any};
use serde_json::{Value, json};
use worknode_tests::program;

use crate::{
    Bench, Failure,
    connection::Connection,
    measure::Samples,
    report::{Figure, Unit},
    role,
    scene::{self, Stage},
};

/// Connections that each ask one after the other.
pub(crate) const CONNECTIONS: usize = 64;
/// How long a bare server may take to begin.
const START: Duration = Duration::from_secs(20);

/// What one load came to.
struct Found {
    taken: Samples,
    per_second: f64,
}

/// What is asked again and again by one client. It says how long the part that counts took.
trait Load: Send + 'static {
    fn once(&mut self, connection: &mut Connection)
    -> impl Future<Output = Result<Duration, Failure>> + Send;
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Figure>, Failure> {
    let time = bench.load(Duration::from_secs(5), Duration::from_millis(100));
    let stage = Stage::new("")?;
    stage.scene.worknode(&["up", "-d"]).ok();
    let socket = stage.scene.file(".worknode/worknode.sock");
    let figures = bench.tokio.block_on(measure(&socket, stage.scene.path(), time));
    program::worknode(stage.scene.path(), ["down"]);
    figures
}

async fn measure(socket: &Path, dir: &Path, time: Duration) -> Result<Vec<Figure>, Failure> {
    let places = prepare(socket).await?;
    let (status, claim) = sizes(socket, &places).await?;
    let mut figures = Vec::new();
    let bare = Bare::start(dir, status).await?;
    let ask = |_: &Place| Same::get("/status");
    let ours = load(socket, &places, time, ask).await?;
    let baseline = load(&bare.socket, &places, time, ask).await?;
    figures.extend(lines("status", "the whole team", [ours, baseline]));
    drop(bare);
    let bare = Bare::start(dir, claim).await?;
    let ours = load(socket, &places, time, Claims::of).await?;
    let baseline = load(&bare.socket, &places, time, |place| {
        Same::post("/tasks/claim", place.claim())
    })
    .await?;
    let told = "each on the disk before its answer, and given back in between, which is not counted";
    figures.extend(lines("claim", told, [ours, baseline]));
    let holding = hold(socket, &places).await?;
    let ours = load(socket, &holding, time, Place::progress).await?;
    let baseline = load(&bare.socket, &holding, time, Place::progress).await?;
    figures.extend(lines(
        "progress",
        "in memory when it is answered",
        [ours, baseline],
    ));
    Ok(figures)
}

fn lines(what: &str, told: &str, [ours, baseline]: [Found; 2]) -> [Figure; 3] {
    let load = format!(
        "{CONNECTIONS} connections to the Unix socket, one request after the other on each; {told}; \
         baseline: a bare axum handler with as large an answer, in a process of its own"
    );
    let figure = |name: &str, unit, ours, baseline| Figure {
        what: format!("request: {what}, {name}"),
        unit,
        ours,
        baseline,
        load: load.clone(),
    };
    [
        figure("p50", Unit::Seconds, ours.taken.median(), baseline.taken.median()),
        figure("p99", Unit::Seconds, ours.taken.p99(), baseline.taken.p99()),
        figure(
            "throughput",
            Unit::PerSecond,
            ours.per_second,
            baseline.per_second,
        ),
    ]
}

/// A task, and who may hold it.
#[derive(Clone, Debug)]
struct Place {
    task: String,
    holder: String,
    epoch: u64,
}

impl Place {
    fn claim(&self) -> String {
        json!({ "agent": self.holder }).to_string()
    }

    fn progress(&self) -> Same {
        let body = json!({ "epoch": self.epoch, "percent": 40, "message": "half of it" });
        Same::post(&format!("/tasks/{}/progress", self.task), body.to_string())
    }
}

/// One task and one holder for each connection.
async fn prepare(socket: &Path) -> Result<Vec<Place>, Failure> {
    let mut connection = Connection::to(socket).await?;
    let mut places = Vec::with_capacity(CONNECTIONS);
    for n in 0..CONNECTIONS {
        let task = json!({ "title": "Asked for", "key": format!("asked-{n}"), "max_attempts": u32::MAX });
        let holder = json!({ "parent": "root", "kind": "document", "name": format!("holder-{n}") });
        let id = |made: Value| made["id"].as_str().map(str::to_owned).ok_or("no id was answered");
        places.push(Place {
            task: id(said(&mut connection, "/tasks", &task.to_string()).await?)?,
            holder: id(said(&mut connection, "/nodes", &holder.to_string()).await?)?,
            epoch: 0,
        });
    }
    Ok(places)
}

async fn said(connection: &mut Connection, path: &str, body: &str) -> Result<Value, Failure> {
    let (status, answer) = connection.post(path, body).await?;
    check(path, status, &answer)?;
    Ok(serde_json::from_slice(&answer)?)
}

fn check(path: &str, status: u16, said: &[u8]) -> Result<(), Failure> {
    if (200..300).contains(&status) {
        return Ok(());
    }
    Err(format!("{path} was answered {status}: {}", String::from_utf8_lossy(said)).into())
}

/// Bytes of the answers to a status and to a claim.
async fn sizes(socket: &Path, places: &[Place]) -> Result<(usize, usize), Failure> {
    let mut connection = Connection::to(socket).await?;
    let (_, status) = connection.ask("GET", "/status", "").await?;
    let mut claims = Claims::of(places.first().ok_or("there is no task")?);
    let claim = claims.claim(&mut connection).await?;
    claims.give_back(&mut connection).await?;
    Ok((status.len(), claim))
}

/// Each task is held from here on.
async fn hold(socket: &Path, places: &[Place]) -> Result<Vec<Place>, Failure> {
    let mut connection = Connection::to(socket).await?;
    let mut holding = Vec::with_capacity(places.len());
    for place in places {
        let mut claims = Claims::of(place);
        claims.claim(&mut connection).await?;
        holding.push(claims.0);
    }
    Ok(holding)
}

/// Asks on [`CONNECTIONS`] connections for so long.
async fn load<L: Load>(
    socket: &Path,
    places: &[Place],
    time: Duration,
    of: impl Fn(&Place) -> L,
) -> Result<Found, Failure> {
    let mut clients = Vec::with_capacity(places.len());
    for place in places {
        clients.push((Connection::to(socket).await?, of(place)));
    }
    let begun = Instant::now();
    let asking = clients.into_iter().map(|(mut connection, mut load)| {
        tokio::spawn(async move {
            let mut taken = Vec::new();
            while begun.elapsed() < time {
                taken.push(load.once(&mut connection).await?);
            }
            Ok::<_, Failure>(taken)
        })
    });
    let asking: Vec<_> = asking.collect();
    let mut taken = Vec::new();
    for client in asking {
        taken.extend(client.await??);
    }
    let per_second = taken.len() as f64 / begun.elapsed().as_secs_f64();
    Ok(Found {
        taken: taken.into_iter().collect(),
        per_second,
    })
}

/// The same request each time.
struct Same {
    method: &'static str,
    path: String,
    body: String,
}

impl Same {
    fn get(path: &str) -> Self {
        Self {
            method: "GET",
            path: path.to_owned(),
            body: String::new(),
        }
    }

    fn post(path: &str, body: String) -> Self {
        Self {
            method: "POST",
            path: path.to_owned(),
            body,
        }
    }
}

impl Load for Same {
    async fn once(&mut self, connection: &mut Connection) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let (status, answer) = connection.ask(self.method, &self.path, &self.body).await?;
        let taken = begun.elapsed();
        check(&self.path, status, &answer)?;
        Ok(taken)
    }
}

/// Claims a task, and gives it back.
struct Claims(Place);

impl Claims {
    fn of(place: &Place) -> Self {
        Self(place.clone())
    }

    /// How many bytes the answer has.
    async fn claim(&mut self, connection: &mut Connection) -> Result<usize, Failure> {
        let path = format!("/tasks/{}/claim", self.0.task);
        let (status, answer) = connection.post(&path, &self.0.claim()).await?;
        check(&path, status, &answer)?;
        let held: Value = serde_json::from_slice(&answer)?;
        self.0.epoch = held["epoch"].as_u64().ok_or("a claim without an epoch")?;
        Ok(answer.len())
    }

    async fn give_back(&self, connection: &mut Connection) -> Result<(), Failure> {
        let path = format!("/tasks/{}/release", self.0.task);
        let body = json!({ "epoch": self.0.epoch }).to_string();
        said(connection, &path, &body).await.map(drop)
    }
}

impl Load for Claims {
    async fn once(&mut self, connection: &mut Connection) -> Result<Duration, Failure> {
        let begun = Instant::now();
        self.claim(connection).await?;
        let taken = begun.elapsed();
        self.give_back(connection).await?;
        Ok(taken)
    }
}

/// The bare server, which ends with this.
pub(crate) struct Bare {
    process: std::process::Child,
    pub(crate) socket: PathBuf,
}

impl Bare {
    async fn start(dir: &Path, bytes: usize) -> Result<Self, Failure> {
        let socket = dir.join(format!(".worknode/bare-{bytes}.sock"));
        let process = Command::new(scene::program()?)
            .args([role::FLAG, role::SERVED])
            .arg(&socket)
            .arg(bytes.to_string())
            .stdin(Stdio::null())
            .spawn()?;
        let bare = Self { process, socket };
        let begun = Instant::now();
        while Connection::to(&bare.socket).await.is_err() {
            if begun.elapsed() > START {
                return Err("the bare server did not begin".into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(bare)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The role of the bare server: reads JSON where there is some, and answers so many bytes of it.
pub(crate) fn served(socket: &Path, bytes: usize) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(socket)?;
        // The name of the only field, its quotes and braces take some of it.
        let answer = json!({ "said": "x".repeat(bytes.saturating_sub(11)) });
        let routes = Router::new().fallback(any(answered)).with_state(answer);
        Ok(axum::serve(listener, routes).await?)
    })
}

async fn answered(State(answer): State<Value>, body: Bytes) -> Json<Value> {
    let read: Option<Value> = serde_json::from_slice(&body).ok();
    std::hint::black_box(read);
    Json(answer)
}
