-- Signing in: what is pending between the record, eSignet and a client. Nothing here outlives its `expires_at`;
-- secrets are kept as SHA-256 digests only.

create table sign_in (
    state text primary key,             -- sent to eSignet and back
    browser bytea not null,             -- digest of the cookie of the browser that began
    request text not null,              -- JSON: what the client asked (authorize.Asked)
    nonce text not null,
    code_verifier text not null,
    expires_at timestamptz not null
);
create index sign_in_by_age on sign_in (expires_at);

create table authorization_code (
    digest bytea primary key,
    family text not null,               -- of the refresh tokens that come from it
    client_id text not null,
    redirect_uri text not null,
    code_challenge text not null,
    login text not null,                -- JSON: who signed in, with which scopes (tokens.Login)
    expires_at timestamptz not null,
    used_at timestamptz
);
create index authorization_code_by_age on authorization_code (expires_at);

create table refresh_token (
    digest bytea primary key,
    family text not null,
    client_id text not null,
    login text not null,
    expires_at timestamptz not null,
    used_at timestamptz
);
create index refresh_token_by_family on refresh_token (family);
create index refresh_token_by_age on refresh_token (expires_at);

-- Client assertions are good once (RFC 7523 §3, jti).
create table spent_assertion (
    client_id text not null,
    jti text not null,
    expires_at timestamptz not null,
    primary key (client_id, jti)
);
create index spent_assertion_by_age on spent_assertion (expires_at);

-- Accesses that are written down but not yet AuditEvent resources.
create table audit (
    number bigint generated always as identity primary key,
    id text not null,                   -- of the AuditEvent to be
    patient text not null,              -- logical id of the Patient concerned
    event text not null                 -- the AuditEvent as JSON, without meta
);
