//! What the kinds of nodes of each grammar mean to the measuring.
//!
//! A grammar numbers its kinds of nodes. Looking a number up in a table is what makes one walk
//! over a tree cheap: no text is compared while walking.

use super::language::Language;

/// What a kind of node means; a set of the bits below.
pub(super) type Role = u32;

/// A function with a body.
pub(super) const FUNCTION: Role = 1;
/// A way that the flow may or may not take: one more path.
pub(super) const DECISION: Role = 1 << 1;
/// What is inside is nested one deeper.
pub(super) const NEST: Role = 1 << 2;
/// An `if` whose `else` may hold another `if` that is not nested deeper.
pub(super) const IF: Role = 1 << 3;
/// `else`, where the grammar has a node for it.
pub(super) const ELSE: Role = 1 << 4;
/// `&&`, `||`, `and`, `or`, `??`: counted below [`BINARY`].
pub(super) const JUNCTION: Role = 1 << 5;
/// An expression whose operator may be a [`JUNCTION`].
pub(super) const BINARY: Role = 1 << 6;
/// The word `case`.
pub(super) const CASE: Role = 1 << 7;
/// A list of match arms: one path less than it has arms.
pub(super) const ARMS: Role = 1 << 8;
/// One match arm.
pub(super) const ARM: Role = 1 << 9;
/// A class, an `impl`, a namespace: what is inside is named after it.
pub(super) const CONTAINER: Role = 1 << 10;
/// A call.
pub(super) const CALL: Role = 1 << 11;
/// A loop.
pub(super) const LOOP: Role = 1 << 12;
/// `goto`.
pub(super) const GOTO: Role = 1 << 13;
/// What may have a value that stands in for one that was not given, as its `right` or `value`.
pub(super) const DEFAULT: Role = 1 << 14;
/// What can be public and wants documentation.
pub(super) const ITEM: Role = 1 << 15;
/// An `assert` that is a statement of the language.
pub(super) const ASSERT: Role = 1 << 16;
/// Tokens of a macro, not parsed further.
pub(super) const TOKENS: Role = 1 << 17;
/// A word or sign that would be a decision, were the tokens of the macro parsed.
pub(super) const TOKEN_DECISION: Role = 1 << 18;
/// `=>` in the tokens of a macro.
pub(super) const TOKEN_ARM: Role = 1 << 19;
/// Rust's `?`, which returns early.
pub(super) const TRY: Role = 1 << 20;
/// `finally`.
pub(super) const FINALLY: Role = 1 << 21;
/// A `where` clause.
pub(super) const WHERE: Role = 1 << 22;
/// A line of the preprocessor with a condition, which is not of the flow.
pub(super) const DIRECTIVE: Role = 1 << 23;
/// The guard of a match arm: `if` below a pattern.
pub(super) const GUARD: Role = 1 << 24;
/// `new`, as an expression.
pub(super) const NEW: Role = 1 << 25;
/// `let PATTERN = VALUE else { … }`.
pub(super) const LET: Role = 1 << 26;
/// A comment.
pub(super) const COMMENT: Role = 1 << 27;
/// Parameters of a closure, which may be written `||`.
pub(super) const BARS: Role = 1 << 28;

/// What stands between a comment and what the comment is about.
pub(super) const ATTRIBUTE: Role = 1 << 29;
/// A kind with a name, not a word or sign of the language.
pub(super) const NAMED: Role = 1 << 30;

/// The roles of a grammar's kinds of nodes, by number.
#[derive(Debug)]
pub(super) struct Table {
    roles: Vec<Role>,
}

impl Table {
    pub(super) fn of(language: Language) -> Self {
        let grammar = language.grammar();
        let mut roles = vec![0; grammar.node_kind_count()];
        for (at, role) in roles.iter_mut().enumerate() {
            let Ok(id) = u16::try_from(at) else { break };
            if let Some(kind) = grammar.node_kind_for_id(id) {
                *role = role_of(language, kind, grammar.node_kind_is_named(id));
            }
        }
        Self { roles }
    }

    /// What a kind means. The kind of what does not follow the grammar is past all others.
    pub(super) fn role(&self, kind: u16) -> Role {
        self.roles.get(usize::from(kind)).copied().unwrap_or(NAMED)
    }
}

/// What a kind of node means.
fn role_of(language: Language, kind: &str, named: bool) -> Role {
    let mut role = if named { NAMED } else { 0 };
    if named && ATTRIBUTES.contains(&kind) {
        role |= ATTRIBUTE;
    }
    for (name, bits) in entries(language) {
        let (name, wants_named) = match name.strip_prefix('\'') {
            Some(token) => (token, false),
            None => (*name, true),
        };
        if name == kind && named == wants_named {
            role |= bits;
        }
    }
    role
}

/// Attributes, in all languages.
const ATTRIBUTES: [&str; 3] = ["attribute_item", "modifiers", "decorator"];

