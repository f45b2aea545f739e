//! What carries a run's mark is found wherever it went.

use crate::scene::spawn;
use worknode_process::{find_marked, stop_identity};

use crate::scene::{LONG, Scene, has_written};

#[tokio::test]
async fn p4_what_left_the_group_is_found_by_its_mark_and_stopped() {
    let scene = Scene::new();
    let run = format!("run-{}", scene.root().display());
    let mut spec = scene.script(
        "setsid sh -c 'echo $$ > note; mv note away; exec sleep 1000' & while ! [ -e away ]; do :; done; \
         mkfifo gate; echo up; read x < gate",
    );
    spec.env.insert("WORKNODE_RUN".into(), run.clone().into());
    let mut process = spawn(spec).await.unwrap();
    has_written(&process.activity()).await;

    let leader = process.identity().clone();
    let away = scene.noted("away").unwrap();
    let found = find_marked("WORKNODE_RUN", &run);
    assert!(found.contains(&leader) && found.contains(&away), "{found:?}");
    assert!(find_marked("WORKNODE_RUN", &run[..run.len() - 1]).is_empty());
    assert!(find_marked("RUN", &run).is_empty());

    process.stopper().stop(LONG).await;
    process.wait().await;
    assert_eq!(find_marked("WORKNODE_RUN", &run), std::slice::from_ref(&away));
    assert!(stop_identity(&away, LONG).await.gone());
    assert!(find_marked("WORKNODE_RUN", &run).is_empty());
}
