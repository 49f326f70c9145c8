-- Sets entities of the directory, or removes those that come without properties, in one order for all, so
-- that two of these never wait for each other in a circle. Properties are replaced whole. Each change has
-- its audit row, with what was there before; one that changes nothing has none. `place` numbers the
-- changes, and names one of two of the same entity: they are done in that order.
CREATE FUNCTION change_entities(p_changes jsonb, p_at timestamptz, p_by text)
RETURNS TABLE (place integer, outcome text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  r record;
  e entity%ROWTYPE;
  v_found boolean;
BEGIN
  FOR r IN
    SELECT x.* FROM jsonb_to_recordset(p_changes) AS x(place integer, kind text, type text, id text,
      properties jsonb, source text, audit_id uuid)
    ORDER BY x.kind COLLATE "C", x.type COLLATE "C", x.id COLLATE "C", x.place
  LOOP
    place := r.place;
    LOOP
      SELECT * INTO e FROM entity WHERE kind = r.kind AND type = r.type AND id = r.id FOR UPDATE;
      v_found := FOUND;
      outcome := CASE
        WHEN r.properties IS NULL OR r.properties = 'null' THEN
          CASE WHEN v_found THEN 'removed' ELSE 'absent' END
        WHEN NOT v_found THEN 'added'
        WHEN e.properties = r.properties AND e.source = r.source THEN 'unchanged'
        ELSE 'changed'
      END;
      EXIT WHEN outcome <> 'added';
      INSERT INTO entity (kind, type, id, properties, source, updated_at)
      VALUES (r.kind, r.type, r.id, r.properties, r.source, p_at)
      ON CONFLICT (kind, type, id) DO NOTHING;
      -- Else somebody has added it since it was looked for.
      EXIT WHEN FOUND;
    END LOOP;
    IF outcome = 'removed' THEN
      DELETE FROM entity WHERE kind = r.kind AND type = r.type AND id = r.id;
    ELSIF outcome = 'changed' THEN
      UPDATE entity SET properties = r.properties, source = r.source, updated_at = p_at
      WHERE kind = r.kind AND type = r.type AND id = r.id;
    END IF;
    IF outcome IN ('added', 'changed', 'removed') THEN
      INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
      VALUES ('service', r.audit_id, p_at, p_by, 'entity.' || outcome,
        jsonb_build_object('kind', r.kind, 'type', r.type, 'id', r.id, 'source',
          CASE WHEN outcome = 'removed' THEN e.source ELSE r.source END,
          'before', CASE WHEN v_found THEN e.properties END,
          'properties', CASE WHEN outcome = 'removed' THEN NULL ELSE r.properties END));
    END IF;
    RETURN NEXT;
  END LOOP;
END
$$;
