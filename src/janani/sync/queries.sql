-- name: position$
-- How far the feed was read.
select position from feed where name = :feed;

-- name: move!
-- With `notice` in one transaction: a change is either queued and passed, or neither.
insert into feed (name, position, read_at) values (:feed, :position, :now)
on conflict (name) do update set position = excluded.position, read_at = excluded.read_at;

-- name: notice!
-- Coalesces: a person waits once, however often she changed. One in flight is left dirty by the higher count.
insert into queue (person, noticed_at, try_at)
select person, :now, :now from unnest(:people::text[]) as person
order by person
on conflict (person) do update set
  change = queue.change + 1,
  noticed_at = case when queue.lease is null then queue.noticed_at else excluded.noticed_at end,
  try_at = least(queue.try_at, excluded.try_at);

-- name: claim^
-- One due person nobody holds; those that others claim at this moment are passed over.
update queue set
  lease = :lease, leased_by = :holder, leased_until = :until, attempts = attempts + 1
where person = (
  select person from queue
  where try_at <= :now and (lease is null or leased_until < :now)
  order by try_at, person
  limit 1 for update skip locked)
returning person, change, noticed_at, attempts, refused;

-- name: next_due$
-- When the next waiting person may be tried.
select min(try_at) from queue where lease is null;

-- name: finish$
-- Done with this change; true when another came meanwhile (the row stays, free to be claimed). Null: lease lost.
with done as (
  delete from queue where person = :person and lease = :lease and change = :change returning false as dirty
), again as (
  update queue set lease = null, leased_by = null, leased_until = null, attempts = 0, refused = 0, trouble = '',
    try_at = :now
  where person = :person and lease = :lease and change <> :change returning true as dirty
)
select dirty from done union all select dirty from again;

-- name: release!
-- Back in the queue for later, with what went wrong.
update queue set lease = null, leased_by = null, leased_until = null, try_at = :try_at, trouble = :trouble,
  refused = refused + :refused
where person = :person and lease = :lease;

-- name: release_orphans!
-- At start: leases of processes that are gone would only expire.
update queue set lease = null, leased_by = null, leased_until = null
where lease is not null and leased_by not in (select pid from pg_stat_activity);

-- name: hasten!
-- A server is back: who waited only for it may go at once.
update queue set try_at = :now where lease is null and trouble = 'away' and try_at > :now;

-- name: delivered^
-- What the record took of a person last.
select patient, digests from delivered where person = :person;

-- name: remember!
insert into delivered (person, patient, digests, delivered_at) values (:person, :patient, :digests::jsonb, :now)
on conflict (person) do update set
  patient = excluded.patient, digests = excluded.digests, delivered_at = excluded.delivered_at;

-- name: forget!
-- A person who is gone from the registry, or whose next delivery must be whole.
delete from delivered where person = :person;

-- name: note!
insert into delivery (person, noticed_at, delivered_at, entries, outcome)
values (:person, :noticed_at, :now, :entries, :outcome);

-- name: trim!
-- Keeps the latest thousand deliveries.
delete from delivery where number <= (select max(number) - 1000 from delivery);

-- name: set_aside!
insert into dead (person, reason, detail, attempts, since) values (:person, :reason, :detail, :attempts, :now)
on conflict (person) do update set
  reason = excluded.reason, detail = excluded.detail, attempts = dead.attempts + excluded.attempts;

-- name: revive!
-- She was delivered, or is to be tried again.
delete from dead where person = :person;

-- name: shared
-- All shared entries and their digests; there are as many as units and users seen.
select key, digest from shared;

-- name: remember_shared*!
insert into shared (key, digest) values (:key, :digest)
on conflict (key) do update set digest = excluded.digest;

-- name: summary^
-- The state of the sync in one row.
select
  (select position from feed order by read_at desc limit 1) as position,
  (select max(read_at) from feed) as read_at,
  (select count(*) from queue) as waiting,
  (select count(*) from queue where lease is not null) as in_flight,
  (select count(*) from queue where attempts > 0 and lease is null) as troubled,
  (select min(noticed_at) from queue) as oldest,
  (select count(*) from delivered) as people,
  (select count(*) from dead) as dead,
  (select max(delivered_at) from delivered) as last_delivery,
  (select percentile_cont(0.5) within group (order by extract(epoch from delivered_at - noticed_at))
   from (select * from delivery order by number desc limit 200) as latest) as median_seconds;

-- name: dead
-- Who was set aside and why, latest first.
select person, reason, attempts, since from dead order by since desc limit 100;

-- name: unremember!
-- The next delivery is whole; the Patient's key and what to take back stay known.
update delivered set digests = (select coalesce(jsonb_object_agg(key, ''), '{}') from jsonb_object_keys(digests) as key)
where person = :person;
