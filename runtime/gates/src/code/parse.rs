//! Parsing, within bounds.

use std::{borrow::Cow, cell::RefCell, ops::ControlFlow};

use tree_sitter::{Node, ParseOptions, ParseState, Parser, Range, Tree};

use super::{blanks, bodies::Body, language::Language, module::Module, walk};

/// The largest file that is measured. Code that people write is smaller; what is larger was
/// generated.
pub const MOST_BYTES: usize = 2 * 1024 * 1024;

/// The parser looks up every hundred steps or so. Text that needs more looks than this for its
/// length does not follow the grammar in a way that makes recovery slow.
const LOOKS_AT_LEAST: usize = 20_000;
const BYTES_A_LOOK: usize = 4;

/// A file that was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMeasured {
    /// It is longer than [`MOST_BYTES`].
    #[error("it has {bytes} bytes; at most {MOST_BYTES} are measured")]
    TooLarge {
        /// How long.
        bytes: usize,
    },
    /// It follows its grammar so badly that reading it takes too long.
    #[error("it follows the grammar of {language} so badly that it cannot be read in good time")]
    TooHard {
        /// By its name.
        language: &'static str,
    },
}

/// Measures one file.
///
/// # Errors
/// [`NotMeasured`] when it is too large, or takes too long to parse.
pub fn read(language: Language, text: &str) -> Result<Module, NotMeasured> {
    if text.len() > MOST_BYTES {
        return Err(NotMeasured::TooLarge { bytes: text.len() });
    }
    let too_hard = NotMeasured::TooHard {
        language: language.name(),
    };
    let mut reader = Reader {
        language,
        looks: LOOKS_AT_LEAST + text.len() / BYTES_A_LOOK,
    };
    let whole = reader.whole(text).ok_or(too_hard)?;
    let (mut module, mut bodies) = walk::measure(language, text, &whole);
    // A macro inside a macro is inside a shorter text each time.
    while let Some(body) = bodies.pop() {
        let (inside, more) = reader.inside(text, &body).ok_or(too_hard)?;
        module.functions.extend(inside.functions);
        if !body.is_definition {
            module.items.extend(inside.items);
        }
        bodies.extend(more);
    }
    Ok(module)
}

thread_local! {
    /// A parser keeps the memory that it has worked with: one is enough for a thread.
    static PARSER: RefCell<Parser> = RefCell::new(Parser::new());
}

/// Reads the trees of one file.
struct Reader {
    language: Language,
    /// What is left of the looks for the whole file.
    looks: usize,
}

impl Reader {
    /// The tree of the whole text. Where the preprocessor of C keeps the grammar from being
    /// followed, it is the tree without what does, if that has fewer errors.
    fn whole(&mut self, text: &str) -> Option<Tree> {
        let mut best = self.tree(text, None, None)?;
        let mut text = Cow::Borrowed(text);
        if !self.language.is_c_family() {
            return Some(best);
        }
        for find in [blanks::macros, blanks::conditions, blanks::stars] {
            if !best.root_node().has_error() {
                break;
            }
            let parts = find(&text);
            if parts.is_empty() {
                continue;
            }
            let mut before = best.clone();
            let blanked = blanks::blank(&text, &parts, &mut before)?;
            let tree = self.tree(&blanked, None, Some(&before))?;
            if errors(&tree) <= errors(&best) {
                (best, text) = (tree, Cow::Owned(blanked));
            }
        }
        Some(best)
    }

    /// Measures the body of a macro: as a whole, or part by part where that finds more. The second
    /// answer is the bodies of macros in it.
    fn inside(&mut self, text: &str, body: &Body) -> Option<(Module, Vec<Body>)> {
        let tree = self.tree(text, Some(body.range), None)?;
        let whole = walk::measure(self.language, text, &tree);
        if !tree.root_node().has_error() || body.parts.is_empty() {
            return Some(whole);
        }
        let (mut parts, mut bodies) = (Module::empty(self.language), Vec::new());
        for part in &body.parts {
            let (inside, more) = self.inside(text, part)?;
            parts.functions.extend(inside.functions);
            parts.items.extend(inside.items);
            bodies.extend(more);
        }
        let more = parts.functions.len() > whole.0.functions.len();
        Some(if more { (parts, bodies) } else { whole })
    }

    /// Parses the text, or one part of it. `before` is the tree that it had, with what has changed.
    fn tree(&mut self, text: &str, part: Option<Range>, before: Option<&Tree>) -> Option<Tree> {
        PARSER.with_borrow_mut(|parser| {
            parser.reset();
            parser.set_language(&self.language.grammar()).ok()?;
            parser.set_included_ranges(part.as_slice()).ok()?;
            let bytes = text.as_bytes();
            let mut look = |_: &ParseState| {
                self.looks = self.looks.saturating_sub(1);
                if self.looks == 0 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            let options = ParseOptions::new().progress_callback(&mut look);
            let mut chunk = |at: usize, _| bytes.get(at..).unwrap_or_default();
            parser.parse_with_options(&mut chunk, before, Some(options))
        })
    }
}

/// How often the text does not follow the grammar.
fn errors(tree: &Tree) -> usize {
    let mut cursor = tree.walk();
    let mut count = 0;
    loop {
        let node: Node<'_> = cursor.node();
        count += usize::from(node.is_error() || node.is_missing());
        if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return count;
            }
        }
    }
}
