use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
};

use super::*;
use crate::testing::{World, commit, git, write};

#[tokio::test]
async fn every_kind_of_change_is_seen_as_what_it_is() {
    let world = World::new().await;
    let user = world.user();
    for file in ["gone", "same", "run", "link"] {
        write(&user, file, "text\n");
    }
    commit(&user, "more");
    let clone = world.clone("agent").await;
    fs::remove_file(clone.join("gone")).unwrap();
    write(&clone, "README", "changed\n");
    fs::set_permissions(clone.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(clone.join("link")).unwrap();
    symlink("/etc/passwd", clone.join("link")).unwrap();
    symlink("..", clone.join("new-link")).unwrap();
    fs::rename(clone.join("src/main.rs"), clone.join("src/moved.rs")).unwrap();
    git(&clone, ["add", "-A"]);
    let entry = format!("160000,{},module", world.base().await);
    git(&clone, ["update-index", "--add", "--cacheinfo", &entry]);
    git(&clone, ["commit", "-q", "-m", "all kinds"]);

    let candidate = world.candidate(&clone).await;
    let changes = world
        .store
        .changes(candidate.base(), candidate.tree())
        .await
        .unwrap();
    let seen: Vec<_> = changes
        .iter()
        .map(|change| {
            (
                change.path.as_str().unwrap(),
                change.kind,
                change.old_mode,
                change.new_mode,
            )
        })
        .collect();
    use ChangeKind::{Added, Deleted, ModeChanged, Modified, TypeChanged};
    use FileMode::{Executable, Regular, Submodule, Symlink};
    assert_eq!(
        seen,
        [
            ("README", Modified, Some(Regular), Some(Regular)),
            ("gone", Deleted, Some(Regular), None),
            ("link", TypeChanged, Some(Regular), Some(Symlink)),
            ("module", Added, None, Some(Submodule)),
            ("new-link", Added, None, Some(Symlink)),
            ("run", ModeChanged, Some(Regular), Some(Executable)),
            ("src/main.rs", Deleted, Some(Regular), None),
            ("src/moved.rs", Added, None, Some(Regular)),
        ]
    );
}

#[tokio::test]
async fn file_names_of_any_bytes_stay_what_they_are() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    let names: [&[u8]; 5] = [b"\"quoted\"", b"-rf", b":100644 x", b"a\nb", b"\xff\xfe"];
    for name in names {
        fs::write(clone.join(OsStr::from_bytes(name)), "x").unwrap();
    }
    commit(&clone, "odd names");
    let candidate = world.candidate(&clone).await;
    let changes = world
        .store
        .changes(candidate.base(), candidate.tree())
        .await
        .unwrap();
    let seen: Vec<_> = changes.iter().map(|change| change.path.as_bytes()).collect();
    assert_eq!(seen, names);
    assert_eq!(changes[4].path.as_str(), None);
    let told: Vec<judged::Change> = changes.into_iter().map(Into::into).collect();
    assert!(told[3].utf8 && told[3].path == "a\nb" && !told[4].utf8);
    assert_eq!((told[4].old_mode, told[4].new_mode), (0, 0o100_644));
    world
        .store
        .checkout(candidate.commit(), &world.path("gate"))
        .await
        .unwrap();
    assert!(world.path("gate").join(OsStr::from_bytes(names[4])).exists());
}

#[test]
fn what_git_does_not_say_is_not_understood() {
    for bad in [
        "",
        "x",
        ":100644 100644 a b",
        ":100644 100644 a b R100",
        ":100600 100644 a b M",
    ] {
        assert!(parse(bad.as_bytes(), b"p").is_err(), "{bad}");
    }
}
