use std::{
    os::unix::fs::{PermissionsExt, symlink},
    process::Command,
};

use super::*;
use crate::testing::{World, commit, git, poison, try_git, write};

const ROOM: u64 = 1024 * 1024;

impl World {
    /// The folder of a run.
    fn run(&self) -> PathBuf {
        let run = self.path("run");
        fs::create_dir_all(&run).unwrap();
        run
    }

    async fn left(&self, clone: &Path, limit: u64) -> Leftovers {
        let base = self.base().await;
        let run = self.run();
        let asked = self.store.leftovers(clone, &base, &run, limit);
        asked.await.unwrap()
    }

    /// Applies the patch to a clean checkout; answers with where that is.
    async fn applied(&self, left: &Uncommitted) -> PathBuf {
        let clean = self.path("clean");
        self.store.checkout(&left.against, &clean).await.unwrap();
        let patch = left.patch.as_ref().unwrap();
        git(&clean, ["apply", patch.to_str().unwrap()]);
        clean
    }
}

fn omitted(left: &Leftovers) -> Vec<(String, Omitted)> {
    let Some(left) = &left.uncommitted else {
        return Vec::new();
    };
    assert_eq!(left.left_out.total, left.left_out.first.len());
    let all = left.left_out.first.iter();
    all.map(|omission| (omission.path.to_string(), omission.why))
        .collect()
}

fn pipe(place: &Path) {
    assert!(Command::new("mkfifo").arg(place).status().unwrap().success());
}

