-- name: begin_sign_in(state, browser, request, nonce, code_verifier, expires_at)!
-- Kept until the browser comes back from eSignet.
insert into sign_in (state, browser, request, nonce, code_verifier, expires_at)
values (:state, :browser, :request, :nonce, :code_verifier, :expires_at);

-- name: end_sign_in(state)^
-- A sign-in ends once, whoever brings its state.
delete from sign_in where state = :state returning browser, request, nonce, code_verifier, expires_at;

-- name: save_code(digest, family, client_id, redirect_uri, code_challenge, login, expires_at)!
-- The code that the client redeems.
insert into authorization_code (digest, family, client_id, redirect_uri, code_challenge, login, expires_at)
values (:digest, :family, :client_id, :redirect_uri, :code_challenge, :login, :expires_at);

-- name: use_code(digest, now)^
-- Marks a code used; `replayed` says that it was before (RFC 6749 §4.1.2). The row lock orders two at once.
with old as (select digest, used_at from authorization_code where digest = :digest for update)
update authorization_code c set used_at = coalesce(c.used_at, :now::timestamptz)
from old where c.digest = old.digest
returning c.family, c.client_id, c.redirect_uri, c.code_challenge, c.login, c.expires_at,
          old.used_at is not null as replayed;

-- name: save_refresh(digest, family, client_id, login, expires_at)!
insert into refresh_token (digest, family, client_id, login, expires_at)
values (:digest, :family, :client_id, :login, :expires_at);

-- name: use_refresh(digest, now)^
-- A refresh token is good once, and 10 s more for a client whose answer was lost; a use after that means that someone
-- else has it (RFC 9700 §4.14.2).
with old as (select digest, used_at from refresh_token where digest = :digest for update)
update refresh_token t set used_at = coalesce(t.used_at, :now::timestamptz)
from old where t.digest = old.digest
returning t.family, t.client_id, t.login, t.expires_at,
          coalesce(old.used_at < :now::timestamptz - interval '10 seconds', false) as replayed;

-- name: revoke_family(family)!
-- Every refresh token that came from one sign-in. It waits for those that are being exchanged, but does not see what they
-- bring forth meanwhile: to be run again until none is left.
delete from refresh_token where family = :family;

-- name: family_of_refresh(digest, client_id)$
-- A client may give back only what is its own (RFC 7009 §2.1).
select family from refresh_token where digest = :digest and client_id = :client_id;

-- name: spend_assertion(client_id, jti, expires_at)!
-- Nothing is inserted when it was spent before.
insert into spent_assertion (client_id, jti, expires_at) values (:client_id, :jti, :expires_at)
on conflict do nothing;

-- name: resources_identified(type, parameter, system, value)
-- Logical ids of the resources with this identifier: none, one, or (something is wrong) more.
select distinct r.id from token t join resource r on r.key = t.key and not r.deleted and r.type = :type
where t.name = :parameter and t.system = :system and t.code = :value;

-- name: write_audit(ids, patients, events)!
-- All accesses of one request.
insert into audit (id, patient, event)
select * from unnest(:ids::text[], :patients::text[], :events::text[]);

-- name: take_audit(most)
-- The oldest accesses that are no resources yet; two at once take different ones.
delete from audit
where number = any(array(select number from audit order by number limit :most for update skip locked))  -- made once
returning id, patient, event;

-- name: forget_expired(now)!
-- What can't be used any more. A used code stays a day, so that a replay is still known for one.
with a as (delete from sign_in where expires_at < :now::timestamptz),
     b as (delete from authorization_code where expires_at < :now::timestamptz - interval '1 day'),
     c as (delete from refresh_token where expires_at < :now::timestamptz)
delete from spent_assertion where expires_at < :now::timestamptz;
