# syntax=docker/dockerfile:1

# Static binary, nothing else in the image but certificates. Modules and the build cache are kept between builds.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o /settler ./cmd/settler

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /settler /settler
# A number, so that a cluster can see that it is not root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/settler"]
CMD ["serve"]
