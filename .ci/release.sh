# shellcheck shell=bash
# The parts of a release. Each function makes some files in the folder $DIST. With the same commit and the same Go, they are the
# same bytes on every machine: no file has the time or the place of the build.
#
# The caller sets VERSION (1.2.3), COMMIT (40 hex digits), SOURCE_DATE_EPOCH (the commit's time in Unix seconds), and the folder
# BUILD for everything that is no result. Its folder bin has the programs, OS_ARCH each.

# Windows is not among them: Houndtrail locks journals in directories with a call of Unix.
PLATFORMS=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64)

# stamp: prints the commit's time in RFC 3339.
stamp() { date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ; }

# compile OS ARCH FILE: builds the program. The Dockerfile has the same flags.
compile() {
  CGO_ENABLED=0 GOOS=$1 GOARCH=$2 GOAMD64=v1 GOARM64=v8.0 GOFLAGS='' GOWORK=off go build -trimpath -buildvcs=false \
    -pgo cmd/houndtrail/export.pgo -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT -X main.date=$(stamp)" \
    -o "$3" ./cmd/houndtrail
}

# common FOLDER: puts the files that each archive and each package has into the folder: licences, manual pages and completions.
common() {
  local shell here
  here=$BUILD/bin/$(go env GOOS)_$(go env GOARCH)
  mkdir -p "$1/man" "$1/completions"
  cp LICENSE README.md CHANGELOG.md deploy/houndtrail.env.example "$1"
  go run -trimpath ./.ci/licenses >"$1/THIRD-PARTY-LICENSES.txt"
  go test -trimpath -count=1 ./cmd/houndtrail -run '^TestManual$' -manual "$(cd "$1/man" && pwd)" >"$1/man.log" || { cat "$1/man.log"; return 1; }
  rm "$1/man.log"
  for shell in bash zsh fish; do "$here" completion "$shell" >"$1/completions/houndtrail.$shell"; done
}

# pack FOLDER FILE: makes a .tar.gz of a folder, of which only the names and the contents count.
pack() {
  find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  chmod -R u=rwX,go=rX "$1"
  tar --format=ustar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$(dirname "$1")" -cf - "$(basename "$1")" |
    gzip -n >"$2"
}

# archives COMMON: makes the archive of each platform.
archives() {
  local platform name
  for platform in "${PLATFORMS[@]}"; do
    name=houndtrail_${VERSION}_${platform/\//_}
    mkdir -p "$BUILD/archives/$name"
    cp -r "$1/." "$BUILD/archives/$name"
    cp "$BUILD/bin/${platform/\//_}" "$BUILD/archives/$name/houndtrail"
    if [ "${platform%/*}" = linux ]; then cp -r deploy/systemd "$BUILD/archives/$name"; fi
    chmod 755 "$BUILD/archives/$name/houndtrail"
    pack "$BUILD/archives/$name" "$DIST/$name.tar.gz"
  done
}

# bill: makes the list of components (SBOM) of each program, in the form of CycloneDX. The list comes from the program itself. It has
# no serial number and no time. Without a proxy, the tool takes the licences from Go's cache alone.
bill() {
  local platform gomod
  gomod=$(tool "$CYCLONEDX_GOMOD")
  for platform in "${PLATFORMS[@]/\//_}"; do
    GOPROXY=off "$gomod" bin -json -licenses -std -noserial -notimestamp -version "v$VERSION" \
      -output "$DIST/houndtrail_${VERSION}_$platform.cdx.json" "$BUILD/bin/$platform" >"$BUILD/bill.log" 2>&1 ||
      { cat "$BUILD/bill.log"; return 1; }
  done
}

# sums: makes the list of checksums of all files.
sums() { (cd "$DIST" && sha256sum -- houndtrail* | LC_ALL=C sort -k 2 >SHA256SUMS); }
