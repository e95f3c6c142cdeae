-- Who bears the strongest identifier of a Patient: taken before she is sent, so that two people of the registry with one
-- number never overwrite each other's Patient.
create table bearer (
  target text collate "C" not null,
  patient text collate "C" not null,             -- the Patient's conditional URL
  person text collate "C" not null,
  primary key (target, patient)
);
create index bearer_by_person on bearer (target, person);
insert into bearer select target, patient, min(person) from delivered where patient <> '' group by target, patient;
