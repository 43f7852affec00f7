# The static program alone: migrate, verify by text, manage tenants. docs/releasing.md describes both images.
# Pin the digest before you use it.
FROM rust:1.95-alpine AS build
RUN apk add --no-cache musl-dev gcc make
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked --bin tenure && cp target/dist/tenure /tenure

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /tenure /tenure
USER 65532:65532
# The private server needs PostgreSQL's programs, which this image does not have.
ENV CI=true
ENTRYPOINT ["/tenure"]
