-- Named statements of the tracker. Batches travel as one JSON parameter and become rows with json_to_recordset, of
-- which the planner expects a hundred: ids are looked up a row (a sub-select), so that it never reads a whole table.
-- `any((select :ids)…)` hides how many there are: for one or none it would make a plan anew each time, which takes
-- longer than to run it.

-- name: lock_people(people, enrollments, events)
-- Whoever writes about a person takes her row first, in one order for all, so that writers take turns and never
-- wait for each other in a circle. Three ways to find her, each by an index of its own: `or` would read everybody.
select id from tracked_entity
 where id in (select id from tracked_entity where uid = any((select :people::text[])::text[])
              union select tracked_entity from enrollment where uid = any((select :enrollments::text[])::text[])
              union select n.tracked_entity from event e join enrollment n on n.id = e.enrollment
                     where e.uid = any((select :events::text[])::text[]))
 order by id for update;

-- name: lock_events_alone(events)!
-- Events without registration have nobody whose row would be taken: writers take turns at the events themselves.
select from event where enrollment is null and uid = any((select :events::text[])::text[]) order by id for update;

-- name: known_entities(ids)
select e.uid, e.type, e.org_unit, e.deleted, e.inactive, e.potential_duplicate, e.geometry::text as geometry,
       e.stored_by, e.created_at_client, e.updated_at_client,
       (select json_object_agg(v.attribute, v.value) from attribute_value v where v.tracked_entity = e.id)::text
         as attribute_values
  from tracked_entity e where e.id = any((select :ids::bigint[])::bigint[]);

-- name: known_enrollments(ids)
select n.uid, t.uid as tracked_entity, n.program, n.org_unit, n.status, n.deleted, n.enrolled_at, n.occurred_at,
       n.completed_at, n.completed_by, n.follow_up, n.geometry::text as geometry, n.stored_by, n.created_at_client,
       n.updated_at_client
  from enrollment n join tracked_entity t on t.id = n.tracked_entity
 where n.tracked_entity = any((select :ids::bigint[])::bigint[]);

-- name: known_events(events, ids)
-- The people's events; whole only those that the bundle is about.
select e.uid, n.uid as enrollment, t.uid as tracked_entity, e.program, e.program_stage, e.org_unit, e.status,
       e.deleted, e.occurred_at, e.scheduled_at, e.completed_at, e.completed_by, e.attribute_option_combo,
       e.attribute_category_options, e.assigned_user::text as assigned_user, e.geometry::text as geometry, e.stored_by,
       e.created_at_client, e.updated_at_client,
       case when e.uid = any((select :events::text[])::text[]) then e.data_values::text else '{}' end as data_values
  from event e
  left join enrollment n on n.id = e.enrollment
  left join tracked_entity t on t.id = n.tracked_entity
 where e.id in (select id from event
                 where enrollment in (select id from enrollment
                                       where tracked_entity = any((select :ids::bigint[])::bigint[]))
                union select id from event where enrollment is null and uid = any((select :events::text[])::text[]));

-- name: known_owners(ids)
select t.uid as tracked_entity, o.program, o.org_unit
  from program_owner o join tracked_entity t on t.id = o.tracked_entity
 where o.tracked_entity = any((select :ids::bigint[])::bigint[]);

-- name: known_unique_values(pairs)
-- Whose the unique values are that the bundle brings. Looked up one by one (offset 0), in the index of values.
select v.attribute, v.unique_within, v.value, v.uid as tracked_entity
  from json_to_recordset(:pairs::json) as x(attribute text, value text)
 cross join lateral (
   select a.attribute, a.unique_within, a.value, (select uid from tracked_entity where id = a.tracked_entity) as uid
     from attribute_value a
    where a.attribute = x.attribute and lower(left(a.value, 200)) = lower(left(x.value, 200)) and a.value = x.value
      and a.unique_within is not null
   offset 0) v;

-- name: known_reservations(pairs, now)
select r.attribute, r.value from reserved_value r
  join json_to_recordset(:pairs::json) as x(attribute text, value text) using (attribute, value)
 where r.expires > :now::timestamptz;