/// Names of nodes and what they mean; a name after `'` is a word or sign of the language.
fn entries(language: Language) -> &'static [(&'static str, Role)] {
    match language {
        Language::C => C,
        Language::Cpp => CPP,
        Language::Rust => RUST,
        Language::Python => PYTHON,
        Language::JavaScript => JAVASCRIPT,
        Language::TypeScript | Language::Tsx => TYPESCRIPT,
        Language::Go => GO,
        Language::Java => JAVA,
    }
}

const CHOICE: Role = DECISION | NEST | IF;
const REPEAT: Role = DECISION | NEST | LOOP;

const C: &[(&str, Role)] = &[
    ("function_definition", FUNCTION | ITEM),
    ("declaration", ITEM),
    ("if_statement", CHOICE),
    ("else_clause", ELSE),
    ("for_statement", REPEAT),
    ("while_statement", REPEAT),
    ("do_statement", REPEAT),
    ("switch_statement", NEST),
    ("conditional_expression", DECISION),
    ("binary_expression", BINARY),
    ("'&&", JUNCTION),
    ("'||", JUNCTION),
    ("'case", CASE),
    ("call_expression", CALL),
    ("goto_statement", GOTO),
    ("preproc_if", DIRECTIVE),
    ("preproc_elif", DIRECTIVE),
    ("struct_specifier", ITEM | CONTAINER),
    ("enum_specifier", ITEM),
    ("union_specifier", ITEM),
    ("type_definition", ITEM),
    ("comment", COMMENT),
];

const CPP: &[(&str, Role)] = &[
    ("function_definition", FUNCTION | ITEM),
    ("declaration", ITEM),
    ("if_statement", CHOICE),
    ("else_clause", ELSE),
    ("for_statement", REPEAT),
    ("for_range_loop", REPEAT),
    ("while_statement", REPEAT),
    ("do_statement", REPEAT),
    ("switch_statement", NEST),
    ("conditional_expression", DECISION),
    ("catch_clause", DECISION | NEST),
    ("binary_expression", BINARY),
    ("'&&", JUNCTION),
    ("'||", JUNCTION),
    ("'and", JUNCTION),
    ("'or", JUNCTION),
    ("'case", CASE),
    ("call_expression", CALL),
    ("new_expression", NEW),
    ("goto_statement", GOTO),
    ("preproc_if", DIRECTIVE),
    ("preproc_elif", DIRECTIVE),
    ("class_specifier", ITEM | CONTAINER),
    ("struct_specifier", ITEM | CONTAINER),
    ("enum_specifier", ITEM),
    ("union_specifier", ITEM | CONTAINER),
    ("namespace_definition", CONTAINER),
    ("type_definition", ITEM),
    ("comment", COMMENT),
];

const RUST: &[(&str, Role)] = &[
    ("function_item", FUNCTION | ITEM),
    ("function_signature_item", ITEM),
    ("if_expression", CHOICE),
    ("else_clause", ELSE),
    ("for_expression", REPEAT),
    ("while_expression", REPEAT),
    ("loop_expression", NEST | LOOP),
    ("match_expression", NEST),
    ("match_block", ARMS),
    ("match_arm", ARM),
    ("match_pattern", GUARD),
    ("'if", TOKEN_DECISION),
    ("'for", TOKEN_DECISION),
    ("'while", TOKEN_DECISION),
    ("'=>", TOKEN_ARM),
    ("let_declaration", LET),
    ("binary_expression", BINARY),
    ("let_chain", BINARY),
    ("'&&", JUNCTION | TOKEN_DECISION),
    ("'||", JUNCTION),
    ("closure_parameters", BARS),
    ("try_expression", TRY),
    ("where_clause", WHERE),
    ("call_expression", CALL),
    ("macro_invocation", CALL),
    ("token_tree", TOKENS),
    ("impl_item", CONTAINER),
    ("trait_item", CONTAINER | ITEM),
    ("mod_item", CONTAINER | ITEM),
    ("struct_item", ITEM),
    ("enum_item", ITEM),
    ("union_item", ITEM),
    ("type_item", ITEM),
    ("const_item", ITEM),
    ("static_item", ITEM),
    ("macro_definition", ITEM),
    ("line_comment", COMMENT),
    ("block_comment", COMMENT),
];

const PYTHON: &[(&str, Role)] = &[
    ("function_definition", FUNCTION | ITEM),
    ("class_definition", CONTAINER | ITEM),
    ("if_statement", CHOICE),
    ("elif_clause", DECISION),
    ("for_statement", REPEAT),
    ("while_statement", REPEAT),
    ("except_clause", DECISION | NEST),
    ("finally_clause", FINALLY),
    ("conditional_expression", DECISION),
    ("for_in_clause", DECISION),
    ("if_clause", DECISION),
    ("match_statement", NEST),
    ("'case", CASE),
    ("boolean_operator", BINARY),
    ("'and", JUNCTION),
    ("'or", JUNCTION),
    ("call", CALL),
    ("assert_statement", ASSERT),
    ("comment", COMMENT),
];

