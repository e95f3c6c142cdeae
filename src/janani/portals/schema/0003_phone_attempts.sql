-- A verification on the woman's own phone that a draft waits for. `handle` is the relying party's, for this server only.
create table phone_attempt (
  draft uuid primary key references draft on delete cascade,
  handle text not null,
  link text not null,
  qr text not null,
  sign text not null,
  expires_at timestamptz not null
);
