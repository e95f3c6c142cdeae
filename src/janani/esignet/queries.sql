-- name: save_people(individual_ids, identities, demo, now)$
-- Many people at once. Those already as they'd be written are left alone; how many were not.
with saved as (
    insert into person (individual_id, identity, demo, updated_at)
    select p.individual_id, p.identity::jsonb, :demo, :now::timestamptz
    from unnest(:individual_ids::text[], :identities::text[]) as p (individual_id, identity)
    on conflict (individual_id) do update
    set identity = excluded.identity, demo = person.demo or excluded.demo, updated_at = excluded.updated_at
    where person.identity <> excluded.identity or person.demo is distinct from (person.demo or excluded.demo)
    returning 1
)
select count(*) from saved;

-- name: save_aliases(aliases, kinds, expiries, revoked, individual_ids, now)!
-- Other numbers of people. One that is another's is left with its owner (`taken_numbers` names it first), and what
-- was revoked stays so.
insert into person_alias as known (alias, person_id, kind, expires_at, revoked_at)
select a.alias, p.id, a.kind, a.expires_at, case when a.revoked then :now::timestamptz end
from unnest(:aliases::text[], :kinds::text[], :expiries::timestamptz[], :revoked::boolean[], :individual_ids::text[])
     as a (alias, kind, expires_at, revoked, individual_id)
join person p using (individual_id)
on conflict (alias) do update
set kind = excluded.kind, expires_at = excluded.expires_at,
    revoked_at = coalesce(known.revoked_at, excluded.revoked_at)
where known.person_id = excluded.person_id;

-- name: taken_numbers(aliases, individual_ids)
-- Aliases that are somebody else's number, and identity numbers that are somebody's alias.
select a.alias as number
from unnest(:aliases::text[], :individual_ids::text[]) as a (alias, individual_id)
where exists (select from person p where p.individual_id = a.alias and a.alias <> a.individual_id)
   or exists (
       select from person_alias k join person p on p.id = k.person_id
       where k.alias = a.alias and p.individual_id <> a.individual_id
   )
union
select k.alias
from person_alias k join person p on p.id = k.person_id
where k.alias = any(:individual_ids::text[]) and p.individual_id <> k.alias;

-- name: add_person(individual_id, identity, now)$
-- Null when the number is taken, as anybody's number or alias.
insert into person (individual_id, identity, updated_at)
select :individual_id, :identity::jsonb, :now::timestamptz
where not exists (select from person_alias where alias = :individual_id)
on conflict (individual_id) do nothing
returning id;

-- name: merge_person(identity, now, individual_id)$
-- What is sent replaces what is kept, field by field.
update person set identity = identity || :identity::jsonb, updated_at = :now
where individual_id = :individual_id
returning id;

-- name: aliases_of(person_id)
select alias, kind, expires_at, revoked_at from person_alias where person_id = :person_id order by alias;

-- name: revoke_alias(number, now)$
-- From now on nobody signs in with it. Null when it is nobody's.
update person_alias set revoked_at = coalesce(revoked_at, :now::timestamptz) where alias = :number returning person_id;

-- name: person_by_number(number, now)^
-- A person by the identity number or any alias that is in force; the identity number wins.
select p.id, p.individual_id, p.identity, p.locked_until
from person p
where p.individual_id = :number
   or p.id = (
       select a.person_id from person_alias a
       where a.alias = :number and a.revoked_at is null and (a.expires_at is null or a.expires_at > :now)
   )
order by p.individual_id = :number desc
limit 1;

-- name: person_by_individual_id(individual_id)^
select id, identity from person where individual_id = :individual_id;

-- name: person_by_id(id)^
select id, individual_id, identity, locked_until from person where id = :id;

-- name: lock_person_of(locked_until, transaction)!
-- Too many tries in one transaction: whom its code was sent to, if any was.
update person set locked_until = greatest(locked_until, :locked_until::timestamptz), failures = 0
where id = (select otp_person_id from transaction where id = :transaction);

