-- Changes to the graph by Cypher
-- Who ran which query? The server leaves out the literals of a query.
SELECT created_at, who, status, json_extract_scalar(fields, '$.query') AS query, duration_ms, client_address, peer_address
FROM audit_events
WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31' AND action = 'MutateGraph'
ORDER BY created_at_us, id;
