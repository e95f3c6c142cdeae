-- Earlier pregnancies, the birth and visits after it are typed like a visit.
alter table draft drop constraint draft_kind_check;
alter table draft add constraint draft_kind_check
  check (kind in ('registration', 'visit', 'referral', 'identity', 'details', 'earlier-birth', 'birth', 'aftervisit'));
