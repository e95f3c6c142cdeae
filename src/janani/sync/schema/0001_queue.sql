-- How far each feed was read. Moves in the transaction that queues what was read.
create table feed (
  name text primary key,
  position text not null,
  read_at timestamptz not null
);

-- People to carry: one row a person, however many changes. Who holds the lease carries her; the others wait.
create table queue (
  person text collate "C" primary key,
  change bigint not null default 1,              -- counts changes, so that one that comes meanwhile is seen
  noticed_at timestamptz not null,
  attempts integer not null default 0,           -- claims since the last success
  refused integer not null default 0,            -- answers 409 and 412 since the last success
  trouble text not null default '',              -- 'away': a server did not answer; else what it said
  try_at timestamptz not null,
  lease uuid,
  leased_by integer,                             -- backend process of the holder: gone, when that is gone
  leased_until timestamptz
);
create index queue_due on queue (try_at);

-- What the record took of each person last: the key of her Patient and a digest of each entry by its key.
create table delivered (
  person text collate "C" primary key,
  patient text not null,
  digests jsonb not null,
  delivered_at timestamptz not null
);

-- Digests of the entries that belong to no one person (Device, Organization, Location, Practitioner).
create table shared (
  key text primary key,
  digest text not null
);

-- People set aside: what the record (or the mapping) will never take as it is.
create table dead (
  person text collate "C" primary key,
  reason text not null,
  detail text not null,
  attempts integer not null,
  since timestamptz not null
);

-- The latest deliveries, for the operations page.
create table delivery (
  number bigint generated always as identity primary key,
  person text not null,
  noticed_at timestamptz not null,
  delivered_at timestamptz not null,
  entries integer not null,
  outcome text not null
);
