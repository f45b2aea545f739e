use std::{fs, os::unix::fs::symlink};

use super::*;
use crate::{
    Merged,
    testing::{World, authorship, commit, git, poison, try_git, write},
};

#[tokio::test]
async fn p9_nothing_that_an_agent_configured_ever_runs() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, ".gitattributes", "* filter=evil merge=evil diff=evil\n");
    write(&clone, "README", "one\ntwo\nTHREE\n");
    commit(&clone, "a trap");
    write(&world.user(), "README", "ONE\ntwo\nthree\n");
    commit(&world.user(), "meanwhile");
    let mark = poison(&world, &clone);

    let candidate = world.candidate(&clone).await;
    let changes = world
        .store
        .changes(candidate.base(), candidate.tree())
        .await
        .unwrap();
    assert_eq!(changes.len(), 2);
    let gate = world.path("gate");
    world.store.checkout(candidate.commit(), &gate).await.unwrap();
    assert_eq!(
        fs::read_to_string(gate.join("README")).unwrap(),
        "ONE\ntwo\nTHREE\n"
    );
    assert!(!mark.exists(), "something of the agent's ran");

    // The trap is real: an ordinary git in the clone falls into it.
    git(&clone, ["status"]);
    assert!(mark.exists());
}

#[tokio::test]
async fn importing_twice_is_importing_once() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "new", "x");
    let head = commit(&clone, "work");
    world.import(&clone).await.unwrap();
    fs::remove_dir_all(clone.join(".git/objects")).unwrap();
    assert_eq!(world.import(&clone).await.unwrap(), head);
    git(world.store.dir(), ["fsck", "--strict"]);
    assert_eq!(
        fs::read_dir(world.store.dir().join("quarantine"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn packed_work_is_imported_and_the_base_itself_is_too() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    let world_base = world.import(&clone).await.unwrap();
    for n in 0..20 {
        write(&clone, &format!("file-{n}"), &"text\n".repeat(n));
        commit(&clone, "work");
    }
    git(&clone, ["gc", "-q"]);
    git(&clone, ["pack-refs", "--all"]);
    world.import(&clone).await.unwrap();
    // What the user has is borrowed, not copied.
    let alternates = world.store.dir().join("objects/info/alternates");
    fs::write(alternates, "").unwrap();
    assert!(!try_git(world.store.dir(), ["cat-file", "-e", world_base.as_str()]).0);
}

#[tokio::test]
async fn a_commit_that_is_not_there_is_not_imported() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    let base = world.base().await;
    let blob = git(&clone, ["rev-parse", "HEAD:README"]);
    let long = "0".repeat(64);
    for absent in ["0123456789012345678901234567890123456789", &blob, &long] {
        let absent = absent.parse().unwrap();
        let refused = world
            .store
            .import(&clone, &absent, &base, &ImportLimits::default())
            .await;
        assert!(
            matches!(refused, Err(ImportError::NoSuchCommit { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn p9_an_incomplete_commit_is_refused_each_time() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "new", "precious");
    commit(&clone, "work");
    let blob = git(&clone, ["rev-parse", "HEAD:new"]);
    fs::remove_file(clone.join(".git/objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    for _ in 0..2 {
        let refused = world.import(&clone).await;
        assert!(matches!(refused, Err(ImportError::Broken { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn p9_an_object_that_is_not_what_its_name_says_is_refused() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "new", "what was judged\n");
    write(&clone, "other", "what is shown instead\n");
    commit(&clone, "work");
    let place = |name: &str| {
        let id = git(&clone, ["rev-parse", &format!("HEAD:{name}")]);
        clone.join(".git/objects").join(&id[..2]).join(&id[2..])
    };
    fs::remove_file(place("new")).unwrap();
    fs::copy(place("other"), place("new")).unwrap();
    let refused = world.import(&clone).await;
    assert!(matches!(refused, Err(ImportError::Broken { .. })), "{refused:?}");
}

#[tokio::test]
async fn p9_a_tree_that_reaches_into_the_git_folder_is_refused() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    let blob = git(&clone, ["rev-parse", "HEAD:README"]);
    let raw: Vec<u8> = blob
        .as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect();
    for name in [".git", "..", ".GIT"] {
        let entry = [format!("100644 {name}\0").as_bytes(), &raw].concat();
        fs::write(world.path("tree"), entry).unwrap();
        let file = world.path("tree");
        let tree = git(
            &clone,
            [
                "hash-object",
                "-t",
                "tree",
                "-w",
                "--literally",
                file.to_str().unwrap(),
            ],
        );
        let made = git(&clone, ["commit-tree", &tree, "-p", "HEAD", "-m", "evil"]);
        let made = made.parse().unwrap();
        let base = world.base().await;
        let refused = world
            .store
            .import(&clone, &made, &base, &ImportLimits::default())
            .await;
        assert!(
            matches!(refused, Err(ImportError::Broken { .. })),
            "{name}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_commit_of_another_history_is_refused() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    git(&clone, ["checkout", "-q", "--orphan", "fresh"]);
    let head = commit(&clone, "another beginning");
    let refused = world.import(&clone).await;
    assert!(
        matches!(refused, Err(ImportError::Unrelated { .. })),
        "{refused:?}"
    );
    assert!(
        !try_git(
            world.store.dir(),
            [
                "rev-parse",
                "--verify",
                &format!("refs/worknode/submissions/{head}")
            ]
        )
        .0
    );
}

#[tokio::test]
async fn p8_a_submission_that_is_too_large_is_refused() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    // Packs well: small as stored, large when unpacked.
    write(&clone, "zeros", &"0".repeat(3_000_000));
    let head = commit(&clone, "a bomb");
    let base = world.base().await;
    let unpacked = ImportLimits {
        unpacked: 2_000_000,
        ..ImportLimits::default()
    };
    let stored = ImportLimits {
        stored: 1000,
        ..ImportLimits::default()
    };
    for limits in [unpacked, stored] {
        let refused = world.store.import(&clone, &head, &base, &limits).await;
        assert!(
            matches!(refused, Err(ImportError::TooLarge { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        fs::read_dir(world.store.dir().join("quarantine"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn p8_a_tree_that_unfolds_without_end_is_refused() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    // Ten levels of a folder that holds ten times the same folder: ten thousand million files.
    for level in 0..10 {
        let inner = if level == 0 {
            format!("100644 blob {}", git(&clone, ["rev-parse", "HEAD:README"]))
        } else {
            format!("040000 tree {}", fs::read_to_string(world.path("inner")).unwrap())
        };
        let lines: String = (0..10).map(|n| format!("{inner}\t{n}\n")).collect();
        fs::write(world.path("lines"), lines).unwrap();
        let made = std::process::Command::new("git")
            .arg("-C")
            .arg(&clone)
            .arg("mktree")
            .stdin(fs::File::open(world.path("lines")).unwrap())
            .output()
            .unwrap();
        fs::write(
            world.path("inner"),
            String::from_utf8(made.stdout).unwrap().trim(),
        )
        .unwrap();
    }
    let tree = fs::read_to_string(world.path("inner")).unwrap();
    let made = git(&clone, ["commit-tree", &tree, "-p", "HEAD", "-m", "bomb"])
        .parse()
        .unwrap();
    let refused = world
        .store
        .import(&clone, &made, &world.base().await, &ImportLimits::default())
        .await;
    assert!(
        matches!(refused, Err(ImportError::TooManyFiles { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn p9_what_the_clone_borrows_from_elsewhere_is_not_followed() {
    let world = World::new().await;
    let secret = World::new().await;
    write(&secret.user(), "secret", "s");
    let hidden = commit(&secret.user(), "secret");
    let clone = world.clone("agent").await;
    let alternates = clone.join(".git/objects/info/alternates");
    // To a stranger's objects, and to itself.
    let list = format!(
        "{}\n{}\n",
        secret.user().join(".git/objects").display(),
        clone.join(".git/objects").display()
    );
    fs::write(&alternates, list).unwrap();
    let refused = world
        .store
        .import(&clone, &hidden, &world.base().await, &ImportLimits::default())
        .await;
    assert!(
        matches!(refused, Err(ImportError::NoSuchCommit { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn p9_object_files_that_are_links_or_pipes_are_refused() {
    let world = World::new().await;
    let base = world.base().await;
    for (name, trap) in [("link", "link"), ("pipe", "pipe"), ("folder", "folder")] {
        let clone = world.clone(name).await;
        write(&clone, "new", name);
        let head = commit(&clone, "work");
        let folder = clone.join(".git/objects").join(&head.as_str()[..2]);
        let file = folder.join(&head.as_str()[2..]);
        match trap {
            "link" => {
                fs::rename(&file, world.path("moved")).unwrap();
                symlink(world.path("moved"), &file).unwrap();
            }
            "pipe" => {
                fs::remove_file(&file).unwrap();
                assert!(
                    std::process::Command::new("mkfifo")
                        .arg(&file)
                        .status()
                        .unwrap()
                        .success()
                );
            }
            _ => {
                fs::rename(&folder, world.path("moved-folder")).unwrap();
                symlink(world.path("moved-folder"), &folder).unwrap();
            }
        }
        let refused = world
            .store
            .import(&clone, &head, &base, &ImportLimits::default())
            .await;
        assert!(
            matches!(refused, Err(ImportError::Clone(PlainError::NotPlain(_)))),
            "{name}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn p9_replaced_objects_and_grafts_are_not_believed() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "new", "real\n");
    let head = commit(&clone, "work");
    write(&clone, "new", "pretended\n");
    let other = commit(&clone, "other");
    git(&clone, ["replace", head.as_str(), other.as_str()]);
    git(&clone, ["update-ref", "HEAD", head.as_str()]);
    fs::write(clone.join(".git/info/grafts"), format!("{head} {other}\n")).unwrap();
    let submitted = world.import(&clone).await.unwrap();
    let Merged::Clean(candidate) = world.merged(&submitted).await else {
        panic!()
    };
    let gate = world.path("gate");
    world.store.checkout(candidate.commit(), &gate).await.unwrap();
    assert_eq!(fs::read_to_string(gate.join("new")).unwrap(), "real\n");
    assert_eq!(authorship().date(), "@1700000000 +0000");
}

#[tokio::test]
async fn what_a_dead_runtime_left_in_quarantine_is_swept() {
    let world = World::new().await;
    let left = world.store.dir().join("quarantine/4294967295-0");
    let ours = world
        .store
        .dir()
        .join(format!("quarantine/{}-99999", std::process::id()));
    fs::create_dir_all(&left).unwrap();
    fs::create_dir_all(&ours).unwrap();
    Store::open(world.store.dir(), &world.repository).await.unwrap();
    assert!(!left.exists() && ours.exists());
}
