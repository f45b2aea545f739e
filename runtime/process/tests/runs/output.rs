//! What is kept of a run's output.

use std::fs;

use worknode_process::{ExitStatus, Notice};

use crate::scene::Scene;

const MIB: u64 = 1024 * 1024;

fn size(scene: &Scene, name: &str) -> u64 {
    fs::metadata(scene.path(name)).map_or(0, |file| file.len())
}

#[tokio::test]
async fn both_streams_go_to_their_files_and_are_counted() {
    let scene = Scene::new();
    let exit = scene.end_of("echo to out; echo to stderr >&2").await;
    assert_eq!(scene.stdout(), "to out\n");
    assert_eq!(fs::read_to_string(scene.path("err")).unwrap(), "to stderr\n");
    assert_eq!((exit.output.stdout.bytes, exit.output.stderr.bytes), (7, 10));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_as_they_are() {
    let scene = Scene::new();
    let bytes: Vec<u8> = (0..=255).collect();
    fs::write(scene.path("bytes"), &bytes).unwrap();
    scene
        .spawn(scene.command("cat", &["bytes"]))
        .await
        .unwrap()
        .wait()
        .await;
    assert_eq!(fs::read(scene.path("out")).unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p8_a_flood_costs_no_more_disk_than_the_limit() {
    let scene = Scene::new();
    let script = "head -c 209715200 /dev/zero; printf the-end; head -c 1000000 /dev/zero >&2";
    let mut spec = scene.script(script);
    spec.output_limit = MIB;
    let exit = scene.spawn(spec).await.unwrap().wait().await;
    assert_eq!(exit.status, ExitStatus::Code(0));

    let kept = size(&scene, "out") + size(&scene, "out.1");
    assert!(kept <= MIB, "{kept}");
    assert!(kept >= MIB / 2, "{kept}");
    assert_eq!(exit.output.stdout.bytes, 200 * MIB + 7);
    assert_eq!(exit.output.stdout.dropped + kept, 200 * MIB + 7);
    assert_eq!(exit.output.stdout.write_error, None);
    assert!(fs::read(scene.path("out")).unwrap().ends_with(b"the-end"));
    // The other stream has its own limit.
    assert_eq!(
        (exit.output.stderr.bytes, exit.output.stderr.dropped),
        (1_000_000, 0)
    );
}

#[tokio::test]
async fn a_run_goes_on_when_its_output_cannot_be_written() {
    let scene = Scene::new();
    fs::create_dir(scene.path("logs")).unwrap();
    let mut spec = scene.script("rm -r logs; head -c 1000000 /dev/zero; exit 3");
    spec.stdout = scene.path("logs/out");
    spec.output_limit = 1000;
    let exit = scene.spawn(spec).await.unwrap().wait().await;
    assert_eq!(exit.status, ExitStatus::Code(3));
    assert_eq!(exit.output.stdout.bytes, 1_000_000);
    assert!(exit.output.stdout.dropped >= 999_500);
    assert!(exit.output.stdout.write_error.unwrap().contains("logs/out"));
}

#[tokio::test]
async fn output_is_told_as_it_grows() {
    let scene = Scene::new();
    let shim = scene
        .ready("mkfifo gate; exec 3<>gate; echo up; while read x <&3; do echo more; done")
        .await;
    let mut notices = shim.notices();
    for _ in 0..3 {
        let (before, _) = shim.output();
        fs::write(scene.path("gate"), "x\n").unwrap();
        loop {
            match notices.next().await.unwrap() {
                Notice::Output { stdout, .. } if stdout > before.max(3) => break,
                _ => {}
            }
        }
    }
    shim.stopper().stop(crate::scene::LONG).await;
}
