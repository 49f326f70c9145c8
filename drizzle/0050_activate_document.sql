-- Brings a document into force, names in it what it replaced, and announces it. With `p_expected` only
-- while that document is in force, '' standing for none: else the answer is 'superseded'. 'unchanged'
-- if it is in force already. `p_beside` is the same for the document of the other kind, if it matters: a
-- preview compares with both. `p_despite` is the same for the rollout of this document that was the last
-- to halt, and it notes there who released it all the same. Open rollouts end: they were made against
-- what is now gone. While one decides for some devices the answer is 'superseded': it is ended by itself,
-- as nothing here knows whom its end denies. Processes of the version before do not name
-- `p_despite`.
DROP FUNCTION activate_document(text, text, jsonb, text, text, timestamptz, text, text, uuid, uuid);
--> statement-breakpoint
CREATE FUNCTION activate_document(
  p_kind text, p_hash text, p_body jsonb, p_author text, p_reason text, p_at timestamptz,
  p_expected text, p_beside text, p_audit_id uuid, p_event_id uuid, p_despite text DEFAULT NULL
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_previous text;
  v_beside text;
BEGIN
  -- Both pointers, always in this order, so that no two changes of documents wait in a circle.
  PERFORM FROM active_document ORDER BY kind FOR UPDATE;
  SELECT hash INTO v_previous FROM active_document WHERE kind = p_kind;
  SELECT hash INTO v_beside FROM active_document WHERE kind <> p_kind;
  IF v_previous = p_hash THEN RETURN 'unchanged'; END IF;
  IF coalesce(v_previous, '') <> p_expected THEN RETURN 'superseded'; END IF;
  IF coalesce(v_beside, '') <> p_beside THEN RETURN 'superseded'; END IF;
  PERFORM FROM rollout WHERE state IN ('running', 'paused') AND pass = 'enforce';
  IF FOUND THEN RETURN 'superseded'; END IF;
  IF NOT release_despite(p_kind, p_hash, p_despite, p_author, p_reason, p_at) THEN
    RETURN 'superseded';
  END IF;

  IF p_expected = '' THEN
    INSERT INTO active_document (kind, hash, activated_at, activated_by)
    VALUES (p_kind, p_hash, p_at, p_author)
    ON CONFLICT (kind) DO NOTHING;
    IF NOT FOUND THEN RETURN 'superseded'; END IF;
  ELSE
    INSERT INTO active_document AS a (kind, hash, activated_at, activated_by)
    VALUES (p_kind, p_hash, p_at, p_author)
    ON CONFLICT (kind) DO UPDATE
      SET hash = excluded.hash, activated_at = excluded.activated_at,
        activated_by = excluded.activated_by,
        previous = CASE WHEN a.previous = excluded.hash THEN NULL ELSE a.hash END
      WHERE a.hash <> excluded.hash;
    IF NOT FOUND THEN RETURN 'unchanged'; END IF;
  END IF;

  UPDATE rollout
  SET state = 'reverted', updated_at = p_at, revision = revision + 1,
    note = format('ended in %s stage %s of %s: another document came into force', pass, stage + 1,
      jsonb_array_length(plan -> 'stages'))
  WHERE state IN ('running', 'paused');
  INSERT INTO document (kind, hash, body, parent, author, reason, created_at)
  VALUES (p_kind, p_hash, p_body, v_previous, p_author, p_reason, p_at)
  ON CONFLICT DO NOTHING;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES ('service', p_audit_id, p_at, p_author, 'document.activated',
    jsonb_build_object('kind', p_kind, 'hash', p_hash, 'previousHash', v_previous,
      'reason', p_reason, 'despite', nullif(p_despite, '')));
  INSERT INTO outbox (device_id, event_id, type, payload, created_at, next_attempt_at)
  VALUES ('service', p_event_id, 'document-activated',
    jsonb_build_object('at', iso_time(p_at), 'kind', p_kind, 'hash', p_hash,
      'previousHash', v_previous),
    p_at, p_at);
  PERFORM touch_control();
  RETURN 'applied';
END
$$;
