-- Who came from a programme's demo people, so that production can refuse to serve them.
alter table person add column demo boolean not null default false;
