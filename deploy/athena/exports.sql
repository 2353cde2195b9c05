-- Exports
-- Who took which data out, and when?
SELECT created_at, who, action, status, fields, client_address, peer_address
FROM audit_events
WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31' AND action LIKE 'Export%'
ORDER BY created_at_us, id;
