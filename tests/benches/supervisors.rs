//! The same load under other supervisors, when somebody asks for it: they are installed from
//! their registries, beside what cargo built, and nowhere else.
//!
//! One that cannot be had, or does not come to an end, is left out with a word.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tokio::process::Command;
use worknode_tests::program::binary;

use crate::{
    Failure,
    kills::{GRACE, Outcome, survived},
    runs, say,
};

/// How long an installation may take, and a stop.
const INSTALL_TIME: Duration = Duration::from_secs(300);
const STOP_TIME: Duration = Duration::from_secs(300);

/// Starts the load, and says how to have it stopped and how to be rid of the supervisor.
type Prepare = fn(&Scene) -> Result<Plan, Failure>;

const SUPERVISORS: [(&str, Prepare); 3] = [("supervisord", supervisord), ("circus", circus), ("pm2", pm2)];

/// Where a supervisor works, and on what.
struct Scene {
    dir: PathBuf,
    script: PathBuf,
    count: usize,
}

/// What to call. The first goes on by itself or stays until the last.
struct Plan {
    start: Command,
    stop: Command,
    shutdown: Command,
}

/// What became of the load under each that can be had.
pub(crate) async fn all(root: &Path, count: usize) -> Vec<(&'static str, Outcome)> {
    let mut outcomes = Vec::new();
    for (name, prepare) in SUPERVISORS {
        match under(name, prepare, root, count).await {
            Ok(outcome) => outcomes.push((name, outcome)),
            Err(error) => say(format_args!("{name} with {count} processes is left out: {error}")),
        }
    }
    outcomes
}

async fn under(name: &str, prepare: Prepare, root: &Path, count: usize) -> Result<Outcome, Failure> {
    install(name).await?;
    let load = format!("{name}-{count}-{}", std::process::id());
    let scene = Scene {
        dir: root.join(name),
        script: root.join(name).join("load.sh"),
        count,
    };
    fs::create_dir_all(&scene.dir)?;
    fs::write(&scene.script, runs::escaping(&load))?;
    let mut plan = prepare(&scene)?;
    let mut child = quiet(&mut plan.start).spawn()?;
    let stopped = stop(&mut plan, &load, count).await;
    let ended = status(&mut plan.shutdown, STOP_TIME).await;
    if tokio::time::timeout(STOP_TIME, child.wait()).await.is_err() {
        child.kill().await?;
    }
    // Whatever happened: nothing of the load stays.
    let survivors = survived(&load, stopped.as_ref().copied().unwrap_or_default());
    stopped?;
    ended?;
    survivors
}

/// Has it all stopped, once it is there: the seconds that it took.
async fn stop(plan: &mut Plan, load: &str, count: usize) -> Result<f64, Failure> {
    runs::load_is(load, 2 * count).await?;
    let begun = Instant::now();
    let stopped = status(&mut plan.stop, STOP_TIME).await?;
    let time = begun.elapsed();
    if stopped.success() {
        Ok(time.as_secs_f64())
    } else {
        Err(format!("its stop order failed: {stopped}").into())
    }
}

fn supervisord(scene: &Scene) -> Result<Plan, Failure> {
    let (dir, script) = (scene.dir.display(), scene.script.display());
    let config = scene.dir.join("supervisord.conf");
    fs::write(
        &config,
        format!(
            "[unix_http_server]\nfile={dir}/sock\n\n\
             [supervisord]\nnodaemon=true\nlogfile={dir}/log\npidfile={dir}/pid\nminfds=16384\n\n\
             [rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\n\
             [supervisorctl]\nserverurl=unix://{dir}/sock\n\n\
             [program:load]\ncommand=/bin/sh {script}\nprocess_name=%(process_num)d\n\
             numprocs={}\nstartsecs=0\nautorestart=false\nstopasgroup=true\nkillasgroup=true\n\
             stopwaitsecs=1\nredirect_stderr=true\nstdout_logfile=NONE\n",
            scene.count
        ),
    )?;
    let control = |what: &[&str]| {
        let mut command = Command::new(python("supervisorctl"));
        command.arg("-c").arg(&config).args(what);
        command
    };
    let mut start = Command::new(python("supervisord"));
    start.arg("-c").arg(&config);
    Ok(Plan {
        start,
        stop: control(&["stop", "all"]),
        shutdown: control(&["shutdown"]),
    })
}

