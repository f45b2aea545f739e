//! What things are called.

use tree_sitter::Node;

use super::{language::Language, walk::Above};

/// Steps down a declarator: `int (*(*f)(void))(int)` has few, hostile text may have many.
const DEEP: usize = 64;

/// The text of a node.
pub(super) fn text<'t>(node: Node<'_>, source: &'t str) -> &'t str {
    source.get(node.byte_range()).unwrap_or_default()
}

fn field<'t>(node: Node<'_>, name: &str, source: &'t str) -> Option<&'t str> {
    Some(text(node.child_by_field_name(name)?, source))
}

/// Name of a function, and what stands before it in C++ (`Class` of `Class::method`).
pub(super) fn function<'t>(language: Language, node: Node<'_>, source: &'t str) -> (&'t str, &'t str) {
    match language {
        Language::C | Language::Cpp => declared(node, source),
        Language::Go => (
            field(node, "name", source).unwrap_or_default(),
            field(node, "receiver", source).map_or("", receiver_type),
        ),
        Language::Rust
        | Language::Python
        | Language::Java
        | Language::JavaScript
        | Language::TypeScript
        | Language::Tsx => (field(node, "name", source).unwrap_or_default(), ""),
    }
}

/// `(s *Server[T])` is about `Server`.
fn receiver_type(receiver: &str) -> &str {
    let inner = receiver.trim_start_matches('(').trim_end_matches(')').trim();
    let kind = inner.rsplit([' ', '*']).next().unwrap_or(inner);
    kind.split('[').next().unwrap_or(kind)
}

/// The innermost declarator: the name that a C declaration gives.
pub(super) fn declared<'t>(node: Node<'_>, source: &'t str) -> (&'t str, &'t str) {
    let mut at = node;
    for _ in 0..DEEP {
        let next = at.child_by_field_name("declarator").or_else(|| match at.kind() {
            "parenthesized_declarator" | "reference_declarator" | "attributed_declarator" => {
                at.named_child(0)
            }
            _ => None,
        });
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    if at.id() == node.id() {
        return ("", "");
    }
    let whole = text(at, source);
    let whole = whole
        .split('<')
        .next()
        .filter(|cut| !cut.is_empty())
        .unwrap_or(whole);
    match whole.rsplit_once("::") {
        Some((before, name)) => (name, before),
        None => (whole, ""),
    }
}

/// What a function without a name of its own is given to.
pub(super) fn given<'t>(above: &[Above<'_>], source: &'t str) -> &'t str {
    let Some(Above { node: parent, .. }) = above.last() else {
        return "";
    };
    let name = match parent.kind() {
        "variable_declarator" | "public_field_definition" => field(*parent, "name", source),
        "field_definition" => field(*parent, "property", source),
        "pair" => field(*parent, "key", source),
        "assignment_expression" => field(*parent, "left", source),
        _ => None,
    };
    let name = name.unwrap_or_default();
    name.rsplit('.').next().unwrap_or(name)
}

/// Name of a class, an `impl`, a namespace.
pub(super) fn container<'t>(node: Node<'_>, source: &'t str) -> &'t str {
    let name = field(node, "name", source)
        .or_else(|| field(node, "type", source))
        .unwrap_or_default();
    name.split('<').next().unwrap_or(name).trim()
}

/// Parameters of a function, without its receiver.
pub(super) fn parameters(language: Language, node: Node<'_>, source: &str) -> u32 {
    let list = node
        .child_by_field_name("parameters")
        .or_else(|| c_parameters(language, node));
    let Some(list) = list else {
        return u32::from(node.child_by_field_name("parameter").is_some());
    };
    let mut cursor = list.walk();
    let parameters = list.named_children(&mut cursor).enumerate();
    let count: usize = parameters
        .filter(|(_, parameter)| !NO_PARAMETERS.contains(&parameter.kind()))
        .map(|(at, parameter)| counts_as(language, at, parameter, source))
        .sum();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// What stands in a list of parameters and is none.
const NO_PARAMETERS: [&str; 8] = [
    "comment",
    "line_comment",
    "block_comment",
    "attribute_item",
    "self_parameter",
    "receiver_parameter",
    "positional_separator",
    "keyword_separator",
];

/// How many parameters one entry of the list is: Go's `a, b int` is two, C's `void` none.
fn counts_as(language: Language, at: usize, entry: Node<'_>, source: &str) -> usize {
    match entry.kind() {
        "parameter_declaration" if language == Language::Go => {
            let mut names = entry.walk();
            entry.children_by_field_name("name", &mut names).count().max(1)
        }
        "parameter_declaration" if language.is_c_family() => usize::from(text(entry, source) != "void"),
        "identifier" if at == 0 && language == Language::Python => {
            usize::from(!matches!(text(entry, source), "self" | "cls"))
        }
        _ => 1,
    }
}

/// In C the parameters are below the innermost function declarator.
fn c_parameters(language: Language, node: Node<'_>) -> Option<Node<'_>> {
    if !language.is_c_family() {
        return None;
    }
    let mut at = node;
    let mut found = None;
    for _ in 0..DEEP {
        if at.kind() == "function_declarator" {
            found = at.child_by_field_name("parameters");
        }
        let Some(next) = at.child_by_field_name("declarator").or_else(|| {
            (at.kind().ends_with("_declarator"))
                .then(|| at.named_child(0))
                .flatten()
        }) else {
            break;
        };
        at = next;
    }
    found
}
