-- Verifications on a person's own phone: who waits for what, and what came of it. Gone ten minutes after the last step.
create table phone_verification (
    handle_digest bytea primary key,        -- SHA-256 of what the caller holds
    link_digest bytea not null unique,      -- of what stands in the link; spent once opened
    client text not null,
    begun_by text not null,
    sign text not null,                     -- two digits shown on both screens
    ui_locales text not null default '',
    status text not null default 'waiting' check (status in ('waiting', 'opened', 'verified', 'failed')),
    browser_digest bytea,                   -- the phone that opened it
    state_digest bytea unique,
    outcome text not null default '',       -- error code of a failed one
    sealed bytea,                           -- the identity, readable with this server's key only
    expires_at timestamptz not null
);
create index on phone_verification (expires_at);