fn circus(scene: &Scene) -> Result<Plan, Failure> {
    let (dir, script) = (scene.dir.display(), scene.script.display());
    let config = scene.dir.join("circus.ini");
    fs::write(
        &config,
        format!(
            "[circus]\nendpoint=ipc://{dir}/ctl\npubsub_endpoint=ipc://{dir}/pub\nstatsd=False\n\n\
             [watcher:load]\ncmd=/bin/sh {script}\nnumprocesses={}\nwarmup_delay=0\nrespawn=False\n\
             graceful_timeout={}\nstop_children=True\nclose_child_stdout=True\nclose_child_stderr=True\n",
            scene.count,
            GRACE.as_secs_f64()
        ),
    )?;
    let control = |what: &[&str]| {
        let mut command = Command::new(python("circusctl"));
        command
            .arg("--endpoint")
            .arg(format!("ipc://{dir}/ctl"))
            .args(["--timeout", &STOP_TIME.as_secs().to_string()])
            .args(what);
        command
    };
    let mut start = Command::new(python("circusd"));
    start.arg(&config);
    Ok(Plan {
        start,
        stop: control(&["stop", "load", "--waiting"]),
        shutdown: control(&["quit", "--waiting"]),
    })
}

fn pm2(scene: &Scene) -> Result<Plan, Failure> {
    let config = scene.dir.join("load.config.json");
    let app = serde_json::json!({
        "name": "load", "script": scene.script, "interpreter": "/bin/sh", "exec_mode": "fork",
        "instances": scene.count, "autorestart": false, "kill_timeout": GRACE.as_millis(),
        "out_file": "/dev/null", "error_file": "/dev/null",
    });
    fs::write(&config, serde_json::json!({ "apps": [app] }).to_string())?;
    let call = |what: &[&OsStr]| {
        let mut command = Command::new(home().join("pm2/node_modules/.bin/pm2"));
        command.args(what).env("PM2_HOME", scene.dir.join("home"));
        command
    };
    Ok(Plan {
        start: call(&["start".as_ref(), config.as_ref()]),
        stop: call(&["stop".as_ref(), "all".as_ref()]),
        shutdown: call(&["kill".as_ref()]),
    })
}

/// Where they are installed.
fn home() -> PathBuf {
    binary().with_file_name("supervisors")
}

fn python(program: &str) -> PathBuf {
    home().join("python/bin").join(program)
}

async fn install(name: &str) -> Result<(), Failure> {
    let home = home();
    let (there, orders) = if name == "pm2" {
        let prefix = home.join("pm2");
        fs::create_dir_all(&prefix)?;
        fs::write(prefix.join("package.json"), "{\"private\": true}")?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "pm2"])
            .current_dir(&prefix);
        (prefix.join("node_modules/.bin/pm2"), vec![npm])
    } else {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(home.join("python"));
        let mut pip = Command::new(python("pip"));
        pip.args(["install", "--quiet", "supervisor", "circus"]);
        let program = if name == "circus" { "circusd" } else { name };
        (python(program), vec![venv, pip])
    };
    if there.exists() {
        return Ok(());
    }
    say(format_args!("installing {name} beneath {} ...", home.display()));
    for mut order in orders {
        let done = status(&mut order, INSTALL_TIME).await?;
        if !done.success() {
            return Err(format!("it cannot be installed: {:?}: {done}", order.as_std()).into());
        }
    }
    Ok(())
}

async fn status(command: &mut Command, bound: Duration) -> Result<ExitStatus, Failure> {
    match tokio::time::timeout(bound, quiet(command).status()).await {
        Ok(status) => Ok(status?),
        Err(_) => Err(format!("{:?} took more than {bound:?}", command.as_std()).into()),
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
}
