//! Getting the library: every way, and what is said when there is none.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Command, Output},
    thread,
};

use flate2::{Compression, write::GzEncoder};

use crate::client::host_program;

/// Looks for the library with an empty environment: no npm, no network but `archive`.
fn locate(cache: &Path, archive: &str, library: Option<&Path>) -> Output {
    let mut command = Command::new(host_program());
    command.arg("locate").env_clear().env("XDG_CACHE_HOME", cache).env("MOOSE_TEST_ENGINE_ARCHIVE", archive);
    command.env("PATH", cache);
    if let Some(library) = library {
        command.env("MOOSE_ENGINE_LIBRARY", library);
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An address at which nobody listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Serves `body` to one request after the other.
fn serve(body: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let text = String::from_utf8_lossy(&request).into_owned();
            assert!(text.starts_with("GET /v26.7.3/linux-x86_64-libchdb.tar.gz "), "{text}");
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    address
}

fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, name, content).unwrap();
    builder.into_inner().unwrap().finish().unwrap()
}

#[test]
fn without_a_network_and_npm_every_way_is_named_with_its_reason() {
    let cache = tempfile::tempdir().unwrap();
    let nowhere = nowhere();
    let said = said(&locate(cache.path(), &nowhere, None));
    assert!(said.contains(&format!("{nowhere}/v26.7.3/linux-x86_64-libchdb.tar.gz: ")), "{said}");
    assert!(said.contains("npm pack @chdb/lib-linux-x64-gnu@26.7.3-stable.1: npm is not on the PATH"), "{said}");
    assert!(said.contains("MOOSE_ENGINE_LIBRARY") && said.contains("clickhouse.url"), "{said}");
}

#[test]
fn an_archive_with_another_library_is_refused_and_nothing_is_left() {
    let cache = tempfile::tempdir().unwrap();
    for (name, expected) in [("libchdb.so", "it holds another library: SHA-256"), ("other", "holds no libchdb.so")] {
        let address = serve(archive(name, b"not the library"));
        let said = said(&locate(cache.path(), &format!("http://{address}"), None));
        assert!(said.contains(expected), "{said}");
        let home = cache.path().join("moose/engine/26.7.3");
        let left: Vec<_> = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["lock"]);
    }
    let cut = archive("libchdb.so", &vec![7; 100_000]);
    let address = serve(cut[..cut.len() - 20].to_vec());
    let said = said(&locate(cache.path(), &format!("http://{address}"), None));
    assert!(said.contains("it could not be unpacked: "), "{said}");
}

#[test]
fn a_named_library_that_is_not_the_pinned_one_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    let file = cache.path().join("mine.so");
    fs::write(&file, "something else").unwrap();
    let output = locate(cache.path(), &nowhere(), Some(&file));
    let text = said(&output);
    assert!(text.contains("MOOSE_ENGINE_LIBRARY names") && text.contains("is damaged or another version"), "{text}");
    assert!(text.contains("36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5"), "{text}");
    let text = said(&locate(cache.path(), &nowhere(), Some(&cache.path().join("missing.so"))));
    assert!(text.contains("could not read the engine library"), "{text}");
}

#[test]
fn a_damaged_library_in_the_cache_is_said_and_fetched_again() {
    let cache = tempfile::tempdir().unwrap();
    let home = cache.path().join("moose/engine/26.7.3");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("libchdb.so"), "damaged").unwrap();
    let nowhere = nowhere();
    let text = said(&locate(cache.path(), &nowhere, None));
    assert!(text.contains("is damaged (SHA-256 ") && text.contains("fetching it again"), "{text}");
    assert!(text.contains(&nowhere), "{text}");
    assert!(!home.join("libchdb.so").exists());
}

#[test]
fn a_cache_that_can_not_be_written_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let text = said(&locate(&file, &nowhere(), None));
    assert!(text.contains("could not use the cache directory") && text.contains("XDG_CACHE_HOME"), "{text}");
}

#[test]
fn what_a_killed_fetch_left_behind_goes_with_the_next_one() {
    let cache = tempfile::tempdir().unwrap();
    let home = cache.path().join("moose/engine/26.7.3");
    fs::create_dir_all(home.join("npm-4711")).unwrap();
    fs::write(home.join("npm-4711/half.tgz"), "half").unwrap();
    fs::write(home.join("libchdb.part-4711"), "half").unwrap();
    said(&locate(cache.path(), &nowhere(), None));
    let left: Vec<_> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
}
