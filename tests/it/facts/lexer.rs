//! That a text is taken apart where ClickHouse takes it apart.

use moose_runtime::internal::schema::lexer::{Lexer, TokenKind};
use moose_tests::random::Random;

use crate::stage::Stage;

/// What random texts are made of.
const PIECES: [&str; 80] = [
    "a", "b_1", "$x", "x$y", "1", "0", "12", "0x1F", "0xg", "0b10", "0b2", "1_000", "1__0", "_", "1e3", "1e", "e",
    "1.5", ".", "..", "p", "-", "--", "->", ">", "+", "*", "/", "//", "/*", "*/", "#", "# ", "#!", "!", "!=", "=",
    "==", "<", "<>", "<=", ":", "::", "|", "||", "@", "@@", "%", "\\", "\\G", "(", ")", "[", "]", "{", "}", ";", "'",
    "''", "`", "\"", "‘", "’", "“", "”", "$", "$$", "$t$", "−", "—", "ä", "\u{a0}", "\u{3000}", " ", "\n", "\t", "x'",
    "~", "&", "^",
];

/// The text as `normalizeQueryKeepNames` shows it, by our tokens: literals are `?`, comments and blanks are gone.
fn normal(text: &str) -> String {
    let mut out = String::new();
    let mut lexer = Lexer::new(text);
    while let Some(token) = lexer.next() {
        match token.kind {
            TokenKind::Blank | TokenKind::Comment => {}
            TokenKind::Number | TokenKind::Text => out.push('?'),
            TokenKind::Word | TokenKind::Name | TokenKind::Sign => out.push_str(token.of(text)),
            // There ClickHouse stops.
            TokenKind::Unended | TokenKind::Unknown => break,
        }
    }
    canonical(&out)
}

/// Without blanks, and several literals in a row as one: ClickHouse shows them as one, with dots.
fn canonical(text: &str) -> String {
    let mut out: String =
        text.chars().filter(|character| !character.is_whitespace() && *character != '\u{a0}').collect();
    while out.contains("??") || out.contains("?.") {
        out = out.replace("??", "?").replace("?.", "?");
    }
    out
}

#[tokio::test]
async fn texts_are_taken_apart_where_clickhouse_does() {
    let stage = Stage::new().await;
    let mut random = Random::seeded();
    let mut texts: Vec<String> = PIECES.iter().map(|piece| format!("a {piece} b")).collect();
    texts.extend(PIECES.iter().map(|piece| format!("{piece} b")));
    for _ in 0..20_000 {
        let count = 1 + random.below(9);
        texts.push(
            (0..count)
                .map(|_| PIECES[usize::try_from(random.below(PIECES.len() as u64)).expect("a small number")])
                .collect(),
        );
    }
    for texts in texts.chunks(2_000) {
        let list: Vec<String> = texts.iter().map(|text| moose_runtime::internal::schema::quote_string(text)).collect();
        let sql = format!(
            "SELECT normalizeQueryKeepNames(arrayJoin([{}])) FORMAT JSONCompactEachRow SETTINGS max_query_size = 100000000",
            list.join(", ")
        );
        let answer = stage.sql(&sql).await;
        let shown: Vec<(String,)> = answer.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
        assert_eq!(shown.len(), texts.len());
        let wrong = texts.iter().zip(&shown).filter(|(text, (shown,))| normal(text) != canonical(shown));
        let wrong: Vec<String> =
            wrong.map(|(text, (shown,))| format!("{text:?}: {shown:?}, not {:?}", normal(text))).collect();
        assert!(wrong.is_empty(), "{} texts, ClickHouse's reading and ours:\n{}", wrong.len(), wrong.join("\n"));
    }
}
