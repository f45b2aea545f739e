//! The walk over a tree: every node once, without recursion, so that no text is too deep.

use tree_sitter::{Node, Tree, TreeCursor};

use super::{
    bodies::Body,
    calls::{self, Call},
    items::{self, Comment},
    language::Language,
    module::{Function, Module, Unmeasured},
    names,
    table::{
        ARM, ARMS, ASSERT, ATTRIBUTE, BARS, BINARY, CALL, CASE, COMMENT, CONTAINER, DECISION, DEFAULT,
        DIRECTIVE, ELSE, FINALLY, FUNCTION, GOTO, GUARD, IF, ITEM, JUNCTION, LET, LOOP, NAMED, NEST, NEW,
        Role, TOKEN_ARM, TOKEN_DECISION, TOKENS, TRY, Table, WHERE,
    },
};

/// Lines without grammar that are told, at most.
const UNREAD: usize = 100;
/// Bodies of macros that are parsed in one file, at most.
const BODIES: usize = 1_000;

/// A node on the way from the root to where the walk is.
#[derive(Debug)]
pub(super) struct Above<'t> {
    pub(super) node: Node<'t>,
    pub(super) role: Role,
    /// The comment that stands before it.
    pub(super) doc: Option<Comment>,
    /// The last comment among its children, until something else follows.
    comment: Option<Comment>,
    /// Its last child that was no comment.
    last: Option<Node<'t>>,
    arms: u32,
    nested: bool,
}

/// A function whose end has not been reached.
struct Open {
    function: Function,
    depth: usize,
    nesting: u32,
}

struct Walk<'t> {
    language: Language,
    text: &'t str,
    table: &'static Table,
    above: Vec<Above<'t>>,
    containers: Vec<(usize, &'t str)>,
    open: Vec<Open>,
    module: Module,
    /// Bodies of macros that stand where items do: what is in them are items, too.
    bodies: Vec<Body>,
}

/// Measures a parsed file, or the parsed body of a macro. The second answer is the bodies of macros
/// in it that are still to be parsed.
pub(super) fn measure(language: Language, text: &str, tree: &Tree) -> (Module, Vec<Body>) {
    let mut walk = Walk {
        language,
        text,
        table: language.table(),
        above: Vec::new(),
        containers: Vec::new(),
        open: Vec::new(),
        module: Module {
            documented: items::module_documented(language, tree.root_node(), text),
            ..Module::empty(language)
        },
        bodies: Vec::new(),
    };
    let mut cursor = tree.walk();
    loop {
        let entered = walk.enter(&cursor);
        if entered && cursor.goto_first_child() {
            continue;
        }
        if entered {
            walk.leave();
        }
        loop {
            if cursor.goto_next_sibling() {
                break;
            }
            if !cursor.goto_parent() {
                return (walk.module, walk.bodies);
            }
            walk.leave();
        }
    }
}

impl<'t> Walk<'t> {
    /// Notes what the node is. Most nodes are signs and names with nothing in them and no meaning
    /// here: they are passed by, and the answer is false.
    fn enter(&mut self, cursor: &TreeCursor<'t>) -> bool {
        let node = cursor.node();
        let role = self.table.role(node.kind_id());
        let doc = self.comment_before(node, role);
        if is_empty(node, role) || self.is_of_the_preprocessor(cursor) {
            return false;
        }
        if node.is_error() {
            self.unread(node);
        }
        if self.open.is_empty() {
            self.outside(node, role, doc);
        }
        if role & CONTAINER != 0 {
            let depth = self.above.len();
            self.containers.push((depth, names::container(node, self.text)));
        }
        if role & FUNCTION != 0 {
            self.open(node);
        }
        let nested = self.count(node, role, cursor);
        self.above.push(Above {
            node,
            role,
            doc,
            comment: None,
            last: None,
            arms: 0,
            nested,
        });
        true
    }

    fn leave(&mut self) {
        let Some(left) = self.above.pop() else { return };
        let depth = self.above.len();
        if left.nested
            && let Some(open) = self.open.last_mut()
        {
            open.nesting -= 1;
        }
        if self.containers.last().is_some_and(|(at, _)| *at == depth) {
            self.containers.pop();
        }
        if self.open.last().is_some_and(|open| open.depth == depth)
            && let Some(open) = self.open.pop()
        {
            self.module.functions.push(open.function);
        }
    }

