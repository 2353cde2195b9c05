-- All records of one HTTP request (--request)
SELECT created_at, id, action, status, actor_name, fields, source_ip_address, commit_id
FROM bloodhound_audit
WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31'
  AND request_id = '00000000-0000-4000-8000-000000000000'
ORDER BY created_at_us, id;
