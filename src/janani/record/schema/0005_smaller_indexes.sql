-- What is equal in most rows of an index costs more than it finds: a resource has a dozen rows, which lie side by side; a
-- code is seldom that of two systems; an id never that of two types.
drop index token_by_code, token_by_key, reference_by_target, reference_by_key, date_span_by_key, string_by_key,
  quantity_by_key;
create index token_by_code on token (name, code);
create index reference_by_target on reference (target_id, name);
create index token_by_key on token (key);
create index reference_by_key on reference (key);
create index date_span_by_key on date_span (key);
create index string_by_key on string (key);
create index quantity_by_key on quantity (key);
-- What is to be included with further pages is noted otherwise from here on: who was paging is told that it is too old.
delete from search_result;
