FROM ordermesh-standin/debian:bookworm AS debian
# What distroless' cc image has: glibc, libgcc, OpenSSL, certificates, two users.
RUN mkdir /out && cd /usr/lib/x86_64-linux-gnu \
 && mkdir -p /out/usr/lib/x86_64-linux-gnu /out/etc/ssl /out/tmp /out/home/nonroot \
 && cp -a libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libresolv.so.2 \
      libnss_*.so.2 ld-linux-x86-64.so.2 libgcc_s.so.1 libssl.so.3 libcrypto.so.3 \
      /out/usr/lib/x86_64-linux-gnu \
 && ln -s usr/lib /out/lib && mkdir /out/usr/lib64 && ln -s usr/lib64 /out/lib64 \
 && cp -a /lib64/ld-linux-x86-64.so.2 /out/usr/lib64 \
 && cp -aL /etc/ssl/certs /out/etc/ssl \
 && printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >/out/etc/passwd \
 && printf 'root:x:0:\nnonroot:x:65532:\n' >/out/etc/group \
 && printf 'hosts: files dns\n' >/out/etc/nsswitch.conf \
 && chmod 1777 /out/tmp && chown 65532 /out/home/nonroot

FROM scratch
COPY --from=debian /out /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532
WORKDIR /home/nonroot
