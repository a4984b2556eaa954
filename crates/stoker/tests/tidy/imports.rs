//! Which file of a crate uses what is defined in which other, read from its tokens.
//!
//! Paths that begin with `crate`, `super`, `self`, a child module or an imported module are followed
//! through re-exports to the file that defines the name. What only tests compile is left out. Names
//! that macros build and methods of imported types are not seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::tokens::{Token, read};

/// The path of a module from the root of its crate.
type Module = Vec<String>;

/// The source files of one crate.
pub(crate) struct Sources {
    /// The file of each module, from `src/`.
    files: BTreeMap<Module, String>,
    /// By module: the names that it imports or re-exports, as the path was written.
    names: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
    /// By module: what it re-exports whole.
    globs: BTreeMap<Module, Vec<Vec<String>>>,
    /// Paths in the order of their modules.
    paths: Vec<(Module, Vec<String>)>,
    /// Files that only tests compile.
    tests: BTreeSet<String>,
}

impl Sources {
    /// Reads the files of a crate, each with its path from `src/` and its text.
    pub(crate) fn read(texts: &BTreeMap<String, String>) -> Self {
        let mut sources = Self {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            globs: BTreeMap::new(),
            paths: Vec::new(),
            tests: BTreeSet::new(),
        };
        for file in texts.keys() {
            sources.files.insert(module_of(file), file.clone());
        }
        for (file, text) in texts {
            sources.read_module(&module_of(file), &read(text));
        }
        sources
    }

    /// Each pair of a file and another whose names it uses, without tests.
    pub(crate) fn uses(&self) -> BTreeSet<(String, String)> {
        let mut uses = BTreeSet::new();
        for (module, path) in &self.paths {
            let from = self.file_of(module);
            if let Some((owner, Some(_))) = self.resolve(module, path, 0) {
                let to = self.file_of(&owner);
                if from != to && !self.is_test(from) && !self.is_test(to) {
                    uses.insert((from.to_owned(), to.to_owned()));
                }
            }
        }
        uses
    }

    /// The files that are more than tests.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.values().map(String::as_str).filter(|file| !self.is_test(file))
    }

    /// Whether only tests compile a file: it, or the module that it is part of.
    fn is_test(&self, file: &str) -> bool {
        self.tests.iter().any(|test| {
            let folder = test.strip_suffix("mod.rs").or_else(|| test.strip_suffix(".rs"));
            let inside = folder.and_then(|folder| file.strip_prefix(folder));
            file == test
                || inside.is_some_and(|rest| test.ends_with("mod.rs") || rest.starts_with('/'))
        })
    }

    /// The file that holds a module, which may be a block of it.
    fn file_of(&self, module: &[String]) -> &str {
        let mut module = module;
        loop {
            if let Some(file) = self.files.get(module) {
                return file;
            }
            module = module.split_last().expect("the crate has a root").1;
        }
    }

    /// The module that defines what `path` means in `module`, and its name if it is no module.
    fn resolve(
        &self,
        module: &[String],
        path: &[String],
        depth: usize,
    ) -> Option<(Module, Option<String>)> {
        if depth > 12 {
            return None;
        }
        let (first, rest) = path.split_first()?;
        let (mut at, mut rest) = match first.as_str() {
            "crate" => (Vec::new(), rest),
            "self" => (module.to_vec(), rest),
            "super" => (module.split_last()?.1.to_vec(), rest),
            name if self.is_module(&child(module, name)) => (child(module, name), rest),
            name => {
                let import = self.names.get(module)?.get(name)?;
                if import.first().is_some_and(|first| first == name) {
                    return None;
                }
                match self.resolve(module, import, depth + 1)? {
                    (at, None) => (at, rest),
                    found => return Some(found),
                }
            }
        };
        while let Some((name, after)) = rest.split_first() {
            if name == "super" {
                at.pop();
            } else if self.is_module(&child(&at, name)) {
                at.push(name.clone());
            } else {
                break;
            }
            rest = after;
        }
        let Some((name, after)) = rest.split_first() else { return Some((at, None)) };
        if let Some(import) = self.names.get(&at).and_then(|names| names.get(name)) {
            return match self.resolve(&at, import, depth + 1) {
                // a module, perhaps under another name
                Some((found, None)) => {
                    let path = ["crate".to_owned()].into_iter().chain(found);
                    self.resolve(
                        &at,
                        &path.chain(after.iter().cloned()).collect::<Vec<_>>(),
                        depth + 1,
                    )
                }
                found => found,
            };
        }
        for glob in self.globs.get(&at).into_iter().flatten() {
            if let Some((from, None)) = self.resolve(&at, glob, depth + 1)
                && self.names.get(&from).is_some_and(|names| names.contains_key(name))
            {
                return self.resolve(&from, &["self".to_owned(), name.clone()], depth + 1);
            }
        }
        Some((at, Some(name.clone())))
    }

    fn is_module(&self, module: &[String]) -> bool {
        self.files.contains_key(module)
    }

    fn read_module(&mut self, module: &Module, tokens: &[Token]) {
        let mut at = 0;
        while at < tokens.len() {
            if is_for_tests(&tokens[at..]) {
                at = self.skip_item(module, tokens, at + 2);
                continue;
            }
            match &tokens[at] {
                // `use<'a>` in a type captures lifetimes
                Token::Word(word) if word == "use" && !is_mark(&tokens[at + 1], '<') => {
                    let end = tokens[at..].iter().position(is_semicolon).expect("`use` ends");
                    self.read_use(module, &[], &tokens[at + 1..at + end]);
                    at += end;
                }
                Token::Word(word) if word == "mod" && is_block(tokens.get(at + 2)) => {
                    let inner = child(module, word_at(tokens, at + 1));
                    if let Token::Group(_, block) = &tokens[at + 2] {
                        self.read_module(&inner, block);
                    }
                    at += 2;
                }
                Token::Group(_, group) => self.read_module(module, group),
                Token::Word(_) if !follows_colons(tokens, at) => {
                    let (path, end) = path_at(tokens, at);
                    if path.len() > 1 {
                        self.paths.push((module.clone(), path));
                    }
                    at = end;
                }
                Token::Word(_) | Token::Mark(_) => {}
            }
            at += 1;
        }
    }

    /// Steps over an item that only tests compile; gives the place behind it.
    fn skip_item(&mut self, module: &Module, tokens: &[Token], start: usize) -> usize {
        for (at, token) in tokens.iter().enumerate().skip(start) {
            if let Token::Word(word) = token
                && word == "mod"
                && tokens.get(at + 2).is_some_and(is_semicolon)
            {
                let name = child(module, word_at(tokens, at + 1));
                self.tests.extend(self.files.get(&name).cloned());
            }
            if is_semicolon(token) || is_block(Some(token)) {
                return at + 1;
            }
        }
        tokens.len()
    }

    /// Reads one tree of a `use`, below a prefix.
    fn read_use(&mut self, module: &Module, prefix: &[String], tree: &[Token]) {
        let mut path = prefix.to_vec();
        let mut alias = None;
        for (at, token) in tree.iter().enumerate() {
            match token {
                Token::Group(_, inner) => {
                    for part in inner.split(|token| is_mark(token, ',')) {
                        self.read_use(module, &path, part);
                    }
                    return;
                }
                Token::Word(word) if word == "as" => {
                    alias = Some(word_at(tree, at + 1).to_owned());
                    break;
                }
                Token::Word(word) => path.push(word.clone()),
                Token::Mark('*') => {
                    self.paths.push((module.clone(), path.clone()));
                    self.globs.entry(module.clone()).or_default().push(path);
                    return;
                }
                Token::Mark(_) => {}
            }
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let Some(last) = path.last() else { return };
        let name = alias.unwrap_or_else(|| last.clone());
        self.paths.push((module.clone(), path.clone()));
        self.names.entry(module.clone()).or_default().insert(name, path);
    }
}

