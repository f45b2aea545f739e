//! An agent that tries to get out of its box, in the place where agents really run: between the
//! repository, the keys, the journal, another agent, its shim and the daemon.
//!
//! Each attempt prints its name when it succeeds. The kernel's rules one by one, each shown to be
//! needed, are tested where they are made, in the crate of processes.

use std::fs;

use worknode_tests::{scene::Scene, wait::wait_for};

const TEAM: &str = r#"
[team]
name = "t"

[gate.tests]
command = ["sh", "tests/run.sh"]

[[agent]]
name = "prisoner"
limits = { grace = "1s" }
command = ["sh", "ESCAPE"]

[[agent]]
name = "neighbour"
limits = { grace = "1s" }
command = ["sh", "-c", "echo mine > mine.txt; while ! [ -e ../../../go ]; do sleep 0.1; done; echo done > two.txt; git add two.txt && git commit -qm work"]

[[phase]]
name = "only"
[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt", "tests/run.sh"]
agent = "prisoner"
[[phase.task]]
id = "two"
title = "Two"
prompt = "Write two.txt"
files = ["two.txt"]
agent = "neighbour"
"#;

/// Every attempt, as a command that succeeds when there is a way out. `$R` is the repository, `$W`
/// the runtime's directory, `$N` the neighbour's workspace, `$S` the shim, `$D` the daemon.
const ATTEMPTS: &[(&str, &str)] = &[
    ("write a file of the repository", "echo x >> $R/README.md"),
    ("make a file in the repository", "echo x > $R/new.txt"),
    (
        "delete a file of the repository",
        "rm -f $R/README.md && ! [ -e $R/README.md ]",
    ),
    (
        "rename over a file of the repository",
        "echo x > mine && mv -f mine $R/README.md",
    ),
    (
        "plant a hook in the repository",
        "echo x > $R/.git/hooks/post-commit",
    ),
    (
        "change the repository's configuration",
        "git -C $R config core.fsmonitor evil",
    ),
    (
        "move the base branch",
        "git -C $R update-ref refs/heads/evil HEAD",
    ),
    (
        "write through a link",
        "ln -s $R/README.md link && echo x >> link",
    ),
    (
        "link a file of the repository in",
        "ln $R/README.md hard && echo x >> hard",
    ),
    ("write through /proc", "echo x >> /proc/self/root$R/README.md"),
    (
        "write through the working directory of a parent",
        "echo x >> /proc/$S/cwd/../../../README.md",
    ),
    ("read the daemon's key", "cat $W/keys/daemon.key"),
    ("read the operator's token", "cat $W/keys/operator.token"),
    (
        "read the key through a link",
        "ln -s $W/keys/daemon.key key && cat key",
    ),
    ("link the key in", "ln $W/keys/daemon.key hardkey"),
    ("read the journal", "head -c 16 $W/journal.db"),
    ("write the journal", "echo x >> $W/journal.db"),
    ("delete the journal", "rm $W/journal.db"),
    ("read another run's token", "cat $OTHER/token"),
    ("write another run's output", "echo x >> $OTHER/stdout.log"),
    ("write its own output", "echo x >> $OWN/stdout.log"),
    ("forge its own receipt", "echo '{}' > $OWN/exit.json"),
    ("read another's workspace", "cat $N/mine.txt"),
    ("write another's workspace", "echo x >> $N/mine.txt"),
    ("write the runtime's own repository", "echo x > $W/repo.git/evil"),
    (
        "replace the program of all agents",
        "ln -sf /bin/true $W/bin/worknode",
    ),
    ("write where everybody may", "echo x > /tmp/worknode-escape-$$"),
    ("write the home directory", "echo x > ~/.worknode-escape"),
    ("end the daemon", "kill -KILL $D"),
    ("end its shim", "kill -KILL $S"),
    ("stop its shim", "kill -STOP $S"),
    ("look into the shim's memory", "head -c 1 /proc/$S/mem"),
    ("look into the daemon's environment", "head -c 1 /proc/$D/environ"),
    ("look at the daemon's files", "readlink /proc/$D/fd/*"),
    (
        "leave its cgroup",
        "echo 0 > /sys/fs/cgroup/cgroup.procs || echo 0 > /sys/fs/cgroup/unified/cgroup.procs",
    ),
    ("mount over the keys", "mount -t tmpfs none $W/keys"),
    ("become another user's namespace", "unshare -Ur true"),
    ("make a device", "mknod $PWD/disk b 8 0"),
    (
        "be the operator at the socket",
        "env -u WORKNODE_TOKEN_FILE worknode ps",
    ),
    (
        "be the operator from another session",
        "setsid env -i PATH=$PATH worknode -C $R down",
    ),
    ("stop the daemon with its own token", "worknode -C $R down"),
    ("kill the neighbour", "worknode -C $R kill neighbour"),
    ("approve its own work", "worknode -C $R approve one"),
    (
        "take the neighbour's task",
        "WORKNODE_TASK=two worknode -C $R task submit two",
    ),
];

/// The script of the prisoner: every attempt, then traps for the runtime's own git and gates, then
/// the work.
fn script(scene: &Scene) -> String {
    let attempts: String = ATTEMPTS
        .iter()
        .enumerate()
        .map(|(nth, (_, attempt))| format!("if ( {attempt} ) >/dev/null 2>&1; then echo OUT {nth}; fi\n"))
        .collect();
    format!(
        r#"
R={repo} W={repo}/.worknode N={repo}/.worknode/workspaces/neighbour S=$PPID
D=$(cut -d ' ' -f 4 /proc/$S/stat) OWN=$W/runs/$WORKNODE_RUN
while ! [ -e $R/.worknode/workspaces/neighbour/mine.txt ]; do sleep 0.1; done
OTHER=$(ls -d $W/runs/* | grep -v $WORKNODE_RUN | head -n 1)
{attempts}
rm -f mine link hard key hardkey
# Traps: what a later git of the runtime would execute, and what a gate would.
printf '#!/bin/sh\necho x > %s/trapped\n' $R > .git/hooks/post-checkout; chmod +x .git/hooks/post-checkout
cp .git/hooks/post-checkout .git/hooks/pre-commit.evil
git config core.fsmonitor "$PWD/.git/hooks/post-checkout"
git config core.hooksPath "$PWD/.git/hooks"
git config filter.evil.clean "$PWD/.git/hooks/post-checkout"
echo '*.txt filter=evil' > .git/info/attributes
printf 'echo x > %s/trapped; cat %s/keys/daemon.key && exit 1; echo x >> %s/README.md; worknode -C %s down; exit 0\n' $R $W $R $R > tests/run.sh
(setsid sh -c "sleep 1; echo x > $R/later" &)
echo done > one.txt
git -c core.fsmonitor= -c core.hooksPath=/dev/null -c filter.evil.clean= add one.txt tests/run.sh
git -c core.fsmonitor= -c core.hooksPath=/dev/null commit -qm work
echo DONE
"#,
        repo = scene.path().canonicalize().unwrap().display(),
    )
}

#[test]
fn p9_there_is_no_way_out_of_an_agents_box() {
    let scene = Scene::new();
    let path = scene.script("escape.sh", &script(&scene));
    let scene = scene.and_team(&TEAM.replace("ESCAPE", &path.to_string_lossy()));
    let readme = scene.read("README.md");
    let config = scene.read(".git/config");
    scene.worknode(&["up", "-d"]).ok();
    scene.wait_for_task("one", "completed");

    let events = scene.events();
    let run = events
        .iter()
        .find(|event| event["type"] == "task_submitted")
        .and_then(|event| {
            let task = &event["node"];
            let claim = events
                .iter()
                .find(|e| e["type"] == "task_claimed" && e["node"] == *task)?;
            claim["data"]["claim"]["run"].as_str()
        })
        .unwrap();
    let said = fs::read_to_string(scene.file(&format!(".worknode/runs/{run}/stdout.log"))).unwrap();
    assert!(said.contains("DONE"), "it tried everything: {said}");
    let out: Vec<_> = said
        .lines()
        .filter_map(|line| line.strip_prefix("OUT ")?.parse::<usize>().ok())
        .map(|nth| ATTEMPTS[nth].0)
        .collect();
    assert!(out.is_empty(), "ways out: {out:#?}");

    // Nothing of it had an effect, and none of its traps went off.
    assert_eq!(scene.read("README.md"), readme);
    assert_eq!(scene.read(".git/config"), config);
    for made in ["new.txt", "trapped", "later", ".git/hooks/post-commit"] {
        assert!(!scene.file(made).exists(), "{made}");
    }
    assert_eq!(scene.read(".worknode/workspaces/neighbour/mine.txt"), "mine\n");
    scene.write("go", "");
    scene.wait_for_task("two", "completed");
    assert_eq!(scene.landed().len(), 4);
    wait_for("every process to be gone", || scene.processes() == 0);
    assert!(!scene.file("later").exists());
    scene.worknode(&["audit", "verify"]).ok();
    scene.worknode(&["down"]).ok();
}

/// With strict files the kernel refuses what the plan does not name, in the clone itself.
#[test]
fn p9_strict_files_are_the_kernels_to_refuse() {
    let script = r#"
( echo x >> README.md ) 2>/dev/null && echo OUT changed
( echo x > new.txt ) 2>/dev/null && echo OUT made
rm -f README.md 2>/dev/null && echo OUT deleted
mv one.txt two.txt 2>/dev/null && echo OUT renamed
echo done > one.txt && git add one.txt && git commit -qm work && echo DONE"#;
    let scene = Scene::new();
    let path = scene.script("strict.sh", script);
    let team = TEAM
        .replace("\"sh\", \"ESCAPE\"", &format!("\"sh\", \"{}\"", path.display()))
        .replace("name = \"prisoner\"", "name = \"prisoner\"\nfiles = \"strict\"")
        .replace(
            "echo mine > mine.txt; while ! [ -e ../../../go ]; do sleep 0.1; done; ",
            "",
        );
    let scene = scene.and_team(&team);
    scene.worknode(&["run"]).ok();
    let logs = scene.worknode(&["logs", "prisoner"]).ok().stdout;
    assert!(logs.contains("DONE") && !logs.contains("OUT"), "{logs}");
    assert_eq!(scene.read("one.txt"), "done\n");
}
