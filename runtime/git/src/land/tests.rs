use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path};

use worknode_core::{
    event::Principal,
    git::TreeId,
    ids::{NodeId, RunId},
    task::{Approval, Landing, Review, Submission, Task, TaskCommand, TaskSpec, TaskStatus, decide},
    time::Timestamp,
};

use super::*;
use crate::testing::{World, commit, git, write};

async fn land(world: &World, candidate: &Candidate) -> Result<Landed, LandError> {
    world
        .repository
        .put_on_branch(candidate.clone(), "main", &world.store)
        .await
}

/// Everything of the user's that landing could change.
fn state(user: &Path) -> Vec<String> {
    vec![
        git(user, ["rev-parse", "main"]),
        git(
            user,
            ["status", "--porcelain=v2", "--branch", "--ignored", "-uall"],
        ),
        git(user, ["diff", "HEAD"]),
        git(user, ["stash", "list"]),
    ]
}

#[tokio::test]
async fn p3_exactly_the_judged_tree_lands_and_the_files_follow() {
    let world = World::new().await;
    let candidate = world.writing("src/new.rs", "new\n").await;
    let landed = land(&world, &candidate).await.unwrap();
    assert_eq!(landed.commit, *candidate.commit());
    assert_eq!(world.base().await, landed.commit);
    assert_eq!(
        git(&world.user(), ["rev-parse", "main^{tree}"]),
        candidate.tree().as_str()
    );
    assert_eq!(
        fs::read_to_string(world.user().join("src/new.rs")).unwrap(),
        "new\n"
    );
    assert_eq!(git(&world.user(), ["status", "--porcelain"]), "");
    assert!(
        world
            .repository
            .contains("main", candidate.commit())
            .await
            .unwrap()
    );
    // The user's repository stands on its own: it does not borrow from the store.
    fs::rename(world.store.dir(), world.path("away")).unwrap();
    git(&world.user(), ["fsck", "--strict"]);
}

#[tokio::test]
async fn p6_landing_what_has_landed_is_a_success_and_changes_nothing() {
    let world = World::new().await;
    let candidate = world.writing("new", "new\n").await;
    land(&world, &candidate).await.unwrap();
    write(&world.user(), "later", "user\n");
    let later = commit(&world.user(), "later");
    assert_eq!(
        land(&world, &candidate).await.unwrap().commit,
        *candidate.commit()
    );
    assert_eq!(world.base().await, later);
}

#[tokio::test]
async fn p3_a_base_that_moved_by_hand_stops_it() {
    let world = World::new().await;
    let candidate = world.writing("new", "new\n").await;
    write(&world.user(), "other", "user\n");
    let moved = commit(&world.user(), "by hand");
    let before = state(&world.user());
    let refused = land(&world, &candidate).await;
    assert!(
        matches!(&refused, Err(LandError::BaseMoved { now }) if *now == moved),
        "{refused:?}"
    );
    assert_eq!(state(&world.user()), before);
}

#[tokio::test]
async fn uncommitted_changes_in_the_way_stop_it_and_are_kept() {
    let world = World::new().await;
    let candidate = world.writing("README", "agent\n").await;
    write(&world.user(), "README", "precious\n");
    let before = state(&world.user());
    let refused = land(&world, &candidate).await;
    let Err(LandError::WorkTreeInTheWay { files, .. }) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(files, &[RepoPath::new("README")]);
    assert_eq!(state(&world.user()), before);

    git(&world.user(), ["add", "README"]);
    let before = state(&world.user());
    assert!(matches!(
        land(&world, &candidate).await,
        Err(LandError::WorkTreeInTheWay { .. })
    ));
    assert_eq!(state(&world.user()), before);
}

