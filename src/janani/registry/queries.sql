-- Named statements of access, metadata and routes (the tracker has its own beside it).

-- name: account_by_username^
-- What a password is checked against.
select uid, username, password_hash, disabled from account where lower(username) = lower(:username);

-- name: account_by_open_id^
-- The user an identity provider's claim stands for.
select uid, username, disabled from account where open_id = :open_id;

-- name: account_of_session^
-- The session's user; each use prolongs it.
update login_session set expires_at = now() + make_interval(secs => :seconds)
 where id_hash = :id_hash and expires_at > now()
returning account;

-- name: open_session!
insert into login_session (id_hash, account, expires_at)
values (:id_hash, :account, now() + make_interval(secs => :seconds));

-- name: close_session!
delete from login_session where id_hash = :id_hash;

-- name: note_login!
update account set last_login = now() where uid = :uid;

-- name: account_of_api_token$
select account from api_token where key_hash = :key_hash and expires_at > now();

-- name: add_api_token!
insert into api_token (uid, account, key_hash, expires_at) values (:uid, :account, :key_hash, :expires_at);

-- name: drop_api_token$
delete from api_token where uid = :uid and account = :account returning uid;

-- name: api_tokens
select uid, created_at, expires_at from api_token where account = :account order by created_at;

-- name: save_accounts!
-- Users of a metadata import, all at once; a password or openId that was not sent stays.
insert into account (uid, username, password_hash, open_id, disabled)
select * from unnest(:uids::text[], :usernames::text[], :hashes::text[], :open_ids::text[], :disabled::boolean[])
on conflict (uid) do update set username = excluded.username, disabled = excluded.disabled,
  password_hash = coalesce(excluded.password_hash, account.password_hash),
  open_id = coalesce(excluded.open_id, account.open_id);

-- name: drop_accounts!
delete from account where uid = any(:uids::text[]);

-- name: add_code!
insert into oauth_code (code_hash, client_id, account, redirect_uri, scope, code_challenge, nonce, expires_at)
values (:code_hash, :client_id, :account, :redirect_uri, :scope, :code_challenge, :nonce, :expires_at);

-- name: take_code^
-- Reading a code spends it.
delete from oauth_code where code_hash = :code_hash
returning client_id, account, redirect_uri, scope, code_challenge, nonce, expires_at;

-- name: add_refresh_token!
insert into refresh_token (token_hash, client_id, account, scope, expires_at)
values (:token_hash, :client_id, :account, :scope, :expires_at);

-- name: take_refresh_token^
-- Rotation: each refresh token works once.
delete from refresh_token where token_hash = :token_hash returning client_id, account, scope, expires_at;

-- name: add_attempt!
insert into oidc_attempt (state_hash, browser_hash, provider, nonce, code_verifier, then_to, expires_at)
values (:state_hash, :browser_hash, :provider, :nonce, :code_verifier, :then_to, :expires_at);

-- name: take_attempt^
-- A state is used once, by the browser that began.
delete from oidc_attempt where state_hash = :state_hash and browser_hash = :browser_hash and provider = :provider
returning nonce, code_verifier, then_to, expires_at;

-- name: forget_expired!
delete from login_session where expires_at < now();

-- name: metadata_version$
select version from metadata_version;

-- name: all_metadata
-- Read whole into the snapshot whenever the version has moved.
select type, body::text as body, created, last_updated from metadata_object;

-- name: save_metadata!
insert into metadata_object (type, uid, code, name, body)
select * from unnest(:types::text[], :uids::text[], :codes::text[], :names::text[], :bodies::jsonb[])
on conflict (type, uid) do update
  set code = excluded.code, name = excluded.name, body = excluded.body, last_updated = now()
  where metadata_object.body is distinct from excluded.body;

-- name: drop_metadata!
delete from metadata_object
 using unnest(:types::text[], :uids::text[]) as gone(type, uid)
 where metadata_object.type = gone.type and metadata_object.uid = gone.uid;

-- name: bump_metadata_version!
update metadata_version set version = version + 1;

-- name: remember$
-- The first value kept under a key is the one that stays (system id).
insert into installation (key, value) values (:key, :value)
on conflict (key) do update set value = installation.value
returning value;
