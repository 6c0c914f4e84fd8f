# An image of the binary and nothing else: no system, no shell. Build the binary first, with the weights inside and
# linked statically:
#
#   MODEL_GGUF=model.gguf MONOMORPH_EMBED=1 \
#       cargo rustc --release --features grpc --bin monomorph -- -Ctarget-feature=+crt-static
#   docker build --tag monomorph .
#   docker run --publish 8080:8080 --env MONOMORPH_API_KEY=... monomorph serve
FROM scratch
COPY target/release/monomorph /monomorph
USER 65534:65534
# Of serve, which wants keys in MONOMORPH_API_KEY where others can reach it, and of the health check.
ENV MONOMORPH_HOST=0.0.0.0
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s CMD ["/monomorph", "health"]
ENTRYPOINT ["/monomorph"]
