-- The trace that a change belongs to (W3C traceparent), so that its reader goes on with it.
alter table tracker_change add column traceparent text not null default '';
