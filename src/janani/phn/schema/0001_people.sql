-- A person who holds a PHN. The resource is kept as it was sent; the columns beside it are what is searched.
create table person (
    id uuid primary key,
    phn text not null unique,
    subject text,                        -- pairwise subject of the identity provider
    nic text,                            -- in its new form, so that old and new cards meet
    name text not null default '',       -- folded: lower case, single blanks
    name_keys text[] not null default '{}',  -- how each word sounds
    gender text not null default '',
    birth_date date,
    phones text[] not null default '{}', -- E.164
    resource jsonb not null,
    revision int not null default 1,
    updated_at timestamptz not null
);
create index on person (subject);
create index on person (nic);
create index on person (birth_date);
create index on person using gin (name_keys);
create index on person using gin (phones);

-- The next serial of a point of issue (version 1 numbers).
create table serial (point_of_issue text primary key, next int not null);

-- What was issued for which request, so that asking twice gives the same number.
create table issue (
    request_id text primary key,
    person_id uuid not null references person,
    issued_at timestamptz not null
);

-- The audit trail: who learnt or wrote what about which person. Surrogate ids only.
create table audit (
    number bigint generated always as identity primary key,
    at timestamptz not null,
    who text not null,
    action text not null,
    person_id uuid
);
create index on audit (person_id);
