-- Several clients: a request is finished by the client that began it.
alter table authorization_request add column client text not null default '';
alter table verification add column client text not null default '';
