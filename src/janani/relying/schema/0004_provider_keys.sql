-- A provider's public keys as last fetched, so that its cards can be checked while the network is away, after a restart
-- too. One row a client; nothing secret and nothing about a person.
create table provider_keys (
    client text primary key,
    provider text not null,                -- as configured: another provider makes the row void
    issuers text[] not null,               -- values of `iss`, the provider's own name first
    jwks jsonb not null,                   -- members of its JWK Set
    fetched_at timestamptz not null
);
