use std::{fs, os::unix::fs::symlink};

use super::*;
use crate::testing::{World, commit, git, write};

fn of<'a>(survey: &'a Survey, path: &str) -> Option<&'a Surveyed> {
    survey
        .files
        .iter()
        .find(|file| file.change.path.as_str() == Some(path))
}

fn file(text: &str) -> Contents {
    Contents::File(text.as_bytes().to_vec())
}

#[tokio::test]
async fn a_work_tree_is_seen_as_it_is() {
    let world = World::new().await;
    let user = world.user();
    write(&user, "src/main.rs", "fn main() { run() }\n");
    write(&user, "new.txt", "new\n");
    write(&user, ".gitignore", "ignored\n");
    write(&user, "ignored", "x\n");
    symlink("src/main.rs", user.join("link")).unwrap();
    fs::remove_file(user.join("README")).unwrap();
    let against = Against::Base("HEAD".into());
    let survey = survey(&world.git, &user.join("src"), &against).await.unwrap();
    let main = of(&survey, "src/main.rs").unwrap();
    assert_eq!(main.before, file("fn main() {}\n"));
    assert_eq!(main.after, file("fn main() { run() }\n"));
    assert_eq!(of(&survey, "new.txt").unwrap().change.kind, ChangeKind::Added);
    assert_eq!(
        of(&survey, "link").unwrap().after,
        Contents::Link(b"src/main.rs".to_vec())
    );
    assert_eq!(of(&survey, "README").unwrap().after, Contents::Nothing);
    assert_eq!(of(&survey, "ignored"), None);
}

#[tokio::test]
async fn what_is_staged_is_not_what_lies_there() {
    let world = World::new().await;
    let user = world.user();
    write(&user, "README", "staged\n");
    git(&user, ["add", "README"]);
    write(&user, "README", "not staged\n");
    let staged = survey(&world.git, &user, &Against::Staged).await.unwrap();
    assert_eq!(staged.files.len(), 1);
    assert_eq!(staged.files[0].after, file("staged\n"));
}

#[tokio::test]
async fn what_came_to_the_base_since_is_not_part_of_the_change() {
    let world = World::new().await;
    let user = world.user();
    git(&user, ["checkout", "-q", "-b", "work"]);
    write(&user, "mine", "x\n");
    commit(&user, "mine");
    git(&user, ["checkout", "-q", "main"]);
    write(&user, "theirs", "x\n");
    commit(&user, "theirs");
    git(&user, ["checkout", "-q", "work"]);
    let found = survey(&world.git, &user, &Against::Base("main".into()))
        .await
        .unwrap();
    let paths: Vec<_> = found
        .files
        .iter()
        .filter_map(|file| file.change.path.as_str())
        .collect();
    assert_eq!(paths, ["mine"]);
    let bad = survey(&world.git, &user, &Against::Base("--output=x".into())).await;
    assert!(bad.is_err());
}

#[tokio::test]
async fn without_a_commit_everything_is_new() {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), ["init", "-q"]);
    write(dir.path(), "a", "x\n");
    git(dir.path(), ["add", "a"]);
    let found = Git::find().await.unwrap();
    for against in [Against::Nothing, Against::Staged] {
        let survey = survey(&found, dir.path(), &against).await.unwrap();
        assert_eq!(survey.files.len(), 1, "{against:?}");
        assert_eq!(survey.files[0].after, file("x\n"));
    }
}

#[tokio::test]
async fn p8_a_huge_file_is_told_and_not_read() {
    let world = World::new().await;
    let user = world.user();
    write(&user, "huge", &"x".repeat(5 * 1024 * 1024));
    git(&user, ["add", "huge"]);
    for against in [Against::Staged, Against::Base("HEAD".into()), Against::Nothing] {
        let survey = survey(&world.git, &user, &against).await.unwrap();
        assert_eq!(
            of(&survey, "huge").unwrap().after,
            Contents::TooLarge(5 * 1024 * 1024)
        );
    }
}

#[tokio::test]
async fn the_store_knows_what_a_candidate_holds() {
    let world = World::new().await;
    let base = world.base().await;
    let tree = world.store.tree_of(&base).await.unwrap();
    let none = world.store.survey(Some(&base), &tree).await.unwrap();
    assert!(none.files.is_empty());
    let all = world.store.survey(None, &tree).await.unwrap();
    assert_eq!(all.files.len(), 2);
    assert_eq!(all.tree.len(), 2);
    assert_eq!(of(&all, "src/main.rs").unwrap().after, file("fn main() {}\n"));
}
