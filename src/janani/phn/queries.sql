-- name: by_id(id)^
select id, phn, resource, revision, updated_at from person where id = :id;

-- name: by_phn(phn)^
select id, phn, resource, revision, updated_at from person where phn = :phn;

-- name: by_request(request_id)^
select p.id, p.phn, p.resource, p.revision, p.updated_at
from issue i join person p on p.id = i.person_id
where i.request_id = :request_id;

-- name: found(id, phns, subjects, nics, name_keys, gender, birth_date, phones, most)
-- PDQm search: every criterion that is given must hold; several values of one are alternatives.
select id, phn, resource, revision, updated_at
from person
where (:id::uuid is null or id = :id::uuid)
  and ((:phns::text[] is null and :subjects::text[] is null and :nics::text[] is null)
       or phn = any(:phns::text[]) or subject = any(:subjects::text[]) or nic = any(:nics::text[]))
  and (:name_keys::text[] is null or name_keys @> :name_keys::text[])
  and (:gender::text is null or gender = :gender::text)
  and (:birth_date::date is null or birth_date = :birth_date::date)
  and (:phones::text[] is null or phones && :phones::text[])
order by phn
limit :most;

-- name: candidates(phn, subject, nic, name_keys, birth_date, phones)
-- Whom $match compares: all who share a number, a telephone or a birthday, and those whose names sound alike.
select id, phn, subject, nic, name, gender, birth_date, phones, resource, revision, updated_at
from person
where phn = :phn::text
   or subject = :subject::text
   or nic = :nic::text
   or phones && :phones::text[]
   or (birth_date = :birth_date::date and (name_keys && :name_keys::text[] or cardinality(:name_keys::text[]) = 0))
   or (cardinality(:name_keys::text[]) > 1 and name_keys @> :name_keys::text[])
   or (name_keys && :name_keys::text[] and birth_date between :birth_date::date - 370 and :birth_date::date + 370)
order by (phn = :phn::text) desc nulls last, (subject = :subject::text) desc nulls last,
         (nic = :nic::text) desc nulls last, (birth_date = :birth_date::date) desc nulls last
limit 200;

-- name: hold_identity(keys)!
-- Two requests for one identity wait for each other; keys are hashes of her numbers, sorted.
select pg_advisory_xact_lock(k) from unnest(:keys::bigint[]) as k;

-- name: holders(subject, nic)
-- Who holds a PHN under this verified identity or NIC already; which of the two it is.
select id, coalesce(subject = :subject::text, false) as same_subject
from person
where subject = :subject::text or nic = :nic::text;

-- name: next_serial(point_of_issue)$
insert into serial (point_of_issue, next) values (:point_of_issue, 1)
on conflict (point_of_issue) do update set next = serial.next + 1
returning next - 1;

-- name: add_person(id, phn, subject, nic, name, name_keys, gender, birth_date, phones, resource, at)$
-- Nothing comes back when the number is taken.
insert into person (id, phn, subject, nic, name, name_keys, gender, birth_date, phones, resource, updated_at)
values (:id, :phn, :subject, :nic, :name, :name_keys, :gender, :birth_date, :phones, :resource, :at)
on conflict (phn) do nothing
returning id;

-- name: add_people(people, at)!
-- Demo people at start, in one statement: an array of objects with the columns of person.
insert into person (id, phn, subject, nic, name, name_keys, gender, birth_date, phones, resource, updated_at)
select gen_random_uuid(), p.phn, p.subject, p.nic, p.name, p.name_keys, p.gender, p.birth_date, p.phones, p.resource,
       :at::timestamptz
from jsonb_to_recordset(:people::jsonb) as p (
    phn text, subject text, nic text, name text, name_keys text[], gender text, birth_date date, phones text[],
    resource jsonb
)
on conflict (phn) do nothing;

-- name: change_person(phn, subject, nic, name, name_keys, gender, birth_date, phones, resource, at, revision)^
-- With a revision only that one is replaced: two midwives at once can't overwrite each other unseen.
update person
set subject = :subject, nic = :nic, name = :name, name_keys = :name_keys, gender = :gender, birth_date = :birth_date,
    phones = :phones, resource = :resource, updated_at = :at, revision = revision + 1, rules = 2
where phn = :phn and (:revision::int is null or revision = :revision::int)
returning id, phn, resource, revision, updated_at;

-- name: note_issue(request_id, person_id, at)!
insert into issue (request_id, person_id, issued_at) values (:request_id, :person_id, :at);

-- name: note(at, who, action, people)!
insert into audit (at, who, action, person_id)
select :at, :who, :action, p from unnest(:people::uuid[]) as p;

-- name: note_nobody(at, who, action)!
insert into audit (at, who, action) values (:at, :who, :action);

-- name: of_old_rules(most)
-- People whose columns were made by the rules of an earlier release.
select id, resource from person where rules < 2 order by id limit :most for update skip locked;

-- name: made_anew(ids, nics, names, name_keys)!
-- What they are compared by now, nulls where it stays; `name_keys` has the keys of a name with blanks between.
update person p set rules = 2, nic = coalesce(n.nic, p.nic), name = coalesce(n.name, p.name),
  name_keys = coalesce(string_to_array(n.name_keys, ' '), p.name_keys)
from unnest(:ids::uuid[], :nics::text[], :names::text[], :name_keys::text[]) as n (id, nic, name, name_keys)
where p.id = n.id;
