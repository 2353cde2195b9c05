# The image: one static program, the certificate authorities, and nothing else. No shell, no package manager, no libc.
# Time zones, for CRON_TZ, are in the program.
#
#   docker build --build-arg VERSION=0.1.0 -t houndtrail .
#   docker run --rm --env-file houndtrail.env houndtrail
#
# Pinned by tag. Where builds must repeat to the byte, pin the digest as well: golang:1.26.8@sha256:...

# The compiler runs on the builder's own platform and compiles for the target's: nothing is emulated.
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src

# The libraries in a layer of their own: it is built again only when go.mod changes.
COPY go.mod go.sum ./
RUN go mod download

# An empty folder for the last stage, which has no mkdir.
WORKDIR /empty
WORKDIR /src

COPY . .
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -pgo cmd/houndtrail/export.pgo -ldflags "-s -w -X main.version=$VERSION" \
    -o /out/houndtrail ./cmd/houndtrail

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="houndtrail" \
      org.opencontainers.image.description="Keeps the BloodHound audit log: exports it to S3 or a SIEM, nothing lost, nothing twice" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="The Houndtrail Authors" \
      org.opencontainers.image.version="$VERSION"

COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/houndtrail /houndtrail
# For file:// URLs: a volume that is mounted here belongs to the user below. Everything else may be read-only.
COPY --from=build --chown=65532:65532 /empty /data

USER 65532:65532
EXPOSE 9090
# Set HOUNDTRAIL_LISTEN=:9090: by default the daemon serves the container alone.
# No HEALTHCHECK: it would need a program to run. Ask /livez, /healthz and /readyz on port 9090 from outside.
ENTRYPOINT ["/houndtrail"]
CMD ["run"]
