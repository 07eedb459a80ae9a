-- Made from the declarations. Read it, change it if need be, and commit it with schema.json; once it is
-- applied it stays as it is. Statements name no database: they run in the configured one.

-- table `orders`: sorting key: (id) -> (customer, placedAt, id) (rewrite)
-- table `orders`: primary key: (id) -> (customer, placedAt, id) (rewrite)
-- table `orders`: partition key: none -> toYYYYMM(placedAt) (rewrite)
-- table `orders`: a new table takes its place; the old one is kept as `orders__old_4` (rewrite)
-- moose: drain orders
CREATE TABLE IF NOT EXISTS `orders__new_4`
(
    `id` String COMMENT 'Names the order.',
    `customer` String COMMENT 'Who ordered. Older senders call it `user`.',
    `amount` UInt64 COMMENT 'In cents.',
    `country` LowCardinality(Nullable(String)) COMMENT 'Where it goes: two letters.',
    `placedAt` DateTime64(3, 'UTC') COMMENT 'When it was placed.',
    `_stream_epoch` UInt64 MATERIALIZED 18446744073709551615 CODEC(Delta, ZSTD),
    `_stream_partition` UInt16 MATERIALIZED 65535 CODEC(Delta, ZSTD),
    `_stream_offset` UInt64 MATERIALIZED 18446744073709551615 CODEC(T64, ZSTD),
    INDEX `_stream_offset_range` `_stream_offset` TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(placedAt)
ORDER BY (`customer`, `placedAt`, `id`)
SETTINGS non_replicated_deduplication_window = 100000
COMMENT 'An order.';
INSERT INTO `orders__new_4`
    (`id`, `customer`, `amount`, `country`, `placedAt`, `_stream_epoch`, `_stream_partition`, `_stream_offset`)
SELECT `id`, `customer`, `amount`, `country`, `placedAt`, `_stream_epoch`, `_stream_partition`, `_stream_offset`
FROM `orders`
SETTINGS insert_deduplicate = 0, max_partitions_per_insert_block = 0, insert_allow_materialized_columns = 1;
EXCHANGE TABLES `orders` AND `orders__new_4`;
RENAME TABLE `orders__new_4` TO `orders__old_4`;
-- moose: resume orders
