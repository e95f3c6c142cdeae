-- What arrived while a source is being brought back: it is judged by what was brought, not by what was before.
alter table back_queue
  add column next_first int,                     -- oldest version noticed since the claim
  add column next_verdict text not null default '';  -- what a person decided since the claim
