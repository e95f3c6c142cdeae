-- Sessions: what they hold is encrypted with the cookie itself, so that this table alone opens nothing.
create table session (
  id_hash bytea primary key,
  portal text not null,
  content bytea not null,
  expires_at timestamptz not null
);

-- Logins under way, bound to the browser that began them.
create table login_attempt (
  state_hash bytea primary key,
  browser_hash bytea not null,
  portal text not null,
  code_verifier text not null,
  then_to text not null,
  expires_at timestamptz not null
);

-- What a midwife has typed and not yet sent. `uids` are fixed at the start, so that a form sent twice is one person.
create table draft (
  id uuid primary key,
  owner text not null,
  kind text not null check (kind in ('registration', 'visit', 'referral', 'identity')),
  tracked_entity text not null,
  uids jsonb not null,
  fields jsonb not null default '{}',
  identity jsonb not null default '{}',
  phn jsonb not null default '{}',
  generated jsonb not null default '{}',
  sent boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index on draft (owner, updated_at desc) where not sent;

-- Which draft an eSignet window belongs to.
create table identity_attempt (
  state_hash bytea primary key,
  draft uuid not null references draft on delete cascade,
  expires_at timestamptz not null
);
