-- People of the identity system. `identity` is the record as the mock identity system of eSignet keeps it
-- (texts by three-letter language). `failures` counts wrong codes in a row.
create table person (
    id bigint generated always as identity primary key,
    individual_id text not null unique,
    identity jsonb not null,
    failures integer not null default 0,
    locked_until timestamptz
);

-- Other numbers a person may sign in with, such as the NIC. Written in capitals, without blanks.
create table person_alias (
    alias text primary key,
    person_id bigint not null references person on delete cascade
);

create table client (
    client_id text primary key,
    relying_party_id text not null,
    name jsonb not null,
    logo_uri text not null,
    public_key jsonb not null,
    public_key_hash text not null unique,
    user_claims text[] not null,
    acrs text[] not null,
    redirect_uris text[] not null,
    additional_config jsonb,
    status text not null check (status in ('ACTIVE', 'INACTIVE')),
    updated_at timestamptz not null
);

-- One sign-in, from oauth-details to auth-code: preauth → authenticated → (row deleted, a code takes its place).
-- The one-time code is kept as a keyed hash, bound to the person it was sent for.
create table transaction (
    number bigint generated always as identity unique,   -- for logs and the audit trail; says nothing outside
    id text primary key,
    stage text not null check (stage in ('preauth', 'authenticated')),
    client_id text not null references client on delete cascade,
    request jsonb not null,
    essential_claims text[] not null,
    voluntary_claims text[] not null,
    authorize_scopes text[] not null,
    details_hash text not null,
    expires_at timestamptz not null,
    sends integer not null default 0,
    tries integer not null default 0,
    claim_details integer not null default 0,
    otp_hash bytea,
    otp_person_id bigint references person on delete cascade,
    otp_expires_at timestamptz,
    person_id bigint references person on delete cascade,
    typed_id text,
    acr text,
    authenticated_at timestamptz,
    consent_action text
);
create index on transaction (expires_at);

-- What a code stands for until it is redeemed. Only the hash of the code is kept.
create table auth_code (
    code_hash text primary key,
    transaction_number bigint not null,
    client_id text not null references client on delete cascade,
    person_id bigint not null references person on delete cascade,
    typed_id text not null,
    request jsonb not null,
    accepted_claims text[] not null,
    permitted_scopes text[] not null,
    acr text not null,
    authenticated_at timestamptz not null,
    lifetime_seconds integer not null,
    expires_at timestamptz not null
);
create index on auth_code (expires_at);

-- The answer of userinfo, signed when the token was given, so that every call gets the same bytes.
create table access_token (
    token_hash text primary key,
    transaction_number bigint not null,
    client_id text not null references client on delete cascade,
    person_id bigint not null references person on delete cascade,
    userinfo text not null,
    expires_at timestamptz not null
);
create index on access_token (expires_at);

-- Things that may be used once: nonces and the jti of client assertions.
create table used_once (
    kind text not null check (kind in ('nonce', 'jti')),
    client_id text not null,
    value text not null,
    expires_at timestamptz not null,
    primary key (kind, client_id, value)
);
create index on used_once (expires_at);

-- What a person agreed to, for each client; the newest is in force, the others are history.
create table consent (
    id bigint generated always as identity primary key,
    client_id text not null references client on delete cascade,
    person_id bigint not null references person on delete cascade,
    request_hash text not null,
    accepted_claims text[] not null,
    permitted_scopes text[] not null,
    given_at timestamptz not null,
    expires_at timestamptz,
    replaced_at timestamptz
);
create unique index consent_in_force on consent (client_id, person_id) where replaced_at is null;

-- Who did what; surrogate ids only.
create table audit (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    event text not null,
    outcome text not null,
    transaction_number bigint,
    client_id text,
    person_id bigint
);
create index on audit (person_id, at);

-- Sandbox only: what would have gone out by text message or e-mail.
create table inbox (
    id bigint generated always as identity primary key,
    sent_at timestamptz not null,
    channel text not null,
    address text not null,
    text text not null
);
