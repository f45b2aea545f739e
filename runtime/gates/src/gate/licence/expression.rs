//! Licence expressions as SPDX writes them: names with `OR`, `AND`, `WITH` and parentheses.

/// Is there a choice under which everything that holds is allowed?
///
/// `AND` binds more than `OR`. An exception (`WITH`) only ever allows more, so it is passed over.
pub(super) fn allowed(expression: &str, allow: &[String]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().take(200).collect();
    let mut reader = Reader {
        words: &words,
        at: 0,
        allow,
    };
    let holds = reader.either(0);
    holds && reader.at == words.len()
}

/// Parentheses inside each other, at most.
const DEEP: usize = 20;

struct Reader<'a> {
    words: &'a [&'a str],
    at: usize,
    allow: &'a [String],
}

impl Reader<'_> {
    fn take(&mut self, word: &str) -> bool {
        let is_it = self
            .words
            .get(self.at)
            .is_some_and(|next| next.eq_ignore_ascii_case(word));
        self.at += usize::from(is_it);
        is_it
    }

    fn either(&mut self, deep: usize) -> bool {
        let mut holds = self.both(deep);
        while self.take("OR") {
            let other = self.both(deep);
            holds = holds || other;
        }
        holds
    }

    fn both(&mut self, deep: usize) -> bool {
        let mut holds = self.one(deep);
        while self.take("AND") {
            let other = self.one(deep);
            holds = holds && other;
        }
        holds
    }

    fn one(&mut self, deep: usize) -> bool {
        if deep < DEEP && self.take("(") {
            let holds = self.either(deep + 1);
            return self.take(")") && holds;
        }
        let Some(name) = self.words.get(self.at) else {
            return false;
        };
        self.at += 1;
        if self.take("WITH") {
            self.at += 1;
        }
        self.allow
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_enough_and_a_demand_is_not() {
        let allow = ["MIT".to_owned(), "Apache-2.0".to_owned()];
        for good in [
            "MIT",
            "mit",
            "MIT OR GPL-3.0",
            "GPL-3.0 OR (MIT AND Apache-2.0)",
            "Apache-2.0 WITH LLVM-exception",
            "MIT/Apache-2.0",
        ] {
            assert!(allowed(good, &allow), "{good}");
        }
        for bad in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "",
            "(MIT",
            "MIT GPL-3.0",
            "UNLICENSED",
        ] {
            assert!(!allowed(bad, &allow), "{bad}");
        }
    }
}
