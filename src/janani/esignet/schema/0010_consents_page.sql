-- What was asked when a consent was given: {claim: what else was wished of it}, and the scopes, so that a later request
-- for no more than that needs no new question. Null: given before this was kept, then only the same request passes.
alter table consent add column asked_claims jsonb;
alter table consent add column asked_scopes text[];
alter table consent add column withdrawn_at timestamptz;   -- by the person; replaced_at is then the same instant
create index on consent (person_id);

-- Who is signed in at /consents. Only the hash of the cookie is kept.
create table consent_session (
    token_hash text primary key,
    person_id bigint not null references person on delete cascade,
    expires_at timestamptz not null
);
create index on consent_session (expires_at);

-- Withdrawals to be told to clients that registered an address for it. next_try_at is null once told or given up.
create table consent_notice (
    id bigint generated always as identity primary key,
    jti text not null unique,
    client_id text not null references client on delete cascade,
    person_id bigint not null references person on delete cascade,
    claims text[] not null,
    scopes text[] not null,
    withdrawn_at timestamptz not null,
    tries integer not null default 0,
    next_try_at timestamptz,
    told_at timestamptz,
    fault text
);
create index on consent_notice (next_try_at) where next_try_at is not null;

-- Withdrawal ends the codes and tokens of one client and person; and pruning of the trail goes by age.
create index on access_token (client_id, person_id);
create index on audit (at);
