#!/usr/bin/env bash
# Runs a program while an ssh server of its own listens on a free port of this machine, for this user and
# a key made for the purpose. The program finds in FARAWAY an ssh_config(5) file that calls it `faraway`.
#
#   tests/ssh_to_localhost.sh PROGRAM [ARGUMENTS]
#
# Exit code 77 where the system does not allow that (no OpenSSH server, no home folder).
set -euo pipefail

sshd=$(PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v sshd || true)
if [[ -z "$sshd" ]]; then echo "there is no sshd"; exit 77; fi
for tool in ssh scp ssh-keygen python3; do
  if ! command -v "$tool" > /dev/null; then echo "there is no $tool"; exit 77; fi
done

folder=$(mktemp -d)
server=
clean() {
  if [[ -n "$server" ]]; then kill "$server" 2> /dev/null || true; fi
  rm -rf "$folder"
}
trap clean EXIT
chmod 700 "$folder"
# A server that root starts wants this folder; the package's own start script makes it.
if [[ $(id -u) -eq 0 ]]; then mkdir -p /run/sshd; fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
ssh-keygen -q -t ed25519 -N '' -f "$folder/host"
ssh-keygen -q -t ed25519 -N '' -f "$folder/key"
cat > "$folder/sshd_config" <<TEXT
ListenAddress 127.0.0.1
Port $port
HostKey $folder/host
AuthorizedKeysFile $folder/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
TEXT
cat > "$folder/config" <<TEXT
Host faraway
  HostName 127.0.0.1
  Port $port
  User $(id -un)
  IdentityFile $folder/key
  IdentitiesOnly yes
  UserKnownHostsFile $folder/known_hosts
  StrictHostKeyChecking accept-new
  BatchMode yes
  ConnectTimeout 10
  LogLevel ERROR
TEXT
"$sshd" -D -e -f "$folder/sshd_config" 2> "$folder/log" &
server=$!
for attempt in $(seq 50); do
  if ssh -F "$folder/config" faraway true 2> "$folder/refused"; then break; fi
  if [[ $attempt -eq 50 ]] || ! kill -0 "$server" 2> /dev/null; then
    echo "this system allows no ssh to itself:"
    cat "$folder/refused" "$folder/log"
    exit 77
  fi
  sleep 0.1
done
FARAWAY="$folder/config" "$@"
