//! Names, and the paths that begin with one.

use cel::{IdedExpr, common::ast::Expr};

use super::{Checker, Local, growth};
use crate::{
    error::{QueryCode, QueryError},
    functions::{self, Gives},
    near::nearest,
    program::Cost,
    scope::{Scope, Shape},
};

impl Checker<'_> {
    /// A name, or what is selected from something: `event.data.size`, `f(x).size`.
    pub(super) fn path(&mut self, part: &mut IdedExpr, depth: usize) -> Result<Cost, QueryError> {
        if let Some(path) = written_path(part) {
            self.known(&path)?;
            if let Some((root, _)) = path.first().filter(|(root, _)| self.local(root).is_none()) {
                self.used.insert((*root).to_owned());
            }
        }
        match &mut part.expr {
            Expr::Select(select) => Ok(self.check(&mut select.operand, depth)?.plus(Cost::steps(1))),
            _ => Ok(Cost::steps(1)),
        }
    }

    /// The innermost loop's element of that name.
    fn local(&self, name: &str) -> Option<&Local> {
        self.locals.iter().rev().find(|local| local.name == name)
    }

    /// Is it certainly a constant, a number, a truth, an instant or the text of one, so that
    /// reading it costs next to nothing?
    pub(super) fn is_small(&self, part: &IdedExpr) -> bool {
        match &part.expr {
            Expr::Ident(name) => {
                let shape = self.scope.get(name).map(|name| &name.shape);
                let small = matches!(
                    shape,
                    Some(Shape::Truth | Shape::Number | Shape::Time | Shape::Span)
                );
                small && self.local(name).is_none()
            }
            Expr::Call(call) => match functions::find(&call.func_name).map(|function| function.gives) {
                Some(Gives::Truth | Gives::Number | Gives::Moment) => true,
                Some(Gives::Text) => call.args.iter().all(|part| self.is_small(part)),
                Some(Gives::Sum | Gives::Unknown) | None => false,
            },
            _ => growth::is_constant(part),
        }
    }

    /// Is it, or is it in, an element of a list of the facts?
    pub(super) fn is_element(&self, part: &IdedExpr) -> bool {
        let path = written_path(part);
        let root = path.as_ref().and_then(|path| path.first());
        root.and_then(|(name, _)| self.local(name))
            .is_some_and(|local| local.is_element)
    }

    /// Refuses a path that leads nowhere.
    fn known(&self, path: &[(&str, u64)]) -> Result<(), QueryError> {
        let Some(((root, id), fields)) = path.split_first() else {
            return Ok(());
        };
        if self.local(root).is_some() || root.starts_with('@') {
            return Ok(());
        }
        let Some(mut name) = self.scope.get(root) else {
            return Err(self.unknown(*id, root, self.scope, ""));
        };
        let mut parent = *root;
        for (field, id) in fields {
            match &name.shape {
                Shape::Open => return Ok(()),
                Shape::Record(scope) => {
                    name = scope
                        .get(field)
                        .ok_or_else(|| self.unknown(*id, field, scope, parent))?;
                }
                other => {
                    let message = format!("`{parent}` is {}: there is no `{field}` in it", other.words());
                    return Err(self.refuse(*id, QueryCode::UnknownName, message));
                }
            }
            parent = field;
        }
        Ok(())
    }

    fn unknown(&self, id: u64, name: &str, scope: &Scope, parent: &str) -> QueryError {
        let message = match parent {
            "" => format!("there is no `{name}`"),
            parent => format!("there is no `{name}` in `{parent}`"),
        };
        let error = self.refuse(id, QueryCode::UnknownName, message);
        let names = || scope.iter().map(|(name, _)| name);
        let locals = self.locals.iter().filter(|_| parent.is_empty());
        let near = nearest(name, names().chain(locals.map(|local| local.name.as_str())));
        match near {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if names().count() == 0 => error.hint("there are no names here"),
            None => {
                let all: Vec<&str> = names().collect();
                error.hint(format!("there are: {}", all.join(", ")))
            }
        }
    }
}

/// The names of `a.b.c` in their order, each with the part that it belongs to; `None` when it
/// begins with something else than a name.
fn written_path(part: &IdedExpr) -> Option<Vec<(&str, u64)>> {
    let mut path = Vec::new();
    let mut at = part;
    loop {
        match &at.expr {
            Expr::Ident(name) => {
                path.push((name.as_str(), at.id));
                path.reverse();
                return Some(path);
            }
            Expr::Select(select) => {
                path.push((select.field.as_str(), at.id));
                at = &select.operand;
            }
            _ => return None,
        }
    }
}
