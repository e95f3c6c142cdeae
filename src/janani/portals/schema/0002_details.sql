-- Changing a woman's details: `base` is what the registry said when the form was opened, so that what somebody else
-- changed meanwhile is seen.
alter table draft drop constraint draft_kind_check;
alter table draft add constraint draft_kind_check
  check (kind in ('registration', 'visit', 'referral', 'identity', 'details'));
alter table draft add column base jsonb not null default '{}';
