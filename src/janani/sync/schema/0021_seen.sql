-- The people of the reconciliation that runs: who was delivered and is not among them is in the record alone.
create unlogged table seen (person text collate "C" primary key);