-- name: known_notes(uids)
select uid from note where uid = any(:uids::text[]);

-- name: add_entities(now, by, rows)!
insert into tracked_entity (uid, type, org_unit, inactive, potential_duplicate, geometry, stored_by,
  created_at, updated_at, created_at_client, updated_at_client, created_by, updated_by)
select x.uid, x.type, x.org_unit, x.inactive, x.potential_duplicate, x.geometry, x.stored_by,
  :now::timestamptz, :now::timestamptz, x.created_at_client, x.updated_at_client, :by::jsonb, :by::jsonb
  from json_to_recordset(:rows::json) as x(uid text, type text, org_unit text, inactive boolean,
    potential_duplicate boolean, geometry jsonb, stored_by text, created_at_client timestamptz,
    updated_at_client timestamptz);

-- name: change_entities(rows)!
update tracked_entity t
   set org_unit = x.org_unit, inactive = x.inactive, potential_duplicate = x.potential_duplicate,
       geometry = x.geometry, stored_by = x.stored_by, created_at_client = x.created_at_client,
       updated_at_client = x.updated_at_client
  from json_to_recordset(:rows::json) as x(uid text, org_unit text, inactive boolean, potential_duplicate boolean,
    geometry jsonb, stored_by text, created_at_client timestamptz, updated_at_client timestamptz)
 where t.uid = x.uid;

-- name: move_unique_values(rows)!
-- What is unique within a unit is so within the unit that these people are at now.
update attribute_value v set unique_within = t.org_unit
  from json_to_recordset(:rows::json) as x(uid text), tracked_entity t
 where t.uid = x.uid and v.tracked_entity = t.id and v.unique_within <> '' and v.unique_within <> t.org_unit;

-- name: touch_entities(now, by, uids)!
-- Any change to a person's record moves her own stamp: sync clients follow nothing else.
update tracked_entity set updated_at = :now::timestamptz, updated_by = :by::jsonb where uid = any(:uids::text[]);

-- name: drop_values(rows)!
delete from attribute_value v
 using json_to_recordset(:rows::json) as x(tracked_entity text, attribute text), tracked_entity t
 where t.uid = x.tracked_entity and v.tracked_entity = t.id and v.attribute = x.attribute;

-- name: save_values(now, rows)!
insert into attribute_value (tracked_entity, attribute, value, unique_within, stored_by, created_at, updated_at)
select (select id from tracked_entity where uid = x.tracked_entity), x.attribute, x.value, x.unique_within, x.stored_by,
  :now::timestamptz, :now::timestamptz
  from json_to_recordset(:rows::json) as x(tracked_entity text, attribute text, value text, unique_within text,
    stored_by text)
on conflict (tracked_entity, attribute) do update
   set value = excluded.value, unique_within = excluded.unique_within, stored_by = excluded.stored_by,
       updated_at = excluded.updated_at;

-- name: add_enrollments(now, by, rows)!
insert into enrollment (uid, tracked_entity, program, org_unit, status, enrolled_at, occurred_at, completed_at,
  completed_by, follow_up, geometry, stored_by, created_at, updated_at, created_at_client, updated_at_client,
  created_by, updated_by)
select x.uid, (select id from tracked_entity where uid = x.tracked_entity), x.program, x.org_unit, x.status,
  x.enrolled_at, x.occurred_at, x.completed_at, x.completed_by, x.follow_up, x.geometry, x.stored_by,
  :now::timestamptz, :now::timestamptz, x.created_at_client, x.updated_at_client, :by::jsonb, :by::jsonb
  from json_to_recordset(:rows::json) as x(uid text, tracked_entity text, program text, org_unit text, status text,
    enrolled_at timestamptz, occurred_at timestamptz, completed_at timestamptz, completed_by text, follow_up boolean,
    geometry jsonb, stored_by text, created_at_client timestamptz, updated_at_client timestamptz);

