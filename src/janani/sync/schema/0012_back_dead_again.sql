-- What another try needs.
alter table back_dead
  add column name text not null default '',
  add column version int not null default 0,
  add column first int not null default 0;
