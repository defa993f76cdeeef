FROM ordermesh-standin/debian:bookworm
COPY mailpit /usr/local/bin/
HEALTHCHECK --interval=2s CMD ["mailpit", "readyz"]
ENTRYPOINT ["mailpit"]
