{{/*
pod is the spec of a pod. The argument is a dict:
  root, args, config   the chart, the command line, and the ConfigMap with the variables
  account, resources   the service account and the container's resources
  tenant               whose Secret is mounted; without it, no Secret of a tenant
  shared               the Secret at /etc/houndtrail/shared, or nothing
  claim                the volume for /data, or nothing
  serves               the command opens the port, and answers probes
  restartPolicy        of a Job's pod
*/}}
{{- define "houndtrail.pod" -}}
{{- $v := .root.Values -}}
{{- $shared := .shared -}}
{{- with .restartPolicy }}
restartPolicy: {{ . }}
{{- end }}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
# A Service called houndtrail would put HOUNDTRAIL_PORT and others into the environment, and an unknown HOUNDTRAIL_
# variable is an error.
enableServiceLinks: false
# In this time, less ten seconds (HOUNDTRAIL_STOP_GRACE), Houndtrail commits its current window. If Kubernetes kills the
# pod, the lease stays until it expires.
terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
{{- with $v.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- $context := $v.podSecurityContext }}
  {{- if include "houndtrail.isOpenShift" .root }}{{ $context = omit $context "runAsUser" "runAsGroup" "fsGroup" }}{{ end }}
  {{- toYaml $context | nindent 2 }}
containers:
  - name: houndtrail
    image: {{ include "houndtrail.image" .root }}
    imagePullPolicy: {{ $v.image.pullPolicy }}
    args: {{ toJson .args }}
    envFrom:
      - configMapRef:
          name: {{ .config }}
      {{- with $v.extraEnvFrom }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- $memory := include "houndtrail.memoryLimit" .resources }}
    {{- if or $memory .serves $v.extraEnv }}
    env:
      {{- if .serves }}
      # The probes and Prometheus need this. Without it, the program serves its own pod alone.
      - name: HOUNDTRAIL_LISTEN
        value: ":{{ $v.port }}"
      {{- end }}
      {{- if $memory }}
      # This is below the memory limit, so Go's garbage collector works harder before the kernel kills the process.
      - name: GOMEMLIMIT
        value: {{ $memory }}
      {{- end }}
      {{- with $v.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
    {{- if .serves }}
    ports:
      - name: http
        containerPort: {{ $v.port }}
    # Red only if the program hangs: a restart does not repair a BloodHound, a SIEM or a store that is down.
    livenessProbe:
      httpGet:
        path: /livez
        port: http
      periodSeconds: 60
      timeoutSeconds: 5
      failureThreshold: 5
    {{- if .tenant }}
    # Red as soon as a stream is stale, and before the first success. No traffic depends on it. It is for "kubectl get
    # pods", for rollouts and for alerts.
    {{- else }}
    # Red until it has read the journals.
    {{- end }}
    readinessProbe:
      httpGet:
        path: /readyz
        port: http
      periodSeconds: 10
      timeoutSeconds: 5
    {{- end }}
    resources:
      {{- toYaml .resources | nindent 6 }}
    securityContext:
      {{- toYaml $v.securityContext | nindent 6 }}
    {{- if or .tenant $shared .claim $v.files $v.extraVolumeMounts }}
    volumeMounts:
      {{- if .tenant }}
      - name: secret
        mountPath: /etc/houndtrail/secret
        readOnly: true
      {{- end }}
      {{- if $shared }}
      - name: shared
        mountPath: /etc/houndtrail/shared
        readOnly: true
      {{- end }}
      {{- if $v.files }}
      - name: files
        mountPath: /etc/houndtrail/files
        readOnly: true
      {{- end }}
      {{- if .claim }}
      - name: data
        mountPath: /data
        {{- if not .tenant }}
        readOnly: true
        {{- end }}
      {{- end }}
      {{- with $v.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
{{- if or .tenant $shared .claim $v.files $v.extraVolumes }}
volumes:
  {{- if .tenant }}
  - name: secret
    secret:
      secretName: {{ include "houndtrail.secretName" . }}
      # The pod reads it through its group. No other user can read it.
      defaultMode: 0440
  {{- end }}
  {{- if $shared }}
  - name: shared
    secret:
      secretName: {{ $shared }}
      defaultMode: 0440
  {{- end }}
  {{- if $v.files }}
  - name: files
    configMap:
      name: {{ include "houndtrail.fullname" .root }}-files
  {{- end }}
  {{- with .claim }}
  - name: data
    persistentVolumeClaim:
      claimName: {{ . }}
  {{- end }}
  {{- with $v.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- include "houndtrail.scheduling" $v }}
{{- end }}

{{/* scheduling is where a pod runs, and how it resolves names. */}}
{{- define "houndtrail.scheduling" -}}
{{- $values := . }}
{{- range list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" "dnsConfig" "hostAliases" }}
{{- $name := . }}
{{- with get $values $name }}
{{ toYaml (dict $name .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* tenantPod is the pod of a tenant's command. The argument is a dict of root, tenant, args and, if they apply, serves and restartPolicy. */}}
{{- define "houndtrail.tenantPod" -}}
{{- $v := .root.Values -}}
{{- $name := printf "%s-%s" (include "houndtrail.fullname" .root) .tenant.name -}}
{{- $claim := "" -}}
{{- if $v.persistence.enabled }}{{ $claim = default (default $name $v.persistence.existingClaim) .tenant.existingClaim }}{{ end -}}
{{- include "houndtrail.pod" (merge (dict "config" $name "claim" $claim "shared" (include "houndtrail.sharedName" .root)
    "account" (default (include "houndtrail.serviceAccount" .root) .tenant.serviceAccountName)
    "resources" (default $v.resources .tenant.resources)) .) -}}
{{- end }}

{{/* podMetadata: the labels and annotations of a pod. */}}
{{- define "houndtrail.podMetadata" -}}
labels:
  {{- include "houndtrail.selector" . | nindent 2 }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (default dict .annotations) .root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* failurePolicy: which ends of a pod count as failures of its Job. */}}
{{- define "houndtrail.failurePolicy" -}}
# These are no failures. Kubernetes starts another pod soon, which goes on from the last commit.
podFailurePolicy:
  rules:
    # The node is drained, or the pod is preempted or evicted.
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
    # 5: another runner holds the lease; the next pod waits for it again. 7: Houndtrail was told to stop.
    - action: Ignore
      onExitCodes:
        containerName: houndtrail
        operator: In
        values: [5, 7]
{{- end }}
