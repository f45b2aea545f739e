//! What all gates together say: severities, profiles of paths, waivers.

use std::collections::BTreeMap;

use serde::Serialize;
use worknode_core::time::Timestamp;
use worknode_policies::pattern::Patterns;

use crate::{
    change::ChangeSet,
    finding::{Finding, Severity, Waived},
    gate,
    settings::{self, All, PathProfile, Waiver},
};

/// Findings of one gate that are told; a tree of a million functions may have more.
pub const MOST_FINDINGS: usize = 10_000;

/// What one gate says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The gate.
    pub gate: String,
    /// Whether nothing that counts was found.
    pub passed: bool,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Findings beyond those that are told. They were judged like the others.
    pub more: usize,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Profiles and waivers, ready for use.
#[derive(Debug, Default)]
pub struct Profiles {
    profiles: Vec<(Patterns, PathProfile)>,
    waivers: Vec<(Option<Patterns>, Waiver)>,
}

/// A profile or a waiver that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct BadSettings {
    /// Where, as `gates.waiver[0].until`.
    pub key: String,
    /// Why.
    pub why: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Profiles {
    /// Reads the globs and the days.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn of(settings: &settings::Settings) -> Result<Self, Vec<BadSettings>> {
        let mut wrong = Vec::new();
        let mut profiles = Vec::new();
        for (at, profile) in settings.profile.iter().enumerate() {
            match patterns(&profile.files, &format!("gates.profile[{at}].files")) {
                Ok(patterns) => profiles.push((patterns, profile.clone())),
                Err(bad) => wrong.extend(bad),
            }
        }
        let mut waivers = Vec::new();
        for (at, waiver) in settings.waiver.iter().enumerate() {
            wrong.extend(bad_waiver(waiver, at));
            let files = waiver
                .file
                .as_ref()
                .map(|file| patterns(std::slice::from_ref(file), &format!("gates.waiver[{at}].file")));
            match files.transpose() {
                Ok(files) => waivers.push((files, waiver.clone())),
                Err(bad) => wrong.extend(bad),
            }
        }
        if wrong.is_empty() {
            Ok(Self { profiles, waivers })
        } else {
            Err(wrong)
        }
    }

    /// The limits of functions in a file.
    #[must_use]
    pub fn limits(&self, path: &str, told: &settings::Complexity) -> settings::Complexity {
        let own = self.of_path(path).filter_map(|profile| profile.complexity);
        own.fold(*told, |all, own| settings::Complexity {
            cyclomatic: own.cyclomatic.unwrap_or(all.cyclomatic),
            length: own.length.unwrap_or(all.length),
            nesting: own.nesting.unwrap_or(all.nesting),
            parameters: own.parameters.unwrap_or(all.parameters),
            severity: all.severity,
        })
    }

    fn of_path<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a PathProfile> {
        let fits = move |(patterns, _): &&(Patterns, PathProfile)| patterns.matches(path);
        self.profiles.iter().filter(fits).map(|(_, profile)| profile)
    }

    /// The finding as it counts: left out, only a warning, or waived.
    fn settled(&self, mut finding: Finding, gate_severity: Severity, today: &str) -> Option<Finding> {
        if gate_severity == Severity::Warning {
            finding.severity = Severity::Warning;
        }
        let finding = self.by_profiles(finding)?;
        Some(match self.waiver_of(&finding) {
            Some(waiver) => waived(finding, waiver, today),
            None => finding,
        })
    }

    /// What the profiles of its file leave of a finding.
    fn by_profiles(&self, mut finding: Finding) -> Option<Finding> {
        let Some(file) = finding.file.clone() else {
            return Some(finding);
        };
        for profile in self.of_path(&file) {
            if profile.skip.iter().any(|rule| covers(rule, &finding)) {
                return None;
            }
            if profile.warn.iter().any(|rule| covers(rule, &finding)) {
                finding.severity = Severity::Warning;
            }
        }
        Some(finding)
    }

    fn waiver_of(&self, finding: &Finding) -> Option<&Waiver> {
        let fits = |(files, waiver): &&(Option<Patterns>, Waiver)| {
            let file = files
                .as_ref()
                .is_none_or(|files| finding.file.as_ref().is_some_and(|file| files.matches(file)));
            let function = waiver.function.is_none() || waiver.function == finding.function;
            file && function && covers(&waiver.rule, finding)
        };
        self.waivers.iter().find(fits).map(|(_, waiver)| waiver)
    }
}

/// The finding under a waiver; one that has ended is only mentioned.
fn waived(mut finding: Finding, waiver: &Waiver, today: &str) -> Finding {
    if today <= waiver.until.as_str() {
        finding.waived = Some(Waived {
            by: waiver.by.clone(),
            reason: waiver.reason.clone(),
            until: waiver.until.clone(),
        });
    } else {
        finding.message = format!(
            "{} (a waiver by {} ended on {})",
            finding.message, waiver.by, waiver.until
        );
    }
    finding
}

