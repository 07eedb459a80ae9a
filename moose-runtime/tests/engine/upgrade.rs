//! A data directory that the engine had made before it was ClickHouse's own server.

use std::path::Path;

use crate::client::{Host, PIPELINE, ask_at, encode, send};

/// Two rows under `token1` and `token2` in `kept`, counted by a view into `sums`.
const FORMER: &[u8] = include_bytes!("fixtures/of_the_former_engine.tar.zst");

fn insert(host: &Host, id: u32) {
    let statement = encode("INSERT INTO kept FORMAT CSV");
    let settings = "deduplicate_blocks_in_dependent_materialized_views=1&async_insert=0";
    let target = format!("/?query={statement}&insert_deduplication_token=token{id}&{settings}");
    let response = send(host.address, "POST", &target, &PIPELINE, format!("{id},of the new one\n").as_bytes());
    assert_eq!(response.status, 200, "{}", response.text());
}

fn unpack(path: &Path) {
    let plain = zstd::Decoder::new(FORMER).unwrap();
    tar::Archive::new(plain).unpack(path).unwrap();
}

#[test]
fn it_opens_with_its_rows_its_tokens_and_its_views() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine");
    unpack(&path);
    for _ in 0..2 {
        let host = Host::start(&path);
        (1..=3).for_each(|id| insert(&host, id));
        let rows = "SELECT groupArray((id, s)) FROM (SELECT * FROM kept ORDER BY id)";
        let expected = "[(1,'of the old one'),(2,'of the old one'),(3,'of the new one')]";
        assert_eq!(ask_at(host.address, rows), expected, "known tokens are known, and a new one is new");
        let counted = "SELECT groupArray((d, n)) FROM (SELECT d, countMerge(c) AS n FROM sums GROUP BY d ORDER BY d)";
        assert_eq!(ask_at(host.address, counted), "[(0,1),(1,2)]");
        assert!(host.stop());
    }
}
