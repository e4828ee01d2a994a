-- The partitions of the tables of mail, with the days they hold.
SELECT table_name, partition, day_from, day_to FROM stored_partition ORDER BY table_name, day_from
