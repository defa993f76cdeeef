FROM ordermesh-standin/debian:bookworm
STOPSIGNAL SIGKILL
CMD ["sleep", "infinity"]