#[tokio::test]
async fn an_untouched_workspace_is_clean() {
    let world = World::new().await;
    write(&world.user(), ".gitignore", "/target\n");
    commit(&world.user(), "ignore");
    let clone = world.clone("agent").await;
    write(&clone, "target/large", &"x".repeat(10_000));
    fs::create_dir(clone.join("empty")).unwrap();
    pipe(&clone.join("pipe"));
    let left = world.left(&clone, ROOM).await;
    assert!(left.is_clean(), "{left:?}");
    assert_eq!(fs::read_dir(world.run()).unwrap().count(), 0);
    assert_eq!(
        fs::read_dir(world.store.dir().join("quarantine"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn commits_that_nobody_took_are_kept_in_the_store() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "a", "1");
    commit(&clone, "one");
    write(&clone, "a", "2");
    let head = commit(&clone, "two");
    for _ in 0..2 {
        let left = world.left(&clone, ROOM).await;
        let kept = Unmerged {
            commits: 2,
            head: head.clone(),
        };
        assert_eq!(left.unmerged, Some(kept));
        assert_eq!((left.uncommitted, left.untaken), (None, None));
    }
    fs::remove_dir_all(&clone).unwrap();
    let name = format!("refs/worknode/kept/{head}");
    assert_eq!(git(world.store.dir(), ["rev-parse", &name]), head.as_str());
    assert_eq!(git(world.store.dir(), ["show", &format!("{head}:a")]), "2");
}

#[tokio::test]
async fn commits_of_another_history_are_kept_too() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    git(&clone, ["checkout", "-q", "--orphan", "fresh"]);
    let left = world.left(&clone, ROOM).await;
    assert!(left.is_clean(), "{left:?}");
    let head = commit(&clone, "another beginning");
    let left = world.left(&clone, ROOM).await;
    assert_eq!(left.unmerged, Some(Unmerged { commits: 1, head }));
}

#[tokio::test]
async fn every_kind_of_change_comes_back_from_the_patch() {
    let world = World::new().await;
    let user = world.user();
    for (file, text) in [("gone", "bye\n"), ("script", "#!/bin/sh\n"), ("dir/below", "x\n")] {
        write(&user, file, text);
    }
    write(&user, "lines", "a\n");
    write(&user, ".gitattributes", "lines text eol=crlf\n*.dat diff=evil\n");
    commit(&user, "more");
    let clone = world.clone("agent").await;
    assert_eq!(fs::read(clone.join("lines")).unwrap(), b"a\r\n");
    write(&clone, "committed", "in a commit\n");
    commit(&clone, "work");
    write(&clone, "README", "one\nTWO\nthree");
    fs::remove_file(clone.join("gone")).unwrap();
    fs::set_permissions(clone.join("script"), fs::Permissions::from_mode(0o755)).unwrap();
    write(&clone, "new\nline \"q\" ü", "odd\n");
    fs::write(clone.join("bytes.dat"), (0..=255).collect::<Vec<u8>>()).unwrap();
    write(&clone, "empty", "");
    write(&clone, "lines", "a\r\nb\r\n");
    symlink("/etc/passwd", clone.join("link")).unwrap();
    fs::remove_dir_all(clone.join("dir")).unwrap();
    symlink("src", clone.join("dir")).unwrap();
    git(&clone, ["add", "README"]);

    let left = world.left(&clone, ROOM).await;
    assert_eq!(left.unmerged.as_ref().unwrap().commits, 1);
    assert_eq!(omitted(&left), []);
    let left = left.uncommitted.unwrap();
    // Nine are plain to see; a folder that became a link counts twice.
    assert_eq!(left.files, 10);
    let clean = world.applied(&left).await;
    for file in [
        "README",
        "script",
        "new\nline \"q\" ü",
        "bytes.dat",
        "empty",
        "lines",
        "committed",
    ] {
        let (is, should) = (fs::read(clean.join(file)), fs::read(clone.join(file)));
        assert_eq!(is.unwrap(), should.unwrap(), "{file}");
    }
    assert!(!clean.join("gone").exists());
    assert_eq!(
        fs::read_link(clean.join("link")).unwrap(),
        Path::new("/etc/passwd")
    );
    assert_eq!(fs::read_link(clean.join("dir")).unwrap(), Path::new("src"));
    let mode = fs::metadata(clean.join("script")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
}

#[tokio::test]
async fn p9_nothing_of_a_hostile_workspace_runs() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, ".gitattributes", "* filter=evil merge=evil diff=evil\n");
    commit(&clone, "a trap");
    let mark = poison(&world, &clone);
    for key in ["diff.evil.textconv", "diff.evil.command", "filter.evil.process"] {
        git(&clone, ["config", key, world.path("evil.sh").to_str().unwrap()]);
    }
    // A repository in the workspace, as well armed, and one where a submodule is declared.
    for (folder, ignore) in [("inner", "none"), ("declared", "none")] {
        let inner = clone.join(folder);
        git(&clone, ["init", "-q", folder]);
        git(
            &inner,
            [
                "-c",
                "user.name=a",
                "-c",
                "user.email=b",
                "commit",
                "-q",
                "--allow-empty",
                "-m",
                "x",
            ],
        );
        poison(&world, &inner);
        write(&inner, "below", "x");
        git(
            &clone,
            [
                "config",
                "-f",
                ".gitmodules",
                &format!("submodule.{folder}.path"),
                folder,
            ],
        );
        git(
            &clone,
            [
                "config",
                "-f",
                ".gitmodules",
                &format!("submodule.{folder}.ignore"),
                ignore,
            ],
        );
    }
    git(&clone, ["config", "core.worktree", "/"]);
    fs::write(clone.join(".git/objects/info/alternates"), "/nowhere\n").unwrap();
    write(&clone, "README", "changed\n");
    let _ = fs::remove_file(&mark);

    let left = world.left(&clone, ROOM).await;
    assert!(!mark.exists(), "something of the agent's ran");
    assert_eq!(left.untaken, None);
    let repository = |name: &str| (name.to_owned(), Omitted::Repository);
    assert_eq!(omitted(&left), [repository("declared/"), repository("inner/")]);
    let clean = world.applied(&left.uncommitted.unwrap()).await;
    assert_eq!(fs::read_to_string(clean.join("README")).unwrap(), "changed\n");

    // The trap is real.
    git(&clone, ["config", "--unset", "core.worktree"]);
    try_git(&clone, ["status"]);
    assert!(mark.exists());
}

#[tokio::test]
async fn p9_a_submodule_is_not_entered() {
    let world = World::new().await;
    let user = world.user();
    let other = World::new().await;
    let from = other.user();
    git(
        &user,
        [
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "add",
            "-q",
            from.to_str().unwrap(),
            "sub",
        ],
    );
    commit(&user, "with a submodule");
    let clone = world.clone("agent").await;
    assert!(world.left(&clone, ROOM).await.is_clean());

    // The agent makes a repository of its own there.
    git(&clone, ["init", "-q", "sub"]);
    git(
        &clone.join("sub"),
        [
            "-c",
            "user.name=a",
            "-c",
            "user.email=b",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "x",
        ],
    );
    let mark = poison(&world, &clone.join("sub"));
    let left = world.left(&clone, ROOM).await;
    assert!(!mark.exists(), "something of the agent's ran");
    assert_eq!(omitted(&left), [("sub/".to_owned(), Omitted::Repository)]);
    assert_eq!(left.uncommitted.unwrap().patch, None);

    // Or plain files.
    fs::remove_dir_all(clone.join("sub")).unwrap();
    write(&clone, "sub/file", "x");
    let left = world.left(&clone, ROOM).await;
    assert_eq!(omitted(&left), [("sub/file".to_owned(), Omitted::Repository)]);
}

