-- name: waiting$
-- How many wait for the target that is furthest: a backfill waits while these are many, so that live changes are never
-- far behind; a target that is away holds up none of the others.
select coalesce(min(people), 0)
  from (select count(q.person) as people from target t left join queue q on q.target = t.name group by t.name) as each;

-- name: begin_backfill(program, reason, now)$
-- One at a time for a programme. One that has not begun to read serves the new reason too; else another follows.
with waiting as (
  select number from backfill b where program = :program and finished_at is null
     and not exists (select from backfill_unit where backfill = b.number) limit 1
), fresh as (
  insert into backfill (program, reason, started_at)
  select :program, :reason, :now::timestamptz where not exists (select from waiting) returning number
)
select number from waiting union all select number from fresh;

-- name: next_backfill()^
select number, program, exists (select from backfill_unit where backfill = number) as planned
  from backfill where finished_at is null order by number limit 1;

-- name: plan_backfill(number, units)!
insert into backfill_unit (backfill, unit) select :number, unit from unnest(:units::text[]) as unit
on conflict do nothing;

-- name: units_left(number)
select unit, page from backfill_unit where backfill = :number and not done order by unit;

-- name: unit_read(number, unit, page, people, done, refused)!
update backfill_unit set page = :page, people = people + :people, done = :done, refused = :refused
 where backfill = :number and unit = :unit;

-- name: end_backfill(number, now)!
update backfill set finished_at = :now where number = :number;

-- name: backfill_progress()^
select b.number, b.program, b.reason, b.started_at, b.finished_at, count(u.unit) as units,
       count(u.unit) filter (where u.done) as units_done,
       coalesce(array_agg(u.unit order by u.unit) filter (where u.refused), '{}') as units_refused, coalesce(sum(u.people), 0) as people
  from backfill b left join backfill_unit u on u.backfill = b.number
 group by b.number order by b.number desc limit 1;
