//! What somebody does in a scene. Each deed is repeated until the journal shows it, as a person
//! would whose command met no daemon.

use worknode_tests::scene::Scene;

use crate::{history::History, steps::Act, team::HOLD};

/// The agent that is frozen and killed.
const VICTIM: &str = "worker-1";

/// Does what is to be done next; false when there is nothing left to do.
pub(crate) fn go_on(act: Act, scene: &Scene, history: &History) -> bool {
    if history.count("daemon_started") == 0 {
        return true;
    }
    if history.count("go") == 0 {
        scene.worknode(&["emit", "go"]);
        return true;
    }
    match act {
        Act::Watch | Act::Patience => false,
        Act::Freeze => FREEZE.go_on(scene, history),
        Act::Kill => KILL.go_on(scene, history),
        Act::Panic => panic(scene, history),
        Act::InTheWay => clear_the_way(scene, history),
        Act::Fire => fire(scene, history),
    }
}

/// The run of the first firing is waited for. It may have come and gone while nobody could say so.
fn has_to_come(history: &History) -> bool {
    let came = history.at_work("watcher").is_some() || history.count("trigger_acted") >= 2;
    history.count("look") == 1 && !came
}

/// Two firings, one after the other.
fn fire(scene: &Scene, history: &History) -> bool {
    let fired = history.count("look") >= 2;
    if !fired && !has_to_come(history) {
        scene.worknode(&["emit", "look"]);
    }
    !fired
}

/// What a person has there stays until a landing was given up because of it.
fn clear_the_way(scene: &Scene, history: &History) -> bool {
    if history.count("landing_abandoned") == 0 {
        return true;
    }
    if std::fs::read_to_string(scene.file("one.txt")).is_ok_and(|text| text == THEIRS) {
        std::fs::remove_file(scene.file("one.txt")).unwrap();
    }
    false
}

const FREEZE: Twice<'_> = Twice {
    first: ("run_frozen", &["freeze", VICTIM]),
    then: ("run_thawed", &["thaw", VICTIM]),
};
const KILL: Twice<'_> = Twice {
    first: ("agent_stopped", &["kill", VICTIM, "--grace", "200ms"]),
    then: ("agent_resumed", &["agent", "resume", VICTIM]),
};

/// Something that is done to the victim while it works, and taken back.
struct Twice<'a> {
    /// What tells that it was done, and how it is done.
    first: (&'a str, &'a [&'a str]),
    then: (&'a str, &'a [&'a str]),
}

impl Twice<'_> {
    fn go_on(&self, scene: &Scene, history: &History) -> bool {
        let (done, command) = self.first;
        if history.count(done) == 0 {
            if history.at_work(VICTIM).is_some() {
                scene.worknode(command);
            }
            return true;
        }
        let (done, command) = self.then;
        let taken_back = history.count(done) > 0;
        if !taken_back {
            scene.worknode(command);
        }
        !taken_back
    }
}

/// What a person has in the file that a task is to write.
const THEIRS: &str = "mine\n";

/// Prepares what has to be there before the team works.
pub(crate) fn prepare(act: Act, scene: &Scene) {
    match act {
        Act::InTheWay => scene.write("one.txt", THEIRS),
        Act::Patience => scene.write("patience", ""),
        Act::Panic => scene.write(HOLD, ""),
        Act::Watch | Act::Freeze | Act::Kill | Act::Fire => {}
    }
}

/// Agents hold until the panic has stopped all of them: none of them ends by itself before.
fn panic(scene: &Scene, history: &History) -> bool {
    if history.count("panicked") == 0 {
        if history.at_work(VICTIM).is_some() {
            scene.worknode(&["panic"]);
        }
        return true;
    }
    if history.count("panic_lifted") < 3 {
        // Once it is being lifted, there may be new ones.
        let begun = history.count("panic_lifted") > 0;
        if begun || history.runs().iter().all(|run| !run.exited.is_empty()) {
            scene.worknode(&["unpanic"]);
        }
        return true;
    }
    let _ = std::fs::remove_file(scene.file(HOLD));
    false
}

/// Whether the agents hold because of what is done, and not because no daemon lives.
pub(crate) fn holds_agents(act: Act) -> bool {
    act == Act::Panic
}
