FROM ordermesh-standin/debian:bookworm
COPY promtool.sh /usr/local/bin/promtool
RUN mkdir -p /prometheus && chown nobody /prometheus
USER nobody
VOLUME /prometheus
ENTRYPOINT ["prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
