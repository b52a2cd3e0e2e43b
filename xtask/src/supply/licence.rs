//! Licence expressions: whether every part that must be taken is allowed. Must not know which are.

/// Whether an expression can be met with these licences. `/` is the older way to write OR.
pub fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, at: 0, allowed };
    parser.either() == Some(true) && parser.at == words.len()
}

struct Parser<'a> {
    words: &'a [&'a str],
    at: usize,
    allowed: &'a [String],
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word
    }

    fn follows(&mut self, word: &str) -> bool {
        let found = self.words.get(self.at).is_some_and(|next| *next == word);
        self.at += usize::from(found);
        found
    }

    /// `None`: no expression.
    fn either(&mut self) -> Option<bool> {
        let mut met = self.both()?;
        while self.follows("OR") {
            met |= self.both()?;
        }
        Some(met)
    }

    fn both(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.follows("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        match self.next()? {
            "(" => {
                let met = self.either()?;
                self.follows(")").then_some(met)
            }
            ")" | "OR" | "AND" | "WITH" => None,
            name => {
                let full = if self.follows("WITH") {
                    format!("{name} WITH {}", self.next()?)
                } else {
                    name.to_owned()
                };
                Some(self.allowed.contains(&full))
            }
        }
    }
}
