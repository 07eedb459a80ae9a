//! Classifies a statement of a migration, as far as repeating it depends on that.
//!
//! A statement is understood completely or not at all. If it is not, or if it names a table of another database, nobody
//! can say whether it took effect, so it is never repeated without asking.

use super::words::{Is, Word, words};

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Creates a table or view, without filling it.
    Create(String),
    /// Creates a table or view in place of the one that has the name.
    Replace(String),
    /// Drops a table.
    DropTable(String),
    /// Drops a view or dictionary.
    DropOther(String),
    /// `EXCHANGE TABLES a AND b`
    Exchange(String, String),
    /// `RENAME TABLE a TO b`
    Rename(String, String),
    /// Inserts into a table.
    Insert(String),
    /// Changes the definition of a table.
    Alter(String),
    /// Changes the rows of a table, by a mutation.
    Mutate(String),
    /// Idempotent.
    Repeatable,
    /// Anything else: run twice, it may take effect twice.
    Unclear,
}

/// Classifies a statement in this database.
pub(super) fn kind(sql: &str, database: &str) -> Kind {
    let words = words(sql);
    Reader { words: &words, at: 0, database }.kind().unwrap_or(Kind::Unclear)
}

/// ` ON CLUSTER …`, if the statement has it.
pub(super) fn cluster(sql: &str) -> String {
    let words = words(sql);
    let place = words.windows(3).find_map(|three| match three {
        [on, cluster, name] if is(on, "ON") && is(cluster, "CLUSTER") => Some(on.at.start..name.at.end),
        _ => None,
    });
    place.and_then(|place| sql.get(place)).map(|text| format!(" {text}")).unwrap_or_default()
}

/// The statement with a text inserted after its first two words.
pub(super) fn behind_two_words(sql: &str, text: &str) -> String {
    let at = words(sql).get(1).map_or(sql.len(), |word| word.at.end);
    let (begin, rest) = sql.split_at_checked(at).unwrap_or((sql, ""));
    format!("{begin} {text}{}", rest.trim_start())
}

/// The `ALTER TABLE` with other commands before its own.
pub(super) fn with_commands(sql: &str, first: &[String], database: &str) -> Option<String> {
    let words = words(sql);
    let mut reader = Reader { words: &words, at: 0, database };
    if !reader.take("ALTER TABLE") {
        return None;
    }
    reader.name()?;
    reader.cluster()?;
    let (begin, rest) = sql.split_at_checked(words.get(reader.at)?.at.start)?;
    // Either all commands are in parentheses or none.
    let first = if reader.next() == Some(&Is::Sign('(')) {
        first.iter().map(|command| format!("({command}), ")).collect::<Vec<_>>()
    } else {
        first.iter().map(|command| format!("{command}, ")).collect::<Vec<_>>()
    };
    Some(format!("{begin}{}{rest}", first.concat()))
}

/// Its first line, for messages.
pub(super) fn beginning(sql: &str) -> String {
    let line = sql.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(120).collect();
    if short.len() < sql.len() {
        short.push_str(" …");
    }
    short
}

/// Statements that can be repeated.
const REPEATABLE: [&str; 14] = [
    "SELECT", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "CHECK", "EXISTS", "SYSTEM", "OPTIMIZE", "SET", "USE", "GRANT",
    "REVOKE", "KILL",
];

/// Objects other than tables: created or dropped twice the statement fails, or it has `IF`.
const ENTITIES: [&str; 9] = ["USER", "ROLE", "ROW", "POLICY", "QUOTA", "SETTINGS", "PROFILE", "FUNCTION", "NAMED"];

struct Reader<'a> {
    words: &'a [Word],
    at: usize,
    database: &'a str,
}

