-- Small JSON documents of applications: of everybody (owner '') or of one user.
create table data_store (
  owner text not null,
  namespace text not null,
  key text not null,
  uid text collate "C" not null unique,
  value jsonb not null,
  created timestamptz not null default now(),
  last_updated timestamptz not null default now(),
  primary key (owner, namespace, key)
);
