//! Splits the text of a migration into steps: statements and directives.
//!
//! Only the ends of statements are recognised here; their meaning is the server's. Rows as data after an `INSERT …
//! FORMAT` are not supported in a migration: a `;` in them would end the statement.

use std::collections::BTreeMap;

use super::MigrationError;
use crate::schema::lexer::{Lexer, Token, TokenKind};

/// Prefix of a directive.
const DIRECTIVE: &str = "moose:";

/// One step of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Line of the file on which it begins, from 1.
    pub line: usize,
    /// What it does.
    pub action: Action,
}

/// The action of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Runs one SQL statement, without the semicolon and the comments before it.
    Statement(String),
    /// Prevents new INSERTs into the table and waits until none is under way.
    Drain(String),
    /// Permits INSERTs into the table again.
    Resume(String),
}

/// Parses the steps of a file, and checks that its drains and resumes are in pairs.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Step>, MigrationError> {
    let mut reader = Reader { file, text, open: None, steps: Vec::new() };
    let mut lexer = Lexer::new(text);
    let mut line = 1;
    while let Some(token) = lexer.next() {
        reader.token(token, line)?;
        line += token.of(text).matches('\n').count();
    }
    reader.end_statement(text.len());
    check_pairs(file, &reader.steps)?;
    Ok(reader.steps)
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    /// Start and line of the statement that is being read.
    open: Option<(usize, usize)>,
    steps: Vec<Step>,
}

impl Reader<'_> {
    fn token(&mut self, token: Token, line: usize) -> Result<(), MigrationError> {
        let text = token.of(self.text);
        match token.kind {
            TokenKind::Blank => {}
            TokenKind::Comment => self.comment(text, line)?,
            TokenKind::Unended => {
                let what = match text.as_bytes() {
                    [b'/', ..] => "comment",
                    [b'`' | b'"', ..] => "quoted name",
                    _ => "string",
                };
                return Err(MigrationError::Unended { file: self.file.to_owned(), line, what });
            }
            TokenKind::Sign if text == ";" => self.end_statement(token.start),
            _ => {
                self.open.get_or_insert((token.start, line));
            }
        }
        Ok(())
    }

    fn comment(&mut self, comment: &str, line: usize) -> Result<(), MigrationError> {
        let text = comment.strip_prefix("--").unwrap_or_default().trim();
        let Some(order) = text.strip_prefix(DIRECTIVE) else { return Ok(()) };
        if self.open.is_some() {
            return Err(MigrationError::DirectiveInStatement { file: self.file.to_owned(), line });
        }
        let action = directive(order).ok_or_else(|| MigrationError::Directive {
            file: self.file.to_owned(),
            line,
            text: comment.to_owned(),
        })?;
        self.steps.push(Step { line, action });
        Ok(())
    }

    fn end_statement(&mut self, end: usize) {
        if let Some((start, line)) = self.open.take() {
            let text = self.text.get(start..end).unwrap_or_default().trim_end().to_owned();
            self.steps.push(Step { line, action: Action::Statement(text) });
        }
    }
}

fn directive(order: &str) -> Option<Action> {
    let mut words = order.split_whitespace();
    let (verb, table, end) = (words.next()?, words.next()?, words.next());
    let is_name = table.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match verb {
        "drain" if is_name && end.is_none() => Some(Action::Drain(table.to_owned())),
        "resume" if is_name && end.is_none() => Some(Action::Resume(table.to_owned())),
        _ => None,
    }
}

