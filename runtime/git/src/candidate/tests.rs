use super::*;
use crate::testing::{World, authorship, commit, git, write};

#[tokio::test]
async fn a_candidate_is_one_step_from_the_base_and_the_same_each_time() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "new", "draft\n");
    let draft = commit(&clone, "draft");
    write(&clone, "new", "final\n");
    commit(&clone, "final");
    let first = world.candidate(&clone).await;
    let second = world.candidate(&clone).await;
    assert_eq!(first, second);
    assert_eq!(*first.base(), world.base().await);

    let of = |format: &str| {
        git(
            world.store.dir(),
            [
                "log",
                "-1",
                &format!("--format={format}"),
                first.commit().as_str(),
            ],
        )
    };
    assert_eq!(of("%P"), first.base().as_str());
    assert_eq!(of("%T"), first.tree().as_str());
    assert_eq!(
        of("%an <%ae> %at|%cn <%ce> %ct"),
        "Agent <agent@worknode> 1700000000|Worknode <worknode@localhost> 1700000000"
    );
    assert_eq!(of("%B"), "The task");
    let history = git(world.store.dir(), ["rev-list", first.commit().as_str()]);
    assert!(!history.contains(draft.as_str()) && !history.contains(first.submitted().as_str()));
}

#[tokio::test]
async fn both_sides_are_kept_when_the_base_has_moved() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "README", "one\ntwo\nTHREE\n");
    commit(&clone, "agent");
    write(&world.user(), "README", "ONE\ntwo\nthree\n");
    commit(&world.user(), "user");
    let candidate = world.candidate(&clone).await;
    let merged = git(
        world.store.dir(),
        ["show", &format!("{}:README", candidate.commit())],
    );
    assert_eq!(merged, "ONE\ntwo\nTHREE");
}

#[tokio::test]
async fn a_conflict_names_the_files() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "README", "agent\n");
    write(&clone, "quiet", "agent\n");
    commit(&clone, "agent");
    write(&world.user(), "README", "user\n");
    commit(&world.user(), "user");
    let head = world.import(&clone).await.unwrap();
    assert_eq!(
        world.merged(&head).await,
        Merged::Conflict {
            paths: vec![RepoPath::new("README")]
        }
    );

    let base = world.base().await;
    let start = world
        .store
        .start_point(&base, Some(&head), &authorship())
        .await
        .unwrap();
    assert_eq!(
        start,
        StartPoint {
            commit: base,
            carries_previous: false
        }
    );
}

#[tokio::test]
async fn what_changes_nothing_is_empty() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    let head = world.import(&clone).await.unwrap();
    assert_eq!(head, world.base().await);
    assert_eq!(world.merged(&head).await, Merged::Empty);

    git(&clone, ["commit", "-q", "--allow-empty", "-m", "nothing"]);
    let head = world.import(&clone).await.unwrap();
    assert_eq!(world.merged(&head).await, Merged::Empty);
}

#[tokio::test]
async fn a_merge_program_named_by_the_base_does_not_decide() {
    let world = World::new().await;
    write(&world.user(), ".gitattributes", "README merge=union\n");
    commit(&world.user(), "attributes");
    let clone = world.clone("agent").await;
    write(&clone, "README", "agent\n");
    commit(&clone, "agent");
    write(&world.user(), "README", "user\n");
    commit(&world.user(), "user");
    let head = world.import(&clone).await.unwrap();
    assert!(matches!(world.merged(&head).await, Merged::Conflict { .. }));
}

#[tokio::test]
async fn a_second_attempt_starts_with_the_work_of_the_first() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "new", "first attempt\n");
    commit(&clone, "agent");
    let previous = world.import(&clone).await.unwrap();
    write(&world.user(), "elsewhere", "user\n");
    commit(&world.user(), "user");

    let base = world.base().await;
    let start = world
        .store
        .start_point(&base, Some(&previous), &authorship())
        .await
        .unwrap();
    assert!(start.carries_previous);
    let files = git(
        world.store.dir(),
        ["ls-tree", "-r", "--name-only", start.commit.as_str()],
    );
    assert_eq!(files, "README\nelsewhere\nnew\nsrc/main.rs");
    let again = world.store.start_point(&base, None, &authorship()).await.unwrap();
    assert_eq!(
        again,
        StartPoint {
            commit: base,
            carries_previous: false
        }
    );
}

#[tokio::test]
async fn messages_are_text_and_never_options() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "new", "x");
    commit(&clone, "agent");
    let head = world.import(&clone).await.unwrap();
    let base = world.base().await;
    let message = "--amend\n\n# not a comment\n\nZeile mit ü";
    let merged = world
        .store
        .candidate(&base, &head, message, &authorship())
        .await
        .unwrap();
    let Merged::Clean(candidate) = merged else {
        panic!()
    };
    assert_eq!(
        git(
            world.store.dir(),
            ["log", "-1", "--format=%B", candidate.commit().as_str()]
        ),
        message
    );
}

#[tokio::test]
async fn a_commit_that_was_not_imported_makes_no_candidate() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "new", "x");
    let head = commit(&clone, "agent");
    let base = world.base().await;
    assert!(
        world
            .store
            .candidate(&base, &head, "m", &authorship())
            .await
            .is_err()
    );
}
