-- The columns of the lines. Keys inside of fields keep their case, so keys that differ only in case stay apart.
CREATE OR REPLACE VIEW {{table}} AS
SELECT CAST({{text "line" "id"}} AS bigint) AS id,
  {{instant "created_at_us"}} AS created_at,
  created_at_us,
{{- range members}}
  {{.}},
{{- end}}
  tenant, dt
FROM (
  SELECT line, CAST({{number}} AS bigint) AS created_at_us, tenant, dt
  FROM {{lines}}
) AS numbered{{only}};
