//! Bodies of Rust's macros, which are tokens to the grammar and code to people.

use tree_sitter::{Node, Range};

use super::names::text;

/// How deep groups of tokens are looked into.
const DEEP: usize = 6;

/// The tokens of a macro with a function among them.
#[derive(Debug)]
pub(super) struct Body {
    /// Where it is, without what encloses it.
    pub(super) range: Range,
    /// Groups in it that have a function: read one by one where the whole follows no grammar, as
    /// in `stable: { … }, unstable: { … }`.
    pub(super) parts: Vec<Self>,
    /// Whether it defines a macro: its functions are read by people, though they are not there.
    pub(super) is_definition: bool,
}

impl Body {
    /// The group of tokens, when a function may be in it.
    pub(super) fn of(group: Node<'_>, source: &str, is_definition: bool) -> Option<Self> {
        Self::within(group, source, is_definition, DEEP)
    }

    fn within(group: Node<'_>, source: &str, is_definition: bool, deep: usize) -> Option<Self> {
        let is_group = matches!(group.kind(), "token_tree" | "token_repetition");
        if deep == 0 || !is_group || !text(group, source).contains("fn ") {
            return None;
        }
        let mut cursor = group.walk();
        let parts = group
            .named_children(&mut cursor)
            .filter_map(|part| Self::within(part, source, is_definition, deep - 1))
            .collect();
        Some(Self {
            range: inner(group, source)?,
            parts,
            is_definition,
        })
    }
}

/// What a group encloses: `{ … }`, or `$( … )*`.
fn inner(group: Node<'_>, source: &str) -> Option<Range> {
    let whole = text(group, source);
    let opens = whole.find(['{', '(', '['])? + 1;
    let closes = whole.rfind(['}', ')', ']'])?.max(opens);
    let mut start_point = group.start_position();
    start_point.column += opens;
    let mut end_point = group.end_position();
    end_point.column = end_point.column.saturating_sub(whole.len() - closes);
    Some(Range {
        start_byte: group.start_byte() + opens,
        end_byte: group.start_byte() + closes,
        start_point,
        end_point,
    })
}

#[cfg(test)]
mod tests {
    use crate::code::{Language, read};

    /// Name, first line and ways of each function.
    fn found(text: &str) -> Vec<(String, u32, u32)> {
        let mut functions = read(Language::Rust, text).unwrap().functions;
        functions.sort_by_key(|function| function.line);
        functions
            .into_iter()
            .map(|f| (f.name, f.line, f.complexity))
            .collect()
    }

    #[test]
    fn functions_in_a_definition_of_a_macro_are_measured() {
        let text = "macro_rules! reader {\n    ($name:ident, $read:ident) => {\n        impl Future for $name {\n            fn poll(self, cx: &mut Context<'_>) -> u8 {\n                if self.$read { return 1; }\n                0\n            }\n        }\n    };\n}\n";
        assert_eq!(found(text), [("poll".into(), 4, 2)]);
        assert!(read(Language::Rust, text).unwrap().items.is_empty());
    }

    #[test]
    fn functions_in_repeated_tokens_are_measured() {
        let text = "macro_rules! all {\n    ($($t:ty => $m:ident),*) => { $(\n        impl Take for $t {\n            fn $m(&self) -> u8 { match self { A => 1, B => 2, C => 3 } }\n        }\n    )* };\n}\n";
        assert_eq!(found(text), [("$m".into(), 4, 3)]);
    }

    #[test]
    fn functions_in_parts_of_a_macro_are_measured() {
        let text = "cfg_variant! {\n    stable: {\n        fn a() {}\n    },\n    unstable: {\n        fn a(b: bool) { if b {} }\n    },\n}\ncfg_unix!(\n    impl A { fn c(&self) { while d {} } }\n);\n";
        assert_eq!(
            found(text),
            [("a".into(), 3, 1), ("a".into(), 6, 2), ("c".into(), 10, 2)]
        );
    }
}
