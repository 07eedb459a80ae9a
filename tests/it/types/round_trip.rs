//! What goes in comes out: for every type, and for many random nestings of types.

use moose_tests::random::Random;

use super::{Case, catalogue, nestings, record, values};
use crate::stage::Stage;

/// Rows of each type: enough for empty and full arrays, NULLs, and dictionaries.
const ROWS: usize = 60;

#[tokio::test]
async fn every_type_of_the_catalogue_comes_back_as_it_went_in() {
    come_back(&catalogue::cases(), ROWS).await;
}

#[tokio::test]
async fn random_nestings_of_types_come_back_as_they_went_in() {
    come_back(&nestings::cases(), ROWS / 3).await;
}

/// Sends random values of each case on their whole way, and reads back values and types.
async fn come_back(cases: &[Case], rows: usize) {
    let stage = Stage::new().await;
    let mut random = Random::seeded();
    for (number, case) in cases.iter().enumerate() {
        let table = format!("t{number}");
        let data_type = case.parsed();
        let sent: Vec<_> = (0..rows).map(|_| case.value(&mut random)).collect();
        let records: Vec<String> = sent.iter().enumerate().map(|(id, value)| record(id, &value.to_string())).collect();
        let (batch, rejected) = case.decode(&records);
        assert!(rejected.is_empty(), "{}: {rejected:?} of {records:?}", case.data_type);

        stage.create_for(&table, &*batch).await;
        let answer = stage.insert_batch(&table, &*batch).await;
        assert_eq!(answer.status, 200, "{}: {}", case.data_type, answer.text());
        let found = stage.stored_values(&table).await;
        assert_eq!(found.len(), rows, "{}", case.data_type);
        for (sent, found) in sent.iter().zip(&found) {
            let (sent, found) = (values::plain(&data_type, sent), values::plain(&data_type, found));
            assert_eq!(sent, found, "{}", case.data_type);
        }
        let query = format!(
            "SELECT type FROM system.columns WHERE database = '{}' AND table = '{table}' AND name = 'value' FORMAT TSVRaw",
            stage.database
        );
        let printed = stage.sql(&query).await;
        assert_eq!(printed, case.data_type, "{}", case.rust);
        assert_eq!(printed.parse(), Ok(data_type));
        stage.sql(&format!("DROP TABLE {table} SYNC")).await;
    }
}
