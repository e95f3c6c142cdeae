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