-- name: add_client(client_id, relying_party_id, name, logo_uri, public_key, public_key_hash, user_claims, acrs, redirect_uris, additional_config, now)$
-- Null when the id is taken.
insert into client (client_id, relying_party_id, name, logo_uri, public_key, public_key_hash, user_claims, acrs,
                    redirect_uris, additional_config, status, updated_at)
values (:client_id, :relying_party_id, :name::jsonb, :logo_uri, :public_key::jsonb, :public_key_hash,
        :user_claims::text[], :acrs::text[], :redirect_uris::text[], :additional_config::jsonb, 'ACTIVE', :now)
on conflict (client_id) do nothing
returning client_id;

-- name: update_client(name, logo_uri, user_claims, acrs, redirect_uris, additional_config, status, now, client_id)$
-- Never the key or the relying party.
update client
set name = :name::jsonb, logo_uri = :logo_uri, user_claims = :user_claims::text[], acrs = :acrs::text[],
    redirect_uris = :redirect_uris::text[], additional_config = :additional_config::jsonb, status = :status,
    updated_at = :now
where client_id = :client_id
returning status;

-- name: put_demo_client(client_id, relying_party_id, name, logo_uri, public_key, public_key_hash, user_claims, acrs, redirect_uris, additional_config, now)!
-- The reference's client, at each start of the sandbox.
insert into client (client_id, relying_party_id, name, logo_uri, public_key, public_key_hash, user_claims, acrs,
                    redirect_uris, additional_config, status, updated_at)
values (:client_id, :relying_party_id, :name::jsonb, :logo_uri, :public_key::jsonb, :public_key_hash,
        :user_claims::text[], :acrs::text[], :redirect_uris::text[], :additional_config::jsonb, 'ACTIVE', :now)
on conflict (client_id) do update
set public_key = excluded.public_key, public_key_hash = excluded.public_key_hash,
    redirect_uris = excluded.redirect_uris, user_claims = excluded.user_claims, updated_at = excluded.updated_at;

-- name: patch_client(name, logo_uri, user_claims, acrs, redirect_uris, additional_config, status, encryption_key, now, client_id)$
-- Only what was sent (not null) is replaced; the name by language is merged.
update client
set name = name || coalesce(:name::jsonb, '{}'), logo_uri = coalesce(:logo_uri, logo_uri),
    user_claims = coalesce(:user_claims::text[], user_claims), acrs = coalesce(:acrs::text[], acrs),
    redirect_uris = coalesce(:redirect_uris::text[], redirect_uris),
    additional_config = coalesce(:additional_config::jsonb, additional_config), status = coalesce(:status, status),
    encryption_key = coalesce(:encryption_key::jsonb, encryption_key), updated_at = :now
where client_id = :client_id
returning status;

-- name: push_request(reference_hash, client_id, request, expires_at)!
insert into pushed_request (reference_hash, client_id, request, expires_at)
values (:reference_hash, :client_id, :request::jsonb, :expires_at);

-- name: pop_request(reference_hash)^
-- Read once, even by the wrong client.
delete from pushed_request where reference_hash = :reference_hash returning client_id, request, expires_at;

-- name: pushed_request(reference_hash, client_id, now)$
-- For the page's language; does not use it up.
select request from pushed_request
where reference_hash = :reference_hash and client_id = :client_id and expires_at > :now;

-- name: active_client(client_id)^
select client_id, relying_party_id, name, logo_uri, public_key, user_claims, acrs, redirect_uris, additional_config
from client where client_id = :client_id and status = 'ACTIVE';

-- name: use_once(kind, client_id, value, expires_at, now)$
-- True when the value had not been used before (or only so long ago that it has lapsed).
insert into used_once as u (kind, client_id, value, expires_at)
values (:kind, :client_id, :value, :expires_at)
on conflict (kind, client_id, value) do update set expires_at = excluded.expires_at where u.expires_at <= :now
returning true;

