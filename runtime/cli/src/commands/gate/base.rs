//! The tests of what a change is compared with.

use std::path::Path;

use worknode_actors::{
    definition::TestsDefinition,
    inspect::{Tested, random_run},
};
use worknode_core::{error::Error, git::CommitId};
use worknode_gates::settings::All;
use worknode_git::{Git, Repository, Store};

use super::{failed, here::Here};

/// Runs the tests on a clean checkout of `base`, which is gone afterwards. The repository itself is only
/// read.
pub(super) async fn tested(
    told: &All,
    tests: &TestsDefinition,
    root: &Path,
    base: &CommitId,
) -> Result<Tested, Error> {
    let place = std::env::temp_dir().join(format!("worknode-base-{}", random_run(super::super::now())));
    tokio::fs::create_dir_all(&place).await.map_err(failed)?;
    let tested = on_checkout(told, tests, root, base, &place).await;
    // What is left over is in the folder that the system empties.
    let _ = tokio::fs::remove_dir_all(&place).await;
    tested
}

async fn on_checkout(
    told: &All,
    tests: &TestsDefinition,
    root: &Path,
    base: &CommitId,
    place: &Path,
) -> Result<Tested, Error> {
    let git = Git::find().await.map_err(failed)?;
    let repository = Repository::open(&git, root).await.map_err(failed)?;
    let store = Store::open(&place.join("repo.git"), &repository)
        .await
        .map_err(failed)?;
    let tree = place.join("tree");
    store.checkout(base, &tree).await.map_err(failed)?;
    let ran = Tested::default().ran(told, tests, &Here::new(tree)?).await?;
    Ok(Tested::beside(ran.report()))
}
