-- CAEP knows two states; a device that nobody admitted yet is in the worse one.
CREATE FUNCTION compliance_status(verdict text, enrolment text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN verdict = 'trusted' AND enrolment = 'admitted' THEN 'compliant'
    ELSE 'not-compliant'
  END
$$;
