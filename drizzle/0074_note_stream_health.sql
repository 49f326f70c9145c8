-- Keeps how deliveries to a stream go: without `p_failure` that one arrived, else that none does, and when the
-- next one is tried. Answers since when it has been failing, or NULL.
CREATE FUNCTION note_stream_health(
  p_stream_id text, p_failure text, p_retry_at timestamptz, p_at timestamptz
) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
  v_failing_since timestamptz;
BEGIN
  IF p_failure IS NULL THEN
    UPDATE stream SET delivered_at = p_at, failing_since = NULL, failure = NULL, retry_at = NULL
    WHERE stream_id = p_stream_id;
    RETURN NULL;
  END IF;
  UPDATE stream SET
    failing_since = coalesce(failing_since, p_at), failure = p_failure, retry_at = p_retry_at
  WHERE stream_id = p_stream_id
  RETURNING failing_since INTO v_failing_since;
  RETURN v_failing_since;
END
$$;
