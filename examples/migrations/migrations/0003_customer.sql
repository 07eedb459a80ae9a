-- Made from the declarations. Read it, change it if need be, and commit it with schema.json; once it is
-- applied it stays as it is. Statements name no database: they run in the configured one.

-- table `orders`: rename column `user` to `customer` (safe)
-- table `orders`: column `customer`: comment Who ordered. -> Who ordered. Older senders call it `user`. (safe)
-- table `orders`: drop column `note` Nullable(String) (destructive)
-- moose: drain orders
ALTER TABLE `orders` RENAME COLUMN IF EXISTS `user` TO `customer`;
ALTER TABLE `orders` MODIFY COLUMN `customer` String COMMENT 'Who ordered. Older senders call it `user`.';
ALTER TABLE `orders` DROP COLUMN IF EXISTS `note`;
-- moose: resume orders
