-- Ends the access of a client, and with it its streams: nobody is to be sent anything more whom it named. Answers
-- `applied`, `unchanged` (it was disabled, and had no stream that keeps events) or `client_unknown`. Whoever makes
-- or enables a stream of it meanwhile waits for this on the row of the client, and is refused.
CREATE OR REPLACE FUNCTION disable_client(
  p_client_id text, p_at timestamptz, p_by text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_disabled_at timestamptz;
  v_streams jsonb;
BEGIN
  SELECT disabled_at INTO v_disabled_at FROM client WHERE client_id = p_client_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'client_unknown'; END IF;
  SELECT jsonb_agg(s.stream_id ORDER BY s.stream_id) INTO v_streams FROM stream s
  WHERE s.client_id = p_client_id AND s.status <> 'disabled';
  IF v_disabled_at IS NOT NULL AND v_streams IS NULL THEN RETURN 'unchanged'; END IF;
  UPDATE client SET disabled_at = p_at WHERE client_id = p_client_id AND disabled_at IS NULL;
  UPDATE stream SET
    status = 'disabled',
    status_reason = 'its client was disabled',
    failing_since = NULL, failure = NULL, retry_at = NULL,
    revision = revision + 1
  WHERE client_id = p_client_id AND status <> 'disabled';
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_by, 'client.disabled',
    jsonb_build_object('clientId', p_client_id)
      || CASE WHEN v_streams IS NULL THEN '{}'::jsonb
        ELSE jsonb_build_object('streamsDisabled', v_streams) END);
  RETURN 'applied';
END
$$;
