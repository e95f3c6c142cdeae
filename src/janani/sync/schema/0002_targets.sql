-- The servers that are written to. Who is added is sent everyone known; who is removed is forgotten but for `delivered`.
create table target (
  name text collate "C" primary key,
  since timestamptz not null
);
insert into target values ('record', now());

-- Everything about a delivery is of one target: one that is away or poisoned delays no other.
alter table queue add column target text collate "C" not null default 'record';
alter table queue drop constraint queue_pkey, add primary key (target, person);
drop index queue_due;
create index queue_due on queue (target, try_at);

-- The fingerprint is of all digests, so that two states of a person compare at once.
alter table delivered add column target text collate "C" not null default 'record',
  add column fingerprint text not null default '';
alter table delivered drop constraint delivered_pkey, add primary key (target, person);

alter table shared add column target text collate "C" not null default 'record';
alter table shared drop constraint shared_pkey, add primary key (target, key);

-- The payload is the bundle that was refused: personal data, shown to an operator who asks for this one alone.
alter table dead add column target text collate "C" not null default 'record', add column payload text not null default '';
alter table dead drop constraint dead_pkey, add primary key (target, person);

alter table delivery add column target text collate "C" not null default 'record';
