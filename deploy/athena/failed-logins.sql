-- Failed logins by user and address
-- who is the name that the caller typed. client_address can be chosen by the caller; peer_address is the server's own sight.
SELECT who, client_address, peer_address, count(*) AS failures, min(created_at) AS first_at, max(created_at) AS last_at
FROM audit_logins
WHERE tenant IN ('acme') AND dt BETWEEN '2026-01-01' AND '2026-01-31' AND status = 'failure'
GROUP BY who, client_address, peer_address
ORDER BY failures DESC, who, client_address, peer_address;
