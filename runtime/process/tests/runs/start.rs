//! What a run sees, and what it takes to start one.

use std::{fs, os::unix::fs::symlink, path::Path};

use worknode_process::{
    ExitStatus, Identify, Liveness, MARK, NotExecutable, SpawnError, SpawnSpec, sandbox::Sandbox,
};

use crate::scene::{Scene, variables};

async fn refusal(scene: &Scene, spec: SpawnSpec) -> SpawnError {
    match scene.spawn(spec).await {
        Err(error) => error,
        Ok(process) => panic!("started {:?}", process.identity()),
    }
}

#[tokio::test]
async fn the_environment_is_what_was_given_and_the_mark() {
    let scene = Scene::new();
    let mut spec = scene.command("/usr/bin/env", &[]);
    spec.env = variables(&[("A", "1"), ("B", "two words")]);
    let request = scene.request(spec);
    let run = request.run;
    crate::scene::spawn(request).await.unwrap().wait().await;
    assert_eq!(scene.stdout(), format!("A=1\nB=two words\n{MARK}={run}\n"));
}

#[tokio::test]
async fn standard_input_is_at_its_end() {
    let scene = Scene::new();
    let exit = scene.spawn(scene.command("cat", &[])).await.unwrap().wait().await;
    assert_eq!(exit.status, ExitStatus::Code(0));
    assert_eq!(exit.output.stdout.bytes, 0);
}

#[tokio::test]
async fn it_leads_its_own_group_in_its_own_directory() {
    let scene = Scene::new();
    let process = scene.start("pwd -P; cut -d' ' -f5 /proc/$$/stat; echo $$").await;
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
    let exit = scene.spawn(spec).await.unwrap().wait().await;
    assert_eq!(exit.status, ExitStatus::Code(7));

    let mut relative = scene.command("./bin/only-here", &["-c", "exit 7"]);
    relative.env.clear();
    let exit = scene.spawn(relative).await.unwrap().wait().await;
    assert_eq!(exit.status, ExitStatus::Code(7));
}

#[tokio::test]
async fn a_missing_program_is_named_with_the_path_that_was_searched() {
    let scene = Scene::new();
    let mut spec = scene.command("no-such-agent", &[]);
    spec.env = variables(&[("PATH", "/usr/bin:/bin")]);
    let error = refusal(&scene, spec.clone()).await.to_string();
    assert_eq!(
        error,
        "the program `no-such-agent` was not found in PATH (/usr/bin:/bin)"
    );
    spec.env.clear();
    assert!(
        refusal(&scene, spec)
            .await
            .to_string()
            .contains("no PATH was given")
    );
    let by_path = refusal(&scene, scene.command("/no/such/agent", &[]))
        .await
        .to_string();
    assert_eq!(by_path, "the program `/no/such/agent` was not found");
    assert!(matches!(
        refusal(&scene, scene.command("", &[])).await,
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
        match refusal(&scene, scene.command(program, &[])).await {
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
        let error = refusal(&scene, spec).await;
        assert!(matches!(error, SpawnError::WorkingDirectory { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn output_files_that_cannot_be_created_are_named_and_nothing_is_started() {
    let scene = Scene::new();
    let mut missing = scene.script("touch started");
    missing.stderr = scene.path("missing/err");
    assert!(refusal(&scene, missing).await.to_string().contains("missing/err"));

    let mut device = scene.script("touch started");
    device.stdout = "/dev/null".into();
    assert!(matches!(refusal(&scene, device).await, SpawnError::Output { .. }));
    assert!(Path::new("/dev/null").exists());

    let mut same = scene.script("touch started");
    same.stderr.clone_from(&same.stdout);
    assert!(matches!(
        refusal(&scene, same).await,
        SpawnError::SameOutput { .. }
    ));
    assert!(!scene.path("started").exists());
}

#[tokio::test]
async fn arguments_that_the_kernel_does_not_take_are_refused() {
    let scene = Scene::new();
    let long = "x".repeat(200 * 1024);
    for argument in ["a\0b", long.as_str()] {
        let error = refusal(&scene, scene.command("/bin/true", &[argument])).await;
        assert!(matches!(error, SpawnError::Unacceptable { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_shim_that_is_none_is_named() {
    let scene = Scene::new();
    for program in ["/no/such/worknode", "/bin/true"] {
        let mut request = scene.request(scene.script("touch started"));
        request.shim = program.into();
        let error = crate::scene::spawn(request).await.unwrap_err();
        assert!(matches!(error, SpawnError::Shim { .. }), "{error}");
        assert!(error.to_string().contains(program), "{error}");
    }
    assert!(!scene.path("started").exists());
}

#[tokio::test]
async fn a_box_that_is_closed_is_reported() {
    let scene = Scene::new();
    let mut spec = scene.script("exit 0");
    spec.sandbox = Some(Sandbox {
        write: vec![scene.root().to_path_buf()],
        best_effort: true,
        ..Sandbox::default()
    });
    let shim = scene.spawn(spec).await.unwrap();
    assert!(shim.enforced().is_some());
    assert!(shim.wait().await.enforced.is_some());
}

#[tokio::test]
async fn an_abandoned_start_leaves_no_process() {
    let scene = Scene::new();
    let request = scene.request(scene.script("mkfifo gate; read x < gate"));
    let run = request.run.to_string();
    let starting = crate::scene::spawn(request.clone());
    let begun = async {
        while !request.dir.join("shim.json").exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = begun => {}
        started = starting => panic!("{:?}", started.map(|shim| shim.identity().clone())),
    }
    // The start that nobody waits for is finished and ended by a task of its own.
    while !request.dir.join("exit.json").exists() {
        tokio::task::yield_now().await;
    }
    assert!(worknode_process::find_marked(MARK, &run).is_empty());
}
