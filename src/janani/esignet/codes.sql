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
       (select count(*) from code_strike s where s.source = :source and s.at > :since::timestamptz) as of_source,
       (select count(*) from code_strike s
        where s.person_id = f.id and s.kind = 'sent' and s.at > :since::timestamptz) as of_person
from transaction t join client c using (client_id) left join found f on true
where t.id = :id and t.stage = 'preauth' and t.expires_at > :now::timestamptz and c.status = 'ACTIVE';

-- name: strike(now, kind, source, person_id, transaction_number)!
insert into code_strike (at, kind, source, person_id, transaction_number)
values (:now, :kind, :source, :person_id, :transaction_number);

-- name: send_code(id, most, otp_hash, person_id, otp_expires_at, now, source, inbox_channels, inbox_addresses, inbox_texts, channels, sealed)$
-- A new code in place of the one before it, with its messages on their way (or in the sandbox's inbox): all or none,
-- and counted. Null when the sign-in went on meanwhile, or `most` codes were sent for it.
with coded as (
    update transaction
    set sends = sends + 1, otp_hash = :otp_hash, otp_person_id = :person_id::bigint,
        otp_expires_at = :otp_expires_at::timestamptz
    where id = :id and stage = 'preauth' and sends < :most
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
select number from coded;

-- name: claim_deliveries(now, leased_until)
-- A few that are due, for this process alone until the lease ends; a process that dies gives them up with it.
update delivery d set tries = tries + 1, next_try_at = :leased_until
from (
    select id from delivery where next_try_at <= :now order by next_try_at limit 20 for update skip locked
) due
where d.id = due.id
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