/// Does the name of a rule or gate mean the finding?
fn covers(rule: &str, finding: &Finding) -> bool {
    let gate = rule.strip_suffix(".*").unwrap_or(rule);
    finding.rule == rule || finding.gate == gate
}

fn patterns(list: &[String], key: &str) -> Result<Patterns, Vec<BadSettings>> {
    Patterns::parse(list).map_err(|errors| {
        let bad = |error: worknode_policies::pattern::PatternError| BadSettings {
            key: key.to_owned(),
            why: error.to_string(),
            hint: error.hint(),
        };
        errors.into_iter().map(bad).collect()
    })
}

fn bad_waiver(waiver: &Waiver, at: usize) -> Vec<BadSettings> {
    let bad = |key: &str, why: &str, hint: &str| BadSettings {
        key: format!("gates.waiver[{at}].{key}"),
        why: why.to_owned(),
        hint: Some(hint.to_owned()),
    };
    let mut wrong = Vec::new();
    if !is_day(&waiver.until) {
        wrong.push(bad("until", "this is not a day", "write a day as \"2026-12-31\""));
    }
    if waiver.by.trim().is_empty() {
        wrong.push(bad("by", "nobody is named", "write who decided it"));
    }
    if waiver.reason.trim().is_empty() {
        wrong.push(bad("reason", "no reason is given", "write why it does not count"));
    }
    wrong
}

/// Is the text a day, as `2026-12-31`?
fn is_day(text: &str) -> bool {
    format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok()
}

/// Settles what a gate found: profiles, severity, waivers; bounded.
#[must_use]
pub fn settle(
    gate: &str,
    found: Vec<Finding>,
    severity: Severity,
    profiles: &Profiles,
    now: Timestamp,
) -> Outcome {
    let today: String = now.to_string().chars().take(10).collect();
    let mut findings: Vec<Finding> = found
        .into_iter()
        .map(|mut finding| {
            gate.clone_into(&mut finding.gate);
            finding
        })
        .filter_map(|finding| profiles.settled(finding, severity, &today))
        .collect();
    let passed = !findings.iter().any(Finding::fails);
    // Those that fail come first: what is left out is never the reason.
    findings.sort_by_key(|finding| !finding.fails());
    let more = findings.len().saturating_sub(MOST_FINDINGS);
    findings.truncate(MOST_FINDINGS);
    findings.sort_by(|a, b| (&a.file, a.line, &a.rule).cmp(&(&b.file, b.line, &b.rule)));
    Outcome {
        gate: gate.to_owned(),
        passed,
        findings,
        more,
        took_ms: 0,
    }
}

/// What a gate that only reads files says; `None` when the name is not of one.
#[must_use]
pub fn of_files(
    name: &str,
    change: &ChangeSet,
    told: &All,
    profiles: &Profiles,
    now: Timestamp,
) -> Option<Outcome> {
    let (found, severity) = match name {
        "complexity" => (
            gate::complexity::judge(change, &told.complexity, profiles),
            told.complexity.severity,
        ),
        "docs" => (gate::docs::judge(change), told.docs.severity),
        "size" => (gate::size::judge(change, &told.size), told.size.severity),
        "secrets" => (gate::secrets::judge(change), told.secrets.severity),
        "licence" => (gate::licence::judge(change, &told.licence), told.licence.severity),
        "power-of-ten" => (
            gate::power::judge(change, &told.power_of_ten),
            told.power_of_ten.severity,
        ),
        "plan" => (gate::paths::judge(change), Severity::Error),
        other => {
            let rule = told.rule.get(other)?;
            (gate::rule::judge(other, rule, change), rule.severity)
        }
    };
    Some(settle(name, found, severity, profiles, now))
}

/// Names of all gates that there are for a team, the program's own first.
#[must_use]
pub fn names(told: &All) -> Vec<String> {
    let own = gate::GATES.iter().map(|about| about.name.to_owned());
    own.chain(told.command.keys().cloned())
        .chain(told.rule.keys().cloned())
        .collect()
}

/// Gates that run where nobody says which: those that need nothing, and those that are configured.
#[must_use]
pub fn default_names(told: &All, has_tests: bool) -> Vec<String> {
    let own = gate::GATES.iter().filter(|about| {
        about.by_default
            || (about.name == "tests" && has_tests)
            || (about.name == "coverage" && told.coverage.is_some())
    });
    own.map(|about| about.name.to_owned())
        .chain(told.command.keys().cloned())
        .chain(told.rule.keys().cloned())
        .collect()
}

/// Counts of what was found, for a line at the end.
#[must_use]
pub fn counts(outcomes: &[Outcome]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::from([("errors", 0), ("warnings", 0), ("waived", 0)]);
    for finding in outcomes.iter().flat_map(|outcome| &outcome.findings) {
        let kind = match (&finding.waived, finding.severity) {
            (Some(_), _) => "waived",
            (None, Severity::Error) => "errors",
            (None, Severity::Warning) => "warnings",
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts
}
