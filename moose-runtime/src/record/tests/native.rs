//! Rows as a Native block.

use super::*;
use chrono::{DateTime, Utc};

/// One product event.
#[derive(crate::OlapRecord)]
#[olap(crate = "crate")]
#[serde(rename_all = "camelCase")]
struct Event {
    #[key]
    id: String,
    /// Who did it.
    user_id: String,
    timestamp: DateTime<Utc>,
    event_type: String,
}

#[test]
fn the_first_event_is_this_block() {
    let mut batch = Batch::<Event>::new();
    let rejected = decode(
        &mut batch,
        &[r#"{"id":"evt_123","userId":"user_456","timestamp":"2024-01-15T10:30:00Z","eventType":"click"}"#],
    );
    assert_eq!(rejected, []);
    let mut expected = vec![4, 1];
    for (name, data_type, data) in [
        ("id", "String", &b"\x07evt_123"[..]),
        ("userId", "String", b"\x08user_456"),
        ("timestamp", "DateTime64(3, 'UTC')", &1_705_314_600_000_i64.to_le_bytes()),
        ("eventType", "String", b"\x05click"),
    ] {
        expected.push(u8::try_from(name.len()).unwrap());
        expected.extend_from_slice(name.as_bytes());
        expected.push(u8::try_from(data_type.len()).unwrap());
        expected.extend_from_slice(data_type.as_bytes());
        expected.extend_from_slice(data);
    }
    assert_eq!(block(&batch), expected);
}
