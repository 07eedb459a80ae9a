//! Quotes names, strings and settings for ClickHouse, whatever they contain.

/// Numbers are not quoted, anything else is a string.
pub(super) fn setting_value(value: &str) -> String {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let is_number = !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.parse::<f64>().is_ok();
    if is_number { value.to_owned() } else { quote_string(value) }
}

/// The name as ClickHouse reads it back whatever it contains: `` `my\`column` ``.
pub fn quote_identifier(name: &str) -> String {
    quoted('`', name)
}

/// The text as a ClickHouse string literal: `'it\'s'`.
pub fn quote_string(text: &str) -> String {
    quoted('\'', text)
}

fn quoted(quote: char, text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            '\\' => out.push_str("\\\\"),
            _ if character == quote => {
                out.push('\\');
                out.push(quote);
            }
            _ => out.push(character),
        }
    }
    out.push(quote);
    out
}
