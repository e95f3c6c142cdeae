-- Where the change feed begins: rows up to here are pruned. `cluster` says in which database the transaction ids
-- of the outbox were given out: in another one they mean nothing.
create table tracker_feed (
  one boolean primary key default true check (one),
  cluster text not null default '',
  pruned_transaction xid8 not null default '0',
  pruned_number bigint not null default 0
);
insert into tracker_feed default values;
create index tracker_change_age on tracker_change (changed_at);
