use std::os::unix::fs::symlink;

use super::*;
use crate::testing::{World, commit, git, try_git, write};

#[tokio::test]
async fn an_agent_gets_a_private_clone_that_borrows() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    assert_eq!(git(&clone, ["status", "--porcelain"]), "");
    assert_eq!(git(&clone, ["symbolic-ref", "HEAD"]), "refs/heads/worknode/task");
    assert_eq!(git(&clone, ["rev-parse", "HEAD"]), world.base().await.as_str());
    assert_eq!(git(&clone, ["remote"]), "");
    assert_eq!(git(&clone, ["config", "user.name"]), "Agent");
    assert_eq!(git(&clone, ["config", "user.email"]), "agent@worknode");
    assert!(clone.join(".git").is_dir() && !clone.join(".git/hooks").exists());
    assert!(git(&clone, ["count-objects"]).starts_with("0 objects"));

    write(&clone, "new", "x");
    let made = commit(&clone, "work");
    git(&clone, ["fsck", "--strict"]);
    assert_eq!(world.store.head_of(&clone).await.unwrap(), Some(made.clone()));
    // What is private stays so until it is imported.
    assert!(!try_git(&world.user(), ["cat-file", "-e", made.as_str()]).0);
    assert!(!try_git(world.store.dir(), ["cat-file", "-e", made.as_str()]).0);
}

#[tokio::test]
async fn odd_names_of_agents_survive_the_configuration_file() {
    let world = World::new().await;
    let dest = world.path("agent");
    let odd = "A \"quoted\" \\ back; # ü x";
    let who = Identity::new(odd, "a@b").unwrap();
    world
        .store
        .clone_for_agent(&dest, &world.base().await, "t", &who)
        .await
        .unwrap();
    assert_eq!(git(&dest, ["config", "user.name"]), odd);
}

#[tokio::test]
async fn a_place_that_is_taken_is_left_alone() {
    let world = World::new().await;
    let base = world.base().await;
    for (name, file) in [("full", "full/file"), ("file", "file")] {
        write(&world.path(""), file, "mine");
        let refused = world.store.checkout(&base, &world.path(name)).await;
        assert!(matches!(refused, Err(GitError::PlaceTaken(_))), "{refused:?}");
        assert_eq!(fs::read_to_string(world.path(file)).unwrap(), "mine");
    }
    fs::create_dir(world.path("elsewhere")).unwrap();
    symlink(world.path("elsewhere"), world.path("link")).unwrap();
    let refused = world.store.checkout(&base, &world.path("link")).await;
    assert!(matches!(refused, Err(GitError::PlaceTaken(_))), "{refused:?}");

    fs::create_dir(world.path("empty")).unwrap();
    world.store.checkout(&base, &world.path("empty")).await.unwrap();
}

#[tokio::test]
async fn a_checkout_of_an_unknown_commit_leaves_nothing_behind() {
    let world = World::new().await;
    let unknown = "0123456789012345678901234567890123456789".parse().unwrap();
    let dest = world.path("gate");
    assert!(world.store.checkout(&unknown, &dest).await.is_err());
    assert!(!dest.exists());
}

#[tokio::test]
async fn a_checkout_is_detached_and_has_exactly_the_files() {
    let world = World::new().await;
    let candidate = world.writing("deep/er/file", "text\n").await;
    let gate = world.path("gate");
    world.store.checkout(candidate.commit(), &gate).await.unwrap();
    assert!(!try_git(&gate, ["symbolic-ref", "-q", "HEAD"]).0);
    assert_eq!(
        git(&gate, ["rev-parse", "HEAD^{tree}"]),
        candidate.tree().as_str()
    );
    assert_eq!(git(&gate, ["status", "--porcelain", "--ignored"]), "");
    assert_eq!(fs::read_to_string(gate.join("deep/er/file")).unwrap(), "text\n");
}

#[tokio::test]
async fn a_shallow_repository_can_be_worked_in() {
    let world = World::new().await;
    write(&world.user(), "second", "");
    commit(&world.user(), "second");
    let shallow = world.path("shallow");
    let from = format!("file://{}", world.user().display());
    git(
        &world.path(""),
        ["clone", "-q", "--depth=1", &from, shallow.to_str().unwrap()],
    );

    let repository = crate::Repository::open(&world.git, &shallow).await.unwrap();
    let store = Store::open(&world.path("shallow.git"), &repository)
        .await
        .unwrap();
    let base = repository.base_tip("main").await.unwrap();
    let agent = world.path("agent");
    let who = Identity::new("Agent", "a@b").unwrap();
    store.clone_for_agent(&agent, &base, "t", &who).await.unwrap();
    write(&agent, "third", "");
    let head = commit(&agent, "third");
    store
        .import(&agent, &head, &base, &crate::ImportLimits::default())
        .await
        .unwrap();
    git(store.dir(), ["fsck", "--strict"]);
}

/// What stands in a checkout: every path but git's, with what it holds.
fn contents(place: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut open = vec![place.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path == place.join(".git") {
                continue;
            }
            let name = path.strip_prefix(place).unwrap().display().to_string();
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
                all.push((name, Vec::new()));
            } else {
                all.push((name, fs::read(&path).unwrap_or_default()));
            }
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn p3_a_spare_that_is_turned_is_as_a_checkout_that_was_just_made() {
    let world = World::new().await;
    let (clone, base) = (world.clone("agent").await, world.base().await);
    write(&clone, "deep/er/file", "1");
    write(&clone, "gone", "1");
    write(&clone, ".gitignore", "ignored\n");
    let one = commit(&clone, "one");
    fs::remove_dir_all(clone.join("deep")).unwrap();
    fs::remove_file(clone.join("gone")).unwrap();
    symlink("anywhere", clone.join("gone")).unwrap();
    write(&clone, "deep", "a file now");
    let two = commit(&clone, "two");
    // The files stay as they are, and are written otherwise.
    write(&clone, "deeper/.gitattributes", "* ident\n");
    write(&clone, "deeper/named", "$Id$\n");
    write(&clone, "text", "a\nb\n");
    let three = commit(&clone, "three");
    write(&clone, ".gitattributes", "text eol=crlf\n");
    fs::remove_file(clone.join("deeper/.gitattributes")).unwrap();
    let four = commit(&clone, "four");
    world.import(&clone).await.unwrap();

    for (nth, (from, to)) in [
        (&base, &one),
        (&one, &two),
        (&two, &one),
        (&two, &base),
        (&one, &one),
        (&two, &three),
        (&three, &four),
        (&four, &three),
    ]
    .into_iter()
    .enumerate()
    {
        let (spare, fresh) = (
            world.path(&format!("spare-{nth}")),
            world.path(&format!("fresh-{nth}")),
        );
        world.store.spare_checkout(from, &spare).await.unwrap();
        // Nobody should have been there. If somebody was, nothing of it stays.
        write(&spare, "ignored", "x");
        write(&spare, "new/file", "x");
        write(&spare, ".git/config", "[core]\n\tworktree = /nowhere\n");
        world.store.turn_checkout(&spare, to).await.unwrap();
        world.store.checkout(to, &fresh).await.unwrap();
        assert_eq!(contents(&spare), contents(&fresh), "{nth}");
        assert_eq!(git(&spare, ["rev-parse", "HEAD"]), to.as_str());
        assert_eq!(git(&spare, ["status", "--porcelain", "--ignored"]), "");
        let config = |place: &Path| fs::read_to_string(place.join(".git/config")).unwrap();
        assert_eq!(config(&spare), config(&fresh));
    }
}