#[tokio::test]
async fn untracked_and_ignored_files_in_the_way_stop_it_and_are_kept() {
    let world = World::new().await;
    write(&world.user(), ".gitignore", "secret.env\n");
    commit(&world.user(), "ignore");
    let candidate = world.writing("secret.env", "agent\n").await;
    let other = world.writing("plain", "agent\n").await;
    write(&world.user(), "secret.env", "precious\n");
    write(&world.user(), "plain", "precious\n");
    for (candidate, file) in [(candidate, "secret.env"), (other, "plain")] {
        let refused = land(&world, &candidate).await;
        assert!(
            matches!(refused, Err(LandError::WorkTreeInTheWay { .. })),
            "{file}: {refused:?}"
        );
        assert_eq!(fs::read_to_string(world.user().join(file)).unwrap(), "precious\n");
    }
}

#[tokio::test]
async fn uncommitted_changes_elsewhere_are_kept_and_do_not_stop_it() {
    let world = World::new().await;
    let candidate = world.writing("new", "new\n").await;
    write(&world.user(), "README", "precious\n");
    write(&world.user(), "untracked", "precious\n");
    write(&world.user(), "staged", "precious\n");
    git(&world.user(), ["add", "staged"]);
    land(&world, &candidate).await.unwrap();
    assert_eq!(
        fs::read_to_string(world.user().join("README")).unwrap(),
        "precious\n"
    );
    assert_eq!(
        git(&world.user(), ["status", "--porcelain"]),
        "M README\nA  staged\n?? untracked".replacen('M', " M", 1)
    );
}

#[tokio::test]
async fn a_branch_that_is_not_checked_out_moves_alone() {
    for args in [
        ["checkout", "-q", "-b", "mine"],
        ["checkout", "-q", "--detach", "HEAD"],
    ] {
        let world = World::new().await;
        let candidate = world.writing("new", "new\n").await;
        git(&world.user(), args);
        let head = fs::read_to_string(world.user().join(".git/HEAD")).unwrap();
        write(&world.user(), "README", "precious\n");
        land(&world, &candidate).await.unwrap();
        assert_eq!(world.base().await, *candidate.commit());
        assert_eq!(fs::read_to_string(world.user().join(".git/HEAD")).unwrap(), head);
        assert!(!world.user().join("new").exists());
    }
}

