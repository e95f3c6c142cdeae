-- Every metadata object as DHIS2 writes it, whatever its type; `version` tells caches that something changed.
create table metadata_object (
  type text not null,
  uid text collate "C" not null,
  code text,
  name text,
  body jsonb not null,
  created timestamptz not null default now(),
  last_updated timestamptz not null default now(),
  primary key (type, uid)
);
create unique index metadata_object_code on metadata_object (type, code) where code is not null;

create table metadata_version (only_row boolean primary key default true check (only_row), version bigint not null);
insert into metadata_version (version) values (1);

-- People who may log in. What others may see of them is the object of type users; here is what proves who they are.
create table account (
  uid text collate "C" primary key,
  username text not null unique,
  password_hash text,
  open_id text unique,
  disabled boolean not null default false,
  last_login timestamptz
);

create table login_session (
  id_hash bytea primary key,
  account text not null references account on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);

create table api_token (
  uid text collate "C" primary key,
  account text not null references account on delete cascade,
  key_hash bytea not null unique,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);

-- OAuth2: one-time codes, and refresh tokens of which only the newest of a family works.
create table oauth_code (
  code_hash bytea primary key,
  client_id text not null,
  account text not null references account on delete cascade,
  redirect_uri text not null,
  scope text not null,
  code_challenge text not null,
  nonce text,
  expires_at timestamptz not null
);
create table refresh_token (
  token_hash bytea primary key,
  client_id text not null,
  account text not null references account on delete cascade,
  scope text not null,
  expires_at timestamptz not null
);

-- Sign-ins at an identity provider that are under way, bound to the browser that began them.
create table oidc_attempt (
  state_hash bytea primary key,
  browser_hash bytea not null,
  provider text not null,
  nonce text not null,
  code_verifier text not null,
  then_to text not null,
  expires_at timestamptz not null
);

create table installation (key text primary key, value text not null);
