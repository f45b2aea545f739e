//! Source code, measured by its syntax.
//!
//! One walk over a tree gives everything that the gates `complexity`, `docs` and `power-of-ten`
//! ask for. What syntax cannot tell is not guessed: types, values, and what a macro or the
//! preprocessor makes of a text are not known here.

mod blanks;
mod bodies;
mod calls;
mod items;
mod language;
mod module;
mod names;
mod parse;
mod table;
#[cfg(test)]
mod tests;
mod walk;

pub use calls::{Call, Receiver};
pub use items::{Item, ItemKind};
pub use language::Language;
pub use module::{Function, Module, Unmeasured};
pub use parse::{MOST_BYTES, NotMeasured, read};
