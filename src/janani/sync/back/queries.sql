-- name: position$
select position from back_feed where name = 'history';

-- name: move!
insert into back_feed (name, position, read_at) values ('history', :position, :now)
on conflict (name) do update set position = excluded.position, read_at = excluded.read_at;

-- name: notice!
-- Coalesces; what was set aside gets another chance when it changes. Neither that nor what still waits for a person was
-- brought. A decision about an older version is not one about this.
with gone as (
  delete from back_dead where source = any(:sources::text[]) returning source, nullif(first, 0) as first
), asked as (
  select source, min(first) as first from conflict
  where decided = '' and first > 0 and source = any(:sources::text[]) group by source
)
insert into back_queue (source, name, version, first, noticed_at, try_at)
select s, n, v, least(f, gone.first, asked.first), :now, :now
from unnest(:sources::text[], :names::text[], :versions::int[], :firsts::int[]) as t (s, n, v, f)
left join gone on gone.source = s left join asked on asked.source = s
order by s
on conflict (source) do update set
  change = back_queue.change + 1,
  version = greatest(back_queue.version, excluded.version),
  first = least(back_queue.first, excluded.first),
  next_first = least(back_queue.next_first, excluded.first),
  verdict = case when excluded.version > back_queue.version then '' else back_queue.verdict end,
  next_verdict = case when excluded.version > back_queue.version then '' else back_queue.next_verdict end,
  refused = case when excluded.version > back_queue.version then 0 else back_queue.refused end,
  refused_since = case when excluded.version > back_queue.version then null else back_queue.refused_since end,
  try_at = least(back_queue.try_at, excluded.try_at);

-- name: decide!
-- What a person decided is done like any other change. What came since, nobody saw: it is judged anew.
insert into back_queue (source, name, version, first, verdict, noticed_at, try_at)
values (:source, :name, :version, :first, :verdict, :now, :now)
on conflict (source) do update set
  change = back_queue.change + 1,
  first = least(back_queue.first, nullif(excluded.first, 0)),
  next_first = least(back_queue.next_first, nullif(excluded.first, 0)),
  verdict = case when excluded.version < back_queue.version then back_queue.verdict
    else trim(back_queue.verdict || ' ' || excluded.verdict) end,
  next_verdict = case when excluded.version < back_queue.version then back_queue.next_verdict
    else trim(back_queue.next_verdict || ' ' || excluded.verdict) end,
  try_at = excluded.try_at;

-- name: claim^
-- One due source; it is due again after the lease, should this process die.
update back_queue set try_at = :until, attempts = attempts + 1, next_first = null, next_verdict = ''
where source = (
  select source from back_queue where try_at <= :now order by try_at, source limit 1 for update skip locked)
returning source, name, version, first, verdict, change, attempts, refused, refused_since, noticed_at;

-- name: finish!
-- Done, unless it changed meanwhile: then it is due at once, and what was brought is what the change is judged by. The
-- row is locked first: a change that is just being noted is waited for.
with held as materialized (
  select change from back_queue where source = :source for update
), done as (
  delete from back_queue using held where source = :source and held.change = :change
)
update back_queue set try_at = :now, attempts = 0, refused = 0, refused_since = null, trouble = '',
  verdict = case when :brought then next_verdict else verdict end,
  first = case when :brought then least(
    coalesce(next_first, version + 1),
    (select min(c.first) from conflict c where c.source = :source and c.decided = '' and c.first > 0)
  ) else first end
from held where source = :source and held.change <> :change;

-- name: release!
update back_queue set try_at = :try_at, trouble = :trouble, refused = refused + :refused,
  refused_since = case when :refused > 0 then coalesce(refused_since, :now) else refused_since end
where source = :source;

-- name: set_aside!
insert into back_dead (source, reason, attempts, since, name, version, first)
values (:source, :reason, :attempts, :now, :name, :version, :first)
on conflict (source) do update set reason = excluded.reason, attempts = excluded.attempts,
  version = excluded.version, first = least(back_dead.first, excluded.first);

-- name: again
-- Another try of what was set aside: one, or all.
with gone as (
  delete from back_dead where :source::text = '' or source = :source returning source, name, version, first
)
insert into back_queue (source, name, version, first, noticed_at, try_at)
select source, name, version, first, :now, :now from gone
on conflict (source) do update set change = back_queue.change + 1, try_at = excluded.try_at,
  first = least(back_queue.first, nullif(excluded.first, 0))
