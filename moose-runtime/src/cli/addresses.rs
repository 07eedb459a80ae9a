//! Finds the running instance of a data directory through the `addresses.json` that it wrote.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use crate::app::{ADDRESSES_FILE, Addresses};
#[cfg(feature = "embedded")]
use crate::engine::Access;

/// Timeout for connecting to a listener on the same machine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Address and credentials of the engine of the instance that runs in `data_dir`. A file whose process is gone, or
/// whose engine does not listen (the process id may have been reused), is ignored.
#[cfg(feature = "embedded")]
pub(super) fn running_engine(data_dir: &Path) -> Option<(SocketAddr, Option<Access>)> {
    let addresses = read(data_dir)?;
    // The address of a configured server is a URL; then there is no engine of ours.
    let address = listening(&addresses, addresses.engine.parse().ok()?)?;
    Some((address, addresses.access))
}

/// Address of the management port of the instance that runs in `data_dir`.
pub(super) fn running_management(data_dir: &Path) -> Option<SocketAddr> {
    let addresses = read(data_dir)?;
    listening(&addresses, addresses.management)
}

fn read(data_dir: &Path) -> Option<Addresses> {
    serde_json::from_slice(&fs::read(data_dir.join(ADDRESSES_FILE)).ok()?).ok()
}

/// The address, if something listens there; for a wildcard address, a loopback one.
fn listening(addresses: &Addresses, mut address: SocketAddr) -> Option<SocketAddr> {
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    (may_run(addresses.pid) && TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok()).then_some(address)
}

/// Whether the process may exist. On a system without `/proc`, only connecting tells.
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
        assert_eq!(running_engine(directory.path()), Some((address, None)));
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
