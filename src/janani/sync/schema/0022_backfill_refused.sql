-- Units that the registry does not let our user read: done, but nobody of them was queued.
alter table backfill_unit add column refused boolean not null default false;
