-- What a decision needs to be done: the resource's name at the registry, and its versions then.
alter table conflict
  add column name text not null default '',
  add column version int not null default 0,
  add column first int not null default 0;