-- name: transaction_at(id, stage, now)^
-- A live transaction in the stage asked for, with what its client says.
select t.*, c.relying_party_id, c.additional_config, c.name as client_name
from transaction t join client c using (client_id)
where t.id = :id and t.stage = :stage and t.expires_at > :now and c.status = 'ACTIVE';

-- name: count_send(id)$
-- Null when the sign-in went on meanwhile.
update transaction set sends = sends + 1 where id = :id and stage = 'preauth' returning sends;

-- name: count_try(id)$
-- Null when the sign-in went on meanwhile.
update transaction set tries = tries + 1 where id = :id and stage = 'preauth' returning tries;

-- name: count_claim_details(id)$
update transaction set claim_details = claim_details + 1 where id = :id returning claim_details;

-- name: consent_in_force(client_id, person_id, now)^
select id, request_hash, accepted_claims, permitted_scopes, asked_claims, asked_scopes, expires_at
from consent
where client_id = :client_id and person_id = :person_id and replaced_at is null
  and (expires_at is null or expires_at > :now);

-- name: consents_of(person_id, now)
-- Those in force, newest first, then those she withdrew within a year; with when a client last read what she shared.
select n.id, n.client_id, c.name, n.accepted_claims, n.permitted_scopes, n.given_at, n.expires_at, n.withdrawn_at,
       (select max(a.at) from audit a
        where a.person_id = n.person_id and a.client_id = n.client_id and a.event = 'userinfo_given'
          and a.at >= n.given_at) as last_read_at
from consent n join client c using (client_id)
where n.person_id = :person_id
  and (n.replaced_at is null and (n.expires_at is null or n.expires_at > :now)
       or n.withdrawn_at > :now::timestamptz - interval '1 year')
order by n.withdrawn_at desc nulls first, n.given_at desc
limit 200;

-- name: withdraw_consent(now, id, person_id)^
-- Once, and only her own.
update consent set replaced_at = :now, withdrawn_at = :now
where id = :id and person_id = :person_id and replaced_at is null
returning client_id, accepted_claims, permitted_scopes;

-- name: end_codes(client_id, person_id)!
-- Before end_tokens: a code being redeemed now is waited for, and its token is seen then.
delete from auth_code where client_id = :client_id and person_id = :person_id;

-- name: end_tokens(client_id, person_id)!
delete from access_token where client_id = :client_id and person_id = :person_id;

-- name: add_notice(jti, client_id, person_id, claims, scopes, now)$
-- Null when the client registered no address for it.
insert into consent_notice (jti, client_id, person_id, claims, scopes, withdrawn_at, next_try_at)
select :jti, client_id, :person_id, :claims::text[], :scopes::text[], :now::timestamptz, :now::timestamptz
from client where client_id = :client_id and additional_config ->> 'consent_webhook_uri' is not null
returning id;

-- name: notices_due(now, leased_until)
-- Takes what is due for as long as one try may last; if this process ends meanwhile, another try comes after that.
with due as materialized (
    select id from consent_notice where next_try_at <= :now order by next_try_at limit 20 for update skip locked
)
update consent_notice n set tries = tries + 1, next_try_at = :leased_until
from due, client c, person p
where n.id = due.id and c.client_id = n.client_id and p.id = n.person_id
returning n.id, n.jti, n.client_id, n.person_id, n.claims, n.scopes, n.withdrawn_at, n.tries,
          c.relying_party_id, c.additional_config ->> 'consent_webhook_uri' as address, p.individual_id;

-- name: end_notice(told_at, id)!
update consent_notice set next_try_at = null, told_at = :told_at, fault = null where id = :id;

-- name: put_off_notice(next_try_at, fault, id)!
-- Without a next try it is given up.
update consent_notice set next_try_at = :next_try_at, fault = :fault where id = :id;

