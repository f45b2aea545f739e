//! Parsing, within bounds.

use std::ops::ControlFlow;

use tree_sitter::{ParseOptions, ParseState, Parser, Range, Tree};

use super::{language::Language, module::Module, walk};

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
    let mut looks = LOOKS_AT_LEAST + text.len() / BYTES_A_LOOK;
    let whole = tree(language, text, None, &mut looks).ok_or(too_hard)?;
    let (mut module, mut bodies) = walk::measure(language, text, &whole);
    // A macro inside a macro is inside a shorter text each time.
    while let Some(body) = bodies.pop() {
        let Some(tree) = tree(language, text, Some(body), &mut looks) else {
            return Err(too_hard);
        };
        let (inside, more) = walk::measure(language, text, &tree);
        module.functions.extend(inside.functions);
        module.items.extend(inside.items);
        bodies.extend(more);
    }
    Ok(module)
}

/// Parses the text, or one part of it. `looks` is what is left of the looks for the whole file.
fn tree(language: Language, text: &str, part: Option<Range>, looks: &mut usize) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&language.grammar()).ok()?;
    if let Some(part) = part {
        parser.set_included_ranges(&[part]).ok()?;
    }
    let bytes = text.as_bytes();
    let mut look = |_: &ParseState| {
        *looks = looks.saturating_sub(1);
        if *looks == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let options = ParseOptions::new().progress_callback(&mut look);
    let mut chunk = |at: usize, _| bytes.get(at..).unwrap_or_default();
    parser.parse_with_options(&mut chunk, None, Some(options))
}
