//! Files: writing outside, reading what is hidden.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{chown, symlink},
    },
    path::Path,
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, makedev, mknodat, open},
    mount::{UnmountFlags, mount_bind, unmount},
    process::chroot,
    thread::UnshareFlags,
};

pub(super) fn attempt(name: &str, args: &[&str]) -> Option<io::Result<()>> {
    Some(match (name, args) {
        ("write", [file]) => write(file),
        ("open-to-write", [file]) => OpenOptions::new().write(true).open(file).map(drop),
        ("create", [file]) => File::create_new(file).map(drop),
        ("make-directory", [directory]) => fs::create_dir(directory),
        ("empty", [file]) => OpenOptions::new().write(true).truncate(true).open(file).map(drop),
        ("empty-by-reading", [file]) => empty_by_reading(file),
        ("delete", [file]) => fs::remove_file(file),
        ("delete-directory", [directory]) => fs::remove_dir(directory),
        ("rename", [from, to]) => fs::rename(from, to),
        ("rename-new-over", [new, over]) => File::create(new).and_then(|_| fs::rename(new, over)),
        ("link-in", [file, link]) => fs::hard_link(file, link).and_then(|()| write(link)),
        ("link-out", [file, link]) => File::create(file).and_then(|_| fs::hard_link(file, link)),
        ("symlink-in", [file, link]) => symlink(file, link).and_then(|()| write(link)),
        ("symlink-out", [file, link]) => symlink(file, link),
        ("reopen", [file]) => reopen(file),
        ("bind", [directory, at, file]) => bind(directory, at, file),
        ("namespace", [directory, at, file]) => namespace(directory, at, file),
        ("user-namespace", []) => user_namespace(),
        ("device", [node]) => device(node),
        ("change-root", [directory]) => change_root(directory),
        ("change-owner", [file]) => chown(file, Some(1), Some(1)),
        ("read", [file]) => fs::read(file).map(drop),
        ("read-by-symlink", [file, link]) => symlink(file, link).and_then(|()| fs::read(link).map(drop)),
        ("read-by-link", [file, link]) => fs::hard_link(file, link).and_then(|()| fs::read(link).map(drop)),
        ("read-renamed", [from, to, file]) => fs::rename(from, to).and_then(|()| fs::read(file).map(drop)),
        _ => return None,
    })
}

pub(super) fn write(file: impl AsRef<Path>) -> io::Result<()> {
    OpenOptions::new().append(true).open(file)?.write_all(b"changed")
}

/// Opening for reading only can empty a file, too.
fn empty_by_reading(file: &str) -> io::Result<()> {
    Ok(open(file, OFlags::RDONLY | OFlags::TRUNC, Mode::empty()).map(drop)?)
}

fn reopen(file: &str) -> io::Result<()> {
    let file = File::open(file)?;
    write(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn bind(directory: &str, at: &str, file: &str) -> io::Result<()> {
    fs::create_dir_all(at)?;
    mount_bind(directory, at)?;
    let written = write(file);
    unmount(at, UnmountFlags::DETACH)?;
    written
}

/// A user namespace, in which it would have all capabilities.
fn user_namespace() -> io::Result<()> {
    #[expect(deprecated, reason = "the other one is unsafe, for what is not unshared here")]
    Ok(rustix::thread::unshare(UnshareFlags::NEWUSER)?)
}

fn namespace(directory: &str, at: &str, file: &str) -> io::Result<()> {
    #[expect(deprecated, reason = "the other one is unsafe, for what is not unshared here")]
    rustix::thread::unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)?;
    bind(directory, at, file)
}

fn device(node: &str) -> io::Result<()> {
    let mode = Mode::from_raw_mode(0o600);
    Ok(mknodat(
        CWD,
        node,
        FileType::CharacterDevice,
        mode,
        makedev(1, 3),
    )?)
}

fn change_root(directory: &str) -> io::Result<()> {
    chroot(directory)?;
    write("/file")
}
