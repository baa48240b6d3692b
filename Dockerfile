# docker build -t natsd .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /natsd .

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /natsd /natsd
USER 65532:65532
EXPOSE 4222 6222 8222
# Lame duck mode: clients are told, and closed little by little. Give it time: docker stop -t 150.
STOPSIGNAL SIGUSR2
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/natsd", "healthcheck", "http://127.0.0.1:8222/readyz"]
ENTRYPOINT ["/natsd"]
CMD ["serve", "-m", "8222"]
