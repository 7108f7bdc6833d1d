# The operator on nothing but what it links and the certificate authorities it trusts: no shell, no package manager, no
# user with a name. Built by any OCI builder from the folder that image/rootfs.py makes; `make image` does both.
FROM scratch
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="aiplatform" \
      org.opencontainers.image.description="Kubernetes operator that turns one AIPlatform object into a production AI platform on AWS" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY . /
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/aiplatform"]
CMD ["run"]
