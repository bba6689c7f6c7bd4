ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY deploy/build.lock deploy/server.lock deploy/
RUN python -m venv --without-pip /opt/rota \
 && python -m pip --python /opt/rota install --require-hashes --no-deps -r deploy/server.lock \
 && python -m pip install --require-hashes --no-deps -r deploy/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY lib lib
COPY src src
COPY migrations migrations
RUN python -m pip wheel --no-build-isolation --no-deps --wheel-dir dist . \
 && python -m pip --python /opt/rota install --no-index --no-deps dist/rota-*.whl

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="Rota" \
      org.opencontainers.image.description="A multi-tenant, event-driven scheduler" \
      org.opencontainers.image.licenses="MIT"
# Volumes that are mounted here for the first time get the owner that is set here.
RUN groupadd --gid 10001 rota \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin rota \
 && install --directory --owner=rota --group=rota /data /token
COPY --from=build /opt/rota /opt/rota
ENV PATH=/opt/rota/bin:$PATH HOST=0.0.0.0 PORT=3080 ROTA_DATA_DIR=/data
USER 10001:10001
WORKDIR /work
VOLUME /data
EXPOSE 3080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=6 \
  CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/ready', timeout=4)"]
ENTRYPOINT ["rota"]
CMD ["serve"]