impl Reader<'_> {
    fn kind(&mut self) -> Option<Kind> {
        if self.take("CREATE") {
            return self.create();
        }
        if self.take("DROP") {
            return self.drop();
        }
        if self.take("EXCHANGE TABLES") {
            let (first, second) = self.pair("AND")?;
            return Some(Kind::Exchange(first, second));
        }
        if self.take("RENAME TABLE") {
            self.take("IF EXISTS");
            let (from, to) = self.pair("TO")?;
            return Some(Kind::Rename(from, to));
        }
        if self.take("INSERT INTO") {
            self.take("TABLE");
            let is_function = self.take("FUNCTION");
            return if is_function { None } else { Some(Kind::Insert(self.name()?)) };
        }
        if self.take("ALTER TABLE") {
            let table = self.name()?;
            self.cluster()?;
            return self.changes(table);
        }
        let is_with = self.take("WITH") && !self.outside().any(|word| is(word, "INSERT"));
        let is_repeatable = is_with
            || REPEATABLE.iter().any(|word| self.take(word))
            || (self.take("ALTER") && ENTITIES.iter().any(|word| self.take(word)));
        is_repeatable.then_some(Kind::Repeatable)
    }

    fn create(&mut self) -> Option<Kind> {
        let replaces = self.take("OR REPLACE");
        let is_filled = if self.take("TABLE") {
            self.is_filled()
        } else if self.take("MATERIALIZED VIEW") {
            self.outside().any(|word| is(word, "POPULATE"))
        } else if self.take("VIEW") || self.take("DICTIONARY") {
            false
        } else {
            let is_known = self.take("DATABASE") || ENTITIES.iter().any(|word| self.take(word));
            return is_known.then_some(Kind::Repeatable);
        };
        self.take("IF NOT EXISTS");
        let name = self.name()?;
        match (replaces, is_filled) {
            // It is filled before the exchange.
            (true, _) => Some(Kind::Replace(name)),
            (false, false) => Some(Kind::Create(name)),
            (false, true) => None,
        }
    }

    /// Whether a `CREATE TABLE` has a source of rows.
    fn is_filled(&self) -> bool {
        let outside: Vec<&Word> = self.outside().collect();
        let from_query = outside.windows(3).any(|three| {
            let [before, word, after] = three else { return false };
            let begins = is(after, "SELECT") || is(after, "WITH") || after.is == Is::Sign('(');
            is(word, "AS") && begins && !is(before, "EMPTY")
        });
        from_query || outside.iter().any(|word| is(word, "CLONE"))
    }

    fn drop(&mut self) -> Option<Kind> {
        let is_table = self.take("TABLE");
        if !is_table && !self.take("VIEW") && !self.take("DICTIONARY") {
            return ENTITIES.iter().any(|word| self.take(word)).then_some(Kind::Repeatable);
        }
        self.take("IF EXISTS");
        self.take("IF EMPTY");
        let name = self.name()?;
        self.end(&["PERMANENTLY", "NO DELAY", "SYNC"])?;
        Some(if is_table { Kind::DropTable(name) } else { Kind::DropOther(name) })
    }

    /// The commands of an `ALTER TABLE`, which must all be of one kind to be understood.
    fn changes(&self, table: String) -> Option<Kind> {
        let words = self.words.get(self.at..).unwrap_or_default();
        let mut sorts = Vec::new();
        let (mut depth, mut begins) = (0_usize, true);
        for (at, word) in words.iter().enumerate() {
            match word.is {
                // Each command may be in parentheses of its own.
                Is::Sign('(') if begins && depth == 0 => {
                    depth += 1;
                    continue;
                }
                Is::Sign('(' | '[' | '{') => depth += 1,
                Is::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
                Is::Sign(',') if depth == 0 => {
                    begins = true;
                    continue;
                }
                _ => {}
            }
            if std::mem::take(&mut begins) {
                let next = words.get(at + 1);
                // What does not begin with a command belongs to the one before.
                if next.is_none_or(|next| next.is != Is::Sign('=')) {
                    sorts.extend(Sort::of(word, next));
                } else if sorts.is_empty() {
                    return None;
                }
            }
        }
        let first = *sorts.first()?;
        match first {
            _ if sorts.iter().any(|sort| *sort != first) => None,
            Sort::Definition => Some(Kind::Alter(table)),
            Sort::Rows => Some(Kind::Mutate(table)),
            Sort::Unclear => None,
        }
    }

    /// The words outside parentheses, from here on.
    fn outside(&self) -> impl Iterator<Item = &Word> {
        let mut depth = 0_usize;
        self.words.get(self.at..).unwrap_or_default().iter().filter(move |word| match word.is {
            Is::Sign('(' | '[') => {
                depth += 1;
                depth == 1
            }
            Is::Sign(')' | ']') => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
    }

    /// Consumes the words, in any case, if they come next.
    fn take(&mut self, expected: &str) -> bool {
        let expected: Vec<&str> = expected.split(' ').collect();
        let next = self.words.get(self.at..).unwrap_or_default();
        let found =
            next.len() >= expected.len() && expected.iter().zip(next).all(|(expected, word)| is(word, expected));
        if found {
            self.at += expected.len();
        }
        found
    }

    /// A name in this database.
    fn name(&mut self) -> Option<String> {
        let mut name = self.part()?;
        if self.sign('.') {
            if name != self.database {
                return None;
            }
            name = self.part()?;
        }
        (self.next() != Some(&Is::Sign('.'))).then_some(name)
    }

    /// Two names with a word between them, and nothing more: several pairs are not one change.
    fn pair(&mut self, between: &str) -> Option<(String, String)> {
        let first = self.name()?;
        if !self.take(between) {
            return None;
        }
        let second = self.name()?;
        self.end(&[])?;
        Some((first, second))
    }

    /// `ON CLUSTER c`, if it comes next.
    fn cluster(&mut self) -> Option<()> {
        if self.take("ON CLUSTER") {
            match self.next()? {
                Is::Text => self.at += 1,
                _ => drop(self.part()?),
            }
        }
        Some(())
    }

    /// The end of the statement, preceded by nothing but these words, a cluster, and settings.
    fn end(&mut self, words: &[&str]) -> Option<()> {
        self.cluster()?;
        while words.iter().any(|word| self.take(word)) {}
        (self.at >= self.words.len() || self.take("SETTINGS")).then_some(())
    }

    fn next(&self) -> Option<&Is> {
        self.words.get(self.at).map(|word| &word.is)
    }

    fn sign(&mut self, sign: char) -> bool {
        let found = self.next() == Some(&Is::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn part(&mut self) -> Option<String> {
        let (Is::Bare(name) | Is::Quoted(name)) = self.next()? else { return None };
        let name = name.clone();
        self.at += 1;
        Some(name)
    }
}

fn is(word: &Word, expected: &str) -> bool {
    matches!(&word.is, Is::Bare(found) if found.eq_ignore_ascii_case(expected))
}

/// What a command of `ALTER TABLE` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// The table's definition; or nothing, if it is repeated.
    Definition,
    /// Its rows, by a mutation.
    Rows,
    /// Parts, partitions, or something unknown.
    Unclear,
}

impl Sort {
    /// The kind of the command that begins with these two words; `None` if that is no command.
    fn of(word: &Word, next: Option<&Word>) -> Option<Self> {
        let one_of = |word: &Word, words: &[&str]| words.iter().any(|expected| is(word, expected));
        let of_table = ["COLUMN", "INDEX", "PROJECTION", "CONSTRAINT", "STATISTICS"];
        let drops_of_table = is(word, "DROP") && next.is_some_and(|next| one_of(next, &of_table));
        let of_definition = ["ADD", "MODIFY", "RENAME", "COMMENT", "RESET", "REMOVE", "ALTER", "MATERIALIZE"];
        if drops_of_table || one_of(word, &of_definition) {
            Some(Self::Definition)
        } else if one_of(word, &["UPDATE", "DELETE"]) {
            Some(Self::Rows)
        } else if one_of(
            word,
            &[
                "DROP", "CLEAR", "ATTACH", "MOVE", "REPLACE", "FETCH", "FREEZE", "UNFREEZE", "DETACH", "FORGET",
                "EXPORT", "APPLY", "REWRITE", "UNLOCK", "EXECUTE",
            ],
        ) {
            Some(Self::Unclear)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> String {
        name.to_owned()
    }

    fn read(sql: &str) -> Kind {
        kind(sql, "db")
    }

    #[test]
    fn statements_are_told_apart() {
        for (sql, expected) in [
            ("CREATE TABLE IF NOT EXISTS `a b` (id UInt8)", Kind::Create(name("a b"))),
            ("create materialized view v TO t AS SELECT 1", Kind::Create(name("v"))),
            ("CREATE OR REPLACE VIEW v AS SELECT 1", Kind::Replace(name("v"))),
            ("CREATE OR REPLACE TABLE t ENGINE = Log AS SELECT 1", Kind::Replace(name("t"))),
            ("CREATE TABLE db.`t\\`x` (id UInt8)", Kind::Create(name("t`x"))),
            ("CREATE TABLE t (a String DEFAULT (SELECT 1 AS x)) ENGINE = Log", Kind::Create(name("t"))),
            ("CREATE TABLE t AS u", Kind::Create(name("t"))),
            ("CREATE TABLE t ENGINE = Log EMPTY AS SELECT 1", Kind::Create(name("t"))),
            ("DROP TABLE IF EXISTS t SYNC", Kind::DropTable(name("t"))),
            ("DROP TABLE IF EMPTY t", Kind::DropTable(name("t"))),
            ("DROP TABLE t ON CLUSTER 'c' NO DELAY SETTINGS max_table_size_to_drop = 0", Kind::DropTable(name("t"))),
            ("DROP VIEW v", Kind::DropOther(name("v"))),
            ("EXCHANGE TABLES `t` AND `t__new_2`", Kind::Exchange(name("t"), name("t__new_2"))),
            ("RENAME TABLE t TO `u` ON CLUSTER c", Kind::Rename(name("t"), name("u"))),
            ("/* why */ INSERT INTO t (a) SELECT a FROM u", Kind::Insert(name("t"))),
            ("-- why\nALTER TABLE t\n    ADD COLUMN a UInt8", Kind::Alter(name("t"))),
            ("ALTER TABLE t ON CLUSTER c DROP COLUMN a, MODIFY SETTING x = 1, update = 2", Kind::Alter(name("t"))),
            ("ALTER TABLE t MODIFY TTL d + INTERVAL 1 DAY, e + INTERVAL 2 DAY DELETE", Kind::Alter(name("t"))),
            ("ALTER TABLE t (ADD COLUMN a Enum8('x' = 1)), (DROP INDEX i)", Kind::Alter(name("t"))),
            ("ALTER TABLE t UPDATE n = n + 1, m = if(a, 1, 2) WHERE 1", Kind::Mutate(name("t"))),
            ("ALTER TABLE t (DELETE WHERE a), (UPDATE n = 1 WHERE b)", Kind::Mutate(name("t"))),
            ("SYSTEM FLUSH LOGS", Kind::Repeatable),
            ("SELECT throwIf(count() > 0, 'UPDATE') FROM t", Kind::Repeatable),
            ("WITH 1 AS x SELECT x", Kind::Repeatable),
            ("CREATE USER u", Kind::Repeatable),
        ] {
            assert_eq!(read(sql), expected, "{sql}");
        }
    }

    #[test]
    fn what_is_not_understood_as_a_whole_is_in_doubt() {
        for sql in [
            "",
            "DROP TABLE a, b",
            "DROP TABLE IF EXISTS a, b SYNC",
            "DROP DATABASE d",
            "RENAME TABLE a TO b, c TO d",
            "EXCHANGE TABLES a AND b, c AND d",
            "EXCHANGE TABLES a",
            "EXCHANGE DICTIONARIES a AND b",
            "CREATE TABLE t ENGINE = Log AS SELECT 1",
            "CREATE TABLE t ENGINE = Log AS WITH 1 AS x SELECT x",
            "CREATE TABLE t ENGINE = Log AS (SELECT 1)",
            "CREATE TABLE t CLONE AS u",
            "CREATE MATERIALIZED VIEW v ENGINE = Log POPULATE AS SELECT 1",
            "CREATE TEMPORARY TABLE t (a UInt8)",
            "CREATE TABLE other.t (a UInt8)",
            "DROP TABLE other.t",
            "INSERT INTO other.t SELECT 1",
            "INSERT INTO FUNCTION url('http://x') SELECT 1",
            "WITH 1 AS x INSERT INTO t SELECT x",
            "ALTER TABLE other.t ADD COLUMN a UInt8",
            "ALTER TABLE t ATTACH PARTITION 1 FROM u",
            "ALTER TABLE t MOVE PARTITION 1 TO TABLE u",
            "ALTER TABLE t REPLACE PARTITION 1 FROM u",
            "ALTER TABLE t DROP PARTITION 1",
            "ALTER TABLE t CLEAR COLUMN a IN PARTITION 1",
            "ALTER TABLE t ADD COLUMN a UInt8, UPDATE n = 1 WHERE 1",
            "ALTER TABLE t (ADD COLUMN a UInt8), (DETACH PARTITION 1)",
            "ALTER TABLE t FROBNICATE",
            "UPDATE t SET n = n + 1 WHERE 1",
            "DELETE FROM t WHERE 1",
            "TRUNCATE TABLE t",
            "ATTACH TABLE t",
            "UNDROP TABLE t",
            "BACKUP TABLE t TO Disk('d', 'b')",
        ] {
            assert_eq!(read(sql), Kind::Unclear, "{sql}");
        }
    }

    #[test]
    fn a_fence_goes_before_the_first_pair_or_command() {
        assert_eq!(behind_two_words("EXCHANGE TABLES a AND b", "x AND y, "), "EXCHANGE TABLES x AND y, a AND b");
        assert_eq!(
            behind_two_words("rename /* */ table IF EXISTS a TO b", "x TO y, "),
            "rename /* */ table x TO y, IF EXISTS a TO b"
        );
        assert_eq!(cluster("EXCHANGE TABLES a AND b on cluster 'c' SETTINGS x = 1"), " on cluster 'c'");
        assert_eq!(cluster("EXCHANGE TABLES a AND b"), "");
        let commands = ["DROP CONSTRAINT x".to_owned(), "ADD CONSTRAINT x CHECK 0".to_owned()];
        assert_eq!(
            with_commands("ALTER TABLE t ON CLUSTER c MODIFY COLUMN a UInt8", &commands, "db").as_deref(),
            Some("ALTER TABLE t ON CLUSTER c DROP CONSTRAINT x, ADD CONSTRAINT x CHECK 0, MODIFY COLUMN a UInt8")
        );
        assert_eq!(
            with_commands("ALTER TABLE t (MODIFY COLUMN a UInt8)", &commands, "db").as_deref(),
            Some("ALTER TABLE t (DROP CONSTRAINT x), (ADD CONSTRAINT x CHECK 0), (MODIFY COLUMN a UInt8)")
        );
        assert_eq!(with_commands("SELECT 1", &commands, "db"), None);
    }

    #[test]
    fn a_message_shows_one_line_at_most() {
        assert_eq!(beginning("SELECT 1"), "SELECT 1");
        assert_eq!(beginning("ALTER TABLE t\n DROP COLUMN a"), "ALTER TABLE t …");
    }
}
