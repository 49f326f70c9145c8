-- Each row of `audit` waits for its leaf from the moment on in which it is committed, however late that is
-- and whatever time it says. Whoever may insert rows there writes nothing here by himself.
CREATE FUNCTION await_leaf() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO audit_pending (at, audit_id, device_id) VALUES (NEW.at, NEW.audit_id, NEW.device_id);
  RETURN NULL;
END
$$;
--> statement-breakpoint
-- Partitions get it with the table, those to come among them.
CREATE TRIGGER audit_awaits_leaf AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION await_leaf();
