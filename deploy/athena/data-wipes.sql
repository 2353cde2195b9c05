-- Deleted data: the graph, or all API tokens
-- An intent without an outcome counts too: the server may have deleted the data before it crashed.
SELECT created_at, created_at_us, who, action, status, fields, client_address, peer_address
FROM audit_events
WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31'
  AND action IN ('DeleteBloodhoundData', 'DeleteAllAuthTokens')
UNION ALL
SELECT created_at, created_at_us, who, action, reason AS status, fields, client_address, peer_address
FROM audit_orphans
WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31'
  AND action IN ('DeleteBloodhoundData', 'DeleteAllAuthTokens')
ORDER BY created_at_us;