#[tokio::test]
async fn p9_links_that_lead_out_are_kept_as_links() {
    let world = World::new().await;
    let outside = world.path("outside");
    write(&outside, "main.rs", "secret\n");
    let clone = world.clone("agent").await;
    fs::remove_dir_all(clone.join("src")).unwrap();
    symlink(&outside, clone.join("src")).unwrap();
    symlink(outside.join("main.rs"), clone.join("secret")).unwrap();
    // Where the patch goes, a link waits as well.
    fs::write(world.path("precious"), "mine").unwrap();
    for name in ["workspace.patch", "workspace.patch.new"] {
        symlink(world.path("precious"), world.run().join(name)).unwrap();
    }
    let left = world.left(&clone, ROOM).await;
    let patch = left.uncommitted.unwrap().patch.unwrap();
    assert!(fs::symlink_metadata(&patch).unwrap().is_file());
    let text = fs::read_to_string(&patch).unwrap();
    assert!(text.contains("120000") && !text.contains("+secret"), "{text}");
    assert_eq!(fs::read_to_string(world.path("precious")).unwrap(), "mine");
}

#[tokio::test]
async fn p9_a_damaged_git_folder_costs_no_work() {
    let world = World::new().await;
    let elsewhere = World::new().await;
    for (name, how) in [
        ("absent", 0),
        ("file", 1),
        ("link", 2),
        ("objects", 3),
        ("head", 4),
    ] {
        let clone = world.clone(name).await;
        write(&clone, "new", "work\n");
        commit(&clone, "work");
        write(&clone, "README", "changed\n");
        let folder = clone.join(".git");
        match how {
            3 => fs::remove_dir_all(folder.join("objects")).unwrap(),
            4 => fs::write(folder.join("HEAD"), "ref: ../../outside").unwrap(),
            _ => fs::remove_dir_all(&folder).unwrap(),
        }
        match how {
            1 => fs::write(&folder, "gitdir: /somewhere\n").unwrap(),
            2 => symlink(elsewhere.user().join(".git"), &folder).unwrap(),
            _ => {}
        }
        let left = world.left(&clone, ROOM).await;
        assert!(left.untaken.is_some() && !left.is_clean(), "{name}: {left:?}");
        let left = left.uncommitted.unwrap();
        assert_eq!(
            (left.against.clone(), left.files),
            (world.base().await, 2),
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_is_no_workspace_is_an_error() {
    let world = World::new().await;
    let base = world.base().await;
    let clone = world.clone("agent").await;
    symlink(&clone, world.path("link")).unwrap();
    fs::write(world.path("file"), "").unwrap();
    for name in ["absent", "link", "file"] {
        let (place, run) = (world.path(name), world.run());
        let asked = world.store.leftovers(&place, &base, &run, ROOM).await;
        assert!(matches!(asked, Err(LeftoversError::NoWorkspace(_))), "{name}");
    }
    write(&clone, "README", "changed\n");
    let nowhere = world.path("nowhere");
    let asked = world.store.leftovers(&clone, &base, &nowhere, ROOM).await;
    assert!(matches!(asked, Err(LeftoversError::Git(GitError::Io { .. }))));
    let unknown = "0123456789012345678901234567890123456789".parse().unwrap();
    fs::remove_dir_all(clone.join(".git")).unwrap();
    let asked = world.store.leftovers(&clone, &unknown, &world.run(), ROOM).await;
    assert!(matches!(asked, Err(LeftoversError::Git(_))), "{asked:?}");
}

#[tokio::test]
async fn p8_what_is_too_large_is_named_and_never_read() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    // Files without end: reading them would take for ever.
    for name in ["huge", "README"] {
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(clone.join(name));
        file.unwrap().set_len(1 << 40).unwrap();
    }
    write(&clone, "small", "x\n");
    let left = world.left(&clone, ROOM).await;
    let large = |name: &str| (name.to_owned(), Omitted::TooLarge);
    assert_eq!(omitted(&left), [large("README"), large("huge")]);
    let left = left.uncommitted.unwrap();
    assert_eq!(left.files, 1);
    let clean = world.applied(&left).await;
    assert_eq!(fs::read_to_string(clean.join("small")).unwrap(), "x\n");
}

#[tokio::test]
async fn p8_a_patch_is_never_longer_than_its_limit_and_still_applies() {
    let world = World::new().await;
    for name in ["a-deleted", "b-changed"] {
        write(&world.user(), name, &"a line of text\n".repeat(4000));
    }
    commit(&world.user(), "large files");
    let clone = world.clone("agent").await;
    fs::remove_file(clone.join("a-deleted")).unwrap();
    write(&clone, "b-changed", &"another line\n".repeat(4000));
    write(&clone, "c-new", "x\n");
    let limit = 20_000;
    let left = world.left(&clone, limit).await;
    let large = |name: &str| (name.to_owned(), Omitted::TooLarge);
    assert_eq!(omitted(&left), [large("a-deleted"), large("b-changed")]);
    let left = left.uncommitted.unwrap();
    assert_eq!(left.files, 1);
    assert!(fs::metadata(left.patch.as_ref().unwrap()).unwrap().len() <= limit);
    assert!(world.applied(&left).await.join("c-new").exists());

    let left = world.left(&clone, 10).await.uncommitted.unwrap();
    assert_eq!((left.patch, left.files, left.left_out.total), (None, 0, 3));
    // Nothing half written stays behind, and what an earlier answer kept stays.
    assert_eq!(fs::read_dir(world.run()).unwrap().count(), 1);
}

#[tokio::test]
async fn an_encoding_that_does_not_hold_costs_no_work() {
    let world = World::new().await;
    for (name, attribute) in [
        ("one", "new working-tree-encoding=UTF-16"),
        ("two", "new working-tree-encoding"),
    ] {
        let clone = world.clone(name).await;
        write(&clone, "sub/.gitattributes", attribute);
        git(&clone, ["add", "."]);
        git(&clone, ["commit", "-q", "-m", "attributes"]);
        write(&clone, "sub/new", "odd");
        let left = world.left(&clone, ROOM).await;
        assert_eq!(omitted(&left), [], "{attribute}");
        // Where the attributes themselves are so read, they differ as well.
        assert!(
            left.uncommitted.is_some_and(|left| left.files >= 1),
            "{attribute}"
        );
    }
}

#[tokio::test]
async fn p8_pipes_where_git_looks_for_files_do_not_hold_it_up() {
    let world = World::new().await;
    if !takes_attributes_from_trees(world.git.version()) {
        return;
    }
    let clone = world.clone("agent").await;
    for name in [".gitattributes", ".gitmodules", "src/.gitattributes"] {
        pipe(&clone.join(name));
    }
    write(&clone, "new", "x");
    let left = world.left(&clone, ROOM).await;
    assert_eq!(left.uncommitted.unwrap().files, 1);
}

fn takes_attributes_from_trees(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(2), Some(41))
}

#[tokio::test]
async fn p8_a_file_that_nobody_may_read_is_named() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "closed", "x");
    write(&clone, "shut/below", "x");
    for name in ["closed", "shut", "README"] {
        fs::set_permissions(clone.join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let left = world.left(&clone, ROOM).await;
    // To the superuser nothing is closed.
    if fs::File::open(clone.join("closed")).is_err() {
        let all: Vec<_> = omitted(&left)
            .into_iter()
            .map(|(name, why)| {
                assert_eq!(why, Omitted::Unreadable);
                name
            })
            .collect();
        assert_eq!(all, ["shut/", "README", "closed"]);
    } else {
        assert_eq!(left.uncommitted.unwrap().files, 2);
    }
}

#[tokio::test]
async fn names_that_git_does_not_take_are_named() {
    let world = World::new().await;
    let clone = world.clone("agent").await;
    write(&clone, "sub/git~1", "x");
    let left = world.left(&clone, ROOM).await;
    assert_eq!(omitted(&left), [("sub/git~1".to_owned(), Omitted::Refused)]);
}
