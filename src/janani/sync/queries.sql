-- `(select :people …)` hides how many there are: for one or two a plan would be made anew each time, which takes longer
-- than to run it.

-- name: position$
-- How far the feed was read.
select position from feed where name = :feed;

-- name: move!
-- With `notice` in one transaction: a change is either queued and passed, or neither.
insert into feed (name, position, read_at) values (:feed, :position, :now)
on conflict (name) do update set position = excluded.position, read_at = excluded.read_at;

-- name: notice!
-- For every target. Coalesces: a person waits once, however often she changed. One in flight is left dirty by the
-- higher count.
insert into queue (target, person, noticed_at, try_at)
select target.name, person, :now, :now from target, unnest(:people::text[]) as person
order by target.name, person
on conflict (target, person) do update set
  change = queue.change + 1,
  noticed_at = case when queue.lease is null then queue.noticed_at else excluded.noticed_at end,
  changed_at = case when queue.lease is null then queue.changed_at end,
  traceparent = case when queue.lease is null then queue.traceparent else '' end,
  try_at = least(queue.try_at, excluded.try_at);

-- name: notice_told!
-- `notice` for changes that say when they were made and to which trace they belong; both as `noticed_at` does.
insert into queue (target, person, noticed_at, try_at, changed_at, traceparent)
select target.name, person, :now, :now, changed_at, traceparent
from target, unnest((select :people::text[]), :changed::timestamptz[], :traces::text[])
  as told (person, changed_at, traceparent)
order by target.name, person
on conflict (target, person) do update set
  change = queue.change + 1,
  noticed_at = case when queue.lease is null then queue.noticed_at else excluded.noticed_at end,
  changed_at = case when queue.lease is null then queue.changed_at else excluded.changed_at end,
  traceparent = case when queue.lease is null then queue.traceparent else excluded.traceparent end,
  try_at = least(queue.try_at, excluded.try_at);

-- name: claim
-- Due people of a target whom nobody holds; those that others claim at this moment are passed over. A time behind the
-- horizon was written by a clock that has been put back since: it is due. Who is still in the hands of this process is
-- held whatever the clock says: what was sent of her must not arrive after what is sent next. An array is made once; `in`
-- may be asked again for each row, and finds others when somebody is done meanwhile: then more than the most are claimed.
update queue set
  lease = :lease, leased_by = :holder, leased_until = :until, attempts = attempts + 1
where target = :target and person = any(array(
  select person from queue
  where target = :target and (try_at <= :now or try_at > :horizon)
    and (lease is null or (leased_until < :now or leased_until > :horizon) and lease <> all(:in_hand::uuid[]))
  order by try_at, person
  limit :most for update skip locked))
returning person, change, noticed_at, attempts, refused, changed_at, traceparent, failed, failed_since, failed_at;

-- name: next_due$
-- When the next waiting person may be tried, or one whom another process held.
select min(case when lease is null then try_at else leased_until end) from queue
where target = :target and (lease is null or leased_by <> :holder);

-- name: finish
-- Done with these changes; dirty where another came meanwhile (the row stays, free to be claimed). Who is not answered
-- for was lost to another holder.
with held as (
  select queue.target, queue.person, queue.change <> wanted.change as dirty
  from unnest(:people::text[], :changes::bigint[]) as wanted (person, change)
  join queue on queue.target = :target and queue.person = wanted.person and queue.lease = :lease
  order by queue.person for update of queue
), done as (
  delete from queue using held
  where queue.target = held.target and queue.person = held.person and not held.dirty
), again as (
  update queue set lease = null, leased_by = null, leased_until = null, attempts = 0, refused = 0, trouble = '',
    failed = 0, failed_since = null, failed_at = null, try_at = :now
  from held where queue.target = held.target and queue.person = held.person and held.dirty
)
select person, dirty from held;

-- name: release!
-- Back in the queue for later, with what went wrong. A time written by a clock that was ahead is not kept.
update queue set lease = null, leased_by = null, leased_until = null, try_at = :try_at, trouble = :trouble,
  refused = refused + :refused, failed = failed + :failed, failed_at = :now,
  failed_since = case when :failed > 0 then least(failed_since, :now) else failed_since end
where target = :target and person = :person and lease = :lease;

-- name: release_orphans!
-- At start: leases of processes that are gone need not be waited for; only as long as what they sent may be on its way.
update queue set leased_until = least(leased_until, :until)
where lease is not null and leased_by not in (select pid from pg_stat_activity);

-- name: hasten!
-- A server is back: who waited only for it may go at once.
update queue set try_at = :now
where (:target::text = '' or target = :target) and lease is null and trouble = 'away' and try_at > :now;

-- name: delivered
-- What a target took of people last.
select person, patient, digests, delivered_at from delivered where target = :target and person = any((select :people::text[])::text[]);