fn child(module: &[String], name: &str) -> Module {
    let mut child = module.to_vec();
    child.push(name.to_owned());
    child
}

/// `store/mod.rs` and `store.rs` are `store`, `lib.rs` and `main.rs` the root.
fn module_of(file: &str) -> Module {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let mut module: Module = path.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || ["lib", "main"].contains(&path) {
        module.pop();
    }
    module
}

/// The path that begins at a token, and the place of its last part.
fn path_at(tokens: &[Token], start: usize) -> (Vec<String>, usize) {
    let mut path = vec![word_at(tokens, start).to_owned()];
    let mut at = start;
    while tokens.get(at + 1).is_some_and(|token| is_mark(token, ':'))
        && tokens.get(at + 2).is_some_and(|token| is_mark(token, ':'))
        && let Some(Token::Word(part)) = tokens.get(at + 3)
    {
        path.push(part.clone());
        at += 3;
    }
    (path, at)
}

fn follows_colons(tokens: &[Token], at: usize) -> bool {
    at >= 2 && is_mark(&tokens[at - 1], ':') && is_mark(&tokens[at - 2], ':')
}

/// Whether `#[cfg(test)]`, or a `cfg` for tests and fuzzing, stands here.
fn is_for_tests(tokens: &[Token]) -> bool {
    let [Token::Mark('#'), Token::Group('[', attribute), ..] = tokens else { return false };
    let [Token::Word(cfg), Token::Group('(', condition)] = &attribute[..] else { return false };
    let has = |tokens: &[Token], name: &str| {
        tokens.iter().any(|token| matches!(token, Token::Word(word) if word == name))
    };
    let inner = condition.iter().filter_map(|token| match token {
        Token::Group(_, inner) => Some(&inner[..]),
        Token::Word(_) | Token::Mark(_) => None,
    });
    let is_negated = has(condition, "not");
    cfg == "cfg"
        && !is_negated
        && (has(condition, "test") || inner.into_iter().any(|tokens| has(tokens, "test")))
}

/// The word at a place where one must stand.
fn word_at(tokens: &[Token], at: usize) -> &str {
    match tokens.get(at) {
        Some(Token::Word(word)) => word,
        _ => "",
    }
}

fn is_mark(token: &Token, wanted: char) -> bool {
    *token == Token::Mark(wanted)
}

fn is_semicolon(token: &Token) -> bool {
    is_mark(token, ';')
}

fn is_block(token: Option<&Token>) -> bool {
    matches!(token, Some(Token::Group('{', _)))
}
