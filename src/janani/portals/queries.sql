-- Named statements of the portals.

-- name: save_session!
insert into session (id_hash, portal, content, expires_at)
values (:id_hash, :portal, :content, now() + make_interval(secs => :seconds))
on conflict (id_hash) do update set content = excluded.content, expires_at = excluded.expires_at;

-- name: use_session$
-- Each use prolongs the session.
update session set expires_at = now() + make_interval(secs => :seconds)
 where id_hash = :id_hash and portal = :portal and expires_at > now()
returning content;

-- name: drop_session!
delete from session where id_hash = :id_hash;

-- name: forget_expired!
delete from session where expires_at < now();

-- name: add_attempt!
insert into login_attempt (state_hash, browser_hash, portal, code_verifier, then_to, expires_at)
values (:state_hash, :browser_hash, :portal, :code_verifier, :then_to, now() + interval '10 minutes');

-- name: take_attempt^
-- A state is used once, by the browser that began.
delete from login_attempt where state_hash = :state_hash and browser_hash = :browser_hash and portal = :portal
returning code_verifier, then_to, expires_at > now() as alive;

-- name: add_draft!
insert into draft (id, owner, kind, tracked_entity, uids, fields, identity, base)
values (:id, :owner, :kind, :tracked_entity, :uids::jsonb, :fields::jsonb, :identity::jsonb, :base::jsonb)
on conflict (id) do nothing;

-- name: draft^
-- Only its owner finds it.
select id, owner, kind, tracked_entity, uids::text, fields::text, identity::text, phn::text, generated::text,
       base::text, sent, sent_as, updated_at
  from draft where id = :id and owner = :owner;

-- name: open_drafts
-- The form of a woman's details is begun with what is known: one that was only looked at is none.
select id, kind, tracked_entity, fields::text, updated_at from draft
 where owner = :owner and not sent and kind <> 'identity' and fields <> '{}'::jsonb
   and (kind <> 'details' or fields <> base)
 order by updated_at desc limit 10;

-- name: open_draft_for$
-- A form begun for a woman and not sent is gone on with; of her details, one in which something was changed.
select id::text from draft
 where owner = :owner and kind = :kind and tracked_entity = :tracked_entity and not sent
   and (kind <> 'details' or fields <> base)
 order by updated_at desc limit 1;

-- name: keep_fields!
update draft set fields = :fields::jsonb, updated_at = now() where id = :id and owner = :owner and not sent;

-- name: keep_uids!
update draft set uids = :uids::jsonb, updated_at = now() where id = :id and owner = :owner and not sent;

-- name: keep_identity!
-- Merged, since the page may have kept more while the identity service was asked.
update draft set identity = :identity::jsonb, fields = fields || :values::jsonb, updated_at = now()
 where id = :id and owner = :owner and not sent;

-- name: keep_phn!
update draft set phn = :phn::jsonb, updated_at = now() where id = :id and owner = :owner and not sent;

-- name: keep_generated!
update draft set generated = :generated::jsonb, updated_at = now() where id = :id and owner = :owner and not sent;

-- name: keep_base!
update draft set base = :base::jsonb, updated_at = now() where id = :id and owner = :owner and not sent;

-- name: mark_sent!
-- What was typed is the registry's now; where it was stays, for the next form.
update draft set sent = true, sent_as = :sent_as,
       fields = jsonb_strip_nulls(jsonb_build_object('unit', fields -> 'unit')), identity = '{}'::jsonb, phn = '{}'::jsonb, base = '{}'::jsonb,
       updated_at = now()
 where id = :id and owner = :owner;

-- name: last_unit$
-- The clinic of the form of this kind that she sent last.
select fields ->> 'unit' from draft where owner = :owner and kind = :kind and sent order by updated_at desc limit 1;

-- name: drop_draft!
delete from draft where id = :id and owner = :owner and not sent;

-- name: forget_drafts!
-- What nobody came back to is not kept for ever.
delete from draft where updated_at < now() - interval '30 days';

-- name: add_identity_attempt!
insert into identity_attempt (state_hash, draft, expires_at)
values (:state_hash, :draft, now() + interval '10 minutes');

-- name: take_identity_attempt$
-- A state is used once, for the draft it was made for.
delete from identity_attempt where state_hash = :state_hash and draft = :draft and expires_at > now() returning draft;

-- name: draft_of_attempt$
select draft from identity_attempt where state_hash = :state_hash and expires_at > now();

-- name: add_phone_attempt!
-- The newest replaces what the draft waited for before.
insert into phone_attempt (draft, handle, link, qr, sign, expires_at)
values (:draft, :handle, :link, :qr, :sign, now() + make_interval(secs => :seconds))
on conflict (draft) do update set
  handle = excluded.handle, link = excluded.link, qr = excluded.qr, sign = excluded.sign, expires_at = excluded.expires_at;

-- name: phone_attempt^
select handle, link, qr, sign, expires_at from phone_attempt where draft = :draft and expires_at > now();

-- name: drop_phone_attempt!
delete from phone_attempt where draft = :draft;
