//! What works in a box: the tools that agents use all day.

use std::{fs, process::Command};

use worknode_process::sandbox::Sandbox;

use crate::scene::Scene;

/// Runs a script in the box; it must succeed.
fn works(scene: &Scene, script: &str) -> String {
    works_in(scene, &scene.sandbox(), script)
}

fn works_in(scene: &Scene, sandbox: &Sandbox, script: &str) -> String {
    fs::create_dir_all(scene.path("inside/tmp")).unwrap();
    let output = scene
        .boxed(sandbox, "/bin/sh", &["-e", "-u", "-c", script])
        .env("TMPDIR", scene.path("inside/tmp"))
        .env("HOME", scene.path("inside"))
        .env("CARGO_HOME", cargo_home())
        .env("RUSTUP_HOME", rustup_home())
        .env("CARGO_TARGET_DIR", scene.path("inside/target"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

fn home_of(variable: &str, usual: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| format!("{}/{usual}", std::env::var("HOME").unwrap()))
}

fn cargo_home() -> String {
    home_of("CARGO_HOME", ".cargo")
}

fn rustup_home() -> String {
    home_of("RUSTUP_HOME", ".rustup")
}

/// Whether a program that not every machine has is there. The test says so where it is not.
fn there(program: &str) -> bool {
    let there = Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("not shown: {program} is not there");
    }
    there
}

#[test]
fn shells_pipes_and_temporary_files() {
    let scene = Scene::new();
    let said = works(
        &scene,
        "echo a b c | tr ' ' '\\n' | sort -r | head -n 1
         file=$(mktemp); echo kept > $file; cat < $file; rm $file
         mkfifo pipe; echo through > pipe & cat pipe; wait
         echo gone > /dev/null; echo said > /dev/stderr; ls / > list; test -s list
         sleep 60 & kill $!; wait $! || echo ended",
    );
    assert_eq!(said, "c\nkept\nthrough\nended\n");
}

#[test]
fn editors_that_rename() {
    let scene = Scene::new();
    works(
        &scene,
        "echo one > file; sed -i s/one/two/ file; grep -q two file; cp -a own copy; mv copy own/; rm -r own",
    );
}

#[test]
fn git() {
    let scene = Scene::new();
    let said = works(
        &scene,
        "git init -q -b main work; cd work
         git config user.name x; git config user.email x@example.org
         echo one > file; git add file; git commit -q -m one
         git checkout -q -b side; echo two > file; git commit -q -a -m two
         git checkout -q main; git merge -q side; git gc -q
         cd ..; git clone -q work copy; git -C copy log --format=%s",
    );
    assert_eq!(said, "two\none\n");
}

#[test]
fn cargo() {
    let scene = Scene::new();
    let said = works(
        &scene,
        "cargo init -q --vcs none --name one work; cd work
         cargo build -q --offline; cargo test -q --offline > ../tested; cargo run -q --offline",
    );
    assert_eq!(said, "Hello, world!\n");
}

#[test]
fn python() {
    if !there("python3") {
        return;
    }
    let scene = Scene::new();
    let said = works(
        &scene,
        "python3 -m venv --without-pip env
         env/bin/python -c 'import subprocess, tempfile, threading, asyncio
with tempfile.TemporaryFile() as file: file.write(b\"x\")
thread = threading.Thread(target=print, args=(\"thread\",), daemon=True); thread.start(); thread.join()
async def run():
    child = await asyncio.create_subprocess_exec(\"echo\", \"child\")
    await child.wait()
asyncio.run(run())'",
    );
    assert_eq!(said, "thread\nchild\n");
}

#[test]
fn node() {
    if !there("node") {
        return;
    }
    let scene = Scene::new();
    let said = works(
        &scene,
        "cat > main.js <<'END'
const { fork, execSync } = require('child_process');
const { Worker } = require('worker_threads');
const fs = require('fs');
if (process.argv[2]) { process.send('forked'); process.exit(); }
fs.promises.writeFile('out', 'x').then(() => fork(__filename, ['child']).on('message', m => {
  console.log(m, execSync('echo shell').toString().trim());
  new Worker('require(\"worker_threads\").parentPort.postMessage(\"worker\")', { eval: true })
    .on('message', m => console.log(m));
}));
END
         node main.js",
    );
    assert_eq!(said, "forked shell\nworker\n");
}

#[test]
fn npm() {
    if !there("npm") {
        return;
    }
    let scene = Scene::new();
    works(
        &scene,
        "mkdir lib work; echo '{\"name\":\"lib\",\"version\":\"1.0.0\"}' > lib/package.json
         cd work; npm init -y > ../made; npm install --offline --no-audit --no-fund ../lib > ../installed
         test -e node_modules/lib/package.json",
    );
}

#[test]
fn a_terminal_of_its_own() {
    if !there("python3") {
        return;
    }
    let scene = Scene::new();
    let said = works(
        &scene,
        "python3 -c 'import pty; pty.spawn([\"/bin/sh\", \"-c\", \"test -t 0 && echo tty\"])' < /dev/null",
    );
    assert!(said.contains("tty"), "{said}");
}

#[test]
fn tools_with_a_limited_network() {
    let scene = Scene::new();
    let sandbox = Sandbox {
        connect: Some(vec![]),
        no_unix_sockets: true,
        ..scene.sandbox()
    };
    works_in(&scene, &sandbox, "git init -q work; echo x | cat");
    if there("node") {
        works_in(
            &scene,
            &sandbox,
            "node -e 'require(\"child_process\").execSync(\"true\")'",
        );
    }
}
