//! C without the macros that keep its grammar from being followed.
//!
//! `EXPORT int CALL f(void)` has two words too many for the grammar, and so nothing of the function
//! would be measured. Which words are macros is told by where they stand: where C has no place for
//! one more name. They are replaced by blanks, so that everything else stays where it is.

use std::{borrow::Cow, ops::Range};

/// Words of C after which a name in capitals is what they ask for.
const WANT_A_NAME: &[&str] = &[
    "auto",
    "case",
    "class",
    "const",
    "define",
    "do",
    "else",
    "enum",
    "extern",
    "goto",
    "inline",
    "namespace",
    "operator",
    "register",
    "restrict",
    "return",
    "sizeof",
    "static",
    "struct",
    "template",
    "throw",
    "typedef",
    "typename",
    "union",
    "using",
    "volatile",
];
/// Words of C that belong to the name before them.
const BELONG: &[&str] = &["const", "restrict", "volatile", "and", "or", "not"];
/// Words of C that begin something, so that a name right before them is a macro.
const BEGIN: &[&str] = &[
    "auto", "bool", "break", "case", "char", "continue", "default", "do", "double", "else", "enum", "extern",
    "float", "for", "goto", "if", "inline", "int", "long", "register", "return", "short", "signed", "static",
    "struct", "switch", "typedef", "union", "unsigned", "void", "while",
];

/// The text with blanks for macros; the text itself when there are none.
pub(super) fn without_macros(text: &str) -> Cow<'_, str> {
    let mut macros = Vec::new();
    let mut before = None;
    let mut rest = Tokens { text, at: 0 };
    let mut now = rest.next();
    let mut after = rest.next();
    while let Some(token) = now {
        let following = rest.next();
        if is_macro(text, before.clone(), &token, after.clone(), following.clone()) {
            macros.push(token);
        } else {
            before = Some(token);
        }
        (now, after) = (after, following);
    }
    if macros.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut blanked = text.to_owned();
    for found in macros {
        blanked.replace_range(found.clone(), &" ".repeat(found.len()));
    }
    Cow::Owned(blanked)
}

type Token = Range<usize>;

/// Is the token a name in capitals where none can stand?
fn is_macro(
    text: &str,
    before: Option<Token>,
    token: &Token,
    after: Option<Token>,
    following: Option<Token>,
) -> bool {
    let word = |token: Option<Token>| token.and_then(|token| text.get(token)).unwrap_or_default();
    let (before, name, after, following) = (
        word(before),
        word(Some(token.clone())),
        word(after),
        word(following),
    );
    if !is_in_capitals(name) || !is_name(after) || BELONG.contains(&after) {
        return false;
    }
    // `FALLTHROUGH case`, `EXPORT int`.
    let begins = BEGIN.contains(&after) && !WANT_A_NAME.contains(&before);
    // `EXPORT type f`, `EXPORT type *f`: of three, one is too many.
    let third = (is_name(following) && !BELONG.contains(&following)) || following == "*";
    // `int CALL f`, `type *CALL f`.
    let has_type = before == "*" || (is_name(before) && !WANT_A_NAME.contains(&before));
    begins || (!WANT_A_NAME.contains(&after) && !is_aggregate(before) && (third || has_type))
}

fn is_aggregate(word: &str) -> bool {
    matches!(word, "struct" | "union" | "enum" | "class")
}

fn is_in_capitals(word: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    word.len() > 2 && word.bytes().all(sign) && word.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_name(word: &str) -> bool {
    word.bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

/// Names, and every other sign one by one. Comments, texts and lines of the preprocessor are passed
/// over; a text stands for itself as one token.
struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let bytes = self.text.as_bytes();
        loop {
            let from = self.at;
            let rest = bytes.get(from..)?;
            let length = match rest {
                [] => return None,
                [b'/', b'/', ..] => end_of_line(rest),
                [b'/', b'*', ..] => self.text.get(from..)?.find("*/").map_or(rest.len(), |at| at + 2),
                [b'#', ..] if self.begins_line() => end_of_line(rest),
                [first, ..] if first.is_ascii_whitespace() => 1,
                [quote @ (b'"' | b'\''), ..] => {
                    self.at += quoted(rest, *quote);
                    return Some(from..self.at);
                }
                _ => {
                    let in_name =
                        |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
                    self.at += rest.iter().take_while(|byte| in_name(byte)).count().max(1);
                    return Some(from..self.at);
                }
            };
            self.at += length;
        }
    }
}

impl Tokens<'_> {
    /// Is there nothing before this on its line?
    fn begins_line(&self) -> bool {
        let before = self.text.get(..self.at).unwrap_or_default();
        before
            .rsplit('\n')
            .next()
            .is_none_or(|line| line.trim().is_empty())
    }
}

/// To the end of a line that may go on after a backslash.
fn end_of_line(bytes: &[u8]) -> usize {
    let mut end = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        if !line.trim_ascii_end().ends_with(b"\\") {
            break;
        }
    }
    end
}

/// To the end of a text in quotes, which ends with its line at the latest.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\n' => return at,
            byte if *byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{Language, read};

    /// Name, first line and ways of each function.
    fn found(text: &str) -> Vec<(String, u32, u32)> {
        let functions = read(Language::C, text).unwrap().functions;
        functions
            .into_iter()
            .map(|f| (f.name, f.line, f.complexity))
            .collect()
    }

    #[test]
    fn a_function_between_macros_is_found() {
        let text = "LIB_EXPORT lib_data * LIB_CALL\nmake(int a)\n{\n  if (a) return 0;\n  return 1;\n}\nLIB_EXPORT int LIB_CALL drop(void) { return 0; }\n";
        assert_eq!(found(text), [("make".into(), 1, 2), ("drop".into(), 7, 1)]);
    }

    #[test]
    fn a_case_behind_a_macro_counts() {
        let text = "int f(int a) {\n  switch (a) {\n  case 1:\n    a = 2;\n    FALLTHROUGH /* on */\n  case 3:\n    break;\n  }\n  return a;\n}\n";
        assert_eq!(found(text), [("f".into(), 1, 3)]);
    }

    #[test]
    fn types_in_capitals_stay() {
        for text in [
            "static BOOL f(HANDLE h, DWORD n) { BOOL x = h && n; return x; }",
            "typedef struct FOO BAR; const FILE *f; struct FOO bar; unsigned x;",
            "#define EXPORT extern int\n// EXPORT int f\n/* EXPORT int f */ char *s = \"EXPORT int f\";",
            "DWORD const *a; UINT a, b; return BIG * x;",
        ] {
            assert_eq!(without_macros(text), text);
        }
    }

    #[test]
    fn everything_else_stays_where_it_is() {
        let text = "EXPORT int f(void);\n#define X \\\n EXPORT int\nint CALL g(char *a, ...);\n'EXPORT int";
        let blanked = without_macros(text);
        assert_eq!(
            blanked,
            text.replacen("EXPORT", "      ", 1).replace("CALL", "    ")
        );
        for cut in 0..text.len() {
            assert_eq!(without_macros(&text[..cut]).len(), cut);
        }
    }
}
