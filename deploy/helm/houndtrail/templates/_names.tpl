{{/* fullname is the release's name, with the chart's in it. It leaves room for a tenant: the name of a CronJob has 52 characters at most. */}}
{{- define "houndtrail.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 26 | trimSuffix "-" -}}
{{- end }}

{{/* selector: the labels that never change. The argument is a dict of root, component and, for a tenant's object, tenant. */}}
{{- define "houndtrail.selector" -}}
app.kubernetes.io/name: houndtrail
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- with .tenant }}
houndtrail/tenant: {{ .name }}
{{- end }}
{{- end }}

{{- define "houndtrail.labels" -}}
{{ include "houndtrail.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "houndtrail.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "houndtrail.labels" . | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "houndtrail.image" -}}
{{- $i := .Values.image -}}
{{- if $i.digest -}}{{ $i.repository }}@{{ $i.digest }}{{- else -}}{{ $i.repository }}:{{ default .Chart.AppVersion $i.tag }}{{- end -}}
{{- end }}

{{- define "houndtrail.serviceAccount" -}}
{{- $a := .Values.serviceAccount -}}
{{- default (ternary (include "houndtrail.fullname" .) "default" $a.create) $a.name -}}
{{- end }}

{{- define "houndtrail.watchAccount" -}}
{{- $a := .Values.watch.serviceAccount -}}
{{- default (ternary (printf "%s-watch" (include "houndtrail.fullname" .)) "default" $a.create) $a.name -}}
{{- end }}

{{/* isOpenShift is "true" or "": whether the platform gives each namespace a user of its own. */}}
{{- define "houndtrail.isOpenShift" -}}
{{- if eq (toString .Values.openshift) "auto" -}}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}true{{- end -}}
{{- else if eq (toString .Values.openshift) "true" -}}true{{- end -}}
{{- end }}

{{/* check refuses values that a schema cannot. */}}
{{- define "houndtrail.check" -}}
{{- if not .Values.tenants }}{{ fail "set tenants: without one, there is nothing to export. See the example in values.yaml" }}{{ end }}
{{- $seen := dict }}
{{- range .Values.tenants }}
  {{- if hasKey $seen .name }}{{ fail (printf "tenants: the name %s is there twice" .name) }}{{ end }}
  {{- if eq .name "watch" }}{{ fail "tenants: the name watch is taken by the objects of houndtrail watch; choose another one" }}{{ end }}
  {{- $_ := set $seen .name true }}
  {{- $settings := include "houndtrail.settings" (dict "root" $ "tenant" .) | fromYaml }}
  {{- if not (or $settings.HOUNDTRAIL_ARCHIVE_URL $settings.HOUNDTRAIL_WEBHOOK_URL $settings.HOUNDTRAIL_WEBHOOK_URL_FILE $.Values.extraEnv $.Values.extraEnvFrom) }}
    {{- fail (printf "tenants: %s has no destination; set settings.ARCHIVE_URL, or settings.WEBHOOK_URL together with settings.CHECKPOINT_URL" .name) }}
  {{- end }}
  {{- $journal := required (printf "tenants: %s has no place for its journal; set settings.CHECKPOINT_URL" .name) $settings.HOUNDTRAIL_CHECKPOINT_URL }}
  {{- if hasKey $seen $journal }}{{ fail (printf "tenants: %s and another tenant have the same CHECKPOINT_URL, %s" .name $journal) }}{{ end }}
  {{- $_ := set $seen $journal true }}
  {{- range $setting, $value := $settings }}
    {{- if and (hasPrefix "file:///" $value) (hasSuffix "_URL" $setting) (not (or $.Values.persistence.enabled $.Values.extraVolumes)) }}
      {{- fail (printf "tenants: %s is %s, but the pod has no volume; set persistence.enabled" $setting $value) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if and .Values.watch.enabled (not (include "houndtrail.journals" (mergeOverwrite (deepCopy .Values.settings) (deepCopy .Values.watch.settings)))) }}
  {{- fail "watch.enabled needs a place with the journals of all tenants; set settings.ARCHIVE_URL or settings.CHECKPOINT_URL" }}
{{- end }}
{{- if and .Values.watch.enabled .Values.persistence.enabled (not .Values.persistence.existingClaim) }}
  {{- fail "watch.enabled needs journals that it can reach: those in S3, or a volume for all tenants in persistence.existingClaim" }}
{{- end }}
{{- end }}
