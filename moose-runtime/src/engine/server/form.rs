//! The two ways in which parameters are written: in the address, and as the fields of a multipart form.

/// The pairs of a query string.
pub(super) fn address_pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// Undoes percent-encoding; what isn't a valid escape stands for itself.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => hexadecimal_digit(*high).zip(hexadecimal_digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            bytes.push(high * 16 + low);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(if byte == b'+' { b' ' } else { byte });
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hexadecimal_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The boundary of a `multipart/form-data` content type.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    rest.split(';').find_map(|attribute| {
        let (name, value) = attribute.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })
}

/// The named text fields of a multipart body; the error is a reason for the client.
pub(super) fn multipart_pairs(body: &[u8], boundary: &str) -> Result<Vec<(String, String)>, String> {
    let broken = || "the multipart form is not well formed".to_owned();
    let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
    // The first delimiter may stand without the line end before it.
    let body = [b"\r\n", body].concat();
    let mut rest = body.as_slice();
    let start = find(rest, &delimiter).ok_or_else(broken)?;
    rest = rest.get(start + delimiter.len()..).unwrap_or_default();
    let mut pairs = Vec::new();
    while !rest.starts_with(b"--") {
        let head_end = find(rest, b"\r\n\r\n").ok_or_else(broken)?;
        let (head, content) = rest.split_at(head_end);
        let content = content.get(4..).unwrap_or_default();
        let length = find(content, &delimiter).ok_or_else(broken)?;
        let (value, after) = content.split_at(length);
        pairs.push((field_name(head)?, String::from_utf8_lossy(value).into_owned()));
        rest = after.get(delimiter.len()..).unwrap_or_default();
    }
    Ok(pairs)
}

/// The name in a field's head. Files are ClickHouse's external tables, which this interface does not have.
fn field_name(head: &[u8]) -> Result<String, String> {
    let head = String::from_utf8_lossy(head);
    let disposition = head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))
        .ok_or_else(|| "a field of the multipart form has no name".to_owned())?;
    let attribute = |wanted: &str| {
        disposition.split(';').find_map(|attribute| {
            let (name, value) = attribute.trim().split_once('=')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim_matches('"').to_owned())
        })
    };
    if attribute("filename").is_some() {
        return Err("external tables are not supported by the embedded engine".to_owned());
    }
    attribute("name").ok_or_else(|| "a field of the multipart form has no name".to_owned())
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_decoded() {
        let pairs = address_pairs("query=SELECT%201+%2B+1&a=%zz&&flag&u=%C3%A4");
        let expected = [("query", "SELECT 1 + 1"), ("a", "%zz"), ("flag", ""), ("u", "ä")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn forms_give_their_fields_and_refuse_files() {
        let boundary = boundary("multipart/form-data; boundary=\"xx\"").unwrap();
        let body = b"--xx\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT\r\n{a:String}\r\n\
                     --xx\r\nContent-Disposition: form-data; name=\"param_a\"\r\n\r\n\r\n--xx--\r\n";
        let pairs = multipart_pairs(body, boundary).unwrap();
        assert_eq!(pairs[0], ("query".to_owned(), "SELECT\r\n{a:String}".to_owned()));
        assert_eq!(pairs[1], ("param_a".to_owned(), String::new()));
        let file = b"--xx\r\nContent-Disposition: form-data; name=\"t\"; filename=\"t\"\r\n\r\n1\r\n--xx--";
        assert!(multipart_pairs(file, boundary).unwrap_err().contains("external tables"));
        for cut in 1..body.len() - 6 {
            let _ = multipart_pairs(&body[..cut], boundary);
        }
    }
}
