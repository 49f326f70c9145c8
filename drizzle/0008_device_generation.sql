ALTER TABLE "device" ADD COLUMN "generation" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "device" ADD COLUMN "vouched" boolean DEFAULT false NOT NULL;--> statement-breakpoint
-- What is recorded already was vouched for if its evidence says so.
UPDATE device SET vouched = coalesce((claims -> 'aikValidated')::boolean, false) WHERE claims IS NOT NULL;
--> statement-breakpoint
-- Ends every device token of the device, without a word about its trust: it attests and gets another.
-- Any number of times; a device that never attested has none.
CREATE FUNCTION sign_out_device(
  p_device_id text, p_at timestamptz, p_by text, p_reason text, p_audit_id uuid
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_generation integer;
BEGIN
  UPDATE device SET generation = generation + 1, updated_at = p_at
  WHERE device_id = p_device_id
  RETURNING generation INTO v_generation;
  IF NOT FOUND THEN RETURN 'device_unknown'; END IF;
  INSERT INTO audit (device_id, audit_id, at, actor, action, detail)
  VALUES (p_device_id, p_audit_id, p_at, p_by, 'device.signed-out',
    jsonb_build_object('reason', p_reason, 'generation', v_generation));
  RETURN 'applied';
END
$$;
