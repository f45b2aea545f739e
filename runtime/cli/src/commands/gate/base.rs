//! The tests of what a change is compared with.

use std::path::Path;

use worknode_actors::{definition::TestsDefinition, inspect::Tested};
use worknode_core::{error::Error, git::CommitId};
use worknode_gates::settings::All;
use worknode_git::{Git, Repository, Store};

use super::{
    failed,
    here::{Here, Scratch},
};

/// Runs the tests on a clean checkout of `base`, which is gone afterwards. The repository itself is only
/// read.
pub(super) async fn tested(
    told: &All,
    tests: &TestsDefinition,
    root: &Path,
    base: &CommitId,
) -> Result<Tested, Error> {
    let place = Scratch::new()?;
    let git = Git::find().await.map_err(failed)?;
    let repository = Repository::open(&git, root).await.map_err(failed)?;
    let store = Store::open(&place.path().join("repo.git"), &repository)
        .await
        .map_err(failed)?;
    let tree = place.path().join("tree");
    store.checkout(base, &tree).await.map_err(failed)?;
    let ran = Tested::default().ran(told, tests, &Here::new(tree)?).await?;
    let tested = Tested::default();
    tested.compare_with(ran.counted(tests));
    Ok(tested)
}
