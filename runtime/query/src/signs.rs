//! The signs of an expression, before anything is known of its grammar.

/// The signs that are not inside of text in quotes, with their places.
pub(crate) fn outside_text(source: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut quote = None;
    let mut escaped = false;
    source.char_indices().filter(move |(_, c)| {
        match (quote, *c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(mark), c) if c == mark => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(*c),
            (None, _) => return true,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(source: &str) -> String {
        outside_text(source).map(|(_, c)| c).collect()
    }

    #[test]
    fn what_stands_in_quotes_is_left_out() {
        assert_eq!(outside("a(\")\") + 'it\"s'"), "a() + ");
        assert_eq!(outside(r#"x == "\")" || y"#), "x ==  || y");
        assert_eq!(outside("open \"and never closed ("), "open ");
    }
}
