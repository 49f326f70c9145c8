-- Keeps a list that was signed, unless a newer one is there.
CREATE OR REPLACE FUNCTION keep_status_list(p_token text, p_issued_at timestamptz)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  UPDATE status_list SET token = p_token, issued_at = p_issued_at
  WHERE id = 1 AND (issued_at IS NULL OR issued_at < p_issued_at);
  RETURN CASE WHEN FOUND THEN 'applied' ELSE 'superseded' END;
END
$$;
