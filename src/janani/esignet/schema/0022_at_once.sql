-- Two looks at what others did a moment ago, for a statement that waited for them: a statement sees the tables as they
-- were when it began, but what it calls (volatile) sees them as they are.

create function codes_sent(whose bigint, since timestamptz) returns bigint language sql volatile
begin atomic
    select count(*) from code_strike s where s.person_id = whose and s.kind = 'sent' and s.at > since;
end;

create function retire_consent(whose bigint, client text, at timestamptz) returns void language sql volatile
begin atomic
    update consent c set replaced_at = at
    where c.client_id = client and c.person_id = whose and c.replaced_at is null;
end;
