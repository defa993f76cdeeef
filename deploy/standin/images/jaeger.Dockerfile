FROM ordermesh-standin/debian:bookworm
COPY jaeger /usr/local/bin/
USER 10001
ENTRYPOINT ["jaeger", "--collector.otlp.grpc.host-port=:4317", "--collector.otlp.http.host-port=:4318"]
