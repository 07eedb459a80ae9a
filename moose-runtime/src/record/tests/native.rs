//! Tests of rows as a Native block.

use std::net::IpAddr;

use super::{
    reader::{Value, read},
    *,
};
use crate::record::{PROVENANCE_COLUMNS, Provenance};

/// One product event.
#[derive(crate::OlapRecord)]
#[olap(crate = "crate")]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are those of the guide's example")]
struct Event {
    #[key]
    id: String,
    user_id: String,
    timestamp: DateTime<Utc>,
    event_type: String,
}

const EVENT: &str = r#"{"id":"evt_123","userId":"user_456","timestamp":"2024-01-15T10:30:00Z","eventType":"click"}"#;

#[test]
fn the_first_event_is_this_block() {
    let mut batch = Batch::<Event>::new();
    assert_eq!(decode(&mut batch, &[EVENT]), []);
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

#[test]
fn an_appended_record_gives_the_bytes_of_its_json() {
    let mut from_json = Batch::<Event>::new();
    assert_eq!(decode(&mut from_json, &[EVENT]), []);
    let mut from_value = Batch::<Event>::new();
    let event = Event {
        id: "evt_123".into(),
        user_id: "user_456".into(),
        timestamp: "2024-01-15T10:30:00Z".parse().unwrap(),
        event_type: "click".into(),
    };
    from_value.append(&event).unwrap();
    assert_eq!(block(&from_json), block(&from_value));
}

#[test]
fn provenance_stands_in_three_columns_after_all_others() {
    let mut batch = Batch::<Event>::new();
    decode(&mut batch, &[EVENT, EVENT]);
    let mut block = Vec::new();
    batch.write_native(Some(Provenance { epoch: 0x0102_0304_0506_0708, partition: 7, offsets: &[40, 42] }), &mut block);
    let columns = read(&block);
    let hidden: Vec<_> = columns[4..].iter().map(|column| (&*column.name, column.data_type.to_string())).collect();
    assert_eq!(hidden, PROVENANCE_COLUMNS.map(|(name, data_type)| (name, data_type.to_string())));
    assert_eq!(columns[4].values, vec![Value::Bytes(vec![8, 7, 6, 5, 4, 3, 2, 1]); 2]);
    assert_eq!(columns[5].values, vec![Value::Bytes(vec![7, 0]); 2]);
    let offsets = [40, 42].map(|offset: u64| Value::Bytes(offset.to_le_bytes().to_vec()));
    assert_eq!(columns[6].values, offsets);
}

#[test]
fn provenance_that_would_mean_no_stream_is_refused() {
    for (epoch, partition, offset) in [(u64::MAX, 0, 0), (0, u16::MAX, 0), (0, 0, u64::MAX)] {
        let written = std::panic::catch_unwind(|| {
            let mut batch = Batch::<Event>::new();
            decode(&mut batch, &[EVENT]);
            batch.write_native(Some(Provenance { epoch, partition, offsets: &[offset] }), &mut Vec::new());
        });
        assert!(written.is_err(), "{epoch} {partition} {offset}");
    }
}

#[test]
fn decoding_stops_after_the_record_that_fills_the_bytes() {
    let mut one = Batch::<Event>::new();
    decode(&mut one, &[EVENT]);
    let size = one.byte_size();
    let mut batch = Batch::<Event>::new();
    let mut rejected = Vec::new();
    assert_eq!(batch.decode(&[EVENT.as_bytes(); 10], size * 3 - 1, &mut rejected), 3);
    assert_eq!((batch.rows(), batch.byte_size()), (3, size * 3));
    assert_eq!(batch.decode(&[b"not JSON", EVENT.as_bytes()], usize::MAX, &mut rejected), 2);
    assert_eq!((batch.rows(), rejected.len(), rejected[0].index), (4, 1, 0));
}

#[test]
fn the_record_key_does_not_depend_on_how_the_record_is_written() {
    let batch = Batch::<Event>::new();
    assert_eq!(batch.record_key(EVENT.as_bytes()).as_deref(), Some(&b"evt_123"[..]));
    assert_eq!(
        batch.record_key(br#" { "x": [1, {}], "\u0069d" : "evt\u005f123" } "#).as_deref(),
        Some(&b"evt_123"[..])
    );
    let batch = Batch::<Event>::with_record_key(&["userId", "id"]);
    assert_eq!(batch.record_key(EVENT.as_bytes()).as_deref(), Some(&br#"["user_456","evt_123"]"#[..]));
    assert_eq!(batch.record_key(br#"{"id": 5}"#).as_deref(), Some(&b"[null,5]"[..]));
    assert_eq!(batch.record_key(b"not JSON").as_deref(), Some(&b"[null,null]"[..]));
    assert_eq!(Batch::<Event>::with_record_key(&[]).record_key(EVENT.as_bytes()), None);
}

#[test]
fn a_dictionary_takes_wider_codes_when_it_grows() {
    #[derive(crate::OlapRecord)]
    #[olap(crate = "crate")]
    struct Kind {
        #[key]
        #[olap(low_cardinality)]
        kind: String,
    }
    for kinds in [1, 255, 256, 257, 65_535, 65_536, 65_537] {
        let mut batch = Batch::<Kind>::new();
        let names: Vec<String> = (0..kinds).map(|kind| format!("kind {kind}")).collect();
        for name in names.iter().chain(&names) {
            batch.append(&Kind { kind: name.clone() }).unwrap();
        }
        let block = block(&batch);
        let values: Vec<Value> = names.iter().chain(&names).map(|name| Value::text(name)).collect();
        assert_eq!(read(&block)[0].values, values);
        let header = "\x01".len() + batch_header(kinds * 2) + "\x04kind\x16LowCardinality(String)".len();
        assert_eq!(block.len(), header + batch.byte_size(), "{kinds}");
    }
}

fn batch_header(rows: usize) -> usize {
    if rows < 0x80 {
        1
    } else if rows < 0x4000 {
        2
    } else {
        3
    }
}

#[test]
fn an_optional_enum_with_data_is_the_same_variant_with_its_null() {
    #[derive(crate::OlapType)]
    #[olap(crate = "crate")]
    #[serde(untagged)]
    enum Reading {
        Number(f64),
        Text(String),
    }
    #[derive(crate::OlapType)]
    #[olap(crate = "crate")]
    struct Measured(Reading);
    #[derive(crate::OlapRecord)]
    #[olap(crate = "crate")]
    struct Row {
        #[key]
        id: u8,
        bare: Option<Reading>,
        wrapped: Option<Measured>,
    }
    let mut given = Batch::<Row>::new();
    let records = [r#"{"id":1}"#, r#"{"id":2,"bare":null,"wrapped":1.5}"#, r#"{"id":3,"bare":"a","wrapped":null}"#];
    assert_eq!(decode(&mut given, &records), []);
    let mut typed = Batch::<Row>::new();
    for row in [
        Row { id: 1, bare: None, wrapped: None },
        Row { id: 2, bare: None, wrapped: Some(Measured(Reading::Number(1.5))) },
        Row { id: 3, bare: Some(Reading::Text("a".into())), wrapped: None },
    ] {
        typed.append(&row).unwrap();
    }
    assert_eq!(block(&given), block(&typed));
    let declared: Vec<String> = given.columns().iter().map(|column| column.data_type.to_string()).collect();
    assert_eq!(declared, ["UInt8", "Variant(Float64, String)", "Variant(Float64, String)"]);
    // The choice of each row, 255 for NULL, then the one text; and the one number.
    let data: [&[u8]; 2] = [&[255, 255, 1, 1, b'a'], &[255, 0, 255, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]];
    let [bare, wrapped] = data.map(|data| [b"Variant(Float64, String)", &[0; 8][..], data].concat());
    let block = block(&given);
    assert!(block.windows(bare.len()).any(|bytes| bytes == bare), "{block:?}");
    assert!(block.ends_with(&wrapped), "{block:?}");
}

#[test]
fn addresses_and_bytes_are_the_same_from_code_and_from_json() {
    #[derive(crate::OlapRecord)]
    #[olap(crate = "crate")]
    struct Row {
        #[key]
        address: IpAddr,
        #[olap(fixed = 3)]
        bytes: [u8; 3],
    }
    let mut given = Batch::<Row>::new();
    let records = [r#"{"address":"192.0.2.1","bytes":[255,0,1]}"#, r#"{"address":"2001:db8::1","bytes":"abc"}"#];
    assert_eq!(decode(&mut given, &records), []);
    let mut typed = Batch::<Row>::new();
    typed.append(&Row { address: IpAddr::from([192, 0, 2, 1]), bytes: [255, 0, 1] }).unwrap();
    typed.append(&Row { address: IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]), bytes: *b"abc" }).unwrap();
    let block = block(&given);
    assert_eq!(block, super::block(&typed));
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1];
    assert!(block.windows(mapped.len()).any(|bytes| bytes == mapped), "{block:?}");
    assert!(block.ends_with(&[255, 0, 1, b'a', b'b', b'c']), "{block:?}");
}
