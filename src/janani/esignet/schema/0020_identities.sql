-- A number to sign in with may lapse or be withdrawn (a VID); who it was of stays known, and it's never given away.
alter table person_alias
    add column kind text not null default 'OTHER' check (kind in ('UIN', 'VID', 'NIC', 'OTHER')),
    add column expires_at timestamptz,
    add column revoked_at timestamptz;
create index on person_alias (person_id);

alter table person add column updated_at timestamptz;
