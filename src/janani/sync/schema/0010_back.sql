-- How far the record's history was read.
create table back_feed (
  name text primary key,
  position timestamptz not null,
  read_at timestamptz not null
);

-- What is to be brought back: one row a source ("Encounter/12"), however many changes.
create table back_queue (
  source text collate "C" primary key,
  name text not null default '',                 -- "{event}-{name}" when the registry delivered it: an edit
  version int not null,                          -- newest version that is not the sync's own
  first int not null,                            -- oldest such version since it was last brought
  verdict text not null default '',              -- what a person decided
  change bigint not null default 1,
  noticed_at timestamptz not null,
  attempts int not null default 0,
  try_at timestamptz not null,
  trouble text not null default ''
);
create index back_queue_due on back_queue (try_at);

-- The event that each source became.
create table brought (
  source text collate "C" primary key,
  event text not null,
  person text not null,
  elements text[] not null,                      -- data elements that were written
  digest text not null,
  brought_at timestamptz not null
);

-- Which source a resource went with, so that its deletion is understood.
create table brought_from (
  resource text collate "C" primary key,
  source text not null
);

-- What could not be read by any row, by type and code.
create table unread (
  source text collate "C" not null,
  what text not null,
  primary key (source, what)
);

-- Digests of the texts that the sync last sent of each event, the newest first; they tell its own words from others'.
create table said (
  event text collate "C" primary key,
  person text collate "C" not null,
  digests jsonb not null                         -- {data element: "digest digest …"}
);
create index said_by_person on said (person);

-- Resources that stand in the record otherwise than the registry says, for as long as the registry says this.
create table held (
  person text collate "C" not null,
  key text not null,
  event text not null,
  elements text[] not null,
  digest text not null,
  primary key (person, key)
);

-- Values that both sides changed, for a person to decide; and what was decided.
create table conflict (
  number bigint generated always as identity primary key,
  source text not null,
  person text not null,
  event text not null,
  element text not null,
  registry_text text,
  record_text text,
  noticed_at timestamptz not null,
  decided text not null default '',              -- 'registry' or 'record'
  decided_by text not null default '',
  decided_at timestamptz
);
create unique index conflict_open on conflict (event, element) where decided = '';

-- Sources that the registry will never take.
create table back_dead (
  source text collate "C" primary key,
  reason text not null,
  attempts int not null,
  since timestamptz not null
);
