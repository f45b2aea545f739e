//! What a run sees, and what it takes to start one.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::scene::spawn;
use worknode_process::{ExitStatus, Identify, Liveness, NotExecutable, SpawnError, SpawnSpec};

use crate::scene::{Scene, variables};

async fn refusal(spec: SpawnSpec) -> SpawnError {
    match spawn(spec).await {
        Err(error) => error,
        Ok(process) => panic!("started {:?}", process.identity()),
    }
}

#[tokio::test]
async fn the_environment_is_exactly_what_was_given() {
    let scene = Scene::new();
    let mut spec = scene.command("/usr/bin/env", &[]);
    spec.env = variables(&[("A", "1"), ("B", "two words")]);
    spawn(spec).await.unwrap().wait().await;
    assert_eq!(scene.stdout(), "A=1\nB=two words\n");
}

#[tokio::test]
async fn standard_input_is_at_its_end() {
    let scene = Scene::new();
    let exit = spawn(scene.command("cat", &[])).await.unwrap().wait().await;
    assert_eq!(exit.status, ExitStatus::Code(0));
    assert_eq!(exit.output.stdout.bytes, 0);
}

#[tokio::test]
async fn it_leads_its_own_group_in_its_own_directory() {
    let scene = Scene::new();
    let mut process = scene.start("pwd -P; cut -d' ' -f5 /proc/$$/stat; echo $$").await;
    let pid = process.identity().pid;
    process.wait().await;
    let here = fs::canonicalize(scene.root()).unwrap();
    assert_eq!(scene.stdout(), format!("{}\n{pid}\n{pid}\n", here.display()));
    assert_eq!(process.identity().is_alive(), Liveness::Gone);
}

#[tokio::test]
async fn programs_are_searched_in_the_path_that_the_run_gets() {
    let scene = Scene::new();
    fs::create_dir(scene.path("bin")).unwrap();
    symlink("/bin/sh", scene.path("bin/only-here")).unwrap();

    let mut spec = scene.command("only-here", &["-c", "exit 7"]);
    // An entry that does not exist, and one relative to the working directory.
    spec.env = variables(&[("PATH", "/nowhere:bin")]);
    let exit = spawn(spec).await.unwrap().wait().await;
    assert_eq!(exit.status, ExitStatus::Code(7));

    let mut relative = scene.command("./bin/only-here", &["-c", "exit 7"]);
    relative.env.clear();
    let exit = spawn(relative).await.unwrap().wait().await;
    assert_eq!(exit.status, ExitStatus::Code(7));
}

#[tokio::test]
async fn a_missing_program_is_named_with_the_path_that_was_searched() {
    let scene = Scene::new();
    let mut spec = scene.command("no-such-agent", &[]);
    spec.env = variables(&[("PATH", "/usr/bin:/bin")]);
    let error = refusal(spec.clone()).await.to_string();
    assert_eq!(
        error,
        "the program `no-such-agent` was not found in PATH (/usr/bin:/bin)"
    );
    spec.env.clear();
    assert!(refusal(spec).await.to_string().contains("no PATH was given"));
    let by_path = refusal(scene.command("/no/such/agent", &[])).await.to_string();
    assert_eq!(by_path, "the program `/no/such/agent` was not found");
    assert!(matches!(
        refusal(scene.command("", &[])).await,
        SpawnError::ProgramNotFound { .. }
    ));
}

#[tokio::test]
async fn what_cannot_be_executed_is_told_apart() {
    let scene = Scene::new();
    // Written by a child: a descriptor open for writing in this process could be inherited by a
    // child that another test starts at that moment, and the file would be busy.
    let prepare = "touch plain; echo '#!/no/such/interpreter' > orphan; printf '\\1\\2' > noise; \
                   chmod +x orphan noise";
    assert!(scene.start(prepare).await.wait().await.status.success());
    let cases = [
        ("./plain", NotExecutable::Permission),
        ("./orphan", NotExecutable::Interpreter),
        ("./noise", NotExecutable::Format),
        ("/tmp", NotExecutable::Directory),
    ];
    for (program, expected) in cases {
        match refusal(scene.command(program, &[])).await {
            SpawnError::NotExecutable { reason, .. } => assert_eq!(reason, expected, "{program}"),
            other => panic!("{program}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_working_directory_that_is_none_is_named() {
    let scene = Scene::new();
    fs::write(scene.path("file"), "").unwrap();
    for name in ["missing", "file"] {
        let mut spec = scene.script("exit 0");
        spec.cwd = scene.path(name);
        let error = refusal(spec).await;
        assert!(matches!(error, SpawnError::WorkingDirectory { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn output_files_that_cannot_be_created_are_named_and_nothing_is_started() {
    let scene = Scene::new();
    let mut missing = scene.script("touch started");
    missing.stderr = scene.path("missing/err");
    assert!(refusal(missing).await.to_string().contains("missing/err"));

    let mut device = scene.script("touch started");
    device.stdout = "/dev/null".into();
    assert!(matches!(refusal(device).await, SpawnError::Output { .. }));
    assert!(Path::new("/dev/null").exists());

    let mut same = scene.script("touch started");
    same.stderr.clone_from(&same.stdout);
    assert!(matches!(refusal(same).await, SpawnError::SameOutput { .. }));
    assert!(!scene.path("started").exists());
}

#[tokio::test]
async fn arguments_that_the_kernel_does_not_take_are_refused() {
    let scene = Scene::new();
    let long = "x".repeat(200 * 1024);
    for argument in ["a\0b", long.as_str()] {
        let error = refusal(scene.command("/bin/true", &[argument])).await;
        assert!(matches!(error, SpawnError::Unacceptable { .. }), "{error}");
    }
}
