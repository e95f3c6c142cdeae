-- People, enrolments, events, and the feed of what changed. Deletion is a mark, so that sync clients hear of it.

create table tracked_entity (
  id bigint generated always as identity primary key,
  uid text collate "C" not null unique,
  type text not null,
  org_unit text not null,
  inactive boolean not null default false,
  potential_duplicate boolean not null default false,
  deleted boolean not null default false,
  geometry jsonb,
  stored_by text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  created_at_client timestamptz,
  updated_at_client timestamptz,
  created_by jsonb not null,
  updated_by jsonb not null
);
create index on tracked_entity (updated_at, id);
create index on tracked_entity (org_unit);

-- One row a value: filters and uniqueness need indexes. `unique_within` is '' (whole registry), a unit's uid
-- (unique within that unit), or null (may repeat). Values can be long, so the index holds their digest.
create table attribute_value (
  tracked_entity bigint not null references tracked_entity,
  attribute text collate "C" not null,
  value text not null,
  unique_within text,
  stored_by text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tracked_entity, attribute)
);
create unique index attribute_value_unique on attribute_value (attribute, unique_within, md5(value))
  where unique_within is not null;
create index on attribute_value (attribute, lower(left(value, 200)) text_pattern_ops);

create table enrollment (
  id bigint generated always as identity primary key,
  uid text collate "C" not null unique,
  tracked_entity bigint not null references tracked_entity,
  program text not null,
  org_unit text not null,
  status text not null,
  enrolled_at timestamptz not null,
  occurred_at timestamptz,
  completed_at timestamptz,
  completed_by text,
  follow_up boolean not null default false,
  deleted boolean not null default false,
  geometry jsonb,
  stored_by text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  created_at_client timestamptz,
  updated_at_client timestamptz,
  created_by jsonb not null,
  updated_by jsonb not null
);
create index on enrollment (tracked_entity);
create index on enrollment (program, org_unit, enrolled_at);

-- `enrollment` is null for events of programmes without registration. `data_values` is
-- {dataElement: {value, createdAt, updatedAt, storedBy, providedElsewhere, createdBy, updatedBy}}: always read whole.
create table event (
  id bigint generated always as identity primary key,
  uid text collate "C" not null unique,
  enrollment bigint references enrollment,
  program text not null,
  program_stage text not null,
  org_unit text not null,
  status text not null,
  occurred_at timestamptz,
  scheduled_at timestamptz,
  completed_at timestamptz,
  completed_by text,
  attribute_option_combo text,
  attribute_category_options text,
  assigned_user jsonb,
  deleted boolean not null default false,
  geometry jsonb,
  stored_by text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  created_at_client timestamptz,
  updated_at_client timestamptz,
  created_by jsonb not null,
  updated_by jsonb not null,
  data_values jsonb not null default '{}'
);
create index on event (enrollment);
create index on event (program_stage, org_unit, occurred_at);
create index on event (program_stage, scheduled_at);

create table note (
  id bigint generated always as identity primary key,
  uid text collate "C" not null unique,
  enrollment bigint references enrollment,
  event bigint references event,
  value text not null,
  stored_by text,
  stored_at timestamptz not null,
  created_by jsonb not null
);
create index on note (enrollment);
create index on note (event);

-- Which unit answers for a person in a programme: the unit of her first enrolment there.
create table program_owner (
  tracked_entity bigint not null references tracked_entity,
  program text not null,
  org_unit text not null,
  primary key (tracked_entity, program)
);
create index on program_owner (program, org_unit);

-- Values given out beforehand: the counter of each pattern's fixed part, and who holds what until when.
create table generated_counter (
  attribute text not null,
  key text not null,
  last bigint not null,
  primary key (attribute, key)
);
create table reserved_value (
  attribute text not null,
  value text not null,
  key text not null,
  created timestamptz not null,
  expires timestamptz not null,
  primary key (attribute, value)
);
