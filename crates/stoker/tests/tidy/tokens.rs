//! Splits Rust source into words, marks and groups, without comments and literals.
//!
//! Written here because a tokenizer from a crate would be built once more for all derive macros. It
//! reads files that compile, and need not refuse others.

/// A piece of source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name or a keyword.
    Word(String),
    /// Any other character.
    Mark(char),
    /// What stands between two brackets, with the opening one.
    Group(char, Vec<Token>),
}

/// The tokens of a file.
pub(crate) fn read(text: &str) -> Vec<Token> {
    let mut reader = Reader { text: text.chars().collect(), at: 0 };
    reader.group()
}

struct Reader {
    text: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self, distance: usize) -> char {
        self.text.get(self.at + distance).copied().unwrap_or('\0')
    }

    /// Reads up to the closing bracket, or the end.
    fn group(&mut self) -> Vec<Token> {
        let mut tokens = Vec::new();
        while self.at < self.text.len() {
            let next = self.peek(0);
            match next {
                '/' if self.peek(1) == '/' => self.skip_until(|reader| reader.peek(0) == '\n'),
                '/' if self.peek(1) == '*' => self.block_comment(),
                '"' => self.string(),
                '\'' => self.quote(),
                '(' | '[' | '{' => {
                    self.at += 1;
                    tokens.push(Token::Group(next, self.group()));
                }
                ')' | ']' | '}' => {
                    self.at += 1;
                    return tokens;
                }
                _ if next.is_alphanumeric() || next == '_' => tokens.extend(self.word()),
                _ => {
                    self.at += 1;
                    if !next.is_whitespace() {
                        tokens.push(Token::Mark(next));
                    }
                }
            }
        }
        tokens
    }

    fn skip_until(&mut self, is_end: impl Fn(&Self) -> bool) {
        while self.at < self.text.len() && !is_end(self) {
            self.at += 1;
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => (depth, self.at) = (depth + 1, self.at + 2),
                ('*', '/') => (depth, self.at) = (depth - 1, self.at + 2),
                _ => self.at += 1,
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// A word, unless it is a number or the prefix of a literal.
    fn word(&mut self) -> Option<Token> {
        let start = self.at;
        self.skip_until(|reader| !(reader.peek(0).is_alphanumeric() || reader.peek(0) == '_'));
        let word: String = self.text[start..self.at].iter().collect();
        let is_prefix = ["r", "b", "br", "c", "cr"].contains(&word.as_str());
        let hashes = (0..).take_while(|distance| self.peek(*distance) == '#').count();
        if is_prefix && word.contains('r') && self.peek(hashes) == '"' {
            self.at += hashes + 1;
            let end: Vec<_> =
                std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            self.skip_until(|reader| reader.text[reader.at..].starts_with(&end));
            self.at += end.len();
            return None;
        }
        if is_prefix && matches!(self.peek(0), '"' | '\'') {
            match self.peek(0) {
                '"' => self.string(),
                _ => self.quote(),
            }
            return None;
        }
        (!word.starts_with(|first: char| first.is_ascii_digit())).then_some(Token::Word(word))
    }

    fn string(&mut self) {
        self.at += 1;
        while self.at < self.text.len() && self.peek(0) != '"' {
            self.at += if self.peek(0) == '\\' { 2 } else { 1 };
        }
        self.at += 1;
    }

    /// A character, or the mark before a lifetime.
    fn quote(&mut self) {
        if self.peek(1) == '\\' {
            self.at += 3;
            self.skip_until(|reader| reader.peek(0) == '\'');
            self.at += 1;
        } else if self.peek(2) == '\'' {
            self.at += 3;
        } else {
            // a lifetime: its name is no word
            self.at += 1;
            self.skip_until(|reader| !(reader.peek(0).is_alphanumeric() || reader.peek(0) == '_'));
        }
    }
}

#[test]
fn literals_comments_and_lifetimes_are_no_words() {
    let text = r###"fn f<'a>(x: &'a str) /* a /* b */ c */ { g("h \" i", 'j', '\'', b'k', r#"l " m"#) } // n
        o::p(1_000u64, r"q")"###;
    let word = |word: &str| Token::Word(word.into());
    let [f, g, ..] = &read(text)[..] else { panic!("{text}") };
    assert_eq!((f, g), (&word("fn"), &word("f")));
    let shown = format!("{:?}", read(text));
    for name in ["fn", "f", "x", "str", "g", "o", "p"] {
        assert!(shown.contains(&format!("Word({name:?})")), "{name}");
    }
    for name in ["a", "b", "c", "h", "i", "j", "k", "l", "m", "n", "q", "r"] {
        assert!(!shown.contains(&format!("Word({name:?})")), "{name}");
    }
}
