//! What a Rust source file names: paths, attributes, literals, each with its line.
//!
//! Works on tokens, not on lines: comments and strings are no imports, and code inside of macro calls counts.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// Something that a rule may be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// A path of the code.
    Path {
        /// Inline modules around it.
        modules: Vec<String>,
        /// Its segments.
        segments: Vec<String>,
    },
    /// A path of a `use`, flattened: `use a::{b, c}` is `a::b` and `a::c`.
    Import {
        /// Inline modules around it.
        modules: Vec<String>,
        /// Its segments, without a `self` at the end.
        segments: Vec<String>,
        /// What it is called here.
        name: String,
        /// Whether it begins with `pub`.
        passed_on: bool,
    },
    /// `mod name;`
    Module {
        /// Inline modules around it.
        modules: Vec<String>,
        /// Its name.
        name: String,
    },
    /// A name on its own.
    Name {
        /// Inline modules around it.
        modules: Vec<String>,
        /// The name.
        name: String,
    },
    /// A literal that is not documentation.
    Literal(String),
    /// A lint in an `allow` attribute.
    Allow(String),
    /// What is compiled for tests only, from its line to the last.
    Tests {
        /// The last line.
        last: usize,
    },
    /// The keyword.
    Unsafe,
}

impl Sight {
    /// The inline modules around a path, of the code or of a `use`, and its segments.
    pub(super) fn path(&self) -> Option<(&[String], &[String])> {
        match self {
            Self::Path { modules, segments } | Self::Import { modules, segments, .. } => Some((modules, segments)),
            _ => None,
        }
    }
}

/// A sight with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) line: usize,
    /// Only compiled for tests.
    pub(super) in_test: bool,
    pub(super) sight: Sight,
}

/// Everything that `text` names.
pub(super) fn look(text: &str) -> Result<Vec<Seen>, String> {
    let tokens: TokenStream = text.parse().map_err(|error| format!("not Rust: {error}"))?;
    let mut eye = Eye { modules: Vec::new(), in_test: false, seen: Vec::new() };
    eye.walk(&tokens.into_iter().collect::<Vec<_>>());
    Ok(eye.seen)
}

/// Lines of a file without those of its tests.
pub(super) fn lines(text: &str, seen: &[Seen]) -> usize {
    let tests = seen
        .iter()
        .filter_map(|seen| if let Sight::Tests { last } = seen.sight { Some(last - seen.line + 1) } else { None });
    text.lines().count() - tests.sum::<usize>()
}

struct Eye {
    modules: Vec<String>,
    in_test: bool,
    seen: Vec<Seen>,
}

impl Eye {
    fn see(&mut self, line: usize, sight: Sight) {
        self.seen.push(Seen { line, in_test: self.in_test, sight });
    }

