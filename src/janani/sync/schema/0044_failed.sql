-- How often a person failed while the server served others, since when, and when she failed last: she is set aside when it
-- goes on, for it is then not the server.
alter table queue
  add column failed int not null default 0,
  add column failed_since timestamptz,
  add column failed_at timestamptz;
