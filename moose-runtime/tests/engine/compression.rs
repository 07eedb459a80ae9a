//! Bodies in gzip, deflate, zstd, and ClickHouse's own compressed blocks.

use std::{
    fs,
    io::{Read as _, Write as _},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use crate::client::{SHARED, ask, encode, post, send};

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A frame whose one block is stored as it is, to the letter of the format.
fn lz4_frame(data: &[u8]) -> Vec<u8> {
    let head = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
    let size = u32::try_from(data.len()).unwrap() | 1 << 31;
    [&head[..], &size.to_le_bytes(), data, &[0; 4]].concat()
}

#[test]
fn an_accepted_coding_is_used_and_undone_gives_the_result() {
    // Small enough to be held back, and large enough to be streamed.
    for rows in [3, 2_000_000] {
        let sql = format!("SELECT number FROM numbers({rows})");
        let plain = post("", &sql).body;
        let ask = |coding: &str| send(SHARED.address, "POST", "/", &[("Accept-Encoding", coding)], sql.as_bytes());
        let response = ask("gzip");
        assert_eq!(response.header("content-encoding"), Some("gzip"));
        let mut decoded = Vec::new();
        GzDecoder::new(response.body.as_slice()).read_to_end(&mut decoded).unwrap();
        assert!(decoded == plain);
        assert!(rows == 3 || response.body.len() < plain.len() / 2);
        let response = ask("zstd");
        assert_eq!(response.header("content-encoding"), Some("zstd"));
        assert!(zstd::decode_all(response.body.as_slice()).unwrap() == plain);
        assert_eq!(ask("br").header("content-encoding"), None);
    }
    let off = send(SHARED.address, "POST", "/?enable_http_compression=0", &[("Accept-Encoding", "gzip")], b"SELECT 1");
    assert_eq!(off.text(), "1\n");
}

#[test]
fn a_coded_body_is_undone_and_a_damaged_one_stores_nothing() {
    ask("CREATE TABLE coded (a UInt64) ENGINE = MergeTree ORDER BY a");
    let target = format!("/?query={}", encode("INSERT INTO coded FORMAT TSV"));
    let data = b"1\n2\n3\n";
    let insert = |coding: &str, body: &[u8]| {
        let response = send(SHARED.address, "POST", &target, &[("Content-Encoding", coding)], body);
        (response.status, response.header("x-clickhouse-exception-code").unwrap_or_default().to_owned())
    };
    assert_eq!(insert("gzip", &gzip(data)).0, 200);
    assert_eq!(insert("zstd", &zstd::encode_all(&data[..], 1).unwrap()).0, 200);
    // As the official Python client sends its INSERTs.
    assert_eq!(insert("lz4", &lz4_frame(data)).0, 200);
    assert_eq!(ask("SELECT count(), sum(a) FROM coded"), "9\t18");
    let whole = gzip(data);
    assert_eq!(insert("gzip", &whole[..whole.len() - 1]).1, "271");
    assert_eq!(insert("gzip", data).1, "271");
    assert_eq!(insert("lzma", data).1, "89");
    assert_eq!(insert("lz4", data).1, "271");
    assert_eq!(ask("SELECT count() FROM coded"), "9");
    let query = send(SHARED.address, "POST", "/", &[("Content-Encoding", "gzip")], &gzip(b"SELECT 5"));
    assert_eq!(query.text(), "5\n");
}

#[test]
fn compressed_blocks_come_back_as_what_they_were() {
    ask("CREATE TABLE squeezed (a UInt64) ENGINE = MergeTree ORDER BY a");
    let blocks = post("compress=1", "SELECT number FROM numbers(500000) FORMAT RowBinary");
    assert!(blocks.body.len() < 4_000_000);
    let target = format!("decompress=1&query={}", encode("INSERT INTO squeezed FORMAT RowBinary"));
    assert_eq!(post(&target, &blocks.body).status, 200);
    assert_eq!(ask("SELECT count(), sum(a) FROM squeezed"), "500000\t124999750000");
    let mut damaged = blocks.body.clone();
    damaged[100] ^= 1;
    let response = post(&target, &damaged);
    assert_eq!(response.header("x-clickhouse-exception-code"), Some("40"), "{}", response.text());
    let response = post(&target, &blocks.body[..blocks.body.len() - 1]);
    assert_eq!(response.header("x-clickhouse-exception-code"), Some("33"), "{}", response.text());
    assert_eq!(ask("SELECT count() FROM squeezed"), "500000");
}

#[test]
fn compressed_blocks_are_clickhouses_own() {
    // A column's file in a part is such blocks, written by ClickHouse itself.
    ask("CREATE TABLE on_disk (a UInt64, z UInt64 CODEC(ZSTD), n UInt64 CODEC(NONE)) ENGINE = MergeTree ORDER BY a \
         SETTINGS min_bytes_for_wide_part = 0");
    ask("INSERT INTO on_disk SELECT number, number, number FROM numbers(300000)");
    ask("CREATE TABLE from_disk (a UInt64) ENGINE = MergeTree ORDER BY a");
    let part = ask("SELECT path FROM system.parts WHERE table = 'on_disk' AND active");
    let target = format!("decompress=1&query={}", encode("INSERT INTO from_disk FORMAT RowBinary"));
    for column in ["a", "z", "n"] {
        let file = fs::read(format!("{part}{column}.bin")).unwrap();
        let response = post(&target, &file);
        assert_eq!(response.status, 200, "{column}: {}", response.text());
    }
    assert_eq!(ask("SELECT count(), sum(a) FROM from_disk"), "900000\t134999550000");
}
