//! The arrows of the house: who may use whom, and who may use what. Read from cargo itself.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each crate and the crates of ours that it may use. An arrow that is not here runs the wrong
/// way, or has not been thought about.
const ARROWS: &[(&str, &[&str])] = &[
    ("worknode-core", &[]),
    ("worknode-query", &["worknode-core"]),
    ("worknode-triggers", &["worknode-core", "worknode-query"]),
    ("worknode-policies", &["worknode-core", "worknode-query"]),
    ("worknode-profiles", &["worknode-core"]),
    ("worknode-journal", &["worknode-core", "worknode-query"]),
    ("worknode-process", &["worknode-core"]),
    ("worknode-telemetry", &["worknode-core", "worknode-journal"]),
    ("worknode-git", &["worknode-core", "worknode-policies"]),
    (
        "worknode-gates",
        &["worknode-core", "worknode-policies", "worknode-query"],
    ),
    (
        "worknode-actors",
        &[
            "worknode-core",
            "worknode-gates",
            "worknode-git",
            "worknode-journal",
            "worknode-policies",
            "worknode-process",
            "worknode-profiles",
            "worknode-query",
            "worknode-triggers",
        ],
    ),
    (
        "worknode-daemon",
        &[
            "worknode-actors",
            "worknode-core",
            "worknode-gates",
            "worknode-git",
            "worknode-journal",
            "worknode-policies",
            "worknode-process",
            "worknode-profiles",
            "worknode-query",
            "worknode-telemetry",
            "worknode-triggers",
        ],
    ),
    (
        "worknode",
        &[
            "worknode-actors",
            "worknode-core",
            "worknode-daemon",
            "worknode-gates",
            "worknode-git",
            "worknode-journal",
            "worknode-policies",
            "worknode-process",
            "worknode-telemetry",
        ],
    ),
];

/// Libraries that only some of our crates may use, and those crates.
const KEPT: &[(&str, &[&str])] = &[
    ("ractor", &["worknode-actors"]),
    ("axum", &["worknode-daemon"]),
    ("rusqlite", &["worknode-journal"]),
    ("libc", &["worknode-process"]),
    ("nix", &["worknode-process"]),
    ("rustix", &["worknode-process"]),
    ("landlock", &["worknode-process"]),
    ("seccompiler", &["worknode-process"]),
    ("signal-hook", &["worknode-process"]),
    ("cel", &["worknode-query"]),
    ("cron", &["worknode-triggers"]),
    ("ed25519-dalek", &["worknode-policies"]),
    ("clap", &["worknode"]),
    ("inotify", &["worknode-daemon"]),
    ("rmcp", &["worknode-daemon"]),
    ("tokio-rustls", &["worknode-actors", "worknode-daemon"]),
    ("opentelemetry", &["worknode-telemetry"]),
    ("opentelemetry_sdk", &["worknode-telemetry"]),
    ("opentelemetry-otlp", &["worknode-telemetry"]),
    ("tracing-opentelemetry", &["worknode-telemetry"]),
    ("prometheus-client", &["worknode-telemetry"]),
    ("tree-sitter", &["worknode-gates"]),
    ("quick-xml", &["worknode-gates"]),
];

/// Crates that must stay pure: no runtime, no files, no clock.
const PURE: &[&str] = &[
    "worknode-core",
    "worknode-query",
    "worknode-triggers",
    "worknode-policies",
    "worknode-profiles",
    "worknode-gates",
];
const IMPURE: &[&str] = &["tokio", "ractor", "axum", "rusqlite", "rustix", "getrandom"];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let ours = metadata.packages.into_iter();
    let used = |package: cargo_metadata::Package| {
        let normal = package
            .dependencies
            .into_iter()
            .filter(|d| d.kind != DependencyKind::Development);
        (
            package.name.to_string(),
            normal.map(|dependency| dependency.name).collect(),
        )
    };
    ours.map(used).collect()
}

#[test]
fn every_arrow_runs_down() {
    let used = dependencies();
    let known: BTreeSet<&str> = ARROWS
        .iter()
        .map(|(name, _)| *name)
        .chain(["worknode-tests"])
        .collect();
    let members: BTreeSet<&str> = used.keys().map(String::as_str).collect();
    assert_eq!(members, known, "a crate came or went: say here what it may use");
    for (name, allowed) in ARROWS {
        let ours = used[*name]
            .iter()
            .filter(|dependency| known.contains(dependency.as_str()));
        for dependency in ours {
            assert!(allowed.contains(&dependency.as_str()), "{name} uses {dependency}");
        }
    }
}

#[test]
fn libraries_stay_where_they_belong() {
    for (name, used) in dependencies() {
        if name == "worknode-tests" {
            continue;
        }
        for (library, allowed) in KEPT {
            assert!(
                !used.contains(*library) || allowed.contains(&name.as_str()),
                "{name} uses {library}"
            );
        }
    }
}

#[test]
fn pure_crates_are_pure() {
    let used = dependencies();
    for name in PURE {
        let impure: Vec<_> = IMPURE
            .iter()
            .filter(|library| used[*name].iter().any(|used| used == *library))
            .collect();
        assert!(impure.is_empty(), "{name} uses {impure:?}");
    }
}
