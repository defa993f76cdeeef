FROM ordermesh-standin/debian:bookworm
COPY libs /opt/kafka/libs
COPY kafka.sh /etc/kafka/docker/run
RUN chmod +x /etc/kafka/docker/run \
 && useradd --uid 1000 appuser \
 && mkdir -p /var/lib/kafka/data \
 && chown appuser /var/lib/kafka/data
USER appuser
VOLUME /var/lib/kafka/data
CMD ["/etc/kafka/docker/run"]
