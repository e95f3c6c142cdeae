-- What is about to be sent is noted before it is, with '?' for a digest; no time says that it was delivered.
alter table delivered alter column delivered_at drop not null;
-- Nothing ever asked for it.
alter table delivered drop column fingerprint;
