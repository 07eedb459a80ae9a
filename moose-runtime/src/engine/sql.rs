//! Just enough of ClickHouse's grammar to know where a statement's `FORMAT` stands and where an INSERT's data begins.
//!
//! Nothing here decides what a statement means: the engine's own parser does. A text that is read wrongly here is
//! handed over as it is, and the error is then ClickHouse's.

use std::ops::Range;

/// What kind of text a request brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// An INSERT whose rows come as data.
    InsertData(InsertData),
    /// An INSERT that inserts what it selects.
    InsertSelect {
        /// It selects from the request's data, through `input(…)`.
        reads_data: bool,
    },
    /// An INSERT that names neither VALUES nor FORMAT nor a SELECT, so far.
    InsertOpen,
    /// Anything else.
    Other {
        /// The name after a `FORMAT` that ends the statement.
        format: Option<String>,
        /// Where `INTO OUTFILE` may be written: before that `FORMAT`, or at the end.
        output: usize,
        /// The text writes a file by itself.
        writes_file: bool,
    },
}

/// An INSERT with data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InsertData {
    /// The statement without `FORMAT` or `VALUES` and what follows.
    pub(super) statement: Range<usize>,
    /// The format of the data.
    pub(super) format: String,
    /// Where the data begins in the text.
    pub(super) data: usize,
}

/// Looks at a text.
pub(super) fn read(text: &[u8]) -> Statement {
    let tokens: Vec<Token> = Tokens { text, at: 0 }.collect();
    let is = |index: usize, word: &str| tokens.get(index).is_some_and(|token| token.is_word(text, word));
    if is(0, "INSERT") { read_insert(text, &tokens) } else { read_other(text, &tokens) }
}

fn read_insert(text: &[u8], tokens: &[Token]) -> Statement {
    let is = |index: usize, word: &str| tokens.get(index).is_some_and(|token| token.is_word(text, word));
    // The table's name may itself be FORMAT or VALUES.
    let mut index = 1;
    for word in ["INTO", "TABLE", "FUNCTION"] {
        index += usize::from(is(index, word));
    }
    index += 1;
    while tokens.get(index).is_some_and(|token| token.kind == Kind::Symbol(b'.')) {
        index += 2;
    }
    let mut depth = 0_usize;
    for (position, token) in tokens.iter().enumerate().skip(index) {
        depth = token.depth_after(depth);
        if depth > 0 || token.kind != Kind::Word {
            continue;
        }
        if token.is_word(text, "VALUES") {
            let format = "Values".to_owned();
            return Statement::InsertData(InsertData {
                statement: 0..token.range.start,
                format,
                data: token.range.end,
            });
        }
        if token.is_word(text, "SELECT") || token.is_word(text, "WITH") || token.is_word(text, "INFILE") {
            let mut pairs = tokens.iter().zip(tokens.iter().skip(1));
            let reads_data = pairs.any(|(name, open)| name.is_word(text, "input") && open.kind == Kind::Symbol(b'('));
            return Statement::InsertSelect { reads_data };
        }
        if token.is_word(text, "FORMAT")
            && let Some(name) = tokens.get(position + 1).filter(|next| next.kind == Kind::Word)
        {
            let format = name.text(text);
            let data = start_of_data(text, name.range.end);
            return Statement::InsertData(InsertData { statement: 0..token.range.start, format, data });
        }
    }
    Statement::InsertOpen
}

/// Data begins after spaces and at most one line end, as ClickHouse reads it.
fn start_of_data(text: &[u8], mut at: usize) -> usize {
    let byte = |at: usize| text.get(at).copied();
    while matches!(byte(at), Some(b' ' | b'\t' | 0x0c)) {
        at += 1;
    }
    if byte(at) == Some(b';') {
        at += 1;
        while matches!(byte(at), Some(b' ' | b'\t' | 0x0c)) {
            at += 1;
        }
    }
    at += usize::from(byte(at) == Some(b'\r'));
    at += usize::from(byte(at) == Some(b'\n'));
    at
}

