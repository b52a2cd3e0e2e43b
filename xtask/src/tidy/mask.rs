//! Rust text with comments and literals blanked, so that a rule sees only code.
//!
//! Line numbers stay. Not a full lexer: it knows comments, strings, raw strings and character literals, which is all that can hide text.

/// Replaces the content of comments and literals by blanks; line breaks stay where they are.
pub fn mask(text: &str) -> String {
    let mut masker = Masker { chars: text.chars().collect(), at: 0, out: String::with_capacity(text.len()) };
    while masker.at < masker.chars.len() {
        masker.step();
    }
    masker.out
}

struct Masker {
    chars: Vec<char>,
    at: usize,
    out: String,
}

impl Masker {
    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            (Some('/'), Some('/')) => self.blank_until(|masker| masker.peek(0) == Some('\n')),
            (Some('/'), Some('*')) => self.block_comment(),
            (Some('"'), _) => self.string(),
            (Some('\''), _) => self.quote(),
            (Some('r'), Some('"' | '#')) if self.starts_word() => self.raw_string(),
            _ => self.keep(),
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    /// Whether a raw string may begin here: not in the middle of a name, but after the `b` or `c` of `br` and `cr`.
    fn starts_word(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).and_then(|at| self.chars.get(at).copied());
        let is_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !is_name(before(1)) || (matches!(before(1), Some('b' | 'c')) && !is_name(before(2)))
    }

    fn keep(&mut self) {
        self.out.extend(self.peek(0));
        self.at += 1;
    }

    fn blank(&mut self) {
        if let Some(c) = self.peek(0) {
            self.out.push(if c == '\n' { '\n' } else { ' ' });
        }
        self.at += 1;
    }

    fn blank_until(&mut self, done: impl Fn(&Masker) -> bool) {
        while self.at < self.chars.len() && !done(self) {
            self.blank();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0usize;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                _ => {
                    self.blank();
                    continue;
                }
            }
            self.blank();
            self.blank();
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.keep();
        while let Some(c) = self.peek(0) {
            match c {
                '"' => {
                    self.keep();
                    return;
                }
                '\\' => {
                    self.blank();
                    self.blank();
                }
                _ => self.blank(),
            }
        }
    }

    fn raw_string(&mut self) {
        let hashes = self.chars.iter().skip(self.at + 1).take_while(|c| **c == '#').count();
        if self.peek(1 + hashes) != Some('"') {
            // A raw name such as r#type.
            return self.keep();
        }
        for _ in 0..hashes + 2 {
            self.keep();
        }
        self.blank_until(|masker| {
            masker.peek(0) == Some('"') && (1..=hashes).all(|ahead| masker.peek(ahead) == Some('#'))
        });
        for _ in 0..=hashes {
            self.keep();
        }
    }

    /// A character literal, or the tick of a lifetime or label.
    fn quote(&mut self) {
        self.keep();
        let escaped = self.peek(0) == Some('\\');
        if !escaped && self.peek(1) != Some('\'') {
            return;
        }
        self.blank();
        if escaped {
            self.blank();
        }
        self.blank_until(|masker| masker.peek(0) == Some('\''));
        self.keep();
    }
}
