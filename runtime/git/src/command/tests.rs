use std::{fs, path::PathBuf};

use super::*;

/// A stand-in for git that runs a script.
/// An executable script. Another process writes it: a child that some other test forks at this
/// moment would inherit our handle, and a file that is open for writing cannot be executed.
fn script(folder: &Path, body: &str) -> PathBuf {
    let file = folder.join("program");
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
    let mut writer = std::process::Command::new("sh");
    let done = writer.arg("-c").arg(write).arg(&file).arg(body).status().unwrap();
    assert!(done.success());
    file
}

fn invocation(program: &Path) -> Invocation {
    Invocation::new(program).env("PATH", "/usr/bin:/bin").sub("test")
}

/// Gone, or dead and not yet collected by whoever inherited it.
fn is_dead(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .is_none_or(|stat| {
            stat.rsplit(')')
                .next()
                .is_some_and(|rest| rest.trim_start().starts_with('Z'))
        })
}

#[tokio::test]
async fn p8_a_run_that_takes_too_long_ends_with_its_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    // Neither of the two listens to TERM.
    let program = script(
        dir.path(),
        &format!(
            "trap '' TERM\n(trap '' TERM; sleep 1000) &\necho $! $$ > {}\nwait",
            pids.display()
        ),
    );
    let error = invocation(&program)
        .within(Duration::from_millis(300))
        .run()
        .await
        .unwrap_err();
    assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
    let pids = fs::read_to_string(pids).unwrap();
    for pid in pids.split_whitespace() {
        dies(pid).await;
    }
}

/// The signal is sent to all at once, and waited for is the first: the others may be on their way.
async fn dies(pid: &str) {
    let gone = async {
        while !is_dead(pid) {
            tokio::task::yield_now().await;
        }
    };
    let waited = timeout(Duration::from_secs(10), gone).await;
    assert!(waited.is_ok(), "{pid} is alive");
}

#[tokio::test]
async fn p8_a_flood_on_standard_output_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let program = script(dir.path(), "yes");
    let error = invocation(&program).at_most(1000).run().await.unwrap_err();
    assert!(
        matches!(error, GitError::TooMuchOutput { limit: 1000, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn p8_a_flood_on_standard_error_is_cut_and_does_not_stall() {
    let dir = tempfile::tempdir().unwrap();
    let program = script(dir.path(), "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 3");
    let error = invocation(&program).run().await.unwrap_err();
    let GitError::Failed { ending, stderr, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((ending.as_str(), stderr.len()), ("exit code 3", STDERR));
}

#[tokio::test]
async fn the_environment_is_empty_but_for_what_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let program = script(dir.path(), "env; cat");
    let text = invocation(&program).input("the input").text().await.unwrap();
    let names: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .filter(|name| !matches!(*name, "PWD" | "OLDPWD" | "SHLVL" | "_"))
        .collect();
    assert_eq!(names, ["PATH"]);
    assert!(text.ends_with("the input"));
}

#[tokio::test]
async fn only_accepted_exit_codes_are_answers() {
    let dir = tempfile::tempdir().unwrap();
    let program = script(dir.path(), "exit 1");
    assert_eq!(invocation(&program).accept(&[0, 1]).run().await.unwrap().code, 1);
    assert!(matches!(
        invocation(&program).run().await,
        Err(GitError::Failed { .. })
    ));
}