fn check_pairs(file: &str, steps: &[Step]) -> Result<(), MigrationError> {
    let mut drained: BTreeMap<&str, usize> = BTreeMap::new();
    let fail = |line, what| Err(MigrationError::Pairing { file: file.to_owned(), line, what });
    for Step { line, action } in steps {
        match action {
            Action::Drain(table) => {
                if drained.insert(table, *line).is_some() {
                    return fail(*line, format!("table `{table}` is drained already"));
                }
            }
            Action::Resume(table) => {
                if drained.remove(table.as_str()).is_none() {
                    return fail(*line, format!("table `{table}` is resumed and was not drained"));
                }
            }
            Action::Statement(_) => {}
        }
    }
    match drained.into_iter().next() {
        Some((table, line)) => {
            fail(line, format!("table `{table}` is drained and never resumed: add `-- moose: resume {table}`"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps(text: &str) -> Vec<(usize, Action)> {
        read("0001_a.sql", text).expect("a migration").into_iter().map(|step| (step.line, step.action)).collect()
    }

    fn statement(text: &str) -> Action {
        Action::Statement(text.to_owned())
    }

    fn error(text: &str) -> String {
        read("0001_a.sql", text).expect_err(text).to_string()
    }

    #[test]
    fn statements_end_at_semicolons_and_directives_stand_between_them() {
        let text = "-- Two changes.\n-- moose: drain events\nALTER TABLE `events`\n    DROP COLUMN `a`;\n\n--moose:  resume  events\n\
                    SELECT 1; SELECT 2\n";
        assert_eq!(
            steps(text),
            [
                (2, Action::Drain("events".to_owned())),
                (3, statement("ALTER TABLE `events`\n    DROP COLUMN `a`")),
                (6, Action::Resume("events".to_owned())),
                (7, statement("SELECT 1")),
                (7, statement("SELECT 2")),
            ]
        );
    }

    #[test]
    fn semicolons_in_quotes_comments_and_heredocs_end_nothing() {
        for text in [
            "SELECT ';'",
            r"SELECT '\';'",
            "SELECT 'it''s;'",
            "SELECT `a;b`",
            "SELECT \"a;b\"",
            "SELECT /* ; */ 1",
            "SELECT 1 -- ;\n+ 1",
            "SELECT 1 # ;\n+ 1",
            "SELECT $$;'$$",
            "SELECT $tag$ ; $$ $tag$",
            "SELECT 1 // ;\n+ 1",
            "SELECT /* /* ; */ ; */ 1",
            "SELECT ‘;’, “;”",
            "SELECT a$b, 'ä;'",
        ] {
            assert_eq!(steps(&format!("{text};\n")), [(1, statement(text))]);
        }
        assert_eq!(steps("-- only\n/* comments */ ;;\n# here"), []);
    }

    #[test]
    fn what_has_no_end_is_told_with_its_line() {
        for (text, what) in
            [("'a", "string"), ("'a\\'", "string"), ("`a", "quoted name"), ("/* a", "comment"), ("‘a'", "string")]
        {
            assert_eq!(
                error(&format!("SELECT 1;\nSELECT {text}")),
                format!("`0001_a.sql`, line 2: the {what} that begins here has no end")
            );
        }
    }

    #[test]
    fn a_directive_that_can_not_be_obeyed_is_refused() {
        for line in ["-- moose: stop events", "-- moose: drain", "-- moose: drain a b", "-- moose: drain `a`"] {
            let error = error(&format!("\n{line}\n"));
            assert!(error.starts_with("`0001_a.sql`, line 2: ") && error.contains(line), "{error}");
        }
        assert!(error("SELECT 1\n-- moose: drain a\n;").contains("line 2: a directive stands between statements"));
        assert!(error("-- moose: drain a").contains("drained and never resumed"));
        assert!(error("-- moose: resume a").contains("was not drained"));
        assert!(
            error("-- moose: drain a\n-- moose: drain a\n-- moose: resume a")
                .contains("line 2: table `a` is drained already")
        );
        // A comment about a directive is not one.
        assert_eq!(steps("-- how moose: drains\n"), []);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[a-z;'`\"$\\\\/*#ä \n-]{0,60}") {
            drop(read("0001_a.sql", &text));
        }

        #[test]
        fn statements_come_out_as_they_went_in(bodies in proptest::collection::vec("[c-w]('[a-z;-]{0,6}'|`[;a-z]{0,4}`|[c-w ]){0,6}[c-w]", 0..6)) {
            let text = bodies.iter().fold(String::new(), |text, body| text + "-- about; it's\n" + body + ";\n");
            let read: Vec<Action> = steps(&text).into_iter().map(|(_, action)| action).collect();
            prop_assert_eq!(read, bodies.iter().map(|body| statement(body)).collect::<Vec<_>>());
        }
    }
}
