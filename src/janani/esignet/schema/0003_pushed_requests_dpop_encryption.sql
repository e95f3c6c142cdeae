-- Requests a client pushed beforehand (RFC 9126). Each is read once; only the hash of its reference is kept.
create table pushed_request (
    reference_hash text primary key,
    client_id text not null references client on delete cascade,
    request jsonb not null,
    expires_at timestamptz not null
);
create index on pushed_request (expires_at);

-- The key a client wants its userinfo encrypted to.
alter table client add column encryption_key jsonb;

-- The thumbprint of the key that must be shown with the token (RFC 9449).
alter table access_token add column jkt text;

-- The jti of DPoP proofs also serves once.
alter table used_once drop constraint used_once_kind_check;
alter table used_once add constraint used_once_kind_check check (kind in ('nonce', 'jti', 'dpop'));

-- What a refusal was about inside, where the wire says less.
alter table audit add column reason text;
