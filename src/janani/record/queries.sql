-- name: lock_criteria(locks)!
-- Two requests with the same conditional criteria take turns, so that neither creates what the other just did.
select pg_advisory_xact_lock(k) from unnest(:locks::bigint[]) as k;

-- name: match_tokens(places, names, systems, codes, patient)
-- Resolves every criterion of the form Type?identifier=system|value of a bundle at once: at most 2 matches count.
select w.place::int as place, f.type, f.id
from unnest(:places::int[], :names::text[], :systems::text[], :codes::text[]) as w (place, name, system, code)
cross join lateral (
    select r.type, r.id
    from token t
    join resource r on r.key = t.key and not r.deleted
    where t.name = w.name and t.code = w.code and t.system = w.system
        and (:patient::text is null or r.compartment @> array[:patient::text])
    limit 2
) f;

-- name: lock_deleted(types, ids)
-- The rows a bundle will delete: this waits for all who refer to them (`present_targets`), and they wait for it.
select r.key, r.type, r.id, r.version, r.deleted, r.last_updated, r.compartment
from resource r
where (r.type, r.id) in (select * from unnest(:types::text[], :ids::text[]))
order by r.key
for update;

-- name: lock_resources(types, ids)
-- The rows a bundle will change, locked in one order so that bundles don't wait for each other in a circle. Who only
-- refers to them doesn't wait. Their JSON is read by a statement of its own: one that waited for a lock still sees the
-- versions from before.
select r.key, r.type, r.id, r.version, r.deleted, r.last_updated, r.compartment
from resource r
where (r.type, r.id) in (select * from unnest(:types::text[], :ids::text[]))
order by r.key
for no key update;

-- name: share_resources(types, ids)
-- The rows a bundle only refers to: they may not go meanwhile, but others may refer to them at the same time.
select r.key, r.type, r.id, r.version, r.deleted, r.last_updated, r.compartment
from resource r
where (r.type, r.id) in (select * from unnest(:types::text[], :ids::text[]))
order by r.key
for share;

-- name: bodies_of(keys)
-- The JSON of locked resources as they are now.
select r.key, v.body, v.sent
from resource r
join version v on v.key = r.key and v.version = r.version
where r.key = any(:keys::bigint[]);

-- name: present_targets(types, ids)
-- Which of the resources that others are about to point at are there; they stay until the transaction ends (referential
-- integrity). The weakest lock: it is at odds with a deletion alone.
select r.type, r.id
from resource r
where (r.type, r.id) in (select * from unnest(:types::text[], :ids::text[])) and not r.deleted
order by r.key
for key share;

-- name: still_referred(types, ids, leaving)
-- Which of the resources that are about to go are still pointed at by others that stay.
select f.target_type as type, f.target_id as id, r.type as from_type, r.id as from_id
from unnest(:types::text[], :ids::text[]) as w (type, id)
join reference f on f.target_type = w.type and f.target_id = w.id
join resource r on r.key = f.key and not r.deleted
where r.key <> all(:leaving::bigint[]) and r.type <> 'AuditEvent'
limit 1;

-- name: create_resources(types, ids, methods, compartments, bodies, sent, updated)
-- New resources with their first versions, in the order given; their keys in that order.
with given as materialized (
    select nextval('resource_key_seq') as key, w.*
    from unnest(:types::text[], :ids::text[], :methods::text[], :compartments::text[], :bodies::bytea[], :sent::text[])
        as w (type, id, method, compartment, body, sent)
), made as (
    insert into resource (key, type, id, version, last_updated, deleted, compartment) overriding system value
    select key, type, id, 1, :updated::timestamptz, false, string_to_array(compartment, ' ') from given
), first as (
    insert into version (key, version, type, id, method, last_updated, compartment, body, sent)
    select key, 1, type, id, method, :updated::timestamptz, string_to_array(compartment, ' '), body, sent from given
)
select key from given;

-- name: update_resources(keys, types, ids, versions, methods, compartments, bodies, sent, updated)!
-- The next versions of existing resources; one without a body is its deletion.
with given as materialized (
    select w.*
    from unnest(:keys::bigint[], :types::text[], :ids::text[], :versions::int[], :methods::text[], :compartments::text[],
        :bodies::bytea[], :sent::text[]) as w (key, type, id, version, method, compartment, body, sent)
), changed as (
    update resource r
    set version = w.version, deleted = w.body is null, last_updated = :updated::timestamptz,
        compartment = string_to_array(w.compartment, ' ')
    from given w
    where r.key = w.key
)
insert into version (key, version, type, id, method, last_updated, compartment, body, sent)
select key, version, type, id, method, :updated::timestamptz, string_to_array(compartment, ' '), body, sent from given;

-- name: note_sent(keys, digests)!
-- What was sent says the same in other words than what made the current version: the words are remembered.
update version v set sent = w.digest
from unnest(:keys::bigint[], :digests::text[]) as w (key, digest)
join resource r on r.key = w.key
where v.key = w.key and v.version = r.version;

