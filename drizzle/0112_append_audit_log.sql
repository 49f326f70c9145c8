-- Appends the leaves of rows that wait for them to the tree, in this order, with the tiles that have become
-- longer and the checkpoint over all of it. Answers `applied`, or `superseded` if the tree is not of
-- `p_size` any more, or has another name: then nothing is written. Tiles are only added to.
CREATE FUNCTION append_audit_log(
  p_size bigint, p_origin text, p_rows jsonb, p_tiles jsonb, p_checkpoint text, p_at timestamptz
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_log audit_log%ROWTYPE;
  v_rows bigint;
BEGIN
  SELECT * INTO v_log FROM audit_log WHERE id = 1 FOR UPDATE;
  IF v_log.size <> p_size OR coalesce(v_log.origin, p_origin) <> p_origin THEN
    RETURN 'superseded';
  END IF;

  DELETE FROM audit_pending p
  USING jsonb_to_recordset(p_rows) AS r(device_id text, at timestamptz, audit_id uuid)
  WHERE p.at = r.at AND p.audit_id = r.audit_id AND p.device_id = r.device_id;
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  IF v_rows <> jsonb_array_length(p_rows) THEN
    RAISE EXCEPTION 'a row does not wait for a leaf';
  END IF;
  INSERT INTO audit_leaf (position, at, audit_id, device_id)
  SELECT p_size + r.place - 1, r.at, r.audit_id, r.device_id
  FROM ROWS FROM (
    jsonb_to_recordset(p_rows) AS (device_id text, at timestamptz, audit_id uuid)
  ) WITH ORDINALITY AS r(device_id, at, audit_id, place);

  INSERT INTO audit_tile AS t (level, tile, hashes)
  SELECT r.level, r.tile, decode(r.hashes, 'hex')
  FROM jsonb_to_recordset(p_tiles) AS r(level smallint, tile bigint, hashes text)
  ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes
    WHERE substring(excluded.hashes FROM 1 FOR length(t.hashes)) = t.hashes;
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  IF v_rows <> jsonb_array_length(p_tiles) THEN
    RAISE EXCEPTION 'a tile has other hashes than before';
  END IF;

  UPDATE audit_log
  SET origin = p_origin, size = p_size + jsonb_array_length(p_rows), checkpoint = p_checkpoint,
    signed_at = p_at
  WHERE id = 1;
  RETURN 'applied';
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION append_audit_log(bigint, text, jsonb, jsonb, text, timestamptz) FROM PUBLIC;