-- name: start_consent_session(token_hash, person_id, expires_at)!
insert into consent_session (token_hash, person_id, expires_at) values (:token_hash, :person_id, :expires_at);

-- name: consent_session(token_hash, now)^
select s.person_id, s.expires_at, p.identity
from consent_session s join person p on p.id = s.person_id
where s.token_hash = :token_hash and s.expires_at > :now;

-- name: end_consent_session(token_hash)!
delete from consent_session where token_hash = :token_hash;

-- name: put_own_client(client_id, name, logo_uri, public_key, acrs, redirect_uris, additional_config, now)!
-- The page /consents as a client of its own provider, at each start. Its key hash is no thumbprint, so it blocks no key.
insert into client (client_id, relying_party_id, name, logo_uri, public_key, public_key_hash, user_claims, acrs,
                    redirect_uris, additional_config, status, updated_at)
values (:client_id, :client_id, :name::jsonb, :logo_uri, :public_key::jsonb, :client_id, '{}', :acrs::text[],
        :redirect_uris::text[], :additional_config::jsonb, 'ACTIVE', :now)
on conflict (client_id) do update
set name = excluded.name, logo_uri = excluded.logo_uri, public_key = excluded.public_key, user_claims = '{}',
    acrs = excluded.acrs, redirect_uris = excluded.redirect_uris, additional_config = excluded.additional_config,
    status = 'ACTIVE', updated_at = excluded.updated_at;

-- name: code_waiting(code_hash, now)^
select a.*, c.relying_party_id, c.public_key, c.encryption_key, c.additional_config, c.status as client_status,
       p.individual_id, p.identity
from auth_code a join client c using (client_id) join person p on p.id = a.person_id
where a.code_hash = :code_hash and a.expires_at > :now;

-- name: redeem_code(code_hash)$
-- Of two that redeem at once, one gets the number.
delete from auth_code where code_hash = :code_hash returning transaction_number;

-- name: userinfo_of(token_hash, now)^
select userinfo, jkt, transaction_number, client_id, person_id
from access_token where token_hash = :token_hash and expires_at > :now;

-- name: add_audit(at, event, outcome, transaction_number, client_id, person_id, reason)!
insert into audit (at, event, outcome, transaction_number, client_id, person_id, reason)
values (:at, :event, :outcome, :transaction_number, :client_id, :person_id, :reason);

-- name: inbox()
select sent_at, channel, address, text from inbox order by id desc limit 50;

-- name: audit_trail(since, person_id, client_id, refused, most)
-- For an operator, newest first; a null filter lets everything through.
select at, event, outcome, reason, transaction_number, client_id, person_id
from audit
where at >= :since
  and (:person_id::bigint is null or person_id = :person_id::bigint)
  and (:client_id::text is null or client_id = :client_id::text)
  and (not :refused::boolean or event like '%refused' or outcome like 'auth_failed%')
order by at desc, id desc
limit :most;

-- name: prune_audit(before)!
-- By age, a few thousand at a time: never a long lock.
delete from audit where id in (select id from audit where at < :before order by at limit 5000);

-- name: sweep(now, inbox_before)!
-- Everything that has lapsed; once a minute.
with t as (delete from transaction where expires_at <= :now),
     c as (delete from auth_code where expires_at <= :now),
     a as (delete from access_token where expires_at <= :now),
     u as (delete from used_once where expires_at <= :now),
     p as (delete from pushed_request where expires_at <= :now),
     s as (delete from consent_session where expires_at <= :now)
delete from inbox where sent_at <= :inbox_before;

-- name: key_holder(public_key_hash, client_id)$
-- Another client with the same key.
select client_id from client where public_key_hash = :public_key_hash and client_id <> :client_id;

-- name: has_demo_data(client_id)$
-- Whether this database was ever the sandbox's.
select exists (select from person where demo)
    or exists (select from client where client_id = :client_id)
    or exists (select from inbox);
