//! The limit on open files is reached: the database's own threads fail first, and don't report it.

use std::{fs::File, process::Command};

use super::*;
use crate::stream::NewRecord;

const DIRECTORY: &str = "MOOSE_TEST_FILES_DIRECTORY";

fn noise() -> NewRecord {
    let bytes: Vec<u8> = (0..100_000).map(|_| rand::random()).collect();
    NewRecord::from(Bytes::from(bytes))
}

/// The process that runs out of files.
#[tokio::test]
async fn child_runs_out_of_files() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let log = Log::open(LogOptions { tail_bytes: 0, ..LogOptions::new(directory) }).unwrap();
    log.open_topic(&topic("t", 1)).await.unwrap();
    let mut kept: Vec<Bytes> = Vec::new();
    let held: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).take(10_000).collect();
    let cause = loop {
        assert!(kept.len() < 1_000, "nothing fails");
        let record = noise();
        match log.append("t", 0, vec![record.clone()]).await {
            Ok(_) => kept.push(record.payload),
            Err(StreamError::Paused { cause, maybe_stored: false }) => break cause,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(cause.contains("Too many open files"), "{cause}");
    // It can't be reopened as long as that lasts.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let trouble = log.trouble().expect("it lasts").message;
    assert!(trouble.contains("Too many open files"), "{trouble}");
    drop(held);
    let mended = async {
        while log.trouble().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), mended).await.expect("it opens itself anew");
    for _ in 0..200 {
        let record = noise();
        assert_eq!(log.append("t", 0, vec![record.clone()]).await.unwrap(), kept.len() as u64);
        kept.push(record.payload);
    }
    let read = read_all(&log, "t", 0, 0, kept.len() as u64).await;
    assert!(read.into_iter().map(|record| record.payload).eq(kept));
    println!("mended");
}

#[test]
fn a_log_that_ran_out_of_files_mends_itself_once_there_are_some() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -S -n 128 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "stream::log::tests::files::child_runs_out_of_files", "--nocapture"])
        .env(DIRECTORY, directory.path().join("stream"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("mended"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
