//! A last write torn by a power failure: cut off if it was never acknowledged, reported as damage if it was.

use std::path::{Path, PathBuf};

use super::*;
use crate::stream::NewRecord;

const LARGE: usize = 200_000;

fn journal(directory: &Path) -> PathBuf {
    directory.join("stream/database/0.jnl")
}

/// The journal without its preallocated end.
fn used(directory: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(journal(directory)).unwrap();
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    bytes
}

/// A record that does not compress.
fn noise() -> NewRecord {
    let bytes: Vec<u8> = (0..LARGE).map(|_| rand::random_range(1..=u8::MAX)).collect();
    NewRecord::from(Bytes::from(bytes))
}

async fn opened(directory: &Path) -> Result<Log> {
    let options =
        LogOptions { retention_interval: Duration::from_hours(1), ..LogOptions::new(directory.join("stream")) };
    let log = Log::open(options)?;
    log.open_topic(&topic("t", 1)).await?;
    Ok(log)
}

/// Three records, then a large one of which a page did not reach the disk; the witness knows it if `acknowledged`.
async fn torn(directory: &Path, acknowledged: bool) -> Log {
    let log = opened(directory).await.unwrap();
    let epoch = log.topic("t").await.unwrap().epoch;
    log.append("t", 0, records(["a", "b", "c"])).await.unwrap();
    log.commit("g", "t", 0, &cursor(epoch, 2)).await.unwrap();
    let witness = directory.join("stream/witness");
    let before = std::fs::read(&witness).unwrap();
    log.append("t", 0, vec![noise()]).await.unwrap();
    log.close().await.unwrap();
    if !acknowledged {
        std::fs::write(&witness, before).unwrap();
    }
    let mut bytes = std::fs::read(journal(directory)).unwrap();
    let page = (used(directory).len() - LARGE / 2) / 4_096 * 4_096;
    bytes[page..page + 4_096].fill(0);
    std::fs::write(journal(directory), bytes).unwrap();
    log
}

fn copies(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory.join("stream")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("torn-")).collect()
}

#[tokio::test]
async fn a_torn_write_that_was_never_acknowledged_is_cut_off_and_a_copy_kept() {
    let directory = tempfile::tempdir().unwrap();
    torn(directory.path(), false).await;
    let before = used(directory.path());
    let log = opened(directory.path()).await.expect("nothing acknowledged is damaged");
    assert_eq!(log.bounds("t", 0).await.unwrap().end, 3);
    let [copy] = &copies(directory.path())[..] else { panic!("{:?}", copies(directory.path())) };
    assert_eq!(std::fs::read(copy).unwrap(), before, "as it was");
    assert_eq!(log.append("t", 0, records(["d"])).await.unwrap(), 3);
    drop(log);
    let log = opened(directory.path()).await.unwrap();
    let texts = read_all(&log, "t", 0, 0, 4).await.into_iter().map(|record| record.payload);
    assert!(texts.eq(contract::payloads(["a", "b", "c", "d"])));
    assert_eq!(copies(directory.path()).len(), 1);
}

#[tokio::test]
async fn a_torn_write_that_was_acknowledged_is_damage_and_the_error_says_what_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    torn(directory.path(), true).await;
    let before = used(directory.path());
    for _ in 0..2 {
        let error = opened(directory.path()).await.unwrap_err().to_string();
        for said in
            ["journal is damaged from byte", "`t` partition 0", "4 is the end that was acknowledged", "end at 3"]
        {
            assert!(error.contains(said), "{error}");
        }
        assert!(!error.contains("move"), "no advice loses more than what is damaged: {error}");
        assert_eq!(used(directory.path()), before, "the journal is as it was");
        assert_eq!(copies(directory.path()), Vec::<PathBuf>::new());
    }
    // The way out that the error names.
    let bytes = std::fs::read(journal(directory.path())).unwrap();
    let error = opened(directory.path()).await.unwrap_err().to_string();
    let from = error.split("from byte ").nth(1).unwrap().split(' ').next().unwrap().parse::<usize>().unwrap();
    std::fs::write(journal(directory.path()), &bytes[..from]).unwrap();
    std::fs::remove_file(directory.path().join("stream/witness")).unwrap();
    let log = opened(directory.path()).await.expect("it goes on with what is there");
    assert_eq!(log.bounds("t", 0).await.unwrap().end, 3);
}

#[tokio::test]
async fn damage_before_the_last_write_is_not_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let log = torn(directory.path(), false).await;
    drop(log);
    // A complete write follows the torn one.
    let whole = tempfile::tempdir().unwrap();
    let log = opened(whole.path()).await.unwrap();
    log.append("t", 0, records(["x"])).await.unwrap();
    drop(log);
    let mut bytes = used(directory.path());
    bytes.extend(used(whole.path()));
    std::fs::write(journal(directory.path()), &bytes).unwrap();
    let error = opened(directory.path()).await.unwrap_err().to_string();
    assert!(error.contains("0.jnl is damaged from byte") && !error.contains("move"), "{error}");
    assert_eq!(used(directory.path()), bytes);
}

#[tokio::test]
async fn what_a_failed_write_leaves_at_the_end_is_no_damage() {
    for garbage in [
        &b"\x01"[..],
        b"\x01\x02\x00\x00\x00",
        &[2; 50],
        &[3; 13],
        &[0xff; 5_000],
        b"\x01\x01\0\0\0\x09\0\0\0\0\0\0\0\x02",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let log = opened(directory.path()).await.unwrap();
        log.append("t", 0, records(["a", "b"])).await.unwrap();
        drop(log);
        let mut bytes = used(directory.path());
        bytes.extend(garbage);
        bytes.resize(1 << 20, 0);
        std::fs::write(journal(directory.path()), bytes).unwrap();
        let log = opened(directory.path()).await.unwrap();
        assert_eq!(log.append("t", 0, records(["c"])).await.unwrap(), 2);
        drop(log);
        let log = opened(directory.path()).await.unwrap();
        assert_eq!(read_all(&log, "t", 0, 0, 3).await.len(), 3);
    }
}