-- name: change_enrollments(now, by, rows)!
update enrollment n
   set org_unit = x.org_unit, status = x.status, enrolled_at = x.enrolled_at, occurred_at = x.occurred_at,
       completed_at = x.completed_at, completed_by = x.completed_by, follow_up = x.follow_up, geometry = x.geometry,
       stored_by = x.stored_by, created_at_client = x.created_at_client, updated_at_client = x.updated_at_client,
       updated_at = :now::timestamptz, updated_by = :by::jsonb
  from json_to_recordset(:rows::json) as x(uid text, org_unit text, status text, enrolled_at timestamptz,
    occurred_at timestamptz, completed_at timestamptz, completed_by text, follow_up boolean, geometry jsonb,
    stored_by text, created_at_client timestamptz, updated_at_client timestamptz)
 where n.uid = x.uid;

-- name: add_owners(rows)!
insert into program_owner (tracked_entity, program, org_unit)
select (select id from tracked_entity where uid = x.tracked_entity), x.program, x.org_unit
  from json_to_recordset(:rows::json) as x(tracked_entity text, program text, org_unit text)
on conflict do nothing;

-- name: add_events(now, by, rows)!
insert into event (uid, enrollment, program, program_stage, org_unit, status, occurred_at, scheduled_at, completed_at,
  completed_by, attribute_option_combo, attribute_category_options, assigned_user, geometry, stored_by,
  created_at, updated_at, created_at_client, updated_at_client, created_by, updated_by, data_values)
select x.uid, (select id from enrollment where uid = x.enrollment), x.program, x.program_stage, x.org_unit, x.status,
  x.occurred_at, x.scheduled_at, x.completed_at, x.completed_by, x.attribute_option_combo, x.attribute_category_options,
  x.assigned_user, x.geometry, x.stored_by,
  :now::timestamptz, :now::timestamptz, x.created_at_client, x.updated_at_client, :by::jsonb, :by::jsonb, x.data_values
  from json_to_recordset(:rows::json) as x(uid text, enrollment text, program text, program_stage text, org_unit text,
    status text, occurred_at timestamptz, scheduled_at timestamptz, completed_at timestamptz, completed_by text,
    attribute_option_combo text, attribute_category_options text, assigned_user jsonb, geometry jsonb, stored_by text,
    created_at_client timestamptz, updated_at_client timestamptz, data_values jsonb);

-- name: change_events(now, by, rows)!
update event e
   set org_unit = x.org_unit, status = x.status, occurred_at = x.occurred_at, scheduled_at = x.scheduled_at,
       completed_at = x.completed_at, completed_by = x.completed_by, attribute_option_combo = x.attribute_option_combo,
       attribute_category_options = x.attribute_category_options, assigned_user = x.assigned_user,
       geometry = x.geometry, stored_by = x.stored_by, created_at_client = x.created_at_client,
       updated_at_client = x.updated_at_client, data_values = x.data_values,
       updated_at = :now::timestamptz, updated_by = :by::jsonb
  from json_to_recordset(:rows::json) as x(uid text, org_unit text, status text, occurred_at timestamptz,
    scheduled_at timestamptz, completed_at timestamptz, completed_by text, attribute_option_combo text,
    attribute_category_options text, assigned_user jsonb, geometry jsonb, stored_by text,
    created_at_client timestamptz, updated_at_client timestamptz, data_values jsonb)
 where e.uid = x.uid;

-- name: add_notes(now, by, rows)!
insert into note (uid, enrollment, event, value, stored_by, stored_at, created_by)
select x.uid, n.id, e.id, x.value, x.stored_by, :now::timestamptz, :by::jsonb
  from json_to_recordset(:rows::json) as x(uid text, enrollment text, event text, value text, stored_by text)
  left join enrollment n on n.uid = x.enrollment
  left join event e on e.uid = x.event;

-- name: delete_entities(uids, now, by)!
-- A person's unique values are free again once she is deleted.
with gone as (
  update tracked_entity set deleted = true where uid = any(:uids::text[]) returning id
), free as (
  update attribute_value set unique_within = null where tracked_entity in (select id from gone)
), left_programs as (
  update enrollment set deleted = true, updated_at = :now::timestamptz, updated_by = :by::jsonb
   where tracked_entity in (select id from gone) and not deleted
)
update event set deleted = true, updated_at = :now::timestamptz, updated_by = :by::jsonb
 where not deleted
   and enrollment in (select id from enrollment where tracked_entity in (select id from gone));

