-- The steps of a sign-in, each one statement with its row of the audit trail: a step is done and noted, or neither.

-- name: begin_sign_in(id, client_id, request, essential, voluntary, scopes, details_hash, expires_at, nonce, nonce_lapses, now)$
-- Null when the nonce (if there is one) was used before.
with fresh as (
    insert into used_once as u (kind, client_id, value, expires_at)
    select 'nonce', :client_id::text, :nonce::text, :nonce_lapses::timestamptz where :nonce::text is not null
    on conflict (kind, client_id, value) do update set expires_at = excluded.expires_at
    where u.expires_at <= :now::timestamptz
    returning true
), begun as (
    insert into transaction (id, stage, client_id, request, essential_claims, voluntary_claims, authorize_scopes,
                             details_hash, expires_at)
    select :id, 'preauth', :client_id::text, :request::jsonb, :essential::text[], :voluntary::text[], :scopes::text[],
           :details_hash, :expires_at
    where :nonce::text is null or exists (select from fresh)
    returning number
), noted as (
    insert into audit (at, event, outcome, transaction_number, client_id)
    select :now::timestamptz, 'sign_in_started', 'ok', number, :client_id::text from begun
)
select number from begun;

-- name: authenticated(id, most, otp_hash, person_id, typed_id, acr, consent_action, now, expires_at)^
-- Moves on once, spends the one-time code, forgets wrong ones and those sent; not `moved` when another request was
-- faster, or `most` were tried, or the person is locked by now (not `free`). A right code, too, is good only within
-- these limits, however many are tried at once.
with free as (
    select id from person
    where id = :person_id::bigint and (locked_until is null or locked_until <= :now::timestamptz)
    for no key update
), moved as (
    update transaction
    set stage = 'authenticated', tries = tries + 1, otp_hash = null, person_id = :person_id::bigint, typed_id = :typed_id, acr = :acr,
        authenticated_at = :now::timestamptz, consent_action = :consent_action, expires_at = :expires_at
    where id = :id and stage = 'preauth' and otp_hash = :otp_hash and tries < :most and exists (select from free)
    returning number, client_id
), forgotten as (
    update person set failures = 0
    where id = :person_id::bigint and failures > 0 and exists (select from moved)
), settled as (
    delete from code_strike where transaction_number = (select number from moved) and kind = 'sent'
), noted as (
    insert into audit (at, event, outcome, transaction_number, client_id, person_id)
    select :now::timestamptz, 'authenticated', 'ok', number, client_id, :person_id::bigint from moved
)
select exists (select from moved) as moved, exists (select from free) as free;

-- name: give_code(id, code_hash, held, capture, request_hash, asked_claims, asked_scopes, accepted, permitted, lifetime_seconds, now, expires_at, consent_expires_at)$
-- The transaction ends and its code begins; with `capture` the consent is kept in place of the one before. Null when
-- the transaction had ended already, or the consent it stands on (`held`) was withdrawn meanwhile; a withdrawal that
-- comes now waits, and then finds the code. Of one person's consents that come at once, one waits for the other.
with held as (
    select id from consent where id = :held::bigint and replaced_at is null for share
), whose as (
    select p.id from person p join transaction t on t.person_id = p.id
    where t.id = :id and :capture::boolean
    for no key update of p
), ended as (
    delete from transaction
    where id = :id and stage = 'authenticated' and (:held::bigint is null or exists (select from held))
      and (not :capture::boolean or exists (select from whose))
    returning *
), given as (
    insert into auth_code (code_hash, transaction_number, client_id, person_id, typed_id, request, accepted_claims,
                           permitted_scopes, acr, authenticated_at, lifetime_seconds, expires_at)
    select :code_hash, number, client_id, person_id, typed_id, request, :accepted::text[], :permitted::text[], acr,
           authenticated_at, :lifetime_seconds::integer, :expires_at
    from ended
), retired as materialized (
    select retire_consent(person_id, client_id, :now::timestamptz) from ended where :capture::boolean
), kept as (
    -- Counting what was retired makes that happen first: only one consent may be in force.
    insert into consent (client_id, person_id, request_hash, asked_claims, asked_scopes, accepted_claims,
                         permitted_scopes, given_at, expires_at)
    select client_id, person_id, :request_hash, :asked_claims::jsonb, :asked_scopes::text[], :accepted::text[], :permitted::text[], :now::timestamptz,
           :consent_expires_at
    from ended cross join (select count(*) from retired) as before
    where :capture::boolean
), noted as (
    insert into audit (at, event, outcome, transaction_number, client_id, person_id)
    select :now::timestamptz, 'consented', consent_action, number, client_id, person_id from ended
)
select number from ended;

-- name: redeem(code_hash, client_id, jti, jti_lapses, token_hash, userinfo, jkt, now, expires_at)^
-- The assertion's jti is spent, the code gone, the access token there. Of two that redeem at once, one finds the code.
with fresh as (
    insert into used_once as u (kind, client_id, value, expires_at)
    values ('jti', :client_id, :jti, :jti_lapses)
    on conflict (kind, client_id, value) do update set expires_at = excluded.expires_at
    where u.expires_at <= :now::timestamptz
    returning true
), redeemed as (
    delete from auth_code where code_hash = :code_hash and exists (select from fresh)
    returning transaction_number, client_id, person_id
), given as (
    insert into access_token (token_hash, transaction_number, client_id, person_id, userinfo, jkt, expires_at)
    select :token_hash, transaction_number, client_id, person_id, :userinfo, :jkt, :expires_at from redeemed
), noted as (
    insert into audit (at, event, outcome, transaction_number, client_id, person_id)
    select :now::timestamptz, 'tokens_given', 'ok', transaction_number, client_id, person_id from redeemed
)
select exists (select from fresh) as fresh, exists (select from redeemed) as redeemed;

-- name: userinfo_of(token_hash, bearer, now)^
-- Noted as given at once for a bearer token; one bound to a key is first to be shown.
with found as (
    select userinfo, jkt, transaction_number, client_id, person_id
    from access_token where token_hash = :token_hash and expires_at > :now::timestamptz
), noted as (
    insert into audit (at, event, outcome, transaction_number, client_id, person_id)
    select :now::timestamptz, 'userinfo_given', 'ok', transaction_number, client_id, person_id
    from found where :bearer::boolean and jkt is null and userinfo <> ''
)
select * from found;
