//! C without what the preprocessor makes of it, where that keeps the grammar from being followed.
//!
//! `EXPORT int CALL f(void)` has two words too many for the grammar, and so nothing of the function
//! would be measured. Which words are macros is told by where they stand: where C has no place for
//! one more name. Lines like `#if` may stand in the middle of an expression. Old C has functions whose
//! pointers the grammar does not know. All are replaced by blanks, so that everything else stays
//! where it is.

use std::ops::Range;

use tree_sitter::{InputEdit, Point, Tree};

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

/// Where macros stand that can be blanked.
pub(super) fn macros(text: &str) -> Vec<Range<usize>> {
    let mut macros = Vec::new();
    let mut tokens = Tokens::of(text);
    let mut before = "";
    let (mut now, mut after) = (tokens.next(), tokens.next());
    while let Some(token) = now {
        let following = tokens.next();
        let word = |token: &Option<Token>| {
            token
                .clone()
                .and_then(|token| text.get(token))
                .unwrap_or_default()
        };
        let name = text.get(token.clone()).unwrap_or_default();
        let place = Place {
            before,
            after: word(&after),
            following: word(&following),
        };
        if is_in_capitals(name) && place.has_none_for_a_name() {
            macros.push(token);
        } else {
            before = name;
        }
        (now, after) = (after, following);
    }
    macros
}

/// Where lines like `#if`, `#else` and `#endif` stand: without them, every branch is there.
pub(super) fn conditions(text: &str) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut tokens = Tokens::of(text);
    loop {
        while let Some(length) = tokens.passed_over() {
            let line = tokens.at..tokens.at + length;
            let word = text.get(line.clone()).unwrap_or_default();
            if word.strip_prefix('#').is_some_and(is_condition) {
                lines.push(line);
            }
            tokens.pass_over(length);
        }
        if tokens.next().is_none() {
            return lines;
        }
    }
}

/// Where stars stand before the name of a function of old C, which tells the types of parameters
/// after the parentheses: `char *f(a) int a; { … }`. The grammar knows it without the star.
pub(super) fn stars(text: &str) -> Vec<Range<usize>> {
    let all: Vec<Token> = Tokens::of(text).collect();
    let word = |at: usize| {
        all.get(at)
            .and_then(|token| text.get(token.clone()))
            .unwrap_or_default()
    };
    let stars = all
        .iter()
        .enumerate()
        .filter(|(at, _)| word(*at) == "*" && names_follow(word, at + 1));
    stars.map(|(_, token)| token.clone()).collect()
}

/// Do a name, names in parentheses, and the name of a type follow?
fn names_follow<'t>(word: impl Fn(usize) -> &'t str, mut at: usize) -> bool {
    if !is_name(word(at)) || word(at + 1) != "(" {
        return false;
    }
    at += 2;
    while is_name(word(at)) {
        match word(at + 1) {
            "," => at += 2,
            ")" => return is_name(word(at + 2)),
            _ => return false,
        }
    }
    false
}

/// Is the line, after its `#`, the beginning, the middle or the end of a condition?
fn is_condition(line: &str) -> bool {
    let line = line.trim_start();
    ["if", "el", "endif"].iter().any(|word| line.starts_with(word))
}

/// The text with blanks for parts of it. The tree of the text is told, so that what stands
/// elsewhere need not be parsed again.
pub(super) fn blank(text: &str, parts: &[Range<usize>], tree: &mut Tree) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let (mut at, mut point) = (0, Point::default());
    for part in parts {
        let start_position = moved(point, bytes.get(at..part.start)?);
        let inside = bytes.get_mut(part.clone())?;
        let end = moved(start_position, inside);
        inside
            .iter_mut()
            .filter(|byte| **byte != b'\n')
            .for_each(|byte| *byte = b' ');
        tree.edit(&InputEdit {
            start_byte: part.start,
            old_end_byte: part.end,
            new_end_byte: part.end,
            start_position,
            old_end_position: end,
            new_end_position: end,
        });
        (at, point) = (part.end, end);
    }
    String::from_utf8(bytes).ok()
}

/// Where a text ends that begins at the point.
fn moved(point: Point, text: &[u8]) -> Point {
    let mut lines = text.rsplit(|byte| *byte == b'\n');
    let last = lines.next().unwrap_or_default().len();
    match lines.count() {
        0 => Point::new(point.row, point.column + last),
        rows => Point::new(point.row + rows, last),
    }
}

type Token = Range<usize>;

/// What stands around a name.
struct Place<'t> {
    before: &'t str,
    after: &'t str,
    following: &'t str,
}