returning source;

-- name: drop_dead
-- Forgotten, until it changes again.
delete from back_dead where source = :source returning source;

-- name: revive!
delete from back_dead where source = :source;

-- name: sources_of
-- Sources that deleted resources went with.
select resource, source from brought_from where resource = any(:resources::text[]);

-- name: brought^
select event, person, elements, digest from brought where source = :source;

-- name: bring!
-- With the resources it was made of.
with kept as (
  insert into brought (source, event, person, elements, digest, brought_at)
  values (:source, :event, :person, :elements::text[], :digest, :now)
  on conflict (source) do update set
    elements = excluded.elements, digest = excluded.digest, brought_at = excluded.brought_at
)
insert into brought_from (resource, source) select r, :source from unnest(:resources::text[]) as r
on conflict (resource) do update set source = excluded.source;

-- name: forget_brought!
with gone as (delete from brought_from where source = :source)
delete from brought where source = :source;

-- name: unread!
with before as (delete from unread where source = :source and not what = any(:whats::text[]))
insert into unread (source, what) select :source, w from unnest(:whats::text[]) as w
on conflict do nothing;

-- name: said_of_events
select event, digests from said where event = any(:events::text[]);

-- name: said_of_people
select event, digests from said where person = any((select :people::text[])::text[]);

-- name: say!
insert into said (event, person, digests)
select e, p, d::jsonb from unnest(:events::text[], :people::text[], :digests::text[]) as t (e, p, d)
order by e
on conflict (event) do update set digests = excluded.digests;

-- name: held
select person, key, event, elements, digest from held where person = any((select :people::text[])::text[]);

-- name: hold!
insert into held (person, key, event, elements, digest) values (:person, :key, :event, :elements::text[], :digest)
on conflict (person, key) do update set elements = excluded.elements, digest = excluded.digest;

-- name: let_go!
delete from held where person = :person and key = any(:keys::text[]);

-- name: resend!
-- The next delivery of this person sends the resource again.
update delivered set digests = jsonb_set(digests, array[:key::text], '""') where person = :person and digests ? :key;

-- name: queue_person!
insert into queue (target, person, noticed_at, try_at) values ('record', :person, :now, :now)
on conflict (target, person) do update set change = queue.change + 1, try_at = least(queue.try_at, excluded.try_at);

-- name: forward_waiting$
-- To the record alone: that another target is away says nothing of it.
select count(*) from (select 1 from queue where target = 'record' limit 200) as waiting;

-- name: ask!
insert into conflict (source, name, version, first, person, event, element, registry_text, record_text, noticed_at)
values (:source, :name, :version, :first, :person, :event, :element, :registry_text, :record_text, :now)
on conflict (event, element) where decided = '' do update set
  source = excluded.source, name = excluded.name, version = excluded.version,
  registry_text = excluded.registry_text, record_text = excluded.record_text;

-- name: open_conflicts
select number, source, person, event, element, registry_text, record_text, noticed_at
from conflict where decided = '' order by number limit 200;

-- name: decided_conflicts
select number, person, event, element, decided, decided_by, decided_at
from conflict where decided <> '' order by decided_at desc limit 50;

-- name: open_conflict^
select source, name, version, first, element, registry_text, record_text from conflict
where number = :number and decided = '' for update;

-- name: close_conflict!
-- The texts go with the decision: they are in both servers' histories.
update conflict set decided = :decided, decided_by = :who, decided_at = :now, registry_text = null, record_text = null
where number = :number;

-- name: close_conflicts_of!
-- Both sides agree again.
update conflict set decided = :decided, decided_by = '', decided_at = :now, registry_text = null, record_text = null
where event = :event and element = :element and decided = '';

-- name: summary^
select
  (select position from back_feed) as position,
  (select count(*) from back_queue) as waiting,
  (select min(noticed_at) from back_queue) as oldest,
  (select count(*) from brought) as brought,
  (select count(*) from back_dead) as dead,
  (select count(*) from conflict where decided = '') as conflicts;

-- name: unread_list
select what, count(*) as times from unread group by what order by times desc, what limit 50;

-- name: dead_list
select source, reason, attempts, since from back_dead where :source::text = '' or source = :source
order by since desc, source limit 1000;
