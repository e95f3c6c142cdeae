-- One-time codes: who may have one, and its way to the person.

-- name: asked_for(id, number, now, source, since)^
-- A live sign-in that nobody proved yet; with it the person (if any) by identity number, which wins, or alias in force;
-- and the strikes since then.
with found as (
    select p.id, p.identity, p.locked_until
    from person p
    where p.individual_id = :number
       or p.id = (
           select a.person_id from person_alias a
           where a.alias = :number and a.revoked_at is null
             and (a.expires_at is null or a.expires_at > :now::timestamptz)
       )
    order by p.individual_id = :number desc
    limit 1
)
select t.*, f.id as asked, f.identity, f.locked_until,
       (select count(*) from code_strike s where s.source = :source and s.at > :since::timestamptz) as of_source
from transaction t join client c using (client_id) left join found f on true
where t.id = :id and t.stage = 'preauth' and t.expires_at > :now::timestamptz and c.status = 'ACTIVE';

-- name: strike(now, kind, source, transaction_number)!
insert into code_strike (at, kind, source, transaction_number)
values (:now, :kind, :source, :transaction_number);

-- name: wrong_code(id, most, now, source, person_id, limit, locked_until)$
-- Counted everywhere at once, before it is told: in its sign-in, for its source, and against its person, where the one
-- that reaches the limit locks and starts the count anew. The tries (those over `most` have a count of their own); null
-- when the sign-in went on meanwhile. The person first, here and below, so that no two wait for each other.
with failed as (
    update person
    set failures = case when failures + 1 >= :limit then 0 else failures + 1 end,
        locked_until = case when failures + 1 >= :limit then :locked_until::timestamptz else locked_until end
    where id = :person_id::bigint
    returning id
), tried as (
    update transaction set tries = tries + 1
    where id = :id and stage = 'preauth' and exists (select from failed)
    returning tries
), struck as (
    insert into code_strike (at, kind, source, person_id, transaction_number)
    select :now::timestamptz, 'wrong', :source, :person_id::bigint, number from transaction
    where id = :id and not exists (select from tried where tries > :most)
)
select tries from tried;

-- name: send_code(id, most, most_of_person, since, otp_hash, person_id, otp_expires_at, now, source, inbox_channels, inbox_addresses, inbox_texts, channels, sealed)^
-- A new code in place of the one before it, with its messages on their way (or in the sandbox's inbox): all or none,
-- and counted. Not `sent` when the sign-in went on meanwhile, or `most` codes were sent for it; not `allowed` when the
-- person has `most_of_person` that were not used: those sent at the same moment are waited for, and counted.
with whose as (
    select id from person where id = :person_id::bigint for no key update
), allowed as materialized (
    select codes_sent(id, :since::timestamptz) < :most_of_person as good from whose
), coded as (
    update transaction
    set sends = sends + 1, otp_hash = :otp_hash, otp_person_id = :person_id::bigint,
        otp_expires_at = :otp_expires_at::timestamptz
    where id = :id and stage = 'preauth' and sends < :most and (select good from allowed)
    returning number, client_id
), voided as (
    delete from delivery where transaction_number = (select number from coded)
), counted as (
    insert into code_strike (at, kind, source, person_id, transaction_number)
    select :now::timestamptz, 'sent', :source, :person_id::bigint, number from coded
), shown as (
    insert into inbox (sent_at, channel, address, text)
    select :now::timestamptz, m.channel, m.address, m.text
    from coded, unnest(:inbox_channels::text[], :inbox_addresses::text[], :inbox_texts::text[])
                as m (channel, address, text)
), queued as (
    insert into delivery (transaction_number, channel, sealed, expires_at, next_try_at)
    select number, m.channel, m.sealed, :otp_expires_at::timestamptz, :now::timestamptz
    from coded, unnest(:channels::text[], :sealed::bytea[]) as m (channel, sealed)
), noted as (
    insert into audit (at, event, outcome, transaction_number, client_id, person_id)
    select :now::timestamptz, 'otp_sent', 'ok', number, client_id, :person_id::bigint from coded
)
select exists (select from coded) as sent, coalesce((select good from allowed), false) as allowed;

-- name: claim_deliveries(now, leased_until)
-- A few that are due, for this process alone until the lease ends; a process that dies gives them up with it.
update delivery d set tries = tries + 1, next_try_at = :leased_until
where d.id = any(array(  -- made once, however the rows are joined
    select id from delivery where next_try_at <= :now order by next_try_at limit 20 for update skip locked
))
returning d.id, d.transaction_number, d.channel, d.sealed, d.expires_at, d.tries;

-- name: end_delivery(id, now, event, outcome, transaction_number)!
-- Sent, refused for good, or too late: the message is gone, its end is in the audit trail.
with ended as (delete from delivery where id = :id returning true)
insert into audit (at, event, outcome, transaction_number)
select :now, :event, :outcome, :transaction_number from ended;

-- name: put_off_delivery(next_try_at, id)!
update delivery set next_try_at = :next_try_at where id = :id;

-- name: sweep_strikes(before)!
delete from code_strike where at <= :before;
