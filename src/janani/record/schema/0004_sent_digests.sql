-- A digest of each version's JSON as it was sent, so that who sent it can ask whether it is what the store holds.
alter table version add column sent text;
