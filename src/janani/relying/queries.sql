-- name: begin(state_digest, client, nonce, code_verifier, redirect_uri, begun_by, expires_at)!
insert into authorization_request (state_digest, client, nonce, code_verifier, redirect_uri, begun_by, expires_at)
values (:state_digest, :client, :nonce, :code_verifier, :redirect_uri, :begun_by, :expires_at);

-- name: sweep(now)!
-- Requests that nobody came back from; at each new one, so no timer is needed.
delete from authorization_request where expires_at <= :now;

-- name: finish(state_digest, begun_by, now)^
-- Spends a request: of two at once only one gets the row.
delete from authorization_request
where state_digest = :state_digest and begun_by = :begun_by and expires_at > :now
returning client, nonce, code_verifier, redirect_uri, expires_at;

-- name: note(at, asked_by, client, outcome, acr)!
insert into verification (at, asked_by, client, outcome, acr) values (:at, :asked_by, :client, :outcome, :acr);

-- name: begin_phone(handle_digest, link_digest, client, begun_by, sign, ui_locales, expires_at)!
insert into phone_verification (handle_digest, link_digest, client, begun_by, sign, ui_locales, expires_at)
values (:handle_digest, :link_digest, :client, :begun_by, :sign, :ui_locales, :expires_at);

-- name: sweep_phones(now)!
delete from phone_verification where expires_at <= :now;

-- name: phone(handle_digest, begun_by, now)^
-- How it stands, for who began it.
select client, sign, status, outcome, sealed, expires_at from phone_verification
where handle_digest = :handle_digest and begun_by = :begun_by and expires_at > :now;

-- name: cancel_phone(handle_digest, begun_by)!
delete from phone_verification where handle_digest = :handle_digest and begun_by = :begun_by;

-- name: phone_link(link_digest, now)^
-- What the page behind the link shows before it is opened.
select client, sign, ui_locales from phone_verification
where link_digest = :link_digest and status = 'waiting' and expires_at > :now;

-- name: open_phone(link_digest, browser_digest, state_digest, now, expires_at)$
-- Spends the link: of two at once only one gets it.
update phone_verification
set status = 'opened', browser_digest = :browser_digest, state_digest = :state_digest, expires_at = :expires_at
where link_digest = :link_digest and status = 'waiting' and expires_at > :now
returning client;

-- name: opened_phone(state_digest, browser_digest, now)^
-- Only the browser that opened the link comes back with its state.
select client, sign, begun_by from phone_verification
where state_digest = :state_digest and browser_digest = :browser_digest and status = 'opened' and expires_at > :now;

-- name: end_phone(state_digest, status, outcome, sealed, expires_at)!
update phone_verification
set status = :status, outcome = :outcome, sealed = :sealed, expires_at = :expires_at
where state_digest = :state_digest and status = 'opened';

-- name: keep_provider_keys(client, provider, issuers, jwks, fetched_at)!
-- The newest set takes the place of the one before: a key the provider withdrew signs no more cards.
insert into provider_keys (client, provider, issuers, jwks, fetched_at)
values (:client, :provider, :issuers::text[], :jwks::jsonb, :fetched_at)
on conflict (client) do update
set provider = excluded.provider, issuers = excluded.issuers, jwks = excluded.jwks, fetched_at = excluded.fetched_at;

-- name: provider_keys(client, provider)^
select issuers, jwks, fetched_at from provider_keys where client = :client and provider = :provider;