-- name: intend!
-- What is about to be sent for the first time; what is known already stays as it is. Of whom nothing is, her Patient's
-- own key is noted: by any other she may find the Patient of somebody who was there before.
insert into delivered (target, person, patient, digests)
select :target, person, patient, digests::jsonb
from unnest(:people::text[], :patients::text[], :digests::text[]) as fresh (person, patient, digests)
order by person
on conflict (target, person) do update set digests = excluded.digests || delivered.digests;

-- name: remember!
insert into delivered (target, person, patient, digests, delivered_at)
select :target, person, patient, digests::jsonb, :now
from unnest(:people::text[], :patients::text[], :digests::text[]) as fresh (person, patient, digests)
order by person
on conflict (target, person) do update set patient = excluded.patient, digests = excluded.digests,
  delivered_at = excluded.delivered_at;

-- name: remember_marked!
-- `remember` of people with whom something else came meanwhile: what is to be sent again ('') is still to be.
insert into delivered (target, person, patient, digests, delivered_at)
select :target, person, patient, digests::jsonb, :now
from unnest(:people::text[], :patients::text[], :digests::text[]) as fresh (person, patient, digests)
order by person
on conflict (target, person) do update set patient = excluded.patient, delivered_at = excluded.delivered_at,
  digests = excluded.digests || (
    select coalesce(jsonb_object_agg(key, ''), '{}') from jsonb_each_text(delivered.digests) where value = '');

-- name: forget!
-- People who are gone from the registry, or whose next delivery must be whole.
delete from delivered where target = :target and person = any(:people::text[]);

-- name: note!
insert into delivery (target, person, noticed_at, delivered_at, entries, outcome, changed_at, traceparent, fetched_at,
  mapped_at, sent_at)
select :target, person, noticed_at, :now, entries, outcome, changed_at, traceparent, fetched_at, mapped_at, sent_at
from unnest(:people::text[], :noticed::timestamptz[], :entries::int[], :outcomes::text[], :changed::timestamptz[],
  :traces::text[], :fetched::timestamptz[], :mapped::timestamptz[], :sent::timestamptz[])
  as done (person, noticed_at, entries, outcome, changed_at, traceparent, fetched_at, mapped_at, sent_at);

-- name: trim!
-- Keeps the latest twenty thousand deliveries.
delete from delivery where number <= (select max(number) - 20000 from delivery);

-- name: set_aside!
insert into dead (target, person, reason, detail, payload, attempts, since)
values (:target, :person, :reason, :detail, :payload, :attempts, :now)
on conflict (target, person) do update set reason = excluded.reason, detail = excluded.detail,
  payload = excluded.payload, attempts = dead.attempts + excluded.attempts;

-- name: revive!
-- They were delivered.
delete from dead where target = :target and person = any(:people::text[]);

-- name: shared
-- All shared entries of a target and their digests; there are as many as units and users seen.
select key, digest from shared where target = :target;

-- name: remember_shared!
insert into shared (target, key, digest)
select :target, key, digest from unnest(:keys::text[], :digests::text[]) as fresh (key, digest)
on conflict (target, key) do update set digest = excluded.digest;

-- name: summary^
-- The state of the sync in one row.
select
  (select position from feed order by read_at desc limit 1) as position,
  (select max(read_at) from feed) as read_at,
  (select count(*) from queue) as waiting,
  (select count(*) from queue where lease is not null) as in_flight,
  (select count(*) from queue where attempts > 0 and lease is null) as troubled,
  (select min(noticed_at) from queue) as oldest,
  (select count(*) from dead) as dead,
  (select delivered_at from delivery order by number desc limit 1) as last_delivery,
  (select percentile_cont(0.5) within group (order by extract(epoch from delivered_at - noticed_at))
   from (select * from delivery order by number desc limit 200) as latest) as median_seconds;

-- name: dead
-- Who was set aside and why, latest first.
select target, person, reason, attempts, since from dead
where :target::text = '' or target = :target order by since desc, target, person limit :most;

-- name: dead_one
-- All that is known of a person who was set aside.
select target, person, reason, detail, payload, attempts, since from dead
where person = :person and (:target::text = '' or target = :target) order by target;

-- name: retry_dead
-- Queued again, to be sent whole; the Patient's key and what to take back stay known. All, or one person.
with gone as (
  delete from dead where (:person::text = '' or person = :person) and (:target::text = '' or target = :target)
  returning target, person
), whole as (
  update delivered set
    digests = (select coalesce(jsonb_object_agg(key, ''), '{}') from jsonb_object_keys(digests) as key)
  from gone where delivered.target = gone.target and delivered.person = gone.person
), queued as (
  insert into queue (target, person, noticed_at, try_at)
  select target, person, :now, :now from gone order by target, person
  on conflict (target, person) do update set change = queue.change + 1, try_at = least(queue.try_at, excluded.try_at)
)
select target, person from gone;

