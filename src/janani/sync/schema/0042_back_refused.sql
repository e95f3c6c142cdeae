-- How often a source was refused in words that may pass, and since when: it is set aside when it goes on.
alter table back_queue
  add column refused int not null default 0,
  add column refused_since timestamptz;
