//! What can be public, and whether it is documented.

use tree_sitter::Node;

use super::{
    language::Language,
    names::{self, text},
    walk::{Above, line},
};

/// What sort of thing wants documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A function or method.
    Function,
    /// A type: class, struct, enum, interface, alias.
    Type,
    /// A module inside a file.
    Module,
    /// A constant, a variable, a macro.
    Value,
}

impl ItemKind {
    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Type => "type",
            Self::Module => "module",
            Self::Value => "value",
        }
    }
}

/// Something that others can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Its name.
    pub name: String,
    /// The class, `impl` or namespace around it; empty when there is none.
    pub container: String,
    /// Its first line, from 1.
    pub line: u32,
    /// Its last line.
    pub end: u32,
    /// Where its text begins, in bytes.
    pub from: usize,
    /// Where its text ends, in bytes.
    pub to: usize,
    /// Whether it is documented.
    pub documented: bool,
}

/// A comment that may document what follows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comment {
    last_row: usize,
    /// Whether it has the form in which its language documents.
    documents: bool,
}

impl Comment {
    /// A comment; `before` is the one above it, which it may go on with.
    pub(super) fn of(language: Language, node: Node<'_>, source: &str, before: Option<Self>) -> Option<Self> {
        let words = text(node, source);
        let before = before.filter(|before| before.touches(node));
        let documents = before.is_some_and(|before| before.documents) || documents(language, words);
        Some(Self {
            last_row: last_row(node),
            documents,
        })
    }

    /// Documentation that ends where the node ends.
    pub(super) fn ending(node: Node<'_>) -> Self {
        Self {
            last_row: last_row(node),
            documents: true,
        }
    }

    /// The same comment with an attribute after it.
    pub(super) fn reaching(self, node: Node<'_>) -> Self {
        if self.touches(node) {
            Self {
                last_row: last_row(node),
                ..self
            }
        } else {
            self
        }
    }

    /// Does the node begin on the next line?
    pub(super) fn touches(self, node: Node<'_>) -> bool {
        node.start_position().row <= self.last_row + 1
    }
}

/// The last line that has something of the node: some grammars count the line end to it.
fn last_row(node: Node<'_>) -> usize {
    let end = node.end_position();
    if end.column == 0 {
        end.row.saturating_sub(1)
    } else {
        end.row
    }
}

/// Has a comment the form in which the language documents, and something to say?
fn documents(language: Language, comment: &str) -> bool {
    let form = match language {
        Language::Rust => is_rust_doc(comment),
        Language::Java | Language::JavaScript | Language::TypeScript | Language::Tsx => {
            comment.starts_with("/**")
        }
        Language::Go => !comment.starts_with("//go:") && !comment.starts_with("//nolint"),
        Language::C | Language::Cpp => true,
        Language::Python => false,
    };
    form && comment.chars().any(char::is_alphanumeric)
}

/// `///` or `/**`, and not a line of signs.
fn is_rust_doc(comment: &str) -> bool {
    let begins = |mark: &str, more: char| {
        comment
            .strip_prefix(mark)
            .is_some_and(|rest| !rest.starts_with(more))
    };
    begins("///", '/') || begins("/**", '*')
}

pub(super) fn is_doc_attribute(attribute: &str) -> bool {
    attribute.starts_with("#[doc =") || attribute.starts_with("#[doc=")
}

