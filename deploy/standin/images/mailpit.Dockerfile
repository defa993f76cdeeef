FROM ordermesh-standin/debian:bookworm
COPY mailpit /usr/local/bin/
ENTRYPOINT ["mailpit"]
