#!/usr/bin/env bash
# Builds stand-ins for the images that docker-compose.yml and deploy/Dockerfile pin.
# README.md beside this says what of, and what they cannot show.
#
#   deploy/standin/build.sh            what is missing
#   deploy/standin/build.sh --remove   removes them
set -euo pipefail
cd "$(dirname "$0")"

base=ordermesh-standin/debian:bookworm
cache=$(realpath -m "${ORDERMESH_CACHE:-../../.cache}")
label=ordermesh.standin

case ${1:-} in
  '') ;;
  --remove)
    docker images --quiet --filter "label=$label" | sort -u | xargs -r docker rmi --force
    exit ;;
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit ;;
  *) echo "error: unknown option $1; see deploy/standin/build.sh --help" >&2; exit 2 ;;
esac

missing=()
for program in docker debootstrap go rustup; do
  command -v "$program" >/dev/null || missing+=("the program $program")
done
for part in kafka/4.1.0/dist/libs postgres/17.6/bin jaeger/v1.76.0/jaeger; do
  [ -e "$cache/$part" ] || missing+=("$part in the tests' cache (\`make test\` fetches it)")
done
if [ "${#missing[@]}" -gt 0 ]; then
  echo 'error: the stand-ins need:' >&2
  printf '  %s\n' "${missing[@]}" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# standin NAME FILE FOLDER...: builds NAME from images/FILE with these folders of
# $work, or says that it is there. A real image of that name is never replaced.
standin() {
  local name=$1 file=$2
  if docker image inspect "$name" >/dev/null 2>&1; then
    echo "  $name is there"
    return
  fi
  echo "  $name …"
  cp "images/$file" "$work/Dockerfile"
  DOCKER_BUILDKIT=0 docker build --quiet --label "$label=true" --tag "$name" "$work" >/dev/null
  # The next image's context shall not hold this one's parts.
  find "$work" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
}

wanted() { ! docker image inspect "$1" >/dev/null 2>&1; }

# Debian with what several of them need, from where this machine has its packages.
if wanted "$base"; then
  echo "  $base …"
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m1 '/debian$')
  packages=build-essential,ca-certificates,libssl-dev,openjdk-17-jre-headless
  packages+=,pkg-config,postgresql-client,prometheus
  debootstrap --variant=minbase --include="$packages" bookworm "$work/root" "$mirror" >"$work/log" 2>&1 ||
    { tail -20 "$work/log" >&2; exit 1; }
  rm -rf "$work"/root/var/cache/apt/archives/*.deb
  cp /etc/apt/sources.list.d/debian.sources "$work/root/etc/apt/sources.list.d/" 2>/dev/null || true
  tar -C "$work/root" -c . | docker import --change "LABEL $label=true" \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - "$base" >/dev/null
  rm -rf "$work/root"
fi

if wanted apache/kafka:4.1.0; then
  cp -rL "$cache/kafka/4.1.0/dist/libs" "$work/libs"
  cp images/kafka.sh "$work"
fi
standin apache/kafka:4.1.0 kafka.Dockerfile

if wanted postgres:17.6; then
  mkdir "$work/postgres"
  cp -rL "$cache"/postgres/17.6/{bin,lib,share} "$work/postgres"
  cp images/postgres.sh "$work"
fi
standin postgres:17.6 postgres.Dockerfile

wanted jaegertracing/jaeger:2.11.0 && cp "$cache/jaeger/v1.76.0/jaeger" "$work"
standin jaegertracing/jaeger:2.11.0 jaeger.Dockerfile

if wanted axllent/mailpit:v1.27.11; then
  GOBIN=$work CGO_ENABLED=0 go install github.com/axllent/mailpit@v1.27.11
fi
standin axllent/mailpit:v1.27.11 mailpit.Dockerfile

wanted prom/prometheus:v3.5.0 && cp images/promtool.sh "$work"
standin prom/prometheus:v3.5.0 prometheus.Dockerfile
wanted grafana/grafana:12.1.1 && cp images/grafana.pl "$work"
standin grafana/grafana:12.1.1 grafana.Dockerfile

if wanted rust:1.95-bookworm; then
  cp -rL "$(rustc --print sysroot)" "$work/rust"
  rm -rf "$work/rust/share"
  # A network with a certificate authority of its own is trusted there as here.
  cp -L /etc/ssl/certs/ca-certificates.crt "$work"
fi
standin rust:1.95-bookworm rust.Dockerfile

standin gcr.io/distroless/cc-debian12:nonroot distroless.Dockerfile
echo 'Stand-ins are built. Next: make up'
