-- Authorization requests on their way: what the return of the browser is checked against. Gone once used or lapsed.
create table authorization_request (
    state_digest bytea primary key,        -- SHA-256: whoever reads this table can't finish anyone's request
    nonce text not null,
    code_verifier text not null,
    redirect_uri text not null,
    begun_by text not null,                -- the registry's user; only that user may finish it
    expires_at timestamptz not null
);
create index on authorization_request (expires_at);

-- The audit trail: who had a person verified, when, and how it ended. No word about the person.
create table verification (
    number bigint generated always as identity primary key,
    at timestamptz not null,
    asked_by text not null,
    outcome text not null,                 -- `verified` or the error's code
    acr text not null default ''
);