    /// The comment right before the node, and what the node means to what comes after it.
    fn comment_before(&mut self, node: Node<'t>, role: Role) -> Option<Comment> {
        if role & (COMMENT | NAMED) == 0 {
            return None;
        }
        let parent = self.above.last_mut()?;
        if role & COMMENT != 0 {
            let row = node.start_position().row;
            let apart = parent.last.is_none_or(|last| last.end_position().row != row);
            parent.comment = apart
                .then(|| Comment::of(self.language, node, self.text, parent.comment))
                .flatten();
            return None;
        }
        if role & ATTRIBUTE != 0 {
            let doc = items::is_doc_attribute(names::text(node, self.text));
            parent.comment = if doc {
                Some(Comment::ending(node))
            } else {
                parent.comment.map(|comment| comment.reaching(node))
            };
            return None;
        }
        parent.last = Some(node);
        let comment = parent.comment.take();
        comment.filter(|comment| comment.touches(node))
    }

    /// Is it the condition of an `#if`? It decides what the function is, not which way it goes.
    fn is_of_the_preprocessor(&self, cursor: &TreeCursor<'t>) -> bool {
        let parent = self.above.last().map_or(0, |above| above.role);
        parent & DIRECTIVE != 0 && cursor.field_name() == Some("condition")
    }

    /// What only counts outside of functions.
    fn outside(&mut self, node: Node<'t>, role: Role, doc: Option<Comment>) {
        if role & ITEM != 0 {
            self.item(node, doc);
        }
        if role & TOKENS != 0 {
            self.body(node);
        }
    }

    /// The body of a macro that stands where items do.
    fn body(&mut self, node: Node<'t>) {
        let of = self.above.last().map_or("", |above| above.node.kind());
        let whole = matches!(of, "macro_invocation" | "macro_rule");
        if whole && self.bodies.len() < BODIES {
            let body = Body::of(node, self.text, of == "macro_rule");
            self.bodies.extend(body);
        }
    }

    fn item(&mut self, node: Node<'t>, doc: Option<Comment>) {
        let item = items::item(self.language, node, self.text, &self.above, doc);
        if let Some(mut item) = item {
            item.container = self.container().to_owned();
            self.module.items.push(item);
        }
    }

    fn container(&self) -> &'t str {
        self.containers.last().map_or("", |(_, name)| name)
    }

    fn open(&mut self, node: Node<'t>) {
        let (mut name, qualifier) = names::function(self.language, node, self.text);
        if name.is_empty() && self.language.is_script() {
            name = names::given(&self.above, self.text);
        }
        let container = if qualifier.is_empty() {
            self.container()
        } else {
            qualifier
        };
        let (from, to) = (node.start_byte(), node.end_byte());
        self.open.push(Open {
            function: Function {
                name: name.to_owned(),
                container: container.to_owned(),
                line: line(node.start_position().row),
                end: line(node.end_position().row),
                from,
                to,
                complexity: 1,
                nesting: 0,
                parameters: names::parameters(self.language, node, self.text),
                calls: Vec::new(),
                endless: Vec::new(),
                gotos: Vec::new(),
                news: Vec::new(),
                assertions: 0,
                unmeasured: Unmeasured::default(),
            },
            depth: self.above.len(),
            nesting: 0,
        });
    }

    /// Counts what the node adds to the function around it; whether it nests.
    fn count(&mut self, node: Node<'t>, role: Role, cursor: &TreeCursor<'t>) -> bool {
        let interesting = !(FUNCTION | ITEM | CONTAINER | COMMENT | NAMED | ATTRIBUTE);
        if role & interesting == 0 || self.open.is_empty() {
            return false;
        }
        let ways = self.ways(node, role);
        let parent = self.above.last().map_or(0, |above| above.role);
        let call = (role & CALL != 0)
            .then(|| calls::call(self.language, node, self.text, &self.above))
            .flatten();
        let endless = role & LOOP != 0 && !is_bounded(node, self.text);
        let Some(open) = self.open.last_mut() else {
            return false;
        };
        let function = &mut open.function;
        function.complexity += ways.count;
        let differences = &mut function.unmeasured;
        differences.bars += u32::from(role & BARS != 0 && node.end_byte() - node.start_byte() == 2);
        differences.tries += u32::from(role & TRY != 0);
        differences.finals += u32::from(role & FINALLY != 0);
        differences.wheres += u32::from(role & WHERE != 0);
        differences.defaults += u32::from(has_default(node, role));
        differences.wildcards += u32::from(ways.wildcard);
        note_rules(function, role, line(node.start_position().row), endless, call);
        let nests = role & NEST != 0 && !is_else_if(role, parent, cursor);
        if nests {
            open.nesting += 1;
            function.nesting = function.nesting.max(open.nesting);
        }
        nests
    }

    fn ways(&mut self, node: Node<'t>, role: Role) -> Ways {
        let wildcard = role & CASE != 0 && self.is_wildcard(node);
        let parent = self.above.last_mut();
        let parent_role = parent.as_ref().map_or(0, |above| above.role);
        let below = |part: Role, whole: Role| role & part != 0 && parent_role & whole != 0;
        let with = |part: Role, field: &str| role & part != 0 && node.child_by_field_name(field).is_some();
        let each = [
            role & DECISION != 0,
            below(JUNCTION, BINARY),
            below(TOKEN_DECISION, TOKENS),
            with(GUARD, "condition"),
            with(LET, "alternative"),
            role & CASE != 0 && !wildcard,
        ];
        let mut count = each.into_iter().map(u32::from).sum();
        let arm = below(ARM, ARMS) || below(TOKEN_ARM, TOKENS);
        if arm && let Some(parent) = parent {
            count += u32::from(parent.arms > 0);
            parent.arms += 1;
        }
        Ways { count, wildcard }
    }

    /// Is the `case` Python's `case _:`, which everything else goes through?
    fn is_wildcard(&self, node: Node<'t>) -> bool {
        let rest = self.text.get(node.end_byte()..).unwrap_or_default();
        let after = rest.trim_start().strip_prefix('_');
        self.language == Language::Python && after.is_some_and(|rest| rest.trim_start().starts_with(':'))
    }

    fn unread(&mut self, node: Node<'t>) {
        let (from, to) = (line(node.start_position().row), line(node.end_position().row));
        let inside = self.module.unread.last().is_some_and(|(_, last)| *last >= to);
        if !inside && self.module.unread.len() < UNREAD {
            self.module.unread.push((from, to));
        }
    }
}