-- name: delete_enrollments(now, by, uids)!
with gone as (
  update enrollment set deleted = true, updated_at = :now::timestamptz, updated_by = :by::jsonb
   where uid = any(:uids::text[]) returning id
)
update event set deleted = true, updated_at = :now::timestamptz, updated_by = :by::jsonb
 where not deleted and enrollment in (select id from gone);

-- name: delete_events(now, by, uids)!
update event set deleted = true, updated_at = :now::timestamptz, updated_by = :by::jsonb where uid = any(:uids::text[]);

-- name: announce(now, uids, traceparent)!
-- The outbox row and the wake-up call: both appear when the import commits, or never.
with told as (
  insert into tracker_change (tracked_entity, changed_at, traceparent)
  select uid, :now::timestamptz, :traceparent from unnest(:uids::text[]) as uid
)
select pg_notify('janani_tracker_change', '');

-- name: changes_after(transaction, number, limit)
-- In commit order; `settled` says that no earlier row can still appear.
select transaction::text as transaction, number, tracked_entity, changed_at, traceparent,
       transaction < pg_snapshot_xmin(pg_current_snapshot()) as settled
  from tracker_change
 where (transaction, number) > (:transaction::text::xid8, :number::bigint)
 order by tracker_change.transaction, number
 limit :limit::bigint;

-- name: settle_in()!
-- After a restore into another database, or to another time, the outbox's transaction ids mean nothing: it starts anew.
with here as (
  select concat_ws('/', (select system_identifier from pg_control_system()),
                   (select oid from pg_database where datname = current_database()),
                   (select timeline_id from pg_control_checkpoint())) as cluster
), moved as (
  update tracker_feed set cluster = here.cluster, pruned_transaction = '0', pruned_number = 0
    from here where tracker_feed.cluster <> here.cluster returning tracker_feed.cluster
)
delete from tracker_change
 where exists (select from moved) and exists (select from tracker_feed where cluster <> '');

-- name: feed_state()^
-- The epoch of cursors, where the feed begins, and a cursor that everything which is not settled yet lies behind.
select left(md5(cluster), 8) as epoch, pruned_transaction::text as transaction, pruned_number as number,
       pg_snapshot_xmin(pg_current_snapshot())::text as horizon
  from tracker_feed;

-- name: prune_changes(before)!
-- Forgets old changes, and how far: a reader who is not there yet is told. Only settled rows; batches keep it short.
with gone as (
  delete from tracker_change where number in (
    select number from tracker_change
     where changed_at < :before::timestamptz and transaction < pg_snapshot_xmin(pg_current_snapshot())
     order by changed_at limit 50000)
  returning transaction, number
), last as (select transaction, number from gone order by transaction desc, number desc limit 1)
update tracker_feed set pruned_transaction = last.transaction, pruned_number = last.number
  from last where (last.transaction, last.number) > (pruned_transaction, pruned_number);

-- name: next_number(attribute, key, count)$
-- Numbers `:count` values of a pattern; gives the last.
insert into generated_counter (attribute, key, last) values (:attribute, :key, :count::bigint)
on conflict (attribute, key) do update set last = generated_counter.last + :count::bigint
returning last;

-- name: free_values(values, attribute, now)
-- Those of `:values` that nobody has and nobody holds.
select value from unnest(:values::text[]) with ordinality as x(value, place)
 where not exists (select 1 from attribute_value v
                    where v.attribute = :attribute and lower(left(v.value, 200)) = lower(left(x.value, 200))
                      and v.value = x.value)
   and not exists (select 1 from reserved_value r where r.attribute = :attribute and r.value = x.value
                      and r.expires > :now::timestamptz)
 order by place;

-- name: reserve(attribute, key, now, expires, values)
-- Gives those that are now held for the caller: what somebody else holds stays theirs until it expires.
insert into reserved_value (attribute, value, key, created, expires)
select :attribute, value, :key, :now::timestamptz, :expires::timestamptz from unnest(:values::text[]) as value
on conflict (attribute, value) do update
   set key = excluded.key, created = excluded.created, expires = excluded.expires
 where reserved_value.expires < :now::timestamptz