/// The item that the node is, when it is public.
pub(super) fn item(
    language: Language,
    node: Node<'_>,
    source: &str,
    above: &[Above<'_>],
    doc: Option<Comment>,
) -> Option<Item> {
    let (kind, name) = kind_and_name(language, node, source)?;
    let public = match language {
        Language::Rust => rust(node, source, above),
        Language::Python => python(name, source, above),
        Language::Go => go(name, node, source),
        Language::Java => java(node, source, above),
        Language::JavaScript | Language::TypeScript | Language::Tsx => script(name, node, source, above),
        Language::C | Language::Cpp => c(node, source, above),
    };
    if !public {
        return None;
    }
    let documented = match language {
        Language::Python => docstring(node, source),
        _ => doc
            .or_else(|| wrapped(above))
            .is_some_and(|comment| comment.documents),
    };
    Some(Item {
        kind,
        name: name.to_owned(),
        container: String::new(),
        line: line(node.start_position().row),
        end: line(node.end_position().row),
        from: node.start_byte(),
        to: node.end_byte(),
        documented,
    })
}

/// The comment before what the node is wrapped in: `export`, `template`, a group of one.
fn wrapped(above: &[Above<'_>]) -> Option<Comment> {
    above
        .iter()
        .rev()
        .take_while(|above| {
            matches!(
                above.node.kind(),
                "export_statement"
                    | "template_declaration"
                    | "type_declaration"
                    | "type_definition"
                    | "declaration"
            )
        })
        .find_map(|above| above.doc)
}

fn kind_and_name<'t>(language: Language, node: Node<'_>, source: &'t str) -> Option<(ItemKind, &'t str)> {
    let name = name(language, node, source)?;
    (!name.is_empty()).then(|| (sort(language, node.kind()), name))
}

fn sort(language: Language, kind: &str) -> ItemKind {
    const FUNCTIONS: [&str; 3] = ["function", "method", "constructor"];
    match kind {
        "declaration" if language.is_c_family() => ItemKind::Function,
        "lexical_declaration" => ItemKind::Function,
        "mod_item" | "internal_module" => ItemKind::Module,
        "const_item" | "static_item" | "macro_definition" => ItemKind::Value,
        _ if FUNCTIONS.iter().any(|part| kind.contains(part)) => ItemKind::Function,
        _ => ItemKind::Type,
    }
}

/// Its name; empty, or none, when it is not one that has to be documented.
fn name<'t>(language: Language, node: Node<'_>, source: &'t str) -> Option<&'t str> {
    let named = || node.child_by_field_name("name").map(|name| text(name, source));
    match node.kind() {
        "function_definition" if language.is_c_family() => Some(names::declared(node, source).0),
        "declaration" if language.is_c_family() => declared_function(node, source),
        "type_definition" => Some(names::declared(node, source).0),
        // Without a body it is only mentioned here.
        "struct_specifier" | "enum_specifier" | "union_specifier" | "class_specifier" | "mod_item" => {
            node.child_by_field_name("body")?;
            named()
        }
        "lexical_declaration" => script_function(node, source),
        _ => named(),
    }
}

/// The function that a declaration of C declares, if it is one of a function.
fn declared_function<'t>(node: Node<'_>, source: &'t str) -> Option<&'t str> {
    let declarator = node.child_by_field_name("declarator")?;
    text(declarator, source)
        .ends_with(')')
        .then(|| names::declared(node, source).0)
}

/// `const f = () => …` is a function in all but form.
fn script_function<'t>(node: Node<'_>, source: &'t str) -> Option<&'t str> {
    let declarator = node
        .named_child(0)
        .filter(|child| child.kind() == "variable_declarator")?;
    let value = declarator.child_by_field_name("value")?;
    matches!(value.kind(), "arrow_function" | "function_expression")
        .then(|| declarator.child_by_field_name("name"))
        .flatten()
        .map(|name| text(name, source))
}

fn is_pub(node: Node<'_>, source: &str) -> bool {
    let mut cursor = node.walk();
    node.children(&mut cursor)
        .any(|child| child.kind() == "visibility_modifier" && text(child, source) == "pub")
}

fn rust(node: Node<'_>, source: &str, above: &[Above<'_>]) -> bool {
    let hidden = above
        .iter()
        .any(|above| above.node.kind() == "mod_item" && !is_pub(above.node, source));
    let in_trait = above
        .iter()
        .rev()
        .find(|above| matches!(above.node.kind(), "trait_item" | "impl_item"))
        .is_some_and(|above| above.node.kind() == "trait_item" && is_pub(above.node, source));
    let exported_macro = node.kind() == "macro_definition" && {
        let from = source.floor_char_boundary(node.start_byte().saturating_sub(200));
        source
            .get(from..node.start_byte())
            .is_some_and(|before| before.trim_end().ends_with("#[macro_export]"))
    };
    !hidden && (is_pub(node, source) || in_trait || exported_macro)
}