/// Has the node no meaning here, and nothing in it?
fn is_empty(node: Node<'_>, role: Role) -> bool {
    role & !NAMED == 0 && node.child_count() == 0 && !node.is_error()
}

/// Does it have the value that stands in for one that was not given?
fn has_default(node: Node<'_>, role: Role) -> bool {
    let has = |field| node.child_by_field_name(field).is_some();
    role & DEFAULT != 0 && (has("right") || has("value"))
}

/// An `else if` goes on beside its `if`, not inside it.
fn is_else_if(role: Role, parent: Role, cursor: &TreeCursor<'_>) -> bool {
    let alternative = || parent & IF != 0 && cursor.field_name() == Some("alternative");
    role & IF != 0 && (parent & ELSE != 0 || alternative())
}

/// Notes what other rules than those of complexity ask of a function.
fn note_rules(function: &mut Function, role: Role, here: u32, endless: bool, call: Option<Call>) {
    if endless {
        function.endless.push(here);
    }
    if role & GOTO != 0 {
        function.gotos.push(here);
    }
    if role & NEW != 0 {
        function.news.push(here);
    }
    function.assertions += u32::from(role & ASSERT != 0);
    if let Some(call) = call {
        function.assertions += u32::from(is_assertion(&call.name));
        function.calls.push(call);
    }
}

/// What a node adds to the ways through a function.
struct Ways {
    count: u32,
    wildcard: bool,
}

/// A line as people count it.
pub(super) fn line(row: usize) -> u32 {
    u32::try_from(row).map_or(u32::MAX, |row| row.saturating_add(1))
}

/// Does the loop have a bound in sight: a collection, or a comparison of sizes?
fn is_bounded(node: Node<'_>, text: &str) -> bool {
    let kind = node.kind();
    if matches!(
        kind,
        "for_expression" | "for_in_statement" | "for_range_loop" | "enhanced_for_statement"
    ) {
        return true;
    }
    if kind == "loop_expression" {
        return false;
    }
    // Python's `for` and Go's `for … range` go over something.
    let over = node.child_by_field_name("right").is_some()
        || node
            .named_child(0)
            .is_some_and(|child| child.kind() == "range_clause");
    if over {
        return true;
    }
    let clause = node.named_child(0).filter(|child| child.kind() == "for_clause");
    let condition = clause
        .unwrap_or(node)
        .child_by_field_name("condition")
        .or_else(|| {
            node.named_child(0)
                .filter(|child| kind == "for_statement" && child.kind().ends_with("_expression"))
        });
    condition.is_some_and(|condition| compares(names::text(condition, text)))
}

/// Is there a comparison of order, or an inequality, in the condition?
fn compares(condition: &str) -> bool {
    let bytes = condition.as_bytes();
    (0..bytes.len()).any(|at| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let after = bytes.get(at + 1);
        match bytes[at] {
            b'<' => after != Some(&b'<') && before != Some(&b'<'),
            b'>' => !matches!(before, Some(b'-' | b'=' | b'>')) && after != Some(&b'>'),
            b'!' => after == Some(&b'='),
            _ => false,
        }
    })
}

/// Is a function or macro of this name there to check something?
fn is_assertion(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.contains("assert") || matches!(lower.as_str(), "ensure" | "invariant" | "require" | "expect")
}