impl Place<'_> {
    /// Is there no place for a name in C here?
    fn has_none_for_a_name(&self) -> bool {
        let asked_for = WANT_A_NAME.contains(&self.before);
        let before_a_name = is_name(self.after) && !BELONG.contains(&self.after);
        before_a_name && (self.before_a_beginning(asked_for) || self.one_too_many(asked_for))
    }

    /// `FALLTHROUGH case`, `EXPORT int`.
    fn before_a_beginning(&self, asked_for: bool) -> bool {
        BEGIN.contains(&self.after) && !asked_for
    }

    /// `EXPORT type f`, `EXPORT type *f`; `int CALL f`, `type *CALL f`.
    fn one_too_many(&self, asked_for: bool) -> bool {
        let two_more = is_name(self.following) && !BELONG.contains(&self.following);
        let has_type = self.before == "*" || (is_name(self.before) && !asked_for);
        let is_tag = matches!(self.before, "struct" | "union" | "enum" | "class");
        !WANT_A_NAME.contains(&self.after) && !is_tag && (two_more || self.following == "*" || has_type)
    }
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
    /// Is there nothing but blanks before this on its line?
    begins_line: bool,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        while let Some(length) = self.passed_over() {
            self.pass_over(length);
        }
        let from = self.at;
        let rest = self.rest();
        self.at += match rest.first()? {
            quote @ (b'"' | b'\'') => quoted(rest, *quote),
            _ => rest.iter().take_while(|byte| is_in_name(**byte)).count().max(1),
        };
        self.begins_line = false;
        Some(from..self.at)
    }
}

impl<'t> Tokens<'t> {
    const fn of(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            begins_line: true,
        }
    }

    fn rest(&self) -> &[u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// How much of what follows is no token.
    fn passed_over(&self) -> Option<usize> {
        let rest = self.rest();
        match rest {
            [b'/', b'/', ..] => Some(end_of_line(rest)),
            [b'/', b'*', ..] => Some(end_of_comment(rest)),
            [b'#', ..] if self.begins_line => Some(end_of_line(rest)),
            [first, ..] if first.is_ascii_whitespace() => Some(1),
            _ => None,
        }
    }

    fn pass_over(&mut self, length: usize) {
        let passed = self.rest().get(..length).unwrap_or_default();
        let is_blank = passed.iter().all(u8::is_ascii_whitespace);
        self.begins_line = passed.ends_with(b"\n") || (self.begins_line && is_blank);
        self.at += length;
    }
}

fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn end_of_comment(bytes: &[u8]) -> usize {
    let ends = bytes.windows(2).skip(2).position(|two| two == b"*/");
    ends.map_or(bytes.len(), |at| at + 4)
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
    fn an_expression_cut_in_two_is_read() {
        let text = "int f(int a) {\n  int b =\n#ifdef A\n    a == 2 ? 1 :\n#endif\n    a == 3 ? 2 : 3;\n  return b;\n}\n";
        assert_eq!(found(text), [("f".into(), 1, 3)]);
        // Where it only stands between statements, the grammar knows it. Its condition is no way.
        let text = "int f(int a) {\n#if defined(A) && (B || C)\n  if (a) return 1;\n#else\n  while (a) a--;\n#endif\n  return 0;\n}\n";
        assert_eq!(found(text), [("f".into(), 1, 3)]);
    }

    #[test]
    fn a_pointer_before_a_function_of_old_c_is_read() {
        let text = "const char * ZEXPORT f(a, b)\n    char *a;\n    int b;\n{\n  if (b) return a;\n  return 0;\n}\nint *g(void) { return 0; }\n";
        assert_eq!(found(text), [("f".into(), 1, 2), ("g".into(), 8, 1)]);
        for text in ["int a = b *f(c, d);", "char *f(int a, int b) { }", "x = a * f(b"] {
            assert!(stars(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn types_in_capitals_stay() {
        for text in [
            "static BOOL f(HANDLE h, DWORD n) { BOOL x = h && n; return x; }",
            "typedef struct FOO BAR; const FILE *f; struct FOO bar; unsigned x;",
            "#define EXPORT extern int\n// EXPORT int f\n/* EXPORT int f */ char *s = \"EXPORT int f\";",
            "DWORD const *a; UINT a, b; return BIG * x;",
        ] {
            assert!(macros(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn everything_else_stays_where_it_is() {
        let text = "EXPORT int f(void);\n#define X \\\n EXPORT int\nint CALL g(char *a, ...);\n'EXPORT int";
        let found: Vec<&str> = macros(text).into_iter().map(|part| &text[part]).collect();
        assert_eq!(found, ["EXPORT", "CALL"]);
        for cut in 0..text.len() {
            let (macros, lines) = (macros(&text[..cut]), conditions(&text[..cut]));
            let stars = stars(&text[..cut]);
            assert!(
                macros
                    .iter()
                    .chain(&lines)
                    .chain(&stars)
                    .all(|part| part.end <= cut)
            );
        }
    }

    #[test]
    fn a_second_reading_is_like_a_first() {
        let text = "EXPORT int\nCALL f(int a) { if (a) return 1;\n#if X\n return 2;\n#endif\n}\nint g;\n";
        let mut parser = tree_sitter::Parser::new();
        parser.set_language(&Language::C.grammar()).unwrap();
        let mut tree = parser.parse(text, None).unwrap();
        let blanked = blank(text, &macros(text), &mut tree).unwrap();
        assert_eq!(blanked.len(), text.len());
        let again = parser.parse(&blanked, Some(&tree)).unwrap();
        let first = parser.parse(&blanked, None).unwrap();
        assert_eq!(again.root_node().to_sexp(), first.root_node().to_sexp());
        assert_eq!(again.root_node().end_position(), Point::new(7, 0));
    }
}