-- name: drop_dead
-- Forgotten, until the person changes again.
delete from dead where person = :person and (:target::text = '' or target = :target) returning target, person;

-- name: targets
-- One row a target: its queue, its latest delivery and who was set aside.
select target.name, target.since,
  (select count(*) from queue where queue.target = name) as waiting,
  (select min(noticed_at) from queue where queue.target = name) as oldest,
  (select delivered_at from delivery where delivery.target = name order by number desc limit 1) as last_delivery,
  (select count(*) from dead where dead.target = name) as dead
from target order by name;

-- name: people_delivered
-- How many people each target took, and ('') how many all of them. Reads them all.
with each as (select target, count(*) as people from delivered where delivered_at is not null group by target)
select target, people from each
union all
select '', case when (select count(*) from each) > 1
  then (select count(*) from (select from delivered where delivered_at is not null group by person) as one)
  else (select coalesce(sum(people), 0)::bigint from each) end;

-- name: add_targets!
-- A new target is owed everyone known.
with fresh as (
  insert into target (name, since) select name, :now from unnest(:names::text[]) as name
  on conflict (name) do nothing returning name
), known as (
  select person from delivered union select person from dead union select person from queue
)
insert into queue (target, person, noticed_at, try_at)
select fresh.name, known.person, :now, :now from fresh, known order by 1, 2
on conflict do nothing;

-- name: remove_targets
-- Nothing waits for a target that is not configured. What it took stays known, should it return.
with gone as (delete from target where name <> all(:names::text[]) returning name
), unqueued as (delete from queue using gone where queue.target = gone.name
), undead as (delete from dead using gone where dead.target = gone.name
)
select name from gone;

-- name: forget_seen!
delete from seen;

-- name: see
-- Those of these people who were not seen before.
insert into seen (person) select unnest(:people::text[]) on conflict do nothing returning person;

-- name: only_delivered
-- Of whom the target still has something though the registry has her no more, and nothing is on its way.
select person from delivered d
where target = :target and patient <> '' and not exists (select from seen s where s.person = d.person)
  and not exists (select from queue q where q.target = d.target and q.person = d.person)
order by person;

-- name: bear!
-- Takes the Patients' keys for these people; what somebody else bears stays hers.
insert into bearer (target, patient, person)
select :target, patient, person from unnest(:patients::text[], :people::text[]) as b (patient, person) order by patient
on conflict do nothing;

-- name: borne
-- Who bears these keys.
select patient, person from bearer where target = :target and patient = any((select :patients::text[])::text[]);

-- name: lay_down!
-- Keys that these people no longer have are free for others; '' is the key of who is gone.
delete from bearer b using unnest(:people::text[], :patients::text[]) as now (person, patient)
where b.target = :target and b.person = now.person and b.patient <> now.patient;

-- name: kinds
-- Which types a target was ever sent of its people's own.
select distinct split_part(key, '?', 1) as kind from delivered, jsonb_object_keys(digests) as key where target = :target;

-- name: waiting_of$
select count(*) from queue where target = :target and person = any(:people::text[]);

-- name: unremember_all!
-- With what else there is of them, to be taken back.
update delivered set digests = more::jsonb || (
  select coalesce(jsonb_object_agg(key, ''), '{}') from jsonb_object_keys(digests) as key)
from unnest(:people::text[], :more::text[]) as again (person, more)
where target = :target and delivered.person = again.person;

-- name: held_of
select person, key from held where person = any((select :people::text[])::text[]);

-- name: open_staff_session!
-- Those that ended go with it.
with ended as (delete from staff_session where expires_at <= :now)
insert into staff_session (id_hash, username, name, expires_at) values (:id_hash, :username, :name, :until);

-- name: staff_session^
select username, name from staff_session where id_hash = :id_hash and expires_at > :now;

-- name: close_staff_session!
delete from staff_session where id_hash = :id_hash;

-- name: pace
-- People carried in each of the last thirty minutes that had any, as far as deliveries are kept.
select date_trunc('minute', delivered_at) as minute, count(*) as people from delivery
where delivered_at > :now::timestamptz - interval '30 minutes' and outcome <> 'not_ours' group by 1 order by 1;

-- name: latest
-- The latest deliveries that sent something, newest first.
select target, person, outcome, entries, delivered_at, coalesce(changed_at, noticed_at) as began_at
from delivery where outcome in ('delivered', 'retracted') order by number desc limit :most;

-- name: lives
-- The changes of one person and what became of them, newest first.
select target, outcome, entries, traceparent, changed_at, noticed_at, fetched_at, mapped_at, sent_at, delivered_at
from delivery where person = :person order by number desc limit :most;

-- name: waiting_for
-- Where a person waits, since when and why.
select target, noticed_at, attempts, trouble, try_at, lease is not null as in_flight
from queue where person = :person order by target;
