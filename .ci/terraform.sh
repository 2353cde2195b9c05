# shellcheck shell=bash
# Terraform with a stand-in for the provider for AWS. .ci/terraform and .ci/walk use it. It needs Go, Terraform, and Node with npm.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/houndtrail-ci
PACKAGE=$CACHE/npm/$(basename "$AWS_PROVIDER_CLASSES").tgz
export TF_CLI_CONFIG_FILE=$WORK/terraform.rc CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_INPUT=0

# terraform_here: Terraform has the version of versions.sh, and the package with the provider's schema is there.
terraform_here() {
  local version
  version=$(terraform version -json 2>/dev/null | sed -nE 's/.*"terraform_version": "(.*)".*/\1/p') || true
  [ "$version" = "$TERRAFORM" ] || { echo "Terraform is ${version:-missing}: install $TERRAFORM"; return 1; }
  if [ ! -f "$PACKAGE" ]; then
    mkdir -p "${PACKAGE%/*}"
    (cd "$WORK" && npm pack --silent "$AWS_PROVIDER_CLASSES" && mv -- *.tgz "$PACKAGE")
  fi
}

# provider: builds the stand-in with the schema of everything that the module uses, in a mirror of Terraform's registry.
provider() {
  local name names folders=() mirror platform
  mapfile -t names < <(sed -nE 's/^(resource|data) "(aws_\w+)".*/\1.\2/p' deploy/terraform/*.tf | sed 's/^resource\.//' | sort -u)
  for name in "${names[@]}"; do
    name=${name/data.aws_/data-aws-}
    name=${name#aws_}
    folders+=("package/lib/${name//_/-}")
  done
  tar -xzf "$PACKAGE" -C "$WORK" "${folders[@]}"
  platform=$(go env GOOS)_$(go env GOARCH)
  mirror=$WORK/mirror/$(terraform -chdir=deploy/terraform providers | sed -nE '1,/hashicorp/s|.*provider\[(.*/hashicorp/aws)\].*|\1|p')/$AWS_PROVIDER/$platform
  mkdir -p "$mirror"
  node "$CI_DIR/aws-provider/schema.mjs" "$WORK/package" "${names[@]}" >"$mirror/schema.json"
  (cd "$CI_DIR/aws-provider" && go build -o "$mirror/terraform-provider-aws_v$AWS_PROVIDER" .)
  printf 'provider_installation {\n  filesystem_mirror { path = "%s/mirror" }\n}\n' "$WORK" >"$TF_CLI_CONFIG_FILE"
  echo "${#names[@]} resources and data sources"
  # Terraform writes beside its files, so it gets a copy.
  cp -r deploy "$WORK/deploy"
  terraform -chdir="$WORK/deploy/terraform/example" init -no-color
  terraform -chdir="$WORK/deploy/terraform" init -no-color >"$WORK/init"
}

# tested DEPLOY FILE: runs the tests of one file, or of all. The output has the plans: FILE gets it.
tested() {
  local said
  terraform -chdir="$1/terraform" test -json -verbose "${@:3}" >"$2" || { failures "$2"; return 1; }
  said=$(tail -n 1 "$2" | sed -nE 's/.*"@message":"([^"]*)".*/\1/p')
  echo "$said"
  [[ $said =~ ^Success.\ [1-9] ]] || { echo "no test ran"; return 1; }
}

# failures FILE: the messages of a test that failed.
failures() { sed -nE '/"type":"diagnostic"/s/.*"summary":/: /p' "$1" | cut -c1-500; }
