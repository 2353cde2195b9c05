-- Intents without an outcome
-- The server crashed, or an outcome is missing. An intent of the last minutes may still get its outcome.
SELECT created_at, who, action, reason, commit_id, request_id, client_address, peer_address
FROM audit_orphans
WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31'
ORDER BY created_at_us, id;
