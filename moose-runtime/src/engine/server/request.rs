//! What a request asks for, read from its address, headers and form, before any of it is run.

use axum::http::{HeaderMap, Method, header, request::Parts};

use super::{coding::Coding, form};
use crate::engine::exception::Exception;

/// The database of requests that name none.
pub(crate) const DEFAULT_DATABASE: &str = "moose";

/// The only user; it has no password.
const USER: &str = "default";

/// What a statement runs with.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// GET and HEAD may read only.
    pub(super) reads_only: bool,
    /// The database of unqualified names.
    pub(super) database: String,
    /// The format of results that name none.
    pub(super) format: String,
    /// ClickHouse's settings, in the order given.
    pub(super) settings: Vec<(String, String)>,
    /// `param_<name>`
    pub(super) parameters: Vec<(String, String)>,
}

/// Everything a request says except its body.
#[derive(Debug)]
pub(super) struct Request {
    /// What the statement's connection is set to.
    pub(super) session: Session,
    /// The text of `query`.
    pub(super) query: Option<String>,
    /// The format of INSERT data where the statement names none.
    pub(super) input_format: Option<String>,
    /// As given, or made up.
    pub(super) query_id: String,
    /// The result in ClickHouse's compressed blocks.
    pub(super) compress: bool,
    /// The body is in ClickHouse's compressed blocks.
    pub(super) decompress: bool,
    /// The answer only once the statement has ended.
    pub(super) wait_for_end: bool,
    /// The coding of the response.
    pub(super) accepted: Option<Coding>,
    /// The coding of the body.
    pub(super) coding: Option<Coding>,
    user: String,
    password: String,
    fault: Option<Exception>,
}

impl Request {
    /// Reads the head of a request. The parameters of a form come later, by [`Request::add_pairs`]; what is wrong with
    /// the head is said by [`Request::admit`], when it is known how to answer.
    pub(super) fn read(parts: &Parts) -> Self {
        let header = |name: &str| header_text(&parts.headers, name);
        let input_format = header("x-clickhouse-format");
        let session = Session {
            reads_only: parts.method == Method::GET || parts.method == Method::HEAD,
            database: header("x-clickhouse-database").unwrap_or_else(|| DEFAULT_DATABASE.to_owned()),
            format: input_format.clone().unwrap_or_else(|| "TabSeparated".to_owned()),
            settings: Vec::new(),
            parameters: Vec::new(),
        };
        let mut request = Self {
            session,
            query: None,
            input_format,
            query_id: header("x-clickhouse-query-id").unwrap_or_else(random_id),
            compress: false,
            decompress: false,
            wait_for_end: false,
            accepted: header("accept-encoding").and_then(|accepted| Coding::accepted(&accepted)),
            coding: None,
            fault: None,
            user: USER.to_owned(),
            password: String::new(),
        };
        match Coding::of_content(&header("content-encoding").unwrap_or_default()) {
            Ok(coding) => request.coding = coding,
            Err(fault) => request.fault = Some(fault),
        }
        if let Err(fault) = request.read_credentials(&parts.headers) {
            request.fault = Some(fault);
        }
        request.add_pairs(form::address_pairs(parts.uri.query().unwrap_or_default()));
        request
    }

    /// Adds parameters, whether from the address or from a form.
    pub(super) fn add_pairs(&mut self, pairs: Vec<(String, String)>) {
        let is_on = |value: &str| !matches!(value, "" | "0" | "false");
        for (name, value) in pairs {
            match name.as_str() {
                "query" => self.query = Some(value),
                "database" if !value.is_empty() => self.session.database = value,
                "default_format" if !value.is_empty() => self.session.format = value,
                "input_format" => self.input_format = Some(value),
                "query_id" if !value.is_empty() => self.query_id = value,
                "user" => self.user = value,
                "password" => self.password = value,
                "compress" => self.compress = is_on(&value),
                "decompress" => self.decompress = is_on(&value),
                "wait_end_of_query" => self.wait_for_end = is_on(&value),
                // No sessions, roles or quotas here: every request stands alone.
                "database"
                | "default_format"
                | "query_id"
                | "quota_key"
                | "role"
                | "session_id"
                | "session_timeout"
                | "session_check"
                | "close_session"
                | "stacktrace"
                | "buffer_size"
                | "client_protocol_version" => {}
                _ => match name.strip_prefix("param_") {
                    Some(parameter) => self.session.parameters.push((parameter.to_owned(), value)),
                    None => self.add_setting(name, value),
                },
            }
        }
    }

