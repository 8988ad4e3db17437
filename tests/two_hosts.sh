#!/usr/bin/env bash
# Runs a program of MPI on two hosts: network namespaces with names, addresses and a cable between
# them, so that every message goes through TCP.
#
#   tests/two_hosts.sh PROGRAM [ARGUMENTS]
#
# BELLOWS_CABLE_MBIT=1000 makes the cable one of 1 Gbit/s; without it it is as fast as the machine.
#
# Exit code 77 where the system does not allow that (no root, no iproute2, no mpirun). Prints, last, the
# bytes that went through the cable.
set -euo pipefail

one="bellows$$a" two="bellows$$b"
for tool in ip unshare mpirun; do
  if ! command -v "$tool" > /dev/null; then echo "there is no $tool"; exit 77; fi
done
clean() {
  ip netns del "$one" 2> /dev/null || true
  ip netns del "$two" 2> /dev/null || true
  rm -rf "$folder"
}
folder=$(mktemp -d)
trap clean EXIT
if ! ip netns add "$one" 2> /dev/null || ! ip netns add "$two" 2> /dev/null ||
  ! ip link add "v$$a" netns "$one" type veth peer name "v$$b" netns "$two" 2> /dev/null; then
  echo "this system allows no network namespaces"
  exit 77
fi
ip -n "$one" addr add 10.77.0.1/24 dev "v$$a"
ip -n "$two" addr add 10.77.0.2/24 dev "v$$b"
for namespace in "$one" "$two"; do
  ip -n "$namespace" link set lo up
done
ip -n "$one" link set "v$$a" up
ip -n "$two" link set "v$$b" up
if [[ -n "${BELLOWS_CABLE_MBIT:-}" ]]; then
  tc -n "$one" qdisc add dev "v$$a" root tbf rate "${BELLOWS_CABLE_MBIT}mbit" burst 128kb latency 50ms
  tc -n "$two" qdisc add dev "v$$b" root tbf rate "${BELLOWS_CABLE_MBIT}mbit" burst 128kb latency 50ms
fi

# What mpirun calls instead of ssh: HOST COMMAND...
cat > "$folder/agent" <<TEXT
#!/bin/sh
shift
exec ip netns exec $two unshare --uts sh -c "hostname $two; \$*"
TEXT
chmod +x "$folder/agent"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ip netns exec "$one" unshare --uts sh -c "hostname $one; exec \"\$@\"" sh \
  mpirun --mca plm_rsh_agent "$folder/agent" --mca btl tcp,self --mca oob_tcp_if_include 10.77.0.0/24 \
  --mca btl_tcp_if_include 10.77.0.0/24 --host 10.77.0.1,10.77.0.2 -n 2 -x OMP_WAIT_POLICY "$@"
echo "bytes sent through the cable: $(ip netns exec "$one" cat "/sys/class/net/v$$a/statistics/tx_bytes" 2> /dev/null || ip -n "$one" -s link show "v$$a" | awk '/TX:/ {getline; print $1}')"
