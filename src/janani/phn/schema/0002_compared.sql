-- By which rules a row's columns were made from its resource; who starts makes the older ones anew (phn/anew.py).
-- 2: a dot ends a word of a name, and the digits of any script are digits.
alter table person add column rules int not null default 1;
alter table person alter column rules set default 2;
create index on person (id) where rules < 2;
