-- Codes sent and not used, wrong codes, unknown numbers: what one source address and one person may do, across
-- sign-ins. The source is a keyed hash of the address. Rows go with the time they are counted for.
create table code_strike (
    at timestamptz not null,
    kind text not null check (kind in ('sent', 'wrong', 'unknown')),
    source bytea not null,
    person_id bigint references person on delete cascade,
    transaction_number bigint not null
);
create index on code_strike (source, at);
create index on code_strike (person_id, at);
create index on code_strike (transaction_number);

-- Messages on their way to people. What is sealed (address and text, with the code) is gone when sent or too late.
create table delivery (
    id bigint generated always as identity primary key,
    transaction_number bigint not null,
    channel text not null check (channel in ('phone', 'email')),
    sealed bytea not null,
    expires_at timestamptz not null,
    tries integer not null default 0,
    next_try_at timestamptz not null
);
create index on delivery (next_try_at);
create index on delivery (transaction_number);
