//! What this machine knows of the dependencies that a change adds: manifests of crates whose sources
//! were taken before. Only files are read; nothing is asked of anybody.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use worknode_gates::{
    change::ChangeSet,
    gate::licence::{crate_manifest, crates_added},
};

/// Crates that are looked up for one change.
const MOST_CRATES: usize = 2_000;
/// Registries whose sources a machine has.
const MOST_REGISTRIES: usize = 16;
/// A manifest is shorter.
const MOST_BYTES: u64 = 256 * 1024;

/// Puts beside the change the manifests of the crates that it adds, as far as their sources are here.
pub(super) async fn put_beside(mut change: ChangeSet) -> ChangeSet {
    // Of everything there is nothing is added.
    if change.everything {
        return change;
    }
    let crates = crates_added(&change);
    if crates.is_empty() {
        return change;
    }
    let Some(cargo) = cargo_home() else { return change };
    let reading = tokio::task::spawn_blocking(move || manifests(&cargo, &crates));
    match reading.await {
        Ok(manifests) => change.beside.extend(manifests),
        Err(error) => tracing::warn!(%error, "manifests of crates could not be read"),
    }
    change
}

/// Where Cargo keeps what it takes.
fn cargo_home() -> Option<PathBuf> {
    let told = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    told.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))
}

/// Manifests by the names that the gate knows them by.
fn manifests(cargo: &Path, crates: &[(String, String)]) -> BTreeMap<String, String> {
    // Without sources nothing is known, which the gate tells.
    let registries = cargo.join("registry/src").read_dir().into_iter().flatten();
    let registries: Vec<PathBuf> = registries
        .flatten()
        .take(MOST_REGISTRIES)
        .map(|entry| entry.path())
        .collect();
    let found = |(name, version): &(String, String)| {
        let manifest = crate_manifest(name, version);
        let text = registries
            .iter()
            .find_map(|registry| read(&registry.join(&manifest)))?;
        Some((manifest, text))
    };
    crates.iter().take(MOST_CRATES).filter_map(found).collect()
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_before_is_known() {
        let cargo = tempfile::tempdir().unwrap();
        let source = cargo.path().join("registry/src/index-1/itoa-1.0.15");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(source.join("Cargo.toml"), "[package]\n").unwrap();
        let named = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        let wanted = [
            named("itoa", "1.0.15"),
            named("itoa", "1.0.14"),
            named("ryu", "1.0.15"),
        ];
        let found = manifests(cargo.path(), &wanted);
        assert_eq!(
            found,
            [("itoa-1.0.15/Cargo.toml".to_owned(), "[package]\n".to_owned())].into()
        );
        assert!(manifests(&cargo.path().join("nowhere"), &wanted).is_empty());
    }
}
