-- No question: makes and refreshes an Iceberg table
-- The table is for engines that read Iceberg. Name the archive's first day by --since.
-- Run the first statement once. Run the second one daily: it adds the records that the table lacks, late ones too, and may run
-- again at any time. created_at is the exact instant, to the microsecond.
-- The location must be outside of the archive. Never run VACUUM, OPTIMIZE, expire_snapshots or remove_orphan_files on a table
-- over the archive's own folder: they delete objects, and the archive is the only copy.
CREATE TABLE audit_iceberg
WITH (
  table_type = 'ICEBERG', is_external = false,
  location = 's3://bucket/iceberg/bloodhound_audit/',
  partitioning = ARRAY['tenant', 'month(created_at)']
) AS
SELECT id,
  CAST(from_unixtime_nanos(CAST(created_at_us AS decimal(38, 0)) * 1000) AS timestamp(6) with time zone) AS created_at,
  created_at_us, actor_id, actor_name, actor_email, action, fields, request_id, source_ip_address, commit_id, status, tenant, dt
FROM bloodhound_audit
WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31';

INSERT INTO audit_iceberg
SELECT id,
  CAST(from_unixtime_nanos(CAST(created_at_us AS decimal(38, 0)) * 1000) AS timestamp(6) with time zone) AS created_at,
  created_at_us, actor_id, actor_name, actor_email, action, fields, request_id, source_ip_address, commit_id, status, tenant, dt
FROM bloodhound_audit AS source
WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31'
  AND NOT EXISTS (
    SELECT 1 FROM audit_iceberg AS held
    WHERE held.tenant = source.tenant AND held.dt = source.dt AND held.id = source.id AND held.created_at_us = source.created_at_us
  );
