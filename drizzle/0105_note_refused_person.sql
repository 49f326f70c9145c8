-- Writes down that somebody was not let in: a person, or `unknown` where nobody was proven.
CREATE OR REPLACE FUNCTION note_refused_person(
  p_actor text, p_at timestamptz, p_detail jsonb, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_actor, 'person.refused', p_detail);
  RETURN 'applied';
END
$$;