fn read_other(text: &[u8], tokens: &[Token]) -> Statement {
    let is = |index: usize, word: &str| tokens.get(index).is_some_and(|token| token.is_word(text, word));
    let last = tokens.iter().rposition(|token| token.kind != Kind::Symbol(b';'));
    let end = last.and_then(|last| tokens.get(last)).map_or(0, |token| token.range.end);
    let mut depth = 0_usize;
    let mut writes_file = false;
    let mut clause = None;
    for (position, token) in tokens.iter().enumerate() {
        depth = token.depth_after(depth);
        if depth > 0 {
            continue;
        }
        writes_file |= token.is_word(text, "INTO") && is(position + 1, "OUTFILE");
        let name = tokens.get(position + 1).filter(|next| next.kind == Kind::Word);
        if let Some(name) = name.filter(|_| token.is_word(text, "FORMAT")) {
            let ends = last == Some(position + 1) || is(position + 2, "SETTINGS");
            clause = ends.then(|| (name.text(text), token.range.start)).or(clause);
        }
    }
    let (format, output) = clause.map_or((None, end), |(name, start)| (Some(name), start));
    Statement::Other { format, output, writes_file }
}

/// Quotes a text as a ClickHouse string.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Quotes a name as a ClickHouse identifier.
pub(super) fn quote_name(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A name or keyword that is not quoted.
    Word,
    /// One character.
    Symbol(u8),
    /// A string, a quoted name or a number.
    Literal,
}

#[derive(Clone, Debug)]
struct Token {
    kind: Kind,
    range: Range<usize>,
}

impl Token {
    fn is_word(&self, text: &[u8], word: &str) -> bool {
        self.kind == Kind::Word
            && text.get(self.range.clone()).is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
    }

    fn text(&self, text: &[u8]) -> String {
        String::from_utf8_lossy(text.get(self.range.clone()).unwrap_or_default()).into_owned()
    }

    /// How deep in brackets the text is after this token.
    fn depth_after(&self, depth: usize) -> usize {
        match self.kind {
            Kind::Symbol(b'(' | b'[' | b'{') => depth + 1,
            Kind::Symbol(b')' | b']' | b'}') => depth.saturating_sub(1),
            _ => depth,
        }
    }
}

/// The tokens of a text, without spaces and comments.
struct Tokens<'text> {
    text: &'text [u8],
    at: usize,
}

