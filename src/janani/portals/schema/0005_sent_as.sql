-- Whether a form that comes again after it was sent is the same: a digest, since what was typed is forgotten.
alter table draft add column sent_as text not null default '';
