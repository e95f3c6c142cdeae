-- Named statements of access, metadata and routes (the tracker has its own beside it).

-- name: account_by_username^
-- What a password is checked against.
select uid, username, password_hash, disabled, external, failures,
       failures >= :attempts and failed_at > now() - make_interval(secs => :lock_seconds) as locked
  from account where lower(username) = lower(:username);

-- name: note_failure!
-- Wrong passwords count from anew when the last one is long ago.
update account set failed_at = now(),
  failures = case when failed_at > now() - make_interval(secs => :lock_seconds) then failures + 1 else 1 end
 where uid = :uid;

-- name: forget_failures!
update account set failures = 0 where uid = :uid;

-- name: account_by_open_id^
-- The user an identity provider's claim stands for.
select uid, username, disabled, external from account where open_id = :open_id;

-- name: account_of_session^
-- The session's user. Use prolongs it, written at most once a minute.
with prolonged as (
  update login_session set expires_at = now() + make_interval(secs => :seconds::float8)
   where id_hash = :id_hash and expires_at > now()
     and expires_at < now() + make_interval(secs => :seconds::float8 - 60)
)
select account from login_session where id_hash = :id_hash and expires_at > now();

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
-- Users of a metadata import, all at once; a password that was not sent stays.
insert into account (uid, username, password_hash, open_id, disabled, external)
select * from unnest(:uids::text[], :usernames::text[], :hashes::text[], :open_ids::text[], :disabled::boolean[],
                     :external::boolean[])
on conflict (uid) do update set username = excluded.username, disabled = excluded.disabled,
  open_id = excluded.open_id, external = excluded.external,
  password_hash = coalesce(excluded.password_hash, account.password_hash);

-- name: taken_names
-- Whose user names and openIds these are already.
select uid, lower(username) as username, open_id from account
 where lower(username) = any(:usernames::text[]) or open_id = any(:open_ids::text[]);

-- name: password_of$
select password_hash from account where uid = :uid;

-- name: change_password!
update account set password_hash = :password_hash, failures = 0 where uid = :uid;

-- name: close_sessions!
-- A changed password ends every login that the old one may have opened, by refresh token too.
with closed as (delete from login_session where account = any(:accounts::text[]))
delete from refresh_token where account = any(:accounts::text[]);

-- name: drop_accounts!
delete from account where uid = any(:uids::text[]);

-- name: add_code!
insert into oauth_code (code_hash, client_id, account, redirect_uri, scope, code_challenge, nonce, expires_at)
values (:code_hash, :client_id, :account, :redirect_uri, :scope, :code_challenge, :nonce, :expires_at);

-- name: take_code^
-- Reading a code spends it.
update oauth_code set spent_at = now() where code_hash = :code_hash and spent_at is null
returning client_id, account, redirect_uri, scope, code_challenge, nonce, expires_at, family;

-- name: family_of_spent_code$
-- A code that comes twice was stolen: what it gave ends.
select family from oauth_code where code_hash = :code_hash and spent_at is not null;

-- name: add_refresh_token!
insert into refresh_token (token_hash, client_id, account, scope, expires_at, family)
values (:token_hash, :client_id, :account, :scope, :expires_at, :family);

-- name: take_refresh_token^
-- Rotation: each refresh token works once, with a little leeway for a client that asks twice at the same moment.
update refresh_token set spent_at = coalesce(spent_at, now())
 where token_hash = :token_hash and (spent_at is null or spent_at > now() - interval '10 seconds')
returning client_id, account, scope, expires_at, family;

-- name: family_of_spent_refresh_token$
-- A refresh token that comes again after the leeway was stolen, by whoever came first or last: nobody keeps it.
select family from refresh_token where token_hash = :token_hash and spent_at < now() - interval '10 seconds';

-- name: family_of_refresh_token$
-- A client may give back only what is its own (RFC 7009 §2.1).
select family from refresh_token where token_hash = :token_hash and client_id = :client_id;

-- name: end_family!
-- It waits for those that are being exchanged, but does not see what they bring forth meanwhile: to be run again until
-- none is left.
delete from refresh_token where family = :family;

-- name: add_attempt!
insert into oidc_attempt (state_hash, browser_hash, provider, nonce, code_verifier, then_to, expires_at)
values (:state_hash, :browser_hash, :provider, :nonce, :code_verifier, :then_to, :expires_at);

-- name: take_attempt^
-- A state is used once, by the browser that began.
delete from oidc_attempt where state_hash = :state_hash and browser_hash = :browser_hash and provider = :provider
returning nonce, code_verifier, then_to, expires_at;

-- name: forget_expired!
-- What no one can use any more; run at start and every hour.
with sessions as (delete from login_session where expires_at < now()),
     codes as (delete from oauth_code where expires_at < now() - interval '1 day'),
     refreshes as (delete from refresh_token where expires_at < now()),
     attempts as (delete from oidc_attempt where expires_at < now())
delete from api_token where expires_at < now() - interval '30 days';

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

-- name: claim_metadata_version$
-- First in a transaction that writes metadata: it waits for others, and finds nothing when they changed what was checked.
update metadata_version set version = version + 1 where version = :seen returning version;

-- name: remember$
-- The first value kept under a key is the one that stays (system id).
insert into installation (key, value) values (:key, :value)
on conflict (key) do update set value = installation.value
returning value;

-- name: data_namespaces
select distinct namespace from data_store where owner = :owner order by namespace;

-- name: data_entries
select key, value::text as value from data_store where owner = :owner and namespace = :namespace order by key;

-- name: data_entry^
select uid, value::text as value, created, last_updated from data_store
 where owner = :owner and namespace = :namespace and key = :key;

-- name: add_data_entry$
insert into data_store (owner, namespace, key, uid, value)
values (:owner, :namespace, :key, :uid, :value::jsonb)
on conflict do nothing returning uid;

-- name: put_data_entry$
-- Whether the entry is new.
insert into data_store (owner, namespace, key, uid, value)
values (:owner, :namespace, :key, :uid, :value::jsonb)
on conflict (owner, namespace, key) do update set value = excluded.value, last_updated = now()
returning created = last_updated;

-- name: drop_data_entries
delete from data_store where owner = :owner and namespace = :namespace and key = coalesce(:key, key) returning key;

-- name: repeated_values(attribute, by_unit)$
-- How many values of an attribute would stand more than once where each may stand only once.
select count(*) from (
  select from attribute_value v join tracked_entity t on t.id = v.tracked_entity
   where v.attribute = :attribute and not t.deleted
   group by v.value, case when :by_unit::boolean then t.org_unit end having count(*) > 1) repeated;

-- name: forget_spaces(attribute)!
-- In two steps: a value that moves must not meet another that is about to.
update attribute_value set unique_within = null where attribute = :attribute and unique_within is not null;

-- name: fill_spaces(attribute, by_unit)!
update attribute_value v set unique_within = case when :by_unit::boolean then t.org_unit else '' end
  from tracked_entity t
 where t.id = v.tracked_entity and v.attribute = :attribute and not t.deleted;
