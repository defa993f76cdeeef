FROM ordermesh-standin/debian:bookworm
COPY grafana.pl /
CMD ["perl", "/grafana.pl"]
