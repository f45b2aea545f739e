//! The languages whose syntax is known here.

use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::table::Table;

/// A language whose syntax is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// C.
    C,
    /// C++, and headers that are not plainly C.
    Cpp,
    /// Rust.
    Rust,
    /// Python 3.
    Python,
    /// JavaScript, JSX included.
    JavaScript,
    /// TypeScript.
    TypeScript,
    /// TypeScript with JSX.
    Tsx,
    /// Go.
    Go,
    /// Java.
    Java,
}

/// How the files of each language end; `.h` may be C++, too.
const ENDINGS: [(Language, &[&str]); 9] = [
    (Language::C, &["c", "h"]),
    (
        Language::Cpp,
        &["cc", "cpp", "cxx", "c++", "hpp", "hh", "hxx", "h++", "ipp", "tpp"],
    ),
    (Language::Rust, &["rs"]),
    (Language::Python, &["py", "pyi", "pyw"]),
    (Language::JavaScript, &["js", "mjs", "cjs", "jsx"]),
    (Language::TypeScript, &["ts", "mts", "cts"]),
    (Language::Tsx, &["tsx"]),
    (Language::Go, &["go"]),
    (Language::Java, &["java"]),
];

impl Language {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::C,
        Self::Cpp,
        Self::Rust,
        Self::Python,
        Self::JavaScript,
        Self::TypeScript,
        Self::Tsx,
        Self::Go,
        Self::Java,
    ];

    /// The language of a file, by its name and, for `.h`, by what is in it.
    #[must_use]
    pub fn of(path: &str, text: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let (_, ending) = name.rsplit_once('.')?;
        let ending = ending.to_ascii_lowercase();
        if ending == "h" && is_cpp(text) {
            return Some(Self::Cpp);
        }
        let known = ENDINGS
            .iter()
            .find(|(_, endings)| endings.contains(&ending.as_str()));
        known.map(|(language, _)| *language)
    }

    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.about().0
    }

    /// Its name, and where its grammar comes from.
    const fn about(self) -> (&'static str, fn() -> tree_sitter::Language) {
        match self {
            Self::C => ("C", || tree_sitter_c::LANGUAGE.into()),
            Self::Cpp => ("C++", || tree_sitter_cpp::LANGUAGE.into()),
            Self::Rust => ("Rust", || tree_sitter_rust::LANGUAGE.into()),
            Self::Python => ("Python", || tree_sitter_python::LANGUAGE.into()),
            Self::JavaScript => ("JavaScript", || tree_sitter_javascript::LANGUAGE.into()),
            Self::TypeScript => ("TypeScript", || {
                tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into()
            }),
            Self::Tsx => ("TSX", || tree_sitter_typescript::LANGUAGE_TSX.into()),
            Self::Go => ("Go", || tree_sitter_go::LANGUAGE.into()),
            Self::Java => ("Java", || tree_sitter_java::LANGUAGE.into()),
        }
    }

    /// C or C++.
    #[must_use]
    pub const fn is_c_family(self) -> bool {
        matches!(self, Self::C | Self::Cpp)
    }

    /// JavaScript, TypeScript, TSX.
    #[must_use]
    pub const fn is_script(self) -> bool {
        matches!(self, Self::JavaScript | Self::TypeScript | Self::Tsx)
    }

    pub(super) fn grammar(self) -> tree_sitter::Language {
        let (_, grammar) = self.about();
        grammar()
    }

    /// What each kind of node of the grammar means. Built once for each language.
    pub(super) fn table(self) -> &'static Table {
        static TABLES: [OnceLock<Table>; 9] = [const { OnceLock::new() }; 9];
        let at = Self::ALL
            .iter()
            .position(|language| *language == self)
            .unwrap_or(0);
        TABLES[at].get_or_init(|| Table::of(self))
    }
}

/// Words that a C header has no use for. Looked for at the beginning of lines.
fn is_cpp(text: &str) -> bool {
    const WORDS: [&str; 6] = [
        "class ",
        "namespace ",
        "template",
        "using ",
        "public:",
        "private:",
    ];
    text.lines().take(4000).any(|line| {
        let line = line.trim_start();
        WORDS.iter().any(|word| line.starts_with(word)) && !line.ends_with("*/")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_language_is_in_its_name() {
        let of = |path| Language::of(path, "");
        assert_eq!(of("src/lib.rs"), Some(Language::Rust));
        assert_eq!(of("a/b.TSX"), Some(Language::Tsx));
        assert_eq!(of("x.h"), Some(Language::C));
        assert_eq!(Language::of("x.h", "\n  namespace a {\n"), Some(Language::Cpp));
        for none in ["Makefile", "a.txt", "rs", "a.rs/b"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
