//! How the program is linked.
//!
//! Each run has this program over it twice: as its shim for as long as it lives, and for a moment
//! before its own program. So it is linked in the way that starts fastest and takes least memory:
//!
//! * At a fixed address, because then nothing has to be relocated when it starts. Measured: 0.9 ms
//!   instead of 1.7 ms for each start, and 0.3 MB of memory of its own for each shim instead of
//!   1.7 MB.
//! * Without shared libraries, where the machine that builds it has the C library's static form.
//!   Measured: 0.4 ms of processor time instead of 0.9 ms for each start, and 3.7 MB resident
//!   instead of 5.0 MB for each shim. `worknode doctor` says what became of it.
//!
//! What is given up is that the kernel places the program's code at random; heap and stack are
//! placed at random as before. And a C library without shared parts cannot look up users and
//! hosts everywhere: this program does neither, as it listens on numeric addresses only.

use std::{
    env, fs,
    io::{self, ErrorKind},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The libraries that Rust's standard library asks the linker for, and the file that holds each
/// in its static form. The first is how a panic unwinds.
const LIBRARIES: [(&str, &str); 7] = [
    ("gcc_s", "libgcc_eh.a"),
    ("util", "libutil.a"),
    ("rt", "librt.a"),
    ("pthread", "libpthread.a"),
    ("m", "libm.a"),
    ("dl", "libdl.a"),
    ("c", "libc.a"),
];

/// What the standard library uses if it is there, which alone brings nothing out of a static
/// library. Without the first, each start of a process in a directory of its own would copy the
/// daemon's memory map (`fork`), which takes tens of milliseconds in a large one.
const WANTED: [&str; 2] = ["posix_spawn_file_actions_addchdir_np", "__cxa_thread_atexit_impl"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let about = |key: &str| env::var(key).unwrap_or_default();
    let gnu_linux = about("CARGO_CFG_TARGET_OS") == "linux" && about("CARGO_CFG_TARGET_ENV") == "gnu";
    // Whoever asks the compiler for it gets it from the compiler.
    let asked_for = about("CARGO_CFG_TARGET_FEATURE")
        .split(',')
        .any(|one| one == "crt-static");
    if !gnu_linux || asked_for {
        return;
    }
    let mut args = vec!["-no-pie".to_owned()];
    match without_shared_libraries() {
        Ok(more) => args.extend(more),
        // Not a warning: the program is as good, only larger in memory.
        Err(why) => println!("linked to shared libraries: {why}"),
    }
    for arg in args {
        println!("cargo:rustc-link-arg-bins={arg}");
    }
}

/// The arguments for the linker, if a small program can be linked with them.
fn without_shared_libraries() -> io::Result<Vec<String>> {
    let about = |key: &str| env::var(key).map_err(io::Error::other);
    if about("HOST")? != about("TARGET")? {
        return Err(io::Error::other("it is built for another machine"));
    }
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let out = PathBuf::from(about("OUT_DIR")?);
    let libraries = gather(&linker, &out)?;
    let mut args = vec!["-static".to_owned(), format!("-L{}", libraries.display())];
    args.extend(WANTED.map(|name| format!("-Wl,-u,{name}")));
    // The C library and the unwinder need each other; some linkers look at each library once.
    args.push("-Wl,--start-group,-lgcc_eh,-lgcc,-lc,--end-group".to_owned());
    attempt(&linker, &out, &args)?;
    Ok(args)
}

/// A directory in which each library is found by its name in its static form only. The compiler
/// asks for the shared ones, whatever comes later: only a directory before all others helps.
fn gather(linker: &str, out: &Path) -> io::Result<PathBuf> {
    let dir = out.join("static");
    fs::create_dir_all(&dir)?;
    for (name, file) in LIBRARIES {
        let found = run(Command::new(linker).arg(format!("-print-file-name={file}")))?;
        let path = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
        // A name that is not found comes back as it was.
        if !path.is_absolute() {
            return Err(io::Error::new(ErrorKind::NotFound, format!("there is no {file}")));
        }
        println!("cargo:rerun-if-changed={}", path.display());
        let link = dir.join(format!("lib{name}.a"));
        match fs::remove_file(&link) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => symlink(&path, &link)?,
        }
    }
    Ok(dir)
}

/// Links a program that uses what this one needs, in the way in which the compiler will.
fn attempt(linker: &str, out: &Path, args: &[String]) -> io::Result<()> {
    let source = out.join("attempt.c");
    let declared: String = WANTED.iter().map(|name| format!("int {name}();\n")).collect();
    let used = WANTED.map(|name| format!("(void *){name}")).join(", ");
    let main = "int main(int count, char **words) { return used[count] == (void *)words; }\n";
    fs::write(&source, format!("{declared}void *used[] = {{{used}}};\n{main}"))?;
    let mut command = Command::new(linker);
    command.arg(&source).arg("-o").arg(out.join("attempt"));
    command.args(["-nodefaultlibs", "-no-pie", "-Wl,-Bdynamic"]);
    command.args(LIBRARIES.map(|(name, _)| format!("-l{name}")));
    run(command.args(args)).map(drop)
}

fn run(command: &mut Command) -> io::Result<Output> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{command:?} failed: {said}")))
}
