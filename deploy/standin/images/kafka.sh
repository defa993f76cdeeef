#!/usr/bin/env bash
# As the official image does: KAFKA_A_B=c is the setting a.b=c; the folder is
# formatted once, for CLUSTER_ID.
set -euo pipefail
properties=/tmp/server.properties
env | while IFS='=' read -r name value; do
  case $name in
    KAFKA_HEAP_OPTS) ;;
    KAFKA_*)
      name=${name#KAFKA_}
      name=${name,,}
      printf '%s=%s\n' "${name//_/.}" "$value" ;;
  esac
done >"$properties"
java=(java ${KAFKA_HEAP_OPTS:-} -Dorg.slf4j.simpleLogger.showDateTime=true -cp '/opt/kafka/libs/*')
"${java[@]}" kafka.tools.StorageTool format --ignore-formatted -t "$CLUSTER_ID" -c "$properties"
exec "${java[@]}" kafka.Kafka "$properties"
