# The image: one static program, the certificate authorities, the licences, and nothing else. No shell, no package manager, no
# libc. Time zones, for CRON_TZ, are in the program.
#
#   docker build --build-arg VERSION=0.1.0 -t houndtrail .
#   docker run --rm --env-file houndtrail.env houndtrail
#
# With the same commit, the program in it has the same bytes as in the archives of the release.

# Pinned by digest: a tag can move. The digest names the image of all platforms. A build that cannot reach the registry gives its
# own image with this Go.
ARG GO=golang:1.26.8@sha256:3c3e25a4da13fd0478eed2df1eb35a0e667094a7124d3993a6a1d30f71c17e79

# The compiler runs on the builder's own platform and compiles for the target's: nothing is emulated.
FROM --platform=$BUILDPLATFORM ${GO} AS build
WORKDIR /src

# The libraries in a layer of their own: it is built again only when go.mod changes.
COPY go.mod go.sum ./
RUN go mod download

# An empty folder for the last stage, which has no mkdir.
WORKDIR /empty
WORKDIR /src

COPY . .
RUN go run ./.ci/licenses >/licenses.txt
ARG VERSION=dev
# The commit, and its time in RFC 3339.
ARG COMMIT=
ARG DATE=
ARG TARGETOS
ARG TARGETARCH
# The flags are those of a release (.ci/release.sh).
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOAMD64=v1 GOARM64=v8.0 go build -trimpath -buildvcs=false \
    -pgo cmd/houndtrail/export.pgo -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT -X main.date=$DATE" \
    -o /out/houndtrail ./cmd/houndtrail

FROM scratch
ARG VERSION=dev
ARG COMMIT=
LABEL org.opencontainers.image.title="houndtrail" \
      org.opencontainers.image.description="Keeps the BloodHound audit log: exports it to S3 or a SIEM, nothing lost, nothing twice" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/houndtrail/houndtrail" \
      org.opencontainers.image.vendor="The Houndtrail Authors" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.version="$VERSION"

COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/LICENSE /licenses/LICENSE
COPY --from=build /licenses.txt /licenses/THIRD-PARTY-LICENSES.txt
COPY --from=build /out/houndtrail /houndtrail
# For file:// URLs: a volume that is mounted here belongs to the user below. Everything else may be read-only.
COPY --from=build --chown=65532:65532 /empty /data

USER 65532:65532
EXPOSE 9090
# Set HOUNDTRAIL_LISTEN=:9090: by default the daemon serves the container alone.
# No HEALTHCHECK: it would need a program to run. Ask /livez, /healthz and /readyz on port 9090 from outside.
ENTRYPOINT ["/houndtrail"]
CMD ["run"]
