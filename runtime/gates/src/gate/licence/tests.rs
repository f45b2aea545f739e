use super::*;
use crate::testing::change;

fn rules(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.rule.as_str()).collect()
}

/// A lock file of these crates.
fn cargo_lock(crates: &[(&str, &str)]) -> String {
    let each = |(name, version): &(&str, &str)| {
        format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"registry+x\"\n")
    };
    crates.iter().map(each).collect()
}

/// A manifest as it is in the sources of a crate.
fn manifest(name: &str, version: &str, licence: &str) -> (String, String) {
    let text = format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nlicense = \"{licence}\"\n");
    (crate_manifest(name, version), text)
}

fn npm_lock(packages: &str) -> String {
    format!("{{\"lockfileVersion\": 3, \"packages\": {{{packages}}}}}")
}

#[test]
fn added_dependencies_have_a_licence_that_is_allowed() {
    let told = Licence::default();
    let cargo = |extra: &str| format!("[dependencies]\na = \"1\"\n{extra}");
    let found = judge(
        &change(&[(
            "Cargo.toml",
            &cargo(""),
            &cargo("b = { version = \"1\" }\nc = { path = \"c\" }\n"),
        )]),
        &told,
    );
    assert_eq!((rules(&found), found[0].line), (vec!["licence.unknown"], Some(3)));
    let package = |list: &str| format!("{{\"dependencies\": {{{list}}}}}");
    let lock = "{\"packages\": {\"node_modules/good\": {\"license\": \"MIT\"}, \"node_modules/bad\": {\"license\": \"AGPL-3.0-only\"}}}";
    let added = change(&[
        (
            "package.json",
            &package(""),
            &package("\"good\": \"1\", \"bad\": \"1\""),
        ),
        ("package-lock.json", "{}", lock),
    ]);
    assert_eq!(rules(&judge(&added, &told)), ["licence.refused"]);
    let go = "module a\nrequire (\n\tb.org/c v1\n)\n";
    assert_eq!(
        judge(
            &change(&[
                ("go.mod", "module a\n", go),
                ("requirements.txt", "a==1\n", "a==2\nb>=1\n")
            ]),
            &told
        )
        .len(),
        2
    );
}

#[test]
fn what_a_lock_file_adds_is_looked_at() {
    let told = Licence::default();
    let before = cargo_lock(&[("a", "1.0.0")]);
    let after = cargo_lock(&[("a", "1.0.1"), ("b", "1.0.0"), ("c", "1.0.0"), ("d", "1.0.0")]);
    let mut added = change(&[("Cargo.lock", &before, &after)]);
    assert_eq!(crates_added(&added).len(), 4);
    let found = judge(&added, &told);
    assert_eq!(rules(&found), ["licence.unknown"]);
    // What is only another version of something was accepted before.
    assert!(
        found[0].message.contains("`b 1.0.0`, `c 1.0.0`, `d 1.0.0`"),
        "{found:?}"
    );

    added.beside = [
        manifest("a", "1.0.1", "AGPL-3.0-only"),
        manifest("b", "1.0.0", "MIT OR GPL-3.0-only"),
        manifest("c", "9.9.9", "MIT"),
        manifest("d", "1.0.0", "GPL-3.0-only"),
    ]
    .into();
    let found = judge(&added, &told);
    assert_eq!(
        rules(&found),
        ["licence.refused", "licence.refused", "licence.unknown"]
    );
    assert!(
        found[0].message.contains("`a 1.0.1` is under AGPL-3.0-only"),
        "{found:?}"
    );
    assert_eq!((found[0].line, found[1].line), (Some(2), Some(14)));
    assert!(found[2].message.contains("`c 1.0.0`"), "{found:?}");
}

#[test]
fn who_is_listed_is_told_of_once() {
    let told = Licence::default();
    let lock = cargo_lock(&[("a", "1.0.0"), ("b", "1.0.0")]);
    let mut added = change(&[
        ("Cargo.toml", "[dependencies]\n", "[dependencies]\na = \"1\"\n"),
        ("Cargo.lock", "", &lock),
    ]);
    added.beside = [
        manifest("a", "1.0.0", "GPL-2.0-only"),
        manifest("b", "1.0.0", "MIT"),
    ]
    .into();
    let found = judge(&added, &told);
    assert_eq!(rules(&found), ["licence.refused"]);
    assert_eq!(
        (found[0].file.as_deref(), found[0].line),
        (Some("Cargo.toml"), Some(2))
    );
}

#[test]
fn a_crate_that_is_brought_along_tells_its_own() {
    let lock = cargo_lock(&[("a", "1.0.0")]);
    let (_, text) = manifest("a", "1.0.0", "GPL-3.0-only");
    let added = change(&[("Cargo.lock", "", &lock), ("vendor/a/Cargo.toml", "", &text)]);
    assert_eq!(rules(&judge(&added, &Licence::default())), ["licence.refused"]);
}

#[test]
fn of_several_versions_the_worst_counts() {
    let told = Licence::default();
    let listed = ("package.json", "{}", "{\"dependencies\": {\"a\": \"1\"}}");
    let of = |packages: &str| {
        let lock = npm_lock(packages);
        let found = judge(&change(&[listed, ("package-lock.json", "", &lock)]), &told);
        rules(&found).join(" ")
    };
    let first = "\"node_modules/a\": {\"version\": \"1.0.0\", \"license\": \"MIT\"}";
    assert_eq!(of(first), "");
    let inside =
        |told: &str| format!("{first}, \"node_modules/b/node_modules/a\": {{\"version\": \"2.0.0\"{told}}}");
    assert_eq!(of(&inside("")), "licence.unknown");
    assert_eq!(of(&inside(", \"license\": \"SSPL-1.0\"")), "licence.refused");
    assert_eq!(of(""), "licence.unknown");
}

#[test]
fn p8_a_lock_file_fills_no_report() {
    let told = Licence::default();
    let packages = |licence: &str| {
        let each = |n: usize| format!("\"node_modules/p{n}\": {{\"version\": \"1.0.{n}\"{licence}}}");
        npm_lock(&(0..500).map(each).collect::<Vec<_>>().join(", "))
    };
    let found = judge(&change(&[("package-lock.json", "", &packages(""))]), &told);
    assert_eq!(rules(&found), ["licence.unknown"]);
    assert!(found[0].message.ends_with("and 480 more"), "{found:?}");
    let refused = packages(", \"license\": \"GPL-3.0-only\"");
    let found = judge(&change(&[("package-lock.json", "", &refused)]), &told);
    assert_eq!(found.len(), ONE_BY_ONE + 1);
    assert!(found[ONE_BY_ONE].message.starts_with("450 more"), "{found:?}");
}

#[test]
fn what_cannot_be_read_is_told_and_leads_nowhere() {
    let told = Licence::default();
    let broken = change(&[("package-lock.json", &npm_lock(""), "{")]);
    assert_eq!(rules(&judge(&broken, &told)), ["licence.unread"]);
    let lock = cargo_lock(&[("../../a", "1.0.0"), ("b", "../1"), ("c", "1.0.0+x")]);
    assert_eq!(
        crates_added(&change(&[("Cargo.lock", "", &lock)])),
        [("c".to_owned(), "1.0.0+x".to_owned())]
    );
}
