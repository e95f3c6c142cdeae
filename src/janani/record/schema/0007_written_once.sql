-- A version is written in one statement with its resource, which is never removed: asking for each whether it is there found
-- nothing and took a twenty-fifth of all that PostgreSQL does in a backfill.
alter table version drop constraint version_key_fkey;
-- Most AuditEvents are of 2 to 8 kB. To compress them (twice: as a row that waits, as a version) cost as much again; they stay
-- in their row as they are.
alter table version set (toast_tuple_target = 8160);
alter table audit set (toast_tuple_target = 8160);
