//! Tests of table engines and their texts.

use proptest::prelude::*;

use super::*;

fn any_engine() -> impl Strategy<Value = Engine> {
    let name = || "[a-z_`' ,()\\\\\n]{1,6}";
    let names = || proptest::collection::vec(name(), 0..3);
    let kind = prop_oneof![
        Just(EngineKind::MergeTree),
        Just(EngineKind::AggregatingMergeTree),
        Just(EngineKind::ReplacingMergeTree { version: None, is_deleted: None }),
        (name(), proptest::option::of(name()))
            .prop_map(|(version, is_deleted)| EngineKind::ReplacingMergeTree { version: Some(version), is_deleted }),
        names().prop_map(|columns| EngineKind::SummingMergeTree { columns }),
        names().prop_map(|columns| EngineKind::CoalescingMergeTree { columns }),
        name().prop_map(|sign| EngineKind::CollapsingMergeTree { sign }),
        (name(), name()).prop_map(|(sign, version)| EngineKind::VersionedCollapsingMergeTree { sign, version }),
    ];
    let replication = prop_oneof![
        Just(Replication::None),
        Just(Replication::Default),
        ("[/a-z{}' ]{1,8}", "[{}a-z']{1,8}").prop_map(|(path, replica)| Replication::At { path, replica }),
    ];
    (kind, replication).prop_map(|(kind, replication)| Engine { kind, replication })
}

proptest! {
    #[test]
    fn a_printed_engine_parses_to_itself(engine in any_engine()) {
        prop_assert_eq!(engine.to_string().parse::<Engine>(), Ok(engine.clone()));
        let json = serde_json::to_string(&engine).unwrap();
        prop_assert_eq!(serde_json::from_str::<Engine>(&json).unwrap(), engine);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "(Replicated|Replacing|Summing)?MergeTree[(),'` a\\\\]{0,12}") {
        if let Ok(engine) = text.parse::<Engine>() {
            prop_assert_eq!(engine.to_string().parse::<Engine>(), Ok(engine));
        }
    }
}

#[test]
fn the_engine_of_a_server_is_read_from_its_own_text() {
    let read = |text: &str| Engine::read(text).map(|(engine, rest)| (engine.to_string(), rest.to_owned()));
    let found = |engine: &str, rest: &str| Ok((engine.to_owned(), rest.to_owned()));
    assert_eq!(
        read("ReplacingMergeTree(updatedAt, deleted) ORDER BY id SETTINGS index_granularity = 8192"),
        found("ReplacingMergeTree(`updatedAt`, `deleted`)", "ORDER BY id SETTINGS index_granularity = 8192")
    );
    assert_eq!(read("SummingMergeTree((a, `b c`))"), found("SummingMergeTree((`a`, `b c`))", ""));
    assert_eq!(read("SummingMergeTree(a) ORDER BY id"), found("SummingMergeTree((`a`))", "ORDER BY id"));
    assert_eq!(
        read("ReplicatedCollapsingMergeTree('/tables/{uuid}/{shard}', '{replica}', sign) ORDER BY id"),
        found("ReplicatedCollapsingMergeTree('/tables/{uuid}/{shard}', '{replica}', `sign`)", "ORDER BY id")
    );
    assert_eq!(read("MergeTree"), found("MergeTree", ""));
}

#[test]
fn what_is_no_engine_of_the_family_is_an_error_that_shows_it() {
    for text in ["", "Memory", "MergeTree(a)", "CollapsingMergeTree", "ReplacingMergeTree(a, b, c)", "MergeTree(", "1"]
    {
        assert_eq!(text.parse::<Engine>(), Err(EngineError::Unknown { text: text.to_owned() }), "{text}");
    }
}

#[test]
fn a_table_whose_replicas_the_server_places_is_met_at_any_place() {
    let placed: Engine = "ReplicatedMergeTree('/a', 'b')".parse().unwrap();
    let anywhere: Engine = "ReplicatedMergeTree".parse().unwrap();
    let alone = Engine::default();
    assert!(anywhere.is_met_by(&placed) && placed.is_met_by(&placed) && alone.is_met_by(&alone));
    assert!(!placed.is_met_by(&anywhere) && !anywhere.is_met_by(&alone) && !alone.is_met_by(&placed));
}
