#!/usr/bin/env bash
# Installs the Debian 12 packages that Bellows is built with. Safe to run any number of times: what
# is there is left alone, and when nothing is missing no network and no special right is needed.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: third_party/install.sh [--check] [--minimal]
  --check    install nothing; name what is missing and fail if anything is
  --minimal  only what an embedded build (the run-time engine alone) needs
TEXT
}

runtime=(g++ cmake ninja-build pkg-config libdnnl-dev libsodium-dev nlohmann-json3-dev)
full=(
  ccache git ca-certificates                                  # building
  libeigen3-dev libtomlplusplus-dev libcxxopts-dev            # training and the command
  libarchive-dev libmatio-dev libpng-dev                      # data sets
  libcurl4-openssl-dev zlib1g-dev                             # fetching and unpacking them
  libonnx-dev libprotobuf-dev                                 # export
  libgtest-dev libgmock-dev libbenchmark-dev                  # tests and benchmarks
  clang-format clang-tidy python3                             # checks
  dpkg-dev file                                               # packages
)

check_only=false
packages=("${runtime[@]}" "${full[@]}")
for argument in "$@"; do
  case "$argument" in
    --check) check_only=true ;;
    --minimal) packages=("${runtime[@]}") ;;
    --help | -h) usage; exit 0 ;;
    *) echo "install.sh: unknown option '$argument'" >&2; usage >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null; then
  echo "install.sh: this is no Debian system (no dpkg-query); install your counterparts of:" >&2
  printf '  %s\n' "${packages[@]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  # A package installed for several architectures answers once for each.
  [[ "$status" == installed* ]] || missing+=("$package")
done

if [[ ${#missing[@]} -eq 0 ]]; then
  echo "All ${#packages[@]} packages are installed."
  exit 0
fi
echo "Missing: ${missing[*]}"
if $check_only; then
  exit 1
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "install.sh: installing needs root, and there is no sudo; run this as root:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "$@"
}
echo "Refreshing the package lists"
apt update -q
echo "Installing ${missing[*]}"
apt install -q -y --no-install-recommends "${missing[@]}"
echo "Done."
