-- The outbox of the change feed, written in the transaction of the change itself. A reader takes only rows whose
-- transaction is older than every transaction still running, so none can appear later behind its cursor.
create table tracker_change (
  transaction xid8 not null default pg_current_xact_id(),
  number bigint generated always as identity,
  tracked_entity text collate "C" not null,
  changed_at timestamptz not null,
  primary key (transaction, number)
);
