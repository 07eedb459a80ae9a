-- Made from the declarations. Read it, change it if need be, and commit it with schema.json; once it is
-- applied it stays as it is. Statements name no database: they run in the configured one.

-- table `orders`: create table with `id`, `user`, `amount`, `placedAt`, `note` (safe)
CREATE TABLE IF NOT EXISTS `orders`
(
    `id` String COMMENT 'Names the order.',
    `user` String COMMENT 'Who ordered.',
    `amount` UInt32 COMMENT 'In cents.',
    `placedAt` DateTime64(3, 'UTC') COMMENT 'When it was placed.',
    `note` Nullable(String) COMMENT 'What the shop wrote on it.',
    `_stream_epoch` UInt64 MATERIALIZED 18446744073709551615 CODEC(Delta, ZSTD),
    `_stream_partition` UInt16 MATERIALIZED 65535 CODEC(Delta, ZSTD),
    `_stream_offset` UInt64 MATERIALIZED 18446744073709551615 CODEC(T64, ZSTD),
    INDEX `_stream_offset_range` `_stream_offset` TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (`id`)
SETTINGS non_replicated_deduplication_window = 100000
COMMENT 'An order.';