returning value;

-- name: tree_entities(ids)
select id, uid, type, org_unit, inactive, potential_duplicate, deleted, geometry::text as geometry, stored_by,
       created_at, updated_at, created_at_client, updated_at_client, created_by::text as created_by,
       updated_by::text as updated_by
  from tracked_entity where id = any((select :ids::bigint[])::bigint[]);

-- name: tree_values(ids)
select tracked_entity, attribute, value, stored_by, created_at, updated_at
  from attribute_value where tracked_entity = any((select :ids::bigint[])::bigint[]) order by tracked_entity, attribute;

-- name: tree_owners(ids)
select o.tracked_entity, t.uid, o.program, o.org_unit
  from program_owner o join tracked_entity t on t.id = o.tracked_entity
 where o.tracked_entity = any((select :ids::bigint[])::bigint[]);

-- name: tree_enrollments(ids, people, deleted)
-- Enrolments by their own ids, or all of these people.
select n.id, n.uid, n.tracked_entity as person, t.uid as tracked_entity, n.program, n.org_unit, n.status,
       n.enrolled_at, n.occurred_at, n.completed_at, n.completed_by, n.follow_up, n.deleted,
       n.geometry::text as geometry, n.stored_by, n.created_at, n.updated_at, n.created_at_client, n.updated_at_client,
       n.created_by::text as created_by, n.updated_by::text as updated_by
  from enrollment n join tracked_entity t on t.id = n.tracked_entity
 where (n.id = any((select :ids::bigint[])::bigint[]) or n.tracked_entity = any((select :people::bigint[])::bigint[]))
   and (:deleted::boolean or not n.deleted)
 order by n.id;

-- name: tree_events(ids, enrollments, deleted, brief)
-- Events by their own ids, or all of these enrolments. With `brief` of their values only which and what: writing out
-- all that is kept of each is half of what reading many people costs.
select e.id, e.uid, e.enrollment as enrollment_id, n.uid as enrollment, t.uid as tracked_entity, e.program,
       e.program_stage, e.org_unit, e.status, e.occurred_at, e.scheduled_at, e.completed_at, e.completed_by,
       e.attribute_option_combo, e.attribute_category_options, e.assigned_user::text as assigned_user, e.deleted,
       coalesce(n.follow_up, false) as follow_up, e.geometry::text as geometry, e.stored_by, e.created_at, e.updated_at,
       e.created_at_client, e.updated_at_client, e.created_by::text as created_by, e.updated_by::text as updated_by,
       case when not :brief::boolean then e.data_values::text end as data_values,
       case when :brief::boolean then array(select jsonb_object_keys(e.data_values)) end as elements,
       case when :brief::boolean then jsonb_path_query_array(e.data_values, '$.*.value')::text end as said
  from event e
  left join enrollment n on n.id = e.enrollment
  left join tracked_entity t on t.id = n.tracked_entity
 where (e.id = any((select :ids::bigint[])::bigint[])
        or e.enrollment = any((select :enrollments::bigint[])::bigint[]))
   and (:deleted::boolean or not e.deleted)
 order by e.id;

-- name: tree_notes(enrollments, events)
select uid, enrollment, event, value, stored_by, stored_at, created_by::text as created_by
  from note
 where enrollment = any((select :enrollments::bigint[])::bigint[]) or event = any((select :events::bigint[])::bigint[])
 order by id;

-- name: people_of_enrollments(ids)
select id, uid, tracked_entity from enrollment where id = any((select :ids::bigint[])::bigint[]);

-- name: entity_place(uid)^
select deleted, type from tracked_entity where uid = :uid;
-- name: owner_in(id, program)$
-- The unit that owns a person in a programme; without an owner there, her own.
select coalesce(o.org_unit, t.org_unit) from tracked_entity t
  left join program_owner o on o.tracked_entity = t.id and o.program = :program
 where t.id = :id::bigint;

