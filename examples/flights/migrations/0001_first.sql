-- Made from the declarations. Read it, change it if need be, and commit it with schema.json; once it is
-- applied it stays as it is. Statements name no database: they run in the configured one.

-- table `flights`: create table with `id`, `carrier`, `flight`, `tailnum`, `origin`, `dest`, `scheduled`, `depDelay`, `arrDelay`, `airTime`, `distance` (safe)
CREATE TABLE IF NOT EXISTS `flights`
(
    `id` UInt64 COMMENT 'Number of the flight in the data set.',
    `carrier` LowCardinality(String) COMMENT 'Two-letter code of the carrier.',
    `flight` UInt16 COMMENT 'Flight number of the carrier.',
    `tailnum` LowCardinality(Nullable(String)) COMMENT 'Registration of the aircraft.',
    `origin` LowCardinality(String) COMMENT 'Airport of departure.',
    `dest` LowCardinality(String) COMMENT 'Airport of arrival.',
    `scheduled` DateTime64(3, 'UTC') COMMENT 'Scheduled departure.',
    `depDelay` Nullable(Int16) COMMENT 'Minutes of delay at departure; less than 0 is early. None if it never departed.',
    `arrDelay` Nullable(Int16) COMMENT 'Minutes of delay at arrival; less than 0 is early. None if it never arrived as planned.',
    `airTime` Nullable(UInt16) COMMENT 'Minutes in the air.',
    `distance` UInt16 COMMENT 'Miles between the airports.',
    `_stream_epoch` UInt64 MATERIALIZED 18446744073709551615 CODEC(Delta, ZSTD),
    `_stream_partition` UInt16 MATERIALIZED 65535 CODEC(Delta, ZSTD),
    `_stream_offset` UInt64 MATERIALIZED 18446744073709551615 CODEC(T64, ZSTD),
    INDEX `_stream_offset_range` `_stream_offset` TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (`id`)
SETTINGS non_replicated_deduplication_window = 100000
COMMENT 'One flight as scheduled, and what became of it.';
