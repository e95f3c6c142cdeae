-- The store: one row a resource, one a version (which alone holds the JSON), and the index rows of the current version.

create table resource (
    key bigint generated always as identity primary key,
    type text not null,
    id text collate "C" not null,
    version int not null,
    last_updated timestamptz not null,
    deleted boolean not null,
    compartment text[] not null,        -- logical ids of the Patients it is about
    unique (type, id)
);
create index resource_by_type on resource (type, key) where not deleted;
create index resource_by_update on resource (type, last_updated);
create index resource_by_compartment on resource using gin (compartment);

create table version (
    key bigint not null references resource,
    version int not null,
    change bigint generated always as identity,   -- order of all changes, for history
    type text not null,
    id text not null,
    method text not null,
    last_updated timestamptz not null,
    compartment text[] not null,
    body bytea,                         -- the JSON as it is sent; none for a deletion
    primary key (key, version)
);
create index version_by_change on version (change);
create index version_by_type on version (type, change);

-- Index rows: `name` is "<type>.<search parameter>".
create table token (key bigint not null, name text collate "C" not null, system text collate "C", code text collate "C" not null);
create index token_by_code on token (name, code, system);
create index token_by_key on token (key, name);

create table reference (
    key bigint not null,
    name text collate "C" not null,
    target_type text collate "C" not null,   -- empty: target_id is a URL elsewhere
    target_id text collate "C" not null
);
create index reference_by_target on reference (target_type, target_id, name);
create index reference_by_key on reference (key, name);

create table date_span (key bigint not null, name text collate "C" not null, low timestamptz not null, high timestamptz not null);
create index date_span_by_low on date_span (name, low);
create index date_span_by_high on date_span (name, high);
create index date_span_by_key on date_span (key, name);

create table string (key bigint not null, name text collate "C" not null, folded text collate "C" not null, exact text collate "C" not null);
create index string_by_text on string (name, folded);
create index string_by_key on string (key, name);

create table quantity (
    key bigint not null,
    name text collate "C" not null,
    value numeric not null,
    system text collate "C" not null,
    code text collate "C" not null
);
create index quantity_by_value on quantity (name, value);
create index quantity_by_key on quantity (key, name);

-- Results of searches longer than a page, kept for an hour so that pages neither repeat nor miss anything.
create unlogged table search_result (
    id text primary key,
    owner text not null,
    made_at timestamptz not null,
    keys bigint[] not null,             -- of the matches, in order
    query text not null                 -- JSON: what to include with each page
);
create index search_result_by_age on search_result (made_at);
