#!/bin/bash
# Debian's promtool knows no `check ready`, which Prometheus has since 2.44: asks
# as it would.
if [ "${1:-} ${2:-}" = "check ready" ]; then
  exec 3<>/dev/tcp/127.0.0.1/9090 || exit 1
  printf 'GET /-/ready HTTP/1.0\r\n\r\n' >&3
  read -r _ status _ <&3
  [ "$status" = 200 ]
else
  exec /usr/bin/promtool "$@"
fi
