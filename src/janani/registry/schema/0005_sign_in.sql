-- Whether somebody signs in at an identity provider only, and wrong passwords in a row.
alter table account add column external boolean not null default false;
alter table account add column failures integer not null default 0;
alter table account add column failed_at timestamptz;
update account set external = coalesce((body->>'externalAuth')::boolean, false)
  from metadata_object where type = 'users' and metadata_object.uid = account.uid;
alter table account drop constraint account_username_key;
create unique index account_username on account (lower(username));

-- What one authorization gave: when a code or a refresh token of it comes twice, all of it ends (RFC 6749 §4.1.2, RFC 9700 §4.14).
alter table oauth_code add column family uuid not null default gen_random_uuid();
alter table oauth_code add column spent_at timestamptz;
alter table refresh_token add column family uuid not null default gen_random_uuid();
alter table refresh_token add column spent_at timestamptz;
create index refresh_token_family on refresh_token (family);
create index login_session_expiry on login_session (expires_at);
create index login_session_account on login_session (account);
