//! What a Rust source file names: paths, attributes, literals, each with its line.
//!
//! Works on tokens, not on lines: comments and strings are no imports, and code inside of macro calls counts.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// Something that a rule may be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// A path of the code or of a `use`, flattened: `use a::{b, c}` is `a::b` and `a::c`. Its inline modules come first.
    Path {
        /// Inline modules around it.
        modules: Vec<String>,
        /// Its segments.
        segments: Vec<String>,
    },
    /// A name on its own.
    Name(String),
    /// A literal that is not documentation.
    Literal(String),
    /// A lint in an `allow` attribute.
    Allow(String),
    /// The keyword.
    Unsafe,
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
                        "mod" => self.module(&trees[at..]),
                        "use" if !is_punct(trees.get(at + 1), '<') => {
                            let end = trees[at..].iter().position(|tree| is_punct(Some(tree), ';'));
                            let end = end.unwrap_or(trees.len() - at);
                            self.imports(&[], &trees[at + 1..at + end]);
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

    /// `mod name { … }`; anything else after `mod` is left to the walk.
    fn module(&mut self, trees: &[TokenTree]) -> usize {
        let [_, TokenTree::Ident(name), TokenTree::Group(group), ..] = trees else { return 1 };
        self.modules.push(name.to_string());
        self.walk(&inside(group));
        self.modules.pop();
        3
    }

    /// The tree of a `use`, without the keyword and the semicolon.
    fn imports(&mut self, prefix: &[String], trees: &[TokenTree]) {
        for branch in trees.split(|tree| is_punct(Some(tree), ',')) {
            let mut segments = prefix.to_vec();
            let mut line = 0;
            for tree in branch {
                match tree {
                    TokenTree::Ident(name) if name == "as" => break,
                    TokenTree::Ident(name) => {
                        line = name.span().start().line;
                        segments.push(name.to_string());
                    }
                    TokenTree::Group(group) => {
                        self.imports(&segments, &inside(group));
                        line = 0;
                    }
                    TokenTree::Punct(punct) if punct.as_char() == '*' => {
                        line = punct.span().start().line;
                        segments.push("*".to_owned());
                    }
                    TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                }
            }
            if line != 0 {
                self.see(line, Sight::Path { modules: self.modules.clone(), segments });
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
            [name] => Sight::Name(name.clone()),
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