-- name: sent_digests(systems, codes, owned)
-- What there is about the Patients with these identifiers and has an identifier (or tag) of an owned system, with the
-- digest of what was sent. Nothing clinical leaves. Found by references, which unlike compartments are cheap to look up
-- for many; each step is fenced (offset 0), as no statistics tell the planner that few resources refer to one person.
with people as materialized (
    select distinct w.code, r.key, r.id
    from unnest(:systems::text[], :codes::text[]) as w (system, code)
    join token t on t.name = 'Patient.identifier' and t.system = w.system and t.code = w.code
    join resource r on r.key = t.key and not r.deleted
), about as materialized (
    select code, key from people
    union
    select p.code, f.key from people p cross join lateral (
        select key from reference
        where target_type = 'Patient' and target_id = p.id and name not like 'AuditEvent.%' offset 0) f
)
select a.code as person, r.type, r.id, t.system, t.code, v.sent
from about a
cross join lateral (select type, id, version from resource where key = a.key and not deleted offset 0) r
cross join lateral (select sent from version where key = a.key and version = r.version offset 0) v
cross join lateral (
    select system, code from token where key = a.key and name in (r.type || '.identifier', r.type || '._tag')
      and system = any(:owned::text[]) offset 0) t;

-- name: join_whole_sets!
-- For the rest of the transaction: sets are joined as sets (hash, merge). No statistics tell the planner how many
-- resources a few hundred people have; it would look each one up, which costs ten times the pages.
set local enable_nestloop = off;

-- name: sent_fingerprints(systems, codes, owned)
-- `sent_digests`, all of a person in one: SHA-256 of her lines "digest type system code", sorted by their bytes. People
-- and what refers to them are looked up one by one (lateral), then three indexes are each walked once.
with people as materialized (
    select distinct w.code, p.key, p.id
    from unnest(:systems::text[], :codes::text[]) as w (system, code)
    cross join lateral (
        select key from token where name = 'Patient.identifier' and system = w.system and code = w.code offset 0) t
    cross join lateral (select key, id from resource where key = t.key and not deleted offset 0) p
), about as materialized (
    select code, key from people
    union
    select p.code, f.key from people p cross join lateral (
        select key from reference
        where target_type = 'Patient' and target_id = p.id and name not like 'AuditEvent.%' offset 0) f
), line as (
    select a.code as person, (coalesce(v.sent, '') || ' ' || r.type || ' ' || t.system || ' ' || t.code) collate "C" as said
    from about a
    join resource r on r.key = a.key and not r.deleted
    join version v on v.key = r.key and v.version = r.version
    join token t on t.key = r.key and t.name in (r.type || '.identifier', r.type || '._tag')
      and t.system = any(:owned::text[])
    where r.key = any(array(select key from about)) and v.key = any(array(select key from about))
      and t.key = any(array(select key from about))
)
select person, encode(sha256(convert_to(string_agg(said, E'\n' order by said), 'UTF8')), 'hex') as fingerprint
from line group by person;

-- name: delete_index(keys)!
-- The index rows of versions that are no longer current.
with a as (delete from token where key = any(:keys::bigint[])),
     b as (delete from reference where key = any(:keys::bigint[])),
     c as (delete from date_span where key = any(:keys::bigint[])),
     d as (delete from string where key = any(:keys::bigint[]))
delete from quantity where key = any(:keys::bigint[]);

-- name: read_current(type, id)^
-- One resource as it is now, deleted or not.
select r.key, r.version, r.last_updated, r.deleted, r.compartment, v.body
from resource r
join version v on v.key = r.key and v.version = r.version
where r.type = :type and r.id = :id;

-- name: read_version(type, id, version)^
-- One version of one resource; its own compartment decides who may see it.
select v.version, v.last_updated, v.compartment, v.body
from resource r
join version v on v.key = r.key
where r.type = :type and r.id = :id and v.version = :version;

-- name: bodies(keys, patient, shared)
-- A page's resources in order; what was deleted since or is not the patient's is left out.
select r.type, r.id, r.version, r.compartment, v.body, r.key
from unnest(:keys::bigint[]) with ordinality as w (key, place)
join resource r on r.key = w.key and not r.deleted
join version v on v.key = r.key and v.version = r.version
where :patient::text is null
    or r.compartment @> array[:patient::text]
    or (r.compartment = '{}' and r.type = any(:shared::text[]))
order by w.place;

-- name: included(keys, names, targets)
-- What a page points at through the named references (`targets`: its type, or empty for any).
select distinct r.key
from unnest(:names::text[], :targets::text[]) as w (name, target)
join reference f on f.name = w.name and f.key = any(:keys::bigint[])
join resource r on r.type = f.target_type and r.id = f.target_id and not r.deleted
where w.target = '' or w.target = r.type;

-- name: pointing_at(keys, names, targets)
-- What points at a page through the named references (`targets`: the type of the page's resource, or empty for any).
select distinct f.key
from unnest(:names::text[], :targets::text[]) as w (name, target)
join resource p on p.key = any(:keys::bigint[]) and (w.target = '' or w.target = p.type)
join reference f on f.target_type = p.type and f.target_id = p.id and f.name = w.name;

-- name: saved_result(id, owner, since)^
-- A search's matches, for those who made it, within the hour.
select keys, query, made_at from search_result where id = :id and owner = :owner and made_at > :since;

-- name: forget_results(before)!
-- Results nobody will page through any more.
delete from search_result where made_at < :before;
