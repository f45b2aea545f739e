//! The clients, from their registry into the target folder. Once: what is there is used.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use crate::client::Client;

/// One after the other: they are large.
static INSTALLING: Mutex<()> = Mutex::new(());

/// The directory with the client's program; `None`, with the reason printed, where it cannot be
/// installed or does not start.
pub(crate) fn installed(client: Client) -> Option<PathBuf> {
    // A test that failed while it installed has left nothing that is believed.
    let _one = INSTALLING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = client.package().trim_start_matches('@').replace(['/', '@'], "-");
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("clients")
        .join(folder);
    let bin = root.join("node_modules").join(client.bin());
    let ready = root.join("ready");
    let done = if ready.exists() {
        Ok(())
    } else {
        install(client, &root, &bin)
    };
    match done {
        Ok(()) => {
            fs::write(ready, "").unwrap();
            Some(bin)
        }
        Err(reason) => {
            println!("skipped: {}: {}", client.package(), reason.trim());
            None
        }
    }
}

fn install(client: Client, root: &Path, bin: &Path) -> Result<(), String> {
    if !cfg!(target_arch = "x86_64") {
        return Err("it is looked for on x86_64 only".to_owned());
    }
    fs::create_dir_all(root).map_err(|error| error.to_string())?;
    // Scripts of packages would load more, from elsewhere.
    let npm = [
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--prefix",
        ".",
    ];
    run(Command::new("npm")
        .args(npm)
        .arg(client.package())
        .current_dir(root))?;
    run(Command::new(bin.join(client.program()))
        .arg("--version")
        .env("HOME", root))
}

fn run(command: &mut Command) -> Result<(), String> {
    let done = command.stdin(Stdio::null()).output();
    let done = done.map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if done.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }
}
