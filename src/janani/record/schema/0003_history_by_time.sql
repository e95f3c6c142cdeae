-- `_history?_since=` over the whole store, asked for every few seconds by whoever follows the record's changes.
create index version_by_time on version (last_updated);
