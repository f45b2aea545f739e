//! The team of every scene: quick, and with something of everything.

use worknode_tests::scene::Scene;

/// Claims that a task gets. Kills that nobody is to blame for cost none; those of shims do.
pub(crate) const ATTEMPTS: u32 = 60;

/// While this file is there, agents go on counting and do nothing else.
pub(crate) const HOLD: &str = "hold";

const TEAM: &str = r#"
[team]
name = "faults"

[gate.tests]
command = ["sh", "tests/run.sh"]
sandbox = "off"

[[agent]]
name = "worker"
count = 2
command = ["sh", "bots/work.sh"]
sandbox = "off"
pass_env = ["SCENE"]
limits = { grace = "1s" }
restart = { max_restarts = 1000, period = "1s", backoff = "10ms", max_backoff = "50ms" }

[[agent]]
name = "reviewer"
profile = "validation"
command = ["sh", "bots/review.sh"]
sandbox = "off"
pass_env = ["SCENE"]
limits = { grace = "1s" }
restart = { max_restarts = 1000, period = "1s", backoff = "10ms", max_backoff = "50ms" }

[[agent]]
name = "watcher"
profile = "validation"
start = "trigger"
command = ["sh", "bots/review.sh"]
sandbox = "off"
pass_env = ["SCENE"]
limits = { grace = "1s" }
restart = { max_restarts = 1000, period = "1s", backoff = "10ms", max_backoff = "50ms" }

[[trigger]]
name = "go"
event = "go"
[trigger.spawn]
agent = "worker-2"
task = { title = "Go", files = ["go-*.txt"] }

[[trigger]]
name = "look"
event = "look"
[trigger.spawn]
agent = "watcher"
task = { title = "Look around" }

[[phase]]
name = "all"

[[phase.task]]
id = "one"
title = "One"
prompt = "Write one.txt"
files = ["one.txt"]
approval = "none"
max_attempts = ATTEMPTS

[[phase.task]]
id = "two"
title = "Two"
prompt = "Write two.txt"
files = ["two.txt"]
approval = "none"
max_attempts = ATTEMPTS

[[phase.task]]
id = "three"
title = "Three"
prompt = "Write three.txt"
files = ["three.txt"]
depends_on = ["one"]
approval = "none"
max_attempts = ATTEMPTS

[[phase.task]]
id = "four"
title = "Four"
prompt = "Write four.txt"
files = ["four.txt"]
depends_on = ["two"]
max_attempts = ATTEMPTS
"#;

/// What both kinds of agents do: count aloud, so that a line that is lost or doubled shows.
const COUNT: &str = r#"
i=0
line() { i=$((i + 1)); echo "line $i"; sleep "${PAUSE:-0.02}"; }
hold() { line; while [ -e "$SCENE/hold" ]; do line; done; }
"#;

/// One attempt at `two` breaks the plan, one at `three` crashes.
const WORK: &str = r#"
for n in 1 2 3 4 5; do hold; done
if [ -e "$SCENE/patience" ]; then
    rm -f "$SCENE/patience"
    n=0
    while [ $n -lt 220 ]; do n=$((n + 1)); line; sleep 0.08; done
fi
worknode task progress --percent 50 half > /dev/null 2>&1
hold
case $WORKNODE_TASK in
two) rm -f outside.txt; [ -e "$SCENE/two" ] || { touch "$SCENE/two"; echo no > outside.txt; } ;;
three) [ -e "$SCENE/three" ] || { touch "$SCENE/three"; exit 7; } ;;
esac
echo "$WORKNODE_EPOCH" > "$WORKNODE_TASK.txt"
git add --all > /dev/null 2>&1 && git commit --quiet --message work > /dev/null 2>&1
[ "$WORKNODE_TASK" = one ] && worknode task submit > /dev/null 2>&1
hold
exit 0
"#;

/// Without a task it only looks around. An answer that no daemon took is given again.
const REVIEW: &str = r#"
for n in 1 2 3 4 5 6 7 8 9; do hold; done
[ -n "$WORKNODE_TASK" ] || { for n in $(seq 25); do hold; done; exit 0; }
n=0
until worknode approve "$WORKNODE_TASK" > /dev/null 2>&1; do
    n=$((n + 1))
    [ $n -lt 40 ] || exit 1
    hold
done
exit 0
"#;

/// A scene with the team in it.
pub(crate) fn scene() -> Scene {
    let scene = Scene::new();
    scene.script("bots/work.sh", &format!("{COUNT}{WORK}"));
    scene.script("bots/review.sh", &format!("{COUNT}{REVIEW}"));
    scene.and_team(&TEAM.replace("ATTEMPTS", &ATTEMPTS.to_string()))
}