const JAVASCRIPT: &[(&str, Role)] = &[
    ("function_declaration", FUNCTION | ITEM),
    ("generator_function_declaration", FUNCTION | ITEM),
    ("function_expression", FUNCTION),
    ("generator_function", FUNCTION),
    ("arrow_function", FUNCTION),
    ("method_definition", FUNCTION | ITEM),
    ("class_declaration", CONTAINER | ITEM),
    ("class", CONTAINER),
    ("lexical_declaration", ITEM),
    ("if_statement", CHOICE),
    ("else_clause", ELSE),
    ("for_statement", REPEAT),
    ("for_in_statement", REPEAT),
    ("while_statement", REPEAT),
    ("do_statement", REPEAT),
    ("switch_statement", NEST),
    ("'case", CASE),
    ("catch_clause", DECISION | NEST),
    ("finally_clause", FINALLY),
    ("ternary_expression", DECISION),
    ("assignment_pattern", DEFAULT),
    ("object_assignment_pattern", DEFAULT),
    ("binary_expression", BINARY),
    ("'&&", JUNCTION),
    ("'||", JUNCTION),
    ("'??", JUNCTION),
    ("call_expression", CALL),
    ("comment", COMMENT),
];

const TYPESCRIPT: &[(&str, Role)] = &[
    ("function_declaration", FUNCTION | ITEM),
    ("generator_function_declaration", FUNCTION | ITEM),
    ("function_expression", FUNCTION),
    ("generator_function", FUNCTION),
    ("arrow_function", FUNCTION),
    ("method_definition", FUNCTION | ITEM),
    ("class_declaration", CONTAINER | ITEM),
    ("abstract_class_declaration", CONTAINER | ITEM),
    ("class", CONTAINER),
    ("interface_declaration", ITEM),
    ("type_alias_declaration", ITEM),
    ("enum_declaration", ITEM),
    ("internal_module", CONTAINER | ITEM),
    ("lexical_declaration", ITEM),
    ("if_statement", CHOICE),
    ("else_clause", ELSE),
    ("for_statement", REPEAT),
    ("for_in_statement", REPEAT),
    ("while_statement", REPEAT),
    ("do_statement", REPEAT),
    ("switch_statement", NEST),
    ("'case", CASE),
    ("catch_clause", DECISION | NEST),
    ("finally_clause", FINALLY),
    ("ternary_expression", DECISION),
    ("assignment_pattern", DEFAULT),
    ("object_assignment_pattern", DEFAULT),
    ("required_parameter", DEFAULT),
    ("optional_parameter", DEFAULT),
    ("binary_expression", BINARY),
    ("'&&", JUNCTION),
    ("'||", JUNCTION),
    ("'??", JUNCTION),
    ("call_expression", CALL),
    ("comment", COMMENT),
];

const GO: &[(&str, Role)] = &[
    ("function_declaration", FUNCTION | ITEM),
    ("method_declaration", FUNCTION | ITEM),
    ("func_literal", FUNCTION),
    ("type_spec", ITEM),
    ("type_alias", ITEM),
    ("if_statement", CHOICE),
    ("for_statement", REPEAT),
    ("expression_switch_statement", NEST),
    ("type_switch_statement", NEST),
    ("select_statement", NEST),
    ("'case", CASE),
    ("binary_expression", BINARY),
    ("'&&", JUNCTION),
    ("'||", JUNCTION),
    ("call_expression", CALL),
    ("goto_statement", GOTO),
    ("comment", COMMENT),
];

const JAVA: &[(&str, Role)] = &[
    ("method_declaration", FUNCTION | ITEM),
    ("constructor_declaration", FUNCTION | ITEM),
    ("compact_constructor_declaration", FUNCTION),
    ("class_declaration", CONTAINER | ITEM),
    ("interface_declaration", CONTAINER | ITEM),
    ("enum_declaration", CONTAINER | ITEM),
    ("record_declaration", CONTAINER | ITEM),
    ("annotation_type_declaration", CONTAINER | ITEM),
    ("if_statement", CHOICE),
    ("for_statement", REPEAT),
    ("enhanced_for_statement", REPEAT),
    ("while_statement", REPEAT),
    ("do_statement", REPEAT),
    ("switch_expression", NEST),
    ("'case", CASE),
    ("catch_clause", DECISION | NEST),
    ("finally_clause", FINALLY),
    ("ternary_expression", DECISION),
    ("binary_expression", BINARY),
    ("'&&", JUNCTION),
    ("'||", JUNCTION),
    ("method_invocation", CALL),
    ("assert_statement", ASSERT),
    ("line_comment", COMMENT),
    ("block_comment", COMMENT),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_node_of_its_grammar() {
        for language in Language::ALL {
            let grammar = language.grammar();
            for (name, _) in entries(language) {
                let (plain, named) = name
                    .strip_prefix('\'')
                    .map_or((*name, true), |token| (token, false));
                let id = grammar.id_for_node_kind(plain, named);
                assert_ne!(id, 0, "{} has no {name}", language.name());
            }
        }
    }
}
