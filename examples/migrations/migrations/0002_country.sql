-- Made from the declarations. Read it, change it if need be, and commit it with schema.json; once it is
-- applied it stays as it is. Statements name no database: they run in the configured one.

-- table `orders`: column `amount`: type UInt32 -> UInt64 (safe)
-- table `orders`: add column `country` LowCardinality(Nullable(String)) COMMENT 'Where it goes: two letters.' after `amount` (safe)
ALTER TABLE `orders` ADD COLUMN IF NOT EXISTS `country` LowCardinality(Nullable(String)) COMMENT 'Where it goes: two letters.' AFTER `amount`;
ALTER TABLE `orders` MODIFY COLUMN `amount` UInt64 COMMENT 'In cents.';
