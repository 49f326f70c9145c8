-- Keeps what a preview of a document found, in place of the one before, with its audit row.
CREATE FUNCTION record_preview(
  p_kind text, p_hash text, p_policy_hash text, p_reference_values_hash text, p_at timestamptz,
  p_by text, p_summary jsonb, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO preview AS p (kind, hash, policy_hash, reference_values_hash, at, by, summary)
  VALUES (p_kind, p_hash, p_policy_hash, p_reference_values_hash, p_at, p_by, p_summary)
  ON CONFLICT (kind, hash) DO UPDATE
    SET policy_hash = excluded.policy_hash,
      reference_values_hash = excluded.reference_values_hash, at = excluded.at,
      by = excluded.by, summary = excluded.summary
    WHERE p.at <= excluded.at;
  IF NOT FOUND THEN RETURN 'unchanged'; END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'document.previewed',
    jsonb_build_object('kind', p_kind, 'hash', p_hash));
  RETURN 'applied';
END
$$;
