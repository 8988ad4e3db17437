#!/usr/bin/env bash
# Installs the Debian 12 packages that Bellows is built with. Safe to run any number of times: what
# is there is left alone, and when nothing is missing no network and no special right is needed.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: third_party/install.sh [--check]
           [--minimal | --browser | --mpi | --fonts | --pytorch | --fuzz | --aarch64]
  --check    install nothing; name what is missing and fail if anything is
  --minimal  only what an embedded build (the run-time engine alone) needs
  --browser  only Chromium (300 MB), in which tests look at reports and `bellows report --picture`
             draws
  --mpi      only Open MPI (50 MB), for training by several processes
  --pytorch  only PyTorch (250 MB), to compare the speed of training with
  --fuzz     only clang and its fuzzer (450 MB), for scripts/fuzz
  --fonts    only type faces (130 MB), from which the data set street-digits is drawn
  --aarch64  only what cross building it for 64-bit Arm, and running that by QEMU, needs: the
             tools are installed, the target's libraries are unpacked into build/aarch64-root
TEXT
}

runtime=(g++ cmake ninja-build pkg-config libdnnl-dev libsodium-dev nlohmann-json3-dev)
full=(
  ccache git ca-certificates                                  # building
  libeigen3-dev libtomlplusplus-dev libcxxopts-dev            # training and the command
  coinor-libcbc-dev                                           # mixtures of policies
  libarchive-dev libmatio-dev libpng-dev libfreetype-dev      # data sets
  libcurl4-openssl-dev zlib1g-dev                             # fetching and unpacking them
  libonnx-dev libprotobuf-dev                                 # export
  libjs-chart.js                                              # reports
  libgtest-dev libgmock-dev libbenchmark-dev locales          # tests and benchmarks
  clang-format clang-tidy python3                             # checks
  dpkg-dev file                                               # packages
)

# Of many hands and shapes, that have digits.
fonts=(
  fonts-adf-accanthis fonts-adf-baskervald fonts-adf-berenis fonts-adf-gillius fonts-adf-ikarius
  fonts-adf-libris fonts-adf-mekanus fonts-adf-oldania fonts-adf-romande fonts-adf-solothurn
  fonts-adf-switzera fonts-adf-tribun fonts-adf-universalis fonts-adf-verana fonts-b612
  fonts-bebas-neue fonts-cabin fonts-cantarell fonts-comfortaa fonts-courier-prime
  fonts-crosextra-caladea fonts-crosextra-carlito fonts-dejavu-core fonts-dejavu-extra fonts-dosis
  fonts-dustin fonts-ebgaramond fonts-fanwood fonts-freefont-ttf fonts-georgewilliams
  fonts-goudybookletter fonts-hack fonts-inconsolata fonts-jura fonts-karla fonts-lato
  fonts-league-spartan fonts-leckerli-one fonts-liberation fonts-lindenhill fonts-linuxlibertine
  fonts-lobster fonts-lobstertwo fonts-manrope fonts-national-park fonts-oldstandard
  fonts-open-sans fonts-play fonts-prociono fonts-quicksand fonts-roboto-slab
  fonts-roboto-unhinted fonts-sil-gentium fonts-sora fonts-tuffy fonts-urw-base35 fonts-vollkorn
  fonts-yanone-kaffeesatz
)

cross_tools=(g++-aarch64-linux-gnu cmake ninja-build pkg-config qemu-user)
cross_libraries=(libdnnl2 libdnnl-dev libsodium23 libsodium-dev nlohmann-json3-dev)
cross_root=$(realpath -m "$(dirname "${BASH_SOURCE[0]}")/../build/aarch64-root")

# Node.js may come from elsewhere and bring its own.
if ! command -v npm >/dev/null; then
  full+=(npm)                                                 # ONNX Runtime, to compare with
fi

check_only=false
for_aarch64=false
packages=("${runtime[@]}" "${full[@]}")
for argument in "$@"; do
  case "$argument" in
    --check) check_only=true ;;
    --minimal) packages=("${runtime[@]}") ;;
    --browser) packages=(chromium) ;;
    --mpi) packages=(libopenmpi-dev openmpi-bin) ;;
    --pytorch) packages=(python3-torch libopenblas0-openmp) ;;
    --fuzz) packages=(clang libclang-rt-14-dev libomp-14-dev) ;;
    --fonts) packages=("${fonts[@]}") ;;
    --aarch64) for_aarch64=true; packages=("${cross_tools[@]}") ;;
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

# Debian's libraries for arm64 are only ever linked and emulated here, so they are unpacked beside
# the builds: that needs no root, and the system does not have to learn a second architecture.
unpack_cross_libraries() {
  local apt_home="$cross_root.apt"
  rm -rf "$apt_home" "$cross_root.new"
  mkdir -p "$apt_home"/{state/lists/partial,cache/archives/partial,packages} "$cross_root.new"
  local options=(
    -o APT::Architecture=arm64 -o APT::Architectures::=arm64
    -o Dir::State="$apt_home/state" -o Dir::Cache="$apt_home/cache"
    -o APT::Sandbox::User="$(id -un)")
  echo "Fetching ${cross_libraries[*]} for arm64"
  apt-get -q "${options[@]}" update
  (cd "$apt_home/packages" && apt-get -q "${options[@]}" download "${cross_libraries[@]}")
  local package
  for package in "$apt_home"/packages/*.deb; do
    dpkg-deb --extract "$package" "$cross_root.new"
  done
  rm -rf "$cross_root" "$apt_home"
  mv "$cross_root.new" "$cross_root"
}

libraries_missing=false
if $for_aarch64 && [[ ! -d "$cross_root" ]]; then libraries_missing=true; fi

if [[ ${#missing[@]} -eq 0 ]]; then
  echo "All ${#packages[@]} packages are installed."
else
  echo "Missing: ${missing[*]}"
fi
if $libraries_missing; then echo "Missing: the libraries for 64-bit Arm in $cross_root"; fi
if $check_only; then
  if [[ ${#missing[@]} -gt 0 ]] || $libraries_missing; then exit 1; fi
  exit 0
fi
if $libraries_missing; then unpack_cross_libraries; fi
if [[ ${#missing[@]} -eq 0 ]]; then
  exit 0
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
