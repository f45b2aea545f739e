use std::fs;

use super::*;
use crate::testing::{World, commit, git, try_git, write};

async fn open(path: &Path) -> RepositoryError {
    Repository::open(&Git::find().await.unwrap(), path)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn what_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    assert!(matches!(open(&at("absent")).await, RepositoryError::Missing(_)));

    fs::create_dir(at("plain")).unwrap();
    assert!(matches!(
        open(&at("plain")).await,
        RepositoryError::NotARepository(_)
    ));

    fs::create_dir(at("empty")).unwrap();
    git(&at("empty"), ["init", "-q"]);
    assert!(matches!(open(&at("empty")).await, RepositoryError::NoCommits(_)));
    assert!(matches!(
        open(&at("empty/.git")).await,
        RepositoryError::NoWorkTree(_)
    ));

    fs::create_dir(at("bare")).unwrap();
    git(&at("bare"), ["init", "-q", "--bare"]);
    assert!(matches!(open(&at("bare")).await, RepositoryError::NoWorkTree(_)));
}

#[tokio::test]
async fn a_partial_clone_is_refused() {
    let world = World::new().await;
    git(&world.user(), ["config", "remote.origin.promisor", "true"]);
    assert!(matches!(open(&world.user()).await, RepositoryError::Partial(_)));
}

#[tokio::test]
async fn a_branch_that_is_missing_or_no_branch_at_all_is_named() {
    let world = World::new().await;
    let missing = world.repository.base_tip("other").await;
    assert!(matches!(missing, Err(RepositoryError::NoSuchBranch { .. })));
    let bad = world.repository.base_tip("--all").await;
    assert!(matches!(bad, Err(RepositoryError::Git(GitError::BadBranch(_)))));
}

#[tokio::test]
async fn only_tracked_changes_where_the_branch_is_checked_out_are_dirty() {
    let world = World::new().await;
    let user = world.user();
    assert!(world.repository.dirty("main").await.unwrap().is_empty());

    write(&user, "untracked", "x");
    write(&user, "README", "changed\n");
    fs::remove_file(user.join("src/main.rs")).unwrap();
    let dirty = world.repository.dirty("main").await.unwrap();
    let dirty: Vec<_> = dirty.iter().map(ToString::to_string).collect();
    assert_eq!(dirty, ["README", "src/main.rs"]);

    git(&user, ["checkout", "-q", "-b", "other"]);
    assert!(world.repository.dirty("main").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_linked_worktree_leads_to_the_same_objects() {
    let world = World::new().await;
    let linked = world.path("linked");
    git(
        &world.user(),
        ["worktree", "add", "-q", linked.to_str().unwrap(), "-b", "side"],
    );
    let opened = Repository::open(&world.git, &linked).await.unwrap();
    assert_eq!(opened.object_dir(), world.repository.object_dir());
    assert_eq!(opened.common_dir(), world.repository.common_dir());
    assert_ne!(opened.root(), world.repository.root());
    assert_eq!(opened.base_tip("main").await.unwrap(), world.base().await);
}

#[tokio::test]
async fn contains_tells_what_a_crash_left_open() {
    let world = World::new().await;
    let first = world.base().await;
    let unknown: CommitId = "0123456789012345678901234567890123456789".parse().unwrap();
    assert!(world.repository.contains("main", &first).await.unwrap());
    assert!(!world.repository.contains("main", &unknown).await.unwrap());

    git(&world.user(), ["checkout", "-q", "-b", "side"]);
    write(&world.user(), "new", "");
    let side = commit(&world.user(), "side");
    assert!(!world.repository.contains("main", &side).await.unwrap());
    git(&world.user(), ["checkout", "-q", "main"]);
    git(&world.user(), ["merge", "-q", "--ff-only", "side"]);
    assert!(world.repository.contains("main", &side).await.unwrap());
    assert!(world.repository.contains("main", &first).await.unwrap());
}

#[tokio::test]
async fn a_repository_with_long_object_names_works_throughout() {
    let dir = tempfile::tempdir().unwrap();
    if !try_git(dir.path(), ["init", "-q", "--object-format=sha256"]).0 {
        return;
    }
    let world = World::with(&["init", "-q", "-b", "main", "--object-format=sha256"]).await;
    let candidate = world.writing("new", "text\n").await;
    assert_eq!(candidate.commit().as_str().len(), 64);
    world
        .store
        .checkout(candidate.commit(), &world.path("gate"))
        .await
        .unwrap();
    assert_eq!(fs::read_to_string(world.path("gate/new")).unwrap(), "text\n");
}