impl Tokens<'_> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Moves past what starts here up to and including `end`, or to the end of the text.
    fn skip_past(&mut self, offset: usize, end: &[u8]) {
        let rest = self.rest();
        let found = rest.get(offset..).and_then(|rest| rest.windows(end.len()).position(|window| window == end));
        self.at = found.map_or(self.text.len(), |found| self.at + offset + found + end.len());
    }

    /// Moves past spaces and comments.
    fn skip_blank(&mut self) {
        loop {
            match self.rest() {
                [byte, ..] if byte.is_ascii_whitespace() || *byte == 0 => self.at += 1,
                [b'-', b'-', ..] | [b'#', b' ' | b'!', ..] => self.skip_past(2, b"\n"),
                [b'/', b'*', ..] => self.skip_past(2, b"*/"),
                _ => return,
            }
        }
    }

    /// The end of what is quoted from `start`: a backslash and a doubled quote both keep it open.
    fn end_of_quoted(&self, start: usize, quote: u8) -> usize {
        let mut at = start + 1;
        while let Some(&byte) = self.text.get(at) {
            match byte {
                b'\\' => at += 1,
                _ if byte == quote && self.text.get(at + 1) == Some(&quote) => at += 1,
                _ if byte == quote => return at + 1,
                _ => {}
            }
            at += 1;
        }
        self.text.len()
    }

    /// The end of `$tag$ … $tag$` from `start`, if that is what stands there.
    fn end_of_heredoc(&self, start: usize) -> Option<usize> {
        let rest = self.text.get(start..)?;
        let name = rest.get(1..)?.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')?;
        let tag = rest.get(..name + 2).filter(|tag| tag.last() == Some(&b'$'))?;
        let body = rest.get(tag.len()..)?;
        let close = body.windows(tag.len()).position(|window| window == tag)?;
        Some(start + tag.len() + close + tag.len())
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blank();
        let start = self.at;
        let first = *self.text.get(start)?;
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        let (kind, end) = match first {
            b'\'' | b'"' | b'`' => (Kind::Literal, self.end_of_quoted(start, first)),
            b'$' => match self.end_of_heredoc(start) {
                Some(end) => (Kind::Literal, end),
                None => (Kind::Symbol(first), start + 1),
            },
            _ if is_name(&first) => {
                let length = self.rest().iter().take_while(|byte| is_name(byte)).count();
                (if first.is_ascii_digit() { Kind::Literal } else { Kind::Word }, start + length)
            }
            _ => (Kind::Symbol(first), start + 1),
        };
        self.at = end;
        Some(Token { kind, range: start..end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(text: &str) -> (Option<String>, &str) {
        match read(text.as_bytes()) {
            Statement::Other { format, output, .. } => (format, &text[output..]),
            found => panic!("{text}: {found:?}"),
        }
    }

    fn insert(text: &str) -> (&str, String, &str) {
        match read(text.as_bytes()) {
            Statement::InsertData(found) => (&text[found.statement], found.format, &text[found.data..]),
            found => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn the_place_for_output_is_before_the_closing_format_or_at_the_end() {
        assert_eq!(other("SELECT 1"), (None, ""));
        assert_eq!(other("SELECT 1 ;\n"), (None, " ;\n"));
        assert_eq!(other("SELECT 1 -- FORMAT JSON"), (None, " -- FORMAT JSON"));
        assert_eq!(other("SELECT 1 format JSON"), (Some("JSON".into()), "format JSON"));
        assert_eq!(other("SELECT 1 FORMAT CSV SETTINGS a = 1;"), (Some("CSV".into()), "FORMAT CSV SETTINGS a = 1;"));
        assert_eq!(other("SELECT format FROM t"), (None, ""));
        assert_eq!(other("SELECT (SELECT 1 FORMAT CSV)"), (None, ""));
        assert_eq!(other("SELECT 'x FORMAT CSV', `FORMAT`, $a$ FORMAT CSV $a$"), (None, ""));
        assert_eq!(other(""), (None, ""));
        assert_eq!(other("SELECT 'it''s \\' FORMAT CSV'"), (None, ""));
        assert_eq!(other("SELECT 'open FORMAT CSV"), (None, ""));
    }

    #[test]
    fn writing_a_file_is_noticed() {
        let writes = |text: &str| matches!(read(text.as_bytes()), Statement::Other { writes_file: true, .. });
        assert!(writes("SELECT 1 into\noutfile 'x'"));
        assert!(!writes("SELECT 'INTO OUTFILE'"));
    }

    #[test]
    fn data_of_an_insert_begins_where_clickhouse_says() {
        assert_eq!(insert("INSERT INTO t FORMAT CSV\n1,2"), ("INSERT INTO t ", "CSV".into(), "1,2"));
        assert_eq!(
            insert("insert into t(a) format  JSONEachRow {}"),
            ("insert into t(a) ", "JSONEachRow".into(), "{}")
        );
        assert_eq!(insert("INSERT INTO t FORMAT RowBinary"), ("INSERT INTO t ", "RowBinary".into(), ""));
        assert_eq!(insert("INSERT INTO t FORMAT CSV\r\n\n1"), ("INSERT INTO t ", "CSV".into(), "\n1"));
        assert_eq!(insert("INSERT INTO t FORMAT CSV;\n"), ("INSERT INTO t ", "CSV".into(), ""));
        assert_eq!(insert("INSERT INTO t (a) VALUES (1), (2)"), ("INSERT INTO t (a) ", "Values".into(), " (1), (2)"));
        assert_eq!(
            insert("INSERT INTO t (a, format) SETTINGS x = 'VALUES' FORMAT Native"),
            ("INSERT INTO t (a, format) SETTINGS x = 'VALUES' ", "Native".into(), "")
        );
        assert_eq!(insert("INSERT INTO db.values VALUES (1)"), ("INSERT INTO db.values ", "Values".into(), " (1)"));
        assert_eq!(insert("INSERT INTO format FORMAT TSV"), ("INSERT INTO format ", "TSV".into(), ""));
    }

    #[test]
    fn inserts_without_data_are_told_apart() {
        let select = |reads_data| Statement::InsertSelect { reads_data };
        assert_eq!(read(b"INSERT INTO t SELECT 1 FORMAT CSV"), select(false));
        assert_eq!(read(b"INSERT INTO t WITH 1 AS x SELECT x"), select(false));
        assert_eq!(read(b"INSERT INTO t FROM INFILE 'x' FORMAT CSV"), select(false));
        assert_eq!(read(b"INSERT INTO t SELECT * FROM input ('a Int8') FORMAT CSV"), select(true));
        assert_eq!(read(b"INSERT INTO t SELECT input, 'input(' FROM x"), select(false));
        assert_eq!(read(b"INSERT INTO t (a)"), Statement::InsertOpen);
        assert_eq!(read(b"INSERT"), Statement::InsertOpen);
    }

    #[test]
    fn quoting_keeps_a_text_one_text() {
        assert_eq!(quote("a'b\\c"), "'a\\'b\\\\c'");
        assert_eq!(quote_name("a`b"), "`a\\`b`");
    }
}
