FROM ordermesh-standin/debian:bookworm
COPY rust /usr/local/rust
COPY ca-certificates.crt /etc/ssl/certs/
ENV CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:/usr/local/rust/bin:$PATH
