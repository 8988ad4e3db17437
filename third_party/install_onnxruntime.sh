#!/usr/bin/env bash
# Fetches the library of ONNX Runtime, which tests compare logits with and benchmarks compare times
# with, into third_party/onnxruntime/. Nothing that is shipped uses it. Safe to run any number of
# times: the right version is left alone.
#
# It comes from the package onnxruntime-node of npm, version and checksum as in package-lock.json;
# no code of the package is run. npm comes with Node.js (Debian: apt-get install npm).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/onnxruntime"

library=libonnxruntime.so.1
# The library tells its version among its texts.
wanted=$(sed -n 's/.*"onnxruntime-node": "\(.*\)".*/\1/p' package.json)
if [[ -e $library ]] && grep -q --fixed-strings "$wanted" "$library"; then
  echo "ONNX Runtime is there: $PWD/$library"
  exit 0
fi

case "$(uname -m)" in
  x86_64) machine=x64 ;;
  aarch64) machine=arm64 ;;
  *) echo "install_onnxruntime.sh: there is no ONNX Runtime for $(uname -m)" >&2; exit 1 ;;
esac
if ! command -v npm >/dev/null; then
  echo "install_onnxruntime.sh: npm is missing; on Debian: apt-get install npm" >&2
  exit 1
fi

# The package is five times the library, for other systems: only the library stays.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp package.json package-lock.json "$scratch"
npm ci --prefix "$scratch" --ignore-scripts --no-audit --no-fund --loglevel=error
cp "$scratch/node_modules/onnxruntime-node/bin/napi-v6/linux/$machine/$library" "$library.part"
mv "$library.part" "$library"
echo "ONNX Runtime is now there: $PWD/$library"
