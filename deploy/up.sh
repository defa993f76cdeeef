#!/usr/bin/env bash
# Brings up the whole stack with Docker Compose and says when each part is ready.
#
#   deploy/up.sh [--lite] [--no-build]
#
# --lite      one broker, no Prometheus, no Grafana
# --no-build  takes the images as they are
set -euo pipefail
cd "$(dirname "$0")/.."

profile=full
build=yes
for argument in "$@"; do
  case $argument in
    --lite) profile=lite ;;
    --no-build) build= ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit ;;
    *) echo "error: unknown option $argument; see deploy/up.sh --help" >&2; exit 2 ;;
  esac
done

compose=(docker compose --profile "$profile")
[ "$profile" = lite ] && compose+=(--env-file deploy/lite.env)

# A port that something else has makes a container fail long after the others
# started; so ask before, unless it is ours already.
ports=(
  3000:REST 50051:gRPC 50052:analytics 50053:payments 50054:history 50055:notifier
  16686:Jaeger 8025:Mailpit
)
[ "$profile" = full ] && ports+=(9090:Prometheus 3001:Grafana)
if [ -z "$("${compose[@]}" ps --quiet)" ]; then
  taken=()
  for entry in "${ports[@]}"; do
    port=${entry%%:*}
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      taken+=("  $port (${entry#*:})")
    fi
  done
  if [ "${#taken[@]}" -gt 0 ]; then
    echo "error: something else listens on these ports of 127.0.0.1:" >&2
    printf '%s\n' "${taken[@]}" >&2
    echo "Stop it (\`ss -ltnp\` names it), then try again. Nothing was started." >&2
    exit 1
  fi
fi

if [ -n "$build" ]; then
  "${compose[@]}" build
fi
"${compose[@]}" up --detach --no-build --quiet-pull

# One line a part, when it is ready; what failed is shown with its last words.
start=$SECONDS
limit=180
declare -A told=()
while :; do
  waiting=()
  while IFS='|' read -r service state health code; do
    [ -n "$service" ] || continue
    case $state/$health in
      running/healthy | running/) ready=yes ;;
      exited/*) if [ "$code" = 0 ]; then ready=yes; else ready=failed; fi ;;
      *) ready= ;;
    esac
    if [ "$ready" = failed ]; then
      echo "error: $service ended with $code. Its last lines:" >&2
      "${compose[@]}" logs --tail 20 "$service" >&2
      exit 1
    elif [ -z "$ready" ]; then
      waiting+=("$service")
    elif [ -z "${told[$service]:-}" ]; then
      told[$service]=yes
      printf '  %-11s ready after %3d s\n' "$service" $((SECONDS - start))
    fi
  done < <("${compose[@]}" ps --all --format '{{.Service}}|{{.State}}|{{.Health}}|{{.ExitCode}}')
  [ "${#waiting[@]}" -eq 0 ] && [ "${#told[@]}" -gt 0 ] && break
  if [ $((SECONDS - start)) -gt "$limit" ]; then
    echo "error: not ready after $limit s: ${waiting[*]}" >&2
    echo "\`make logs s=${waiting[0]}\` shows what it says; \`make down\` ends everything." >&2
    exit 1
  fi
  sleep 1
done

cat <<'TEXT'

Ordermesh is ready.

  REST        http://127.0.0.1:3000      curl -X POST 127.0.0.1:3000/order -H 'content-type: application/json' -d @order.json
  Shop        http://127.0.0.1:3000/
  Console     http://127.0.0.1:3000/console     the operator's token is `ordermesh`, or OPERATOR_TOKEN
  API docs    http://127.0.0.1:3000/docs
  gRPC        127.0.0.1:50051            grpcurl -plaintext localhost:50051 list
  queries     analytics :50052  payments :50053  history :50054  notifier :50055
  traces      http://127.0.0.1:16686     (Jaeger)
  mails       http://127.0.0.1:8025      (Mailpit)
TEXT
[ "$profile" = full ] && cat <<'TEXT'
  dashboards  http://127.0.0.1:3001      (Grafana)
  metrics     http://127.0.0.1:9090      (Prometheus)
TEXT
echo
echo "make ps, make logs s=payments, make down"
