# shellcheck shell=bash
# A Kubernetes API server with its controllers, on this machine. .ci/chart and .ci/walk use it. There is no scheduler and no kubelet: it shows what
# Kubernetes accepts and what it would start, and no container runs.
#
# The servers come from the Kubernetes module. Go builds them once, which takes some minutes. etcd comes from Debian.

CLUSTER_PORT=16443
CLUSTER_PIDS=''
CLUSTER_KUBE=$TOOLS/kubernetes@${KUBERNETES##*@}

# kube_binaries: builds the API server and the controller manager. "go install" refuses the module, since it replaces its parts. So a
# module of our own requires it, and has the same replacements, by version instead of by folder.
kube_binaries() {
  local version=${KUBERNETES##*@} mod
  [ -x "$CLUSTER_KUBE/kube-controller-manager" ] && return
  rm -rf "$CLUSTER_KUBE.new" && mkdir -p "$CLUSTER_KUBE.new" "$WORK/kubernetes"
  mod=$(cd / && GOFLAGS='' go mod download -json "$KUBERNETES" | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p')
  (
    cd "$WORK/kubernetes" || exit
    printf 'module ci/kubernetes\n\ngo %s\n\nrequire k8s.io/kubernetes %s\n' "$(sed -n 's/^go //p' "$mod")" "$version" >go.mod
    sed -nE "s,^\t(k8s.io/[a-z0-9-]+) => ./staging/.*,replace \1 => \1 ${version/v1./v0.},p" "$mod" >>go.mod
    local about=k8s.io/component-base/version
    for name in kube-apiserver kube-controller-manager; do
      CGO_ENABLED=0 GOFLAGS=-mod=mod GOWORK=off go build -trimpath -o "$CLUSTER_KUBE.new/$name" \
        -ldflags "-s -w -X $about.gitVersion=$version -X $about.gitMajor=1 -X $about.gitMinor=$(cut -d. -f2 <<<"$version")" \
        "k8s.io/kubernetes/cmd/$name"
    done
  )
  rm -rf "$CLUSTER_KUBE" && mv "$CLUSTER_KUBE.new" "$CLUSTER_KUBE"
}

# kube_start: starts etcd, the API server and the controllers on the loopback interface, and names them to kubectl and Helm. It returns
# when the API server is ready.
kube_start() {
  local dir=$WORK/cluster etcd=http://127.0.0.1:$((CLUSTER_PORT + 1)) end=$((SECONDS + 240)) token
  mkdir -p "$dir"
  token=$(openssl rand -hex 16) # the API server of another run at this port does not know it
  etcd --data-dir "$dir/etcd" --listen-client-urls "$etcd" --advertise-client-urls "$etcd" --listen-peer-urls "http://127.0.0.1:$((CLUSTER_PORT + 2))" \
    --initial-advertise-peer-urls "http://127.0.0.1:$((CLUSTER_PORT + 2))" --initial-cluster "default=http://127.0.0.1:$((CLUSTER_PORT + 2))" \
    --unsafe-no-fsync >"$dir/etcd.log" 2>&1 &
  CLUSTER_PIDS=$!
  openssl genrsa -out "$dir/accounts.pem" 2048 2>/dev/null
  echo "$token,ci,ci,system:masters" >"$dir/tokens.csv"
  "$CLUSTER_KUBE/kube-apiserver" --etcd-servers "$etcd" --cert-dir "$dir/certs" --secure-port "$CLUSTER_PORT" --bind-address 127.0.0.1 \
    --token-auth-file "$dir/tokens.csv" --authorization-mode RBAC --service-cluster-ip-range 10.0.0.0/24 --endpoint-reconciler-type=none \
    --service-account-issuer https://ci.example --service-account-key-file "$dir/accounts.pem" \
    --service-account-signing-key-file "$dir/accounts.pem" >"$dir/apiserver.log" 2>&1 &
  CLUSTER_PIDS="$CLUSTER_PIDS $!"
  cat >"$dir/kubeconfig" <<EOF
{apiVersion: v1, kind: Config, current-context: ci, contexts: [{name: ci, context: {cluster: ci, user: ci}}], users: [{name: ci, user: {token: $token}}],
 clusters: [{name: ci, cluster: {server: "https://127.0.0.1:$CLUSTER_PORT", insecure-skip-tls-verify: true}}]}
EOF
  export KUBECONFIG=$dir/kubeconfig HELM_CACHE_HOME=$dir/helm HELM_CONFIG_HOME=$dir/helm HELM_DATA_HOME=$dir/helm
  until [ "$(kubectl get --raw /readyz 2>/dev/null)" = ok ]; do
    # shellcheck disable=SC2086 # a list
    if [ "$SECONDS" -ge "$end" ] || ! kill -0 $CLUSTER_PIDS 2>/dev/null; then tail -n 20 "$dir"/*.log; return 1; fi
    sleep 0.5
  done
  "$CLUSTER_KUBE/kube-controller-manager" --kubeconfig "$dir/kubeconfig" --leader-elect=false --service-account-private-key-file "$dir/accounts.pem" \
    --bind-address 127.0.0.1 --secure-port "$((CLUSTER_PORT + 3))" >"$dir/controllers.log" 2>&1 &
  CLUSTER_PIDS="$CLUSTER_PIDS $!"
}

# kube_stop ends the servers at once. An API server that ends in order waits for its etcd, which has gone.
kube_stop() {
  # shellcheck disable=SC2086 # a list
  kill -KILL $CLUSTER_PIDS 2>/dev/null || true
  { wait; } 2>/dev/null # the shell would print how each was killed
}

# kube_needs: the tools that no script here builds are there.
kube_needs() {
  command -v kubectl >/dev/null || { echo "there is no kubectl"; return 1; }
  debian etcd etcd-server
}

helm() { "$(tool "$HELM")" "$@"; }
k() { kubectl --namespace houndtrail "$@"; }

# equals WANT COMMAND...: waits until the command prints this, for two minutes at most.
equals() {
  local want=$1 got end=$((SECONDS + 120))
  shift
  until got=$("$@" 2>&1) && [ "$got" = "$want" ]; do
    if [ "$SECONDS" -ge "$end" ]; then printf '%s printed, and not %s:\n%s\n' "$*" "$want" "$got"; return 1; fi
    sleep 0.2
  done
}

# quietly COMMAND...: the command must succeed without a warning: the API server warns of a pod that breaks the standard.
quietly() {
  "$@" >"$WORK/said" 2>&1 || { cat "$WORK/said"; return 1; }
  cat "$WORK/said"
  if grep -i warning "$WORK/said"; then return 1; fi
}

names() { k get "$@" -o name --ignore-not-found | sort | paste -sd ' '; }

# alive JOB: prints the number of a Job's pods that have not ended.
alive() { k get pods -l "job-name=$1" -o name --field-selector=status.phase!=Failed,status.phase!=Succeeded | wc -l; }

# ends JOB CODE [CONDITION]: ends the Job's pod as a kubelet would report it.
ends() {
  local pod phase=Failed condition='[]'
  equals 1 alive "$1"
  pod=$(k get pods -l "job-name=$1" -o name --field-selector=status.phase!=Failed,status.phase!=Succeeded)
  if [ "$2" -eq 0 ]; then phase=Succeeded; fi
  if [ -n "${3:-}" ]; then condition="[{\"type\":\"$3\",\"status\":\"True\",\"reason\":\"test\",\"message\":\"\",\"lastTransitionTime\":null}]"; fi
  k patch "$pod" --subresource=status --type=merge -p "{\"status\":{\"phase\":\"$phase\",\"conditions\":$condition,\"containerStatuses\":[
    {\"name\":\"houndtrail\",\"image\":\"\",\"imageID\":\"\",\"ready\":false,\"restartCount\":0,\"state\":{\"terminated\":{\"exitCode\":$2}}}]}}"
}

succeeded() { k get "job/$1" -o jsonpath='{.status.succeeded}'; }
