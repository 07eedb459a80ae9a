//! Finding the running instance of a data directory, through the `addresses.json` that it wrote.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use serde::Deserialize;

use crate::{
    app::{ADDRESSES_FILE, Addresses},
    stream::accounting::Account,
};

/// A listener on the same machine answers within this, or isn't there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest wait for an answer of the running instance.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Address of the engine that a running instance has on `data_dir`. A file whose process is gone, or whose engine does
/// not listen (a number can be another process' by now), is as good as none.
pub(super) fn running_engine(data_dir: &Path) -> Option<SocketAddr> {
    let text = fs::read(data_dir.join(ADDRESSES_FILE)).ok()?;
    let addresses: Addresses = serde_json::from_slice(&text).ok()?;
    // That of a configured server is a URL; there is no engine of ours then.
    let engine: SocketAddr = addresses.engine.parse().ok()?;
    (may_run(addresses.pid) && TcpStream::connect_timeout(&engine, CONNECT_TIMEOUT).is_ok()).then_some(engine)
}

/// The management port of the instance that runs on `data_dir`.
pub(super) fn running_management(data_dir: &Path) -> Option<SocketAddr> {
    let text = fs::read(data_dir.join(ADDRESSES_FILE)).ok()?;
    let Addresses { management, pid, .. } = serde_json::from_slice(&text).ok()?;
    (may_run(pid) && TcpStream::connect_timeout(&management, CONNECT_TIMEOUT).is_ok()).then_some(management)
}

/// What the management port of a running instance answers on `/accounting`.
pub(super) fn accounts(management: SocketAddr) -> io::Result<Vec<Account>> {
    #[derive(Deserialize)]
    struct Answer {
        accounts: Vec<Account>,
    }
    let mut connection = TcpStream::connect_timeout(&management, CONNECT_TIMEOUT)?;
    connection.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    write!(connection, "GET /accounting HTTP/1.1\r\nHost: {management}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if !head.starts_with("HTTP/1.1 200") {
        return Err(io::Error::other(format!("http://{management}/accounting answered: {answer}")));
    }
    serde_json::from_str(body).map(|Answer { accounts }| accounts).map_err(io::Error::other)
}

/// Whether there may be such a process. Where the system has no `/proc`, only connecting tells.
fn may_run(pid: u32) -> bool {
    let processes = Path::new("/proc");
    !processes.join("self").exists() || processes.join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, process};

    use super::*;

    fn data_dir(pid: u32, engine: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let text = format!(r#"{{"http":"127.0.0.1:1","management":"127.0.0.1:2","engine":"{engine}","pid":{pid}}}"#);
        fs::write(directory.path().join(ADDRESSES_FILE), text).unwrap();
        directory
    }

    #[test]
    fn a_running_instance_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let directory = data_dir(process::id(), &address.to_string());
        assert_eq!(running_engine(directory.path()), Some(address));
    }

    #[test]
    fn nothing_is_found_without_the_file_or_with_another_text_in_it() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(running_engine(directory.path()), None);
        for text in ["", "{}", "{\"pid\":1}", "\u{0}"] {
            fs::write(directory.path().join(ADDRESSES_FILE), text).unwrap();
            assert_eq!(running_engine(directory.path()), None, "{text:?}");
        }
    }

    #[test]
    fn a_file_left_behind_is_ignored() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        #[cfg(target_os = "linux")]
        {
            let mut child = process::Command::new("true").spawn().unwrap();
            child.wait().unwrap();
            assert_eq!(running_engine(data_dir(child.id(), &address).path()), None, "the process is gone");
        }
        drop(listener);
        assert_eq!(running_engine(data_dir(process::id(), &address).path()), None, "nothing listens");
    }
}
