{{/* text is a value as the program reads it. YAML's numbers are floats, which print as 1e+06 from a million on. */}}
{{- define "houndtrail.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end }}

{{/* schedule is a tenant's cron expression. */}}
{{- define "houndtrail.schedule" -}}
{{- default .root.Values.schedule .tenant.schedule -}}
{{- end }}

{{/* journals is the CHECKPOINT_URL of all tenants together. */}}
{{- define "houndtrail.journals" -}}
{{- $url := .CHECKPOINT_URL -}}
{{- if and (not $url) .ARCHIVE_URL }}{{ $url = printf "%s/checkpoints" (trimSuffix "/" .ARCHIVE_URL) }}{{ end -}}
{{- default "" $url | trimSuffix "/" -}}
{{- end }}

{{/* settings are the variables of a tenant. The argument is a dict of root and tenant. */}}
{{- define "houndtrail.settings" -}}
{{- $v := .root.Values -}}
{{- $own := default dict .tenant.settings -}}
{{- $all := mergeOverwrite (deepCopy $v.settings) (deepCopy $own) -}}
{{- $out := dict -}}
{{- range $name, $value := $all }}
  {{- $_ := set $out $name (include "houndtrail.text" $value) }}
{{- end }}
{{- $_ := set $out "BLOODHOUND_URL" .tenant.url }}
{{- $_ := set $out "TENANT" (default .tenant.name $own.TENANT) }}
{{- $_ := set $out "SCHEDULE" (printf "CRON_TZ=%s %s" $v.timeZone (include "houndtrail.schedule" .)) }}
{{- $_ := set $out "STOP_GRACE" (printf "%ds" (sub (int $v.terminationGracePeriodSeconds) 10)) }}
{{- $journals := include "houndtrail.journals" $all }}
{{- if $own.CHECKPOINT_URL }}{{ $_ := set $out "CHECKPOINT_URL" $own.CHECKPOINT_URL }}
{{- else if $journals }}{{ $_ := set $out "CHECKPOINT_URL" (printf "%s/%s" $journals .tenant.name) }}{{ end }}
{{- range $place := list (dict "dir" "secret" "keys" (mergeOverwrite (deepCopy $v.secretKeys) (default dict .tenant.secretKeys))) (dict "dir" "shared" "keys" $v.shared.secretKeys) }}
  {{- range $name, $key := $place.keys }}
    {{- if $key }}{{ $_ := set $out (printf "%s_FILE" (trimSuffix "_FILE" $name)) (printf "/etc/houndtrail/%s/%s" $place.dir $key) }}{{ end }}
  {{- end }}
{{- end }}
{{- range $name, $value := $out }}
HOUNDTRAIL_{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* watchSettings are the variables of watch: those of the stores, and of its own log. */}}
{{- define "houndtrail.watchSettings" -}}
{{- $all := mergeOverwrite (deepCopy .Values.settings) (deepCopy .Values.watch.settings) -}}
{{- $out := dict "CHECKPOINT_URL" (include "houndtrail.journals" $all) -}}
{{- range $name, $value := $all }}
  {{- if or (hasPrefix "S3_" $name) (hasPrefix "LOG_" $name) (hasKey $.Values.watch.settings $name) }}
    {{- if not (eq $name "CHECKPOINT_URL") }}{{ $_ := set $out $name (include "houndtrail.text" $value) }}{{ end }}
  {{- end }}
{{- end }}
{{- range $name, $value := $out }}
HOUNDTRAIL_{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* memoryLimit is GOMEMLIMIT for a limit in Mi or Gi, or nothing. The rest is for memory that Go does not count. */}}
{{- define "houndtrail.memoryLimit" -}}
{{- $limit := dig "limits" "memory" "" . | toString -}}
{{- if hasSuffix "Gi" $limit -}}{{ div (mul (trimSuffix "Gi" $limit | int) 1024 86) 100 }}MiB
{{- else if hasSuffix "Mi" $limit -}}{{ div (mul (trimSuffix "Mi" $limit | int) 86) 100 }}MiB{{- end -}}
{{- end }}

{{- define "houndtrail.secretName" -}}
{{- default (printf "%s-%s" (include "houndtrail.fullname" .root) .tenant.name) .tenant.existingSecret -}}
{{- end }}

{{- define "houndtrail.sharedName" -}}
{{- if .Values.shared.existingSecret -}}{{ .Values.shared.existingSecret }}
{{- else if .Values.shared.externalSecret -}}{{ include "houndtrail.fullname" . }}-shared{{- end -}}
{{- end }}
