-- Of the change that a person waits for: when it was made in the registry, and the trace it belongs to.
alter table queue add column changed_at timestamptz, add column traceparent text not null default '';

-- The life of a change, step by step.
alter table delivery add column changed_at timestamptz, add column traceparent text not null default '',
  add column fetched_at timestamptz, add column mapped_at timestamptz, add column sent_at timestamptz;
create index delivery_person on delivery (person, number);

-- Staff who are logged in at the operations page: by a digest of their cookie, so that this table opens nothing.
create table staff_session (
  id_hash bytea primary key,
  username text not null,
  name text not null,
  expires_at timestamptz not null
);
