use crate::{
    Merged,
    testing::{World, authorship, commit, git, write},
};

#[tokio::test]
async fn what_is_not_there_is_missing() {
    let world = World::new().await;
    let base = world.base().await;
    let tree = world.store.tree_of(&base).await.unwrap();
    let asked = ["README", "src", "src/main.rs", "none", "src/*", ":/README", "-x"];
    let asked: Vec<String> = asked.map(str::to_owned).into();
    let missing = world.store.missing(&tree, &asked).await.unwrap();
    assert_eq!(missing, ["src", "none", "src/*", ":/README", "-x"]);
    assert!(world.store.missing(&tree, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_landing_is_taken_back_and_what_came_later_stays() {
    let world = World::new().await;
    let before = world.base().await;
    write(&world.user(), "README", "changed\n");
    write(&world.user(), "made", "new\n");
    let landed = commit(&world.user(), "landed");
    write(&world.user(), "later", "stays\n");
    let later = commit(&world.user(), "later");
    let store = &world.store;
    let undoing = store
        .undoing(&landed, &before, "Undo", &authorship())
        .await
        .unwrap();
    let merged = store.candidate(&later, &undoing, "Undo", &authorship()).await;
    let Merged::Clean(candidate) = merged.unwrap() else {
        panic!("it fits")
    };
    let listed = git(
        store.dir(),
        ["ls-tree", "--name-only", "-r", candidate.tree().as_str()],
    );
    assert_eq!(listed, "README\nlater\nsrc/main.rs");
    let readme = git(store.dir(), ["show", &format!("{}:README", candidate.commit())]);
    assert_eq!(readme, "one\ntwo\nthree");
}

#[tokio::test]
async fn p3_another_message_is_the_same_tree_on_the_same_base() {
    let world = World::new().await;
    let candidate = world.writing("new", "new\n").await;
    let reworded = world
        .store
        .reworded(&candidate, candidate.base(), "Other words", &authorship())
        .await
        .unwrap();
    assert_eq!(
        (reworded.tree(), reworded.base(), reworded.submitted()),
        (candidate.tree(), candidate.base(), candidate.submitted())
    );
    assert_ne!(reworded.commit(), candidate.commit());
}
