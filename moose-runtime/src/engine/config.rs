//! Generates the server configuration of the embedded ClickHouse: its `config.xml`.

use std::{fmt::Write as _, net::SocketAddr, path::Path};

/// The parameters of the server configuration.
pub(super) struct ServerConfig<'a> {
    /// Its data directory; absolute.
    pub(super) path: &'a str,
    /// Its address; port 0 lets the system choose.
    pub(super) listen: SocketAddr,
    /// The path of its users file.
    pub(super) users: &'a str,
    /// Maximum number of connections.
    pub(super) connections: usize,
    /// The path of its log file, if one is wanted.
    pub(super) log: Option<&'a Path>,
}

/// Idle timeout of connections. A running statement keeps its connection for as long as it takes.
const IDLE_SECONDS: &str = "30";

/// The HTTP handlers of the port: statements and ping. No page is served (`/play`, `/dashboard`).
const HANDLERS: &str = "<http_handlers>\
    <rule><url>/ping</url><methods>GET,HEAD,POST</methods><handler><type>ping</type></handler></rule>\
    <rule><url>regex:^/(\\?.*)?$</url><methods>GET,HEAD,POST</methods><handler><type>dynamic_query_handler</type>\
    <query_param_name>query</query_param_name></handler></rule>\
    </http_handlers>";

/// Everything that is not granted is denied.
const ONLY_WHAT_IS_GRANTED: &str = "<access_control_improvements>\
    <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>\
    <select_from_information_schema_requires_grant>true</select_from_information_schema_requires_grant>\
    <table_engines_require_grant>true</table_engines_require_grant>\
    </access_control_improvements>";

impl ServerConfig<'_> {
    /// The text of the file.
    pub(super) fn xml(&self) -> String {
        let mut log = element("console", "1") + &element("formatting", &element("type", "json"));
        if let Some(path) = self.log {
            log += &element("log", &escaped(&path.to_string_lossy()));
            log += &element("size", "100M");
            log += &element("count", "3");
        }
        let lines = [
            element("path", &escaped(&format!("{}/", self.path.trim_end_matches('/')))),
            element("listen_host", &self.listen.ip().to_string()),
            element("http_port", &self.listen.port().to_string()),
            // With the parent, which keeps the port over restarts.
            element("listen_reuse_port", "1"),
            element("users_config", &escaped(self.users)),
            element("max_connections", &self.connections.to_string()),
            element("keep_alive_timeout", IDLE_SECONDS),
            element("logger", &log),
            ONLY_WHAT_IS_GRANTED.to_owned(),
            HANDLERS.to_owned(),
        ];
        let mut xml = "<clickhouse>\n".to_owned();
        for line in lines {
            // Writing to a string can't fail.
            let _ = writeln!(xml, "{line}");
        }
        xml + "</clickhouse>\n"
    }
}

/// `<name>inner</name>`; `inner` as it is.
pub(super) fn element(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

/// Escapes a text for XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