fn python(name: &str, source: &str, above: &[Above<'_>]) -> bool {
    let private = |name: &str| name.starts_with('_');
    let in_private = above.iter().any(|above| {
        above.node.kind() == "class_definition"
            && above
                .node
                .child_by_field_name("name")
                .is_some_and(|name| private(text(name, source)))
    });
    let repeats = above.last().is_some_and(|above| {
        above.node.kind() == "decorated_definition" && {
            let words = text(above.node, source);
            let decorators = words.split("def ").next().unwrap_or(words);
            decorators.contains(".setter")
                || decorators.contains(".deleter")
                || decorators.contains("overload")
                || decorators.contains("@override")
        }
    });
    !private(name) && !in_private && !repeats
}

fn go(name: &str, node: Node<'_>, source: &str) -> bool {
    let exported = |name: &str| name.chars().next().is_some_and(char::is_uppercase);
    let receiver = node.child_by_field_name("receiver").is_none_or(|_| {
        let (_, kind) = names::function(Language::Go, node, source);
        exported(kind)
    });
    exported(name) && receiver
}

fn java(node: Node<'_>, source: &str, above: &[Above<'_>]) -> bool {
    let modifiers = |node: Node<'_>| {
        let first = node.named_child(0).filter(|child| child.kind() == "modifiers");
        first.map_or("", |modifiers| text(modifiers, source))
    };
    let own = modifiers(node);
    let in_interface = above
        .iter()
        .rev()
        .find(|above| above.node.kind().ends_with("_declaration"))
        .is_some_and(|above| above.node.kind() == "interface_declaration");
    let hidden = above.iter().any(|above| {
        matches!(
            above.node.kind(),
            "class_declaration" | "record_declaration" | "enum_declaration"
        ) && !modifiers(above.node).contains("public")
    });
    let shown =
        own.contains("public") || own.contains("protected") || (in_interface && !own.contains("private"));
    shown && !hidden && !own.contains("@Override")
}

fn script(name: &str, node: Node<'_>, source: &str, above: &[Above<'_>]) -> bool {
    let exported = above.iter().any(|above| above.node.kind() == "export_statement");
    if !exported || name.starts_with('#') || name == "constructor" {
        return false;
    }
    let head = text(node, source).split('(').next().unwrap_or_default();
    !head
        .split_whitespace()
        .any(|word| matches!(word, "private" | "protected" | "set" | "override"))
}

/// In C, what is not `static` can be used by others. A definition whose header is next to it is
/// documented there, which cannot be seen from here.
fn c(node: Node<'_>, source: &str, above: &[Above<'_>]) -> bool {
    if above.iter().any(|above| {
        matches!(
            above.node.kind(),
            "compound_statement" | "parameter_list" | "field_declaration_list"
        )
    }) {
        return false;
    }
    let mut cursor = node.walk();
    let fixed = node
        .children(&mut cursor)
        .any(|child| child.kind() == "storage_class_specifier" && text(child, source) == "static");
    let named_by_typedef = above
        .last()
        .is_some_and(|above| above.node.kind() == "type_definition");
    !fixed && !named_by_typedef
}

/// Is the first thing in the body a text?
fn docstring(node: Node<'_>, source: &str) -> bool {
    node.child_by_field_name("body")
        .is_some_and(|body| begins_with_text(body, source))
}

fn begins_with_text(body: Node<'_>, source: &str) -> bool {
    let mut cursor = body.walk();
    let first = body
        .named_children(&mut cursor)
        .find(|child| child.kind() != "comment");
    first
        .filter(|first| first.kind() == "expression_statement")
        .and_then(|first| first.named_child(0))
        .is_some_and(|words| {
            words.kind() == "string" && text(words, source).chars().any(char::is_alphanumeric)
        })
}

/// Does the file say what it is, in the way of its language? True where the language has none.
pub(super) fn module_documented(language: Language, root: Node<'_>, source: &str) -> bool {
    match language {
        Language::Python => begins_with_text(root, source),
        Language::Rust => {
            let start = source.trim_start_matches('\u{feff}').trim_start();
            let is_doc = |line: &str| line.starts_with("//!") || line.starts_with("/*!");
            let passed_over = |line: &str| line.is_empty() || (line.starts_with("//") && !is_doc(line));
            let mut lines = start.lines().map(str::trim_start);
            lines.find(|line| !passed_over(line)).is_some_and(is_doc)
        }
        _ => true,
    }
}