#[tokio::test]
async fn a_linked_worktree_on_the_branch_follows() {
    let world = World::new().await;
    let candidate = world.writing("new", "new\n").await;
    git(&world.user(), ["checkout", "-q", "-b", "mine"]);
    let linked = world.path("linked");
    git(
        &world.user(),
        ["worktree", "add", "-q", linked.to_str().unwrap(), "main"],
    );
    write(&linked, "new", "in the way\n");
    assert!(matches!(
        land(&world, &candidate).await,
        Err(LandError::WorkTreeInTheWay { .. })
    ));
    fs::remove_file(linked.join("new")).unwrap();
    land(&world, &candidate).await.unwrap();
    assert!(linked.join("new").exists() && !world.user().join("new").exists());
    assert_eq!(git(&linked, ["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_worktree_whose_folder_is_gone_holds_nothing_back() {
    let world = World::new().await;
    let candidate = world.writing("new", "new\n").await;
    git(&world.user(), ["checkout", "-q", "-b", "mine"]);
    let linked = world.path("linked");
    git(
        &world.user(),
        ["worktree", "add", "-q", linked.to_str().unwrap(), "main"],
    );
    fs::remove_dir_all(&linked).unwrap();
    land(&world, &candidate).await.unwrap();
}

#[tokio::test]
async fn locks_of_another_git_stop_it() {
    let world = World::new().await;
    let candidate = world.writing("new", "new\n").await;
    for lock in ["index.lock", "refs/heads/main.lock"] {
        let lock = world.user().join(".git").join(lock);
        fs::write(&lock, "").unwrap();
        let refused = land(&world, &candidate).await;
        assert!(matches!(refused, Err(LandError::Locked { .. })), "{refused:?}");
        fs::remove_file(lock).unwrap();
        assert_ne!(world.base().await, *candidate.commit());
        assert_eq!(git(&world.user(), ["status", "--porcelain"]), "");
    }
    land(&world, &candidate).await.unwrap();
}

#[tokio::test]
async fn a_branch_that_is_being_rebased_is_not_moved() {
    let world = World::new().await;
    let candidate = world.writing("new", "new\n").await;
    git(
        &world.user(),
        [
            "-c",
            "sequence.editor=sed -i s/^pick/edit/",
            "rebase",
            "-q",
            "-i",
            "--root",
        ],
    );
    let refused = land(&world, &candidate).await;
    assert!(
        matches!(refused, Err(LandError::Busy { what: "rebase", .. })),
        "{refused:?}"
    );
    git(&world.user(), ["rebase", "--abort"]);
    land(&world, &candidate).await.unwrap();
}

#[tokio::test]
async fn hooks_and_odd_settings_of_the_user_stay_out_of_it() {
    let world = World::new().await;
    let user = world.user();
    let candidate = world.writing("new", "new\n").await;
    let mark = world.path("mark");
    for hook in [
        "post-merge",
        "pre-merge-commit",
        "reference-transaction",
        "post-index-change",
        "post-checkout",
    ] {
        let file = user.join(".git/hooks").join(hook);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("#!/bin/sh\ntouch {}\nexit 1\n", mark.display())).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (key, value) in [
        ("merge.ff", "false"),
        ("branch.main.mergeOptions", "--squash"),
        ("merge.verifySignatures", "true"),
        ("commit.gpgSign", "true"),
        ("protocol.file.allow", "never"),
        ("fetch.recurseSubmodules", "true"),
    ] {
        git(&user, ["config", key, value]);
    }
    land(&world, &candidate).await.unwrap();
    assert_eq!(world.base().await, *candidate.commit());
    assert!(!mark.exists());
}

#[tokio::test]
async fn a_candidate_that_the_store_lost_does_not_land() {
    let world = World::new().await;
    let candidate = world.writing("new", "new\n").await;
    fs::remove_dir_all(world.store.dir().join("objects")).unwrap();
    let before = state(&world.user());
    assert!(matches!(land(&world, &candidate).await, Err(LandError::Other(_))));
    assert_eq!(state(&world.user()), before);
}

#[tokio::test]
async fn only_one_of_two_candidates_on_the_same_base_lands() {
    let world = World::new().await;
    let one = world.writing("one", "1\n").await;
    let two = world.writing("two", "2\n").await;
    let (first, second) = tokio::join!(land(&world, &one), land(&world, &two));
    let landed = [&first, &second]
        .into_iter()
        .filter(|outcome| outcome.is_ok())
        .count();
    assert_eq!(landed, 1, "{first:?} {second:?}");
    assert_eq!(git(&world.user(), ["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_merge_that_is_not_concluded_stops_it() {
    let world = World::new().await;
    let candidate = world.writing("new", "new\n").await;
    git(&world.user(), ["checkout", "-q", "-b", "side"]);
    write(&world.user(), "side", "x");
    commit(&world.user(), "side");
    git(&world.user(), ["checkout", "-q", "main"]);
    git(&world.user(), ["merge", "-q", "--no-ff", "--no-commit", "side"]);
    let before = state(&world.user());
    let refused = land(&world, &candidate).await;
    assert!(
        matches!(refused, Err(LandError::Busy { what: "merge", .. })),
        "{refused:?}"
    );
    assert_eq!(state(&world.user()), before);
}

#[tokio::test]
async fn p5_a_landing_that_was_cut_off_before_the_branch_moved_can_be_taken_back() {
    let world = World::new().await;
    let user = world.user();
    let candidate = world.writing("README", "agent\n").await;
    let landing = Landing {
        tree: candidate.tree().clone(),
        commit: candidate.commit().clone(),
        base: candidate.base().clone(),
    };
    let take_back = || world.repository.take_back("main", &landing);
    let store = world.store.dir().to_str().unwrap().to_owned();
    git(&user, ["fetch", "-q", &store, candidate.kept_as().as_str()]);
    // Before it has written anything there is nothing to take back, and nothing is done.
    write(&user, "src/main.rs", "precious\n");
    let before = state(&user);
    take_back().await.unwrap();
    assert_eq!(state(&user), before);

    let (base, commit) = (candidate.base().as_str(), candidate.commit().as_str());
    git(&user, ["read-tree", "-m", "-u", base, commit]);
    take_back().await.unwrap();
    assert_eq!(state(&user), before);

    // What somebody has changed since is theirs.
    git(&user, ["read-tree", "-m", "-u", base, commit]);
    write(&user, "README", "mine\n");
    take_back().await.unwrap_err();
    assert_eq!(fs::read_to_string(user.join("README")).unwrap(), "mine\n");
}

#[tokio::test]
async fn p5_a_landing_that_was_cut_off_before_the_branch_moved_is_finished_by_landing_again() {
    let world = World::new().await;
    let user = world.user();
    let candidate = world.writing("README", "agent\n").await;
    write(&user, "src/main.rs", "precious\n");
    let store = world.store.dir().to_str().unwrap().to_owned();
    git(&user, ["fetch", "-q", &store, candidate.kept_as().as_str()]);
    git(
        &user,
        [
            "read-tree",
            "-m",
            "-u",
            candidate.base().as_str(),
            candidate.commit().as_str(),
        ],
    );
    assert!(
        !world
            .repository
            .contains("main", candidate.commit())
            .await
            .unwrap()
    );

    land(&world, &candidate).await.unwrap();
    assert_eq!(git(&user, ["status", "--porcelain"]), " M src/main.rs");
    assert_eq!(fs::read_to_string(user.join("README")).unwrap(), "agent\n");
}

#[tokio::test]
async fn files_where_folders_are_needed_and_the_other_way_round_are_kept() {
    let world = World::new().await;
    let user = world.user();
    write(&user, ".gitignore", "cache\n");
    commit(&user, "ignore");
    let folder = world.writing("cache/file", "agent\n").await;
    let file = world.writing("cache", "agent\n").await;

    write(&user, "cache", "precious\n");
    for candidate in [&folder, &file] {
        let refused = land(&world, candidate).await;
        let Err(LandError::WorkTreeInTheWay { files, .. }) = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!(files, &[RepoPath::new("cache")]);
        assert_eq!(fs::read_to_string(user.join("cache")).unwrap(), "precious\n");
    }

    fs::remove_file(user.join("cache")).unwrap();
    write(&user, "cache/mine", "precious\n");
    let refused = land(&world, &file).await;
    let Err(LandError::WorkTreeInTheWay { files, .. }) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(files, &[RepoPath::new("cache/mine")]);
    assert_eq!(fs::read_to_string(user.join("cache/mine")).unwrap(), "precious\n");
    land(&world, &folder).await.unwrap();
    assert_eq!(fs::read_to_string(user.join("cache/file")).unwrap(), "agent\n");
}

#[tokio::test]
async fn a_tracked_file_may_become_a_folder() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    fs::remove_file(clone.join("README")).unwrap();
    write(&clone, "README/inner", "text\n");
    commit(&clone, "agent's work");
    let candidate = world.candidate(&clone).await;
    land(&world, &candidate).await.unwrap();
    assert_eq!(git(&world.user(), ["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_landing_that_is_let_go_of_changes_nothing() {
    let world = World::new().await;
    let candidate = world.writing("new", "new\n").await;
    let changes = world
        .store
        .changes(candidate.base(), candidate.tree())
        .await
        .unwrap();
    world
        .repository
        .bring(&candidate, &[candidate.commit().clone()], &world.store)
        .await
        .unwrap();
    let branch = Branch::new("main").unwrap();
    let repository = world.repository.clone();
    let act = Act {
        repository,
        branch,
        candidate: candidate.clone(),
        changes,
    };
    let lock = act.lock(None).await.unwrap();
    // Whoever comes while it is locked is told so, and nothing changes.
    let refused = land(&world, &candidate).await;
    assert!(matches!(refused, Err(LandError::Locked { .. })), "{refused:?}");
    lock.release().await;
    act.perform().await.unwrap();
    assert_eq!(git(&world.user(), ["status", "--porcelain"]), "");
}

/// A permit, from the decision that makes permits.
fn permit(candidate: &Candidate, tree: &TreeId) -> LandPermit {
    let (agent, run) = (NodeId::from_parts(1, [1; 10]), RunId::from_parts(1, [2; 10]));
    let mut task = Task::new(TaskSpec {
        key: "task".to_owned(),
        title: "The task".to_owned(),
        prompt: String::new(),
        files: Vec::new(),
        may_delete: Vec::new(),
        depends_on: Vec::new(),
        agent: None,
        deadline: None,
        gates: Vec::new(),
        approval: Approval::None,
        max_attempts: 1,
        priority: 0,
        max_duration: None,
        ..TaskSpec::default()
    });
    task.status = TaskStatus::InReview(Box::new(Review {
        submission: Submission {
            commit: candidate.submitted().clone(),
            epoch: 1,
            agent,
            run: Some(run),
        },
        verdicts: BTreeMap::new(),
        candidate: None,
        approvals: Vec::new(),
        landing: None,
    }));
    let landing = Landing {
        tree: tree.clone(),
        commit: candidate.commit().clone(),
        base: candidate.base().clone(),
    };
    let begin = TaskCommand::BeginLanding { landing };
    decide(&task, &begin, &Principal::Runtime, Timestamp::default())
        .unwrap()
        .permit
        .unwrap()
}

#[tokio::test]
async fn p3_a_permit_is_for_one_tree_only() {
    let world = World::new().await;
    let candidate = world.writing("new", "new\n").await;
    let base = world.base().await;
    let other = world.store.tree_of(&base).await.unwrap();

    let wrong = permit(&candidate, &other);
    let refused = world
        .repository
        .land(wrong, candidate.clone(), "main", &world.store)
        .await;
    assert!(
        matches!(refused, Err(LandError::NotPermitted { .. })),
        "{refused:?}"
    );
    assert_eq!(world.base().await, base);

    let right = permit(&candidate, candidate.tree());
    world
        .repository
        .land(right, candidate.clone(), "main", &world.store)
        .await
        .unwrap();
    assert_eq!(world.base().await, *candidate.commit());
}

/// A candidate that writes one file, on top of another.
async fn on_top(world: &World, below: &Candidate, file: &str) -> Candidate {
    let alone = world.writing(file, "new\n").await;
    let merged = world
        .store
        .candidate(
            below.commit(),
            alone.submitted(),
            "On top",
            &crate::testing::authorship(),
        )
        .await
        .unwrap();
    match merged {
        crate::Merged::Clean(candidate) => candidate,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn p3_several_land_in_one_step_to_the_tree_that_was_judged() {
    let world = World::new().await;
    let first = world.writing("one", "new\n").await;
    let second = on_top(&world, &first, "two").await;
    let third = on_top(&world, &second, "three").await;
    let base = world.base().await;
    let stack = || vec![first.clone(), second.clone(), third.clone()];
    let permits = |tree: &TreeId| stack().iter().map(|one| permit(one, tree)).collect::<Vec<_>>();
    let land = |permits, stack| world.repository.land_stack(permits, stack, "main", &world.store);

    let own = stack().iter().map(|one| permit(one, one.tree())).collect();
    let refused = land(own, stack()).await;
    assert!(
        matches!(refused, Err(LandError::NotPermitted { .. })),
        "{refused:?}"
    );
    let mut few = permits(third.tree());
    few.pop();
    assert!(land(few, stack()).await.is_err(), "one without a permit");
    let gap = vec![first.clone(), third.clone()];
    assert!(
        land(permits(third.tree()), gap).await.is_err(),
        "not on top of each other"
    );
    assert_eq!(world.base().await, base);

    let landed = land(permits(third.tree()), stack()).await.unwrap();
    assert_eq!(landed.commit, *third.commit());
    assert_eq!(
        git(&world.user(), ["rev-parse", "main^{tree}"]),
        third.tree().as_str()
    );
    assert_eq!(git(&world.user(), ["rev-list", "--count", "main"]), "4");
    assert_eq!(git(&world.user(), ["status", "--porcelain"]), "");
    for file in ["one", "two", "three"] {
        assert!(world.user().join(file).exists(), "{file}");
    }
}
