-- Everybody of a programme, read once: unit by unit, each resumed behind the last person queued.
create table backfill (
  number bigint generated always as identity primary key,
  program text not null,
  reason text not null,
  started_at timestamptz not null,
  finished_at timestamptz
);
create table backfill_unit (
  backfill bigint not null references backfill on delete cascade,
  unit text not null,
  page int not null default 1,
  people int not null default 0,
  done boolean not null default false,
  primary key (backfill, unit)
);