    fn walk(&mut self, trees: &[TokenTree]) {
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            at += match tree {
                TokenTree::Punct(punct) if punct.as_char() == '#' => self.attribute(&trees[at..]),
                TokenTree::Ident(ident) => {
                    let line = ident.span().start().line;
                    match ident.to_string().as_str() {
                        "unsafe" => {
                            self.see(line, Sight::Unsafe);
                            1
                        }
                        // Who may name something is no use of who they are.
                        "pub" if is_restricted(trees.get(at + 1)) => 2,
                        "mod" => self.module(&trees[at..]),
                        "use" if !is_punct(trees.get(at + 1), '<') => {
                            let end = trees[at..].iter().position(|tree| is_punct(Some(tree), ';'));
                            let end = end.unwrap_or(trees.len() - at);
                            let passed_on = is_passed_on(&trees[..at]);
                            self.imports(passed_on, &[], &trees[at + 1..at + end]);
                            end
                        }
                        _ => self.path(&trees[at..]),
                    }
                }
                TokenTree::Group(group) => {
                    self.walk(&inside(group));
                    1
                }
                TokenTree::Literal(literal) => {
                    self.see(literal.span().start().line, Sight::Literal(literal.to_string()));
                    1
                }
                TokenTree::Punct(_) => 1,
            };
        }
    }

    /// `#[…]` or `#![…]`, and after `#[cfg(test)]` the item. Answers how many trees that were.
    fn attribute(&mut self, trees: &[TokenTree]) -> usize {
        let inner = is_punct(trees.get(1), '!');
        let place = if inner { 2 } else { 1 };
        let Some(TokenTree::Group(group)) = trees.get(place) else { return 1 };
        if group.delimiter() != Delimiter::Bracket {
            return 1;
        }
        let content = inside(group);
        if content.first().is_some_and(|first| first.to_string() == "doc") {
            return place + 1;
        }
        self.allows(&content);
        let for_tests = is_cfg_test(&content);
        if !for_tests {
            self.walk(&content);
            return place + 1;
        }
        let rest = &trees[place + 1..];
        let was = std::mem::replace(&mut self.in_test, true);
        let end = if inner { rest.len() } else { item_length(rest) };
        if !was && let Some(last) = rest[..end].last() {
            self.see(trees[0].span().start().line, Sight::Tests { last: last.span().end().line });
        }
        self.walk(&rest[..end]);
        self.in_test = was;
        place + 1 + end
    }

    /// Lints under `allow(…)`, also inside of `cfg_attr`.
    fn allows(&mut self, content: &[TokenTree]) {
        for pair in content.windows(2) {
            if let [TokenTree::Ident(name), TokenTree::Group(group)] = pair {
                let line = name.span().start().line;
                if name == "allow" {
                    let lints = group.stream().to_string().replace(' ', "");
                    for lint in lints.split(',').filter(|lint| !lint.is_empty() && !lint.starts_with("reason")) {
                        self.see(line, Sight::Allow(lint.to_owned()));
                    }
                }
                self.allows(&inside(group));
            }
        }
    }

    /// `mod name { … }` or `mod name;`; anything else after `mod` is left to the walk.
    fn module(&mut self, trees: &[TokenTree]) -> usize {
        match trees {
            [_, TokenTree::Ident(name), TokenTree::Group(group), ..] => {
                self.modules.push(name.to_string());
                self.walk(&inside(group));
                self.modules.pop();
                3
            }
            [_, TokenTree::Ident(name), end, ..] if is_punct(Some(end), ';') => {
                let sight = Sight::Module { modules: self.modules.clone(), name: name.to_string() };
                self.see(name.span().start().line, sight);
                3
            }
            _ => 1,
        }
    }

    /// The tree of a `use`, without the keyword and the semicolon.
    fn imports(&mut self, passed_on: bool, prefix: &[String], trees: &[TokenTree]) {
        for branch in trees.split(|tree| is_punct(Some(tree), ',')) {
            let mut segments = prefix.to_vec();
            let mut alias = None;
            let mut line = 0;
            for (at, tree) in branch.iter().enumerate() {
                match tree {
                    TokenTree::Ident(name) if name == "as" => {
                        alias = branch.get(at + 1).map(ToString::to_string);
                        break;
                    }
                    TokenTree::Ident(name) => {
                        line = name.span().start().line;
                        segments.push(name.to_string());
                    }
                    TokenTree::Group(group) => {
                        self.imports(passed_on, &segments, &inside(group));
                        line = 0;
                    }
                    TokenTree::Punct(punct) if punct.as_char() == '*' => {
                        line = punct.span().start().line;
                        segments.push("*".to_owned());
                    }
                    TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                }
            }
            if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
                segments.pop();
            }
            if line != 0
                && let Some(last) = segments.last()
            {
                let name = alias.unwrap_or_else(|| last.clone());
                self.see(line, Sight::Import { modules: self.modules.clone(), segments, name, passed_on });
            }
        }
    }

    /// A path or a single name that begins here. Answers how many trees it has.
    fn path(&mut self, trees: &[TokenTree]) -> usize {
        let mut segments = Vec::new();
        let mut at = 0;
        while let Some(TokenTree::Ident(name)) = trees.get(at) {
            segments.push(name.to_string());
            at += 1;
            if !is_double_colon(&trees[at..]) {
                break;
            }
            at += 2;
        }
        let line = trees[0].span().start().line;
        let sight = match segments.as_slice() {
            [name] => Sight::Name { modules: self.modules.clone(), name: name.clone() },
            _ => Sight::Path { modules: self.modules.clone(), segments },
        };
        self.see(line, sight);
        at.max(1)
    }
}

fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

fn is_punct(tree: Option<&TokenTree>, character: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

/// `(crate)`, `(super)`, `(self)` or `(in …)`.
fn is_restricted(tree: Option<&TokenTree>) -> bool {
    let Some(TokenTree::Group(group)) = tree else { return false };
    let content = inside(group);
    let [TokenTree::Ident(first), rest @ ..] = content.as_slice() else { return false };
    group.delimiter() == Delimiter::Parenthesis
        && (first == "in" || rest.is_empty() && (first == "crate" || first == "super" || first == "self"))
}

/// Whether a `pub` or `pub(…)` is what comes before.
fn is_passed_on(before: &[TokenTree]) -> bool {
    match before {
        [.., TokenTree::Ident(word), TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => {
            word == "pub"
        }
        [.., TokenTree::Ident(word)] => word == "pub",
        _ => false,
    }
}

fn is_double_colon(trees: &[TokenTree]) -> bool {
    matches!(
        trees,
        [TokenTree::Punct(first), TokenTree::Punct(second), ..]
            if first.as_char() == ':' && first.spacing() == Spacing::Joint && second.as_char() == ':'
    )
}

/// `cfg(test)` or `cfg(all(test, …))`.
fn is_cfg_test(content: &[TokenTree]) -> bool {
    let [TokenTree::Ident(cfg), TokenTree::Group(condition), ..] = content else { return false };
    let condition = condition.stream().to_string().replace(' ', "");
    cfg == "cfg" && (condition == "test" || condition.starts_with("all(test,"))
}

/// Trees of the item that begins here: up to its block or semicolon.
fn item_length(trees: &[TokenTree]) -> usize {
    let is_end = |tree: &TokenTree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is_punct(Some(other), ';'),
    };
    trees.iter().position(is_end).map_or(trees.len(), |end| end + 1)
}