    fn add_setting(&mut self, name: String, value: String) {
        match name.as_str() {
            "http_wait_end_of_query" => self.wait_for_end = !matches!(value.as_str(), "0" | "false"),
            "enable_http_compression" if matches!(value.as_str(), "0" | "false") => self.accepted = None,
            _ => {}
        }
        self.session.settings.push((name, value));
    }

    fn read_credentials(&mut self, headers: &HeaderMap) -> Result<(), Exception> {
        let user = header_text(headers, "x-clickhouse-user");
        let key = header_text(headers, "x-clickhouse-key");
        let basic = headers.get(header::AUTHORIZATION);
        match (basic, user.is_some() || key.is_some()) {
            (Some(_), true) => {
                let reason = "Invalid authentication: it is not allowed to use X-ClickHouse HTTP headers and \
                              Authorization HTTP header simultaneously";
                Err(Exception::new(516, "AUTHENTICATION_FAILED", reason))
            }
            (Some(value), false) => {
                let decoded = value.to_str().ok().and_then(|value| value.strip_prefix("Basic ")).and_then(from_base64);
                let Some(decoded) = decoded else {
                    let reason = "Invalid authentication: only 'Basic' HTTP authentication is supported";
                    return Err(Exception::new(516, "AUTHENTICATION_FAILED", reason));
                };
                let (user, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
                user.clone_into(&mut self.user);
                password.clone_into(&mut self.password);
                Ok(())
            }
            (None, _) => {
                self.user = user.unwrap_or_else(|| USER.to_owned());
                self.password = key.unwrap_or_default();
                Ok(())
            }
        }
    }

    /// Refuses a head that is wrong, and everyone but the one user, in ClickHouse's words.
    pub(super) fn admit(&self) -> Result<(), Exception> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let user = if self.user.is_empty() { USER } else { &self.user };
        if user == USER && self.password.is_empty() {
            return Ok(());
        }
        let reason = format!(
            "{user}: Authentication failed: password is incorrect, or there is no user with such name. The embedded \
             engine has one user, {USER}, without a password"
        );
        Err(Exception::new(516, "AUTHENTICATION_FAILED", &reason))
    }
}

/// A header's text, if it has one.
pub(super) fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// As ClickHouse makes up ids: a random UUID.
fn random_id() -> String {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string()
}

/// Undoes base64; `None` for what is not base64 of UTF-8.
fn from_base64(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in text.trim().trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0x00ff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(address: &str, headers: &[(&str, &str)]) -> Request {
        let mut builder = axum::http::Request::builder().uri(address);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        Request::read(&builder.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn parameters_are_told_apart_from_settings() {
        let request = request("/?query=SELECT+1&database=d&max_threads=2&param_a=x&wait_end_of_query=1", &[]);
        assert_eq!(request.query.as_deref(), Some("SELECT 1"));
        assert_eq!(request.session.database, "d");
        assert_eq!(request.session.settings, [("max_threads".to_owned(), "2".to_owned())]);
        assert_eq!(request.session.parameters, [("a".to_owned(), "x".to_owned())]);
        assert!(request.wait_for_end && request.session.reads_only);
        assert_eq!(request.query_id.len(), 36);
    }

    #[test]
    fn the_one_user_comes_in_by_every_way_and_no_other_does() {
        let outcome =
            |address: &str, headers: &[(&str, &str)]| request(address, headers).admit().map_err(|error| error.code);
        assert_eq!(outcome("/", &[]), Ok(()));
        assert_eq!(outcome("/?user=default&password=", &[]), Ok(()));
        assert_eq!(outcome("/?user=other", &[]), Err(516));
        assert_eq!(outcome("/?password=x", &[]), Err(516));
        assert_eq!(outcome("/", &[("X-ClickHouse-User", "default"), ("X-ClickHouse-Key", "")]), Ok(()));
        assert_eq!(outcome("/", &[("X-ClickHouse-Key", "secret")]), Err(516));
        // "default:" and "default:x"
        assert_eq!(outcome("/", &[("Authorization", "Basic ZGVmYXVsdDo=")]), Ok(()));
        assert_eq!(outcome("/", &[("Authorization", "Basic ZGVmYXVsdDp4")]), Err(516));
        assert_eq!(outcome("/", &[("Authorization", "Bearer x")]), Err(516));
        assert_eq!(
            outcome("/", &[("Authorization", "Basic ZGVmYXVsdDo="), ("X-ClickHouse-User", "default")]),
            Err(516)
        );
    }
}
