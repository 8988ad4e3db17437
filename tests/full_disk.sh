#!/usr/bin/env bash
# On a file system that is really full: what is written into it fails with a clear error, what lay there stays
# whole, and with space again training comes to the same bits as without the interruption.
#
#   tests/full_disk.sh BELLOWS
#
# Needs a file system of its own; ends with exit code 77, for skipped, where the system allows none.
set -euo pipefail

if [[ "${2:-}" != inside ]]; then
  if ! unshare --map-root-user --mount true 2> /dev/null; then
    echo "full_disk: skipped, the system allows no mounts of one's own"
    exit 77
  fi
  exec unshare --map-root-user --mount "${BASH_SOURCE[0]}" "$1" inside
fi

bellows=$(realpath "$1")
work=$(mktemp -d)
trap 'umount "$work/full" 2> /dev/null || true; rm -rf "$work"' EXIT
cd "$work"
mkdir full
if ! mount -t tmpfs -o size=8m none full; then
  echo "full_disk: skipped, there is no tmpfs"
  exit 77
fi

fail() { echo "full_disk: $*" >&2; exit 1; }
fill() { head -c 10000000 /dev/zero > full/filler 2> /dev/null || true; }
# That fails by itself, in one line that names the file and the reason, and leaves nothing half made.
expect_refused() {
  local file=$1 code=0
  shift
  "$@" > said 2>&1 || code=$?
  if [[ $code -ne 1 ]]; then fail "exit code $code of: $*: $(cat said)"; fi
  if ! grep -qE "^bellows [a-z]+: error: .*$file.*No space left on device" said; then
    fail "'$*' said: $(cat said)"
  fi
  if [[ -n $(find full -name '.bellows-*') ]]; then fail "a half-made file is left by: $*"; fi
}

cat > run.toml << 'TOML'
name = "full"
[network]
input = [1, 28, 28]
classes = 10
groups = 2
layers = [
  { kind = "conv", name = "conv", channels = [8, 8], kernel = 5, stride = 2 },
  { kind = "relu", name = "relu" },
  { kind = "linear", name = "linear", features = [32, 32] },
  { kind = "head", name = "head" },
]
[data]
format = "digits"
validation = 0.2
[data.digits]
train_images = 300
test_images = 20
[training]
batch_size = 20
threads = 1
epochs = [4]
checkpoint_every = 4
[training.optimiser]
learning_rate = 0.01
TOML

"$bellows" train run.toml --out whole > /dev/null

# Full from the beginning.
fill
expect_refused full/run "$bellows" train run.toml --out full/run
rm full/filler

# Full in the middle: between the groups there is a model and a checkpoint. Where training is done before
# the disk is full, nothing of it may be missing, and it is tried again.
interrupted=no
for attempt in 1 2 3 4 5; do
  "$bellows" train run.toml --out full/run > /dev/null 2> said &
  training=$!
  while [[ ! -f full/run/model.safetensors ]] && kill -0 $training; do sleep 0.002; done
  fill
  if wait $training; then
    cmp whole/model.safetensors full/run/model.safetensors
    rm -rf full/filler full/run
    continue
  fi
  interrupted=yes
  grep -q "No space left on device" said || fail "training said: $(cat said)"
  cp full/run/checkpoint before
  expect_refused full/run "$bellows" train run.toml --out full/run --resume
  cmp before full/run/checkpoint
  rm full/filler
  "$bellows" train run.toml --out full/run --resume > /dev/null
  cmp whole/model.safetensors full/run/model.safetensors
  break
done
[[ $interrupted == yes ]] || fail "training was done before the disk was full, $attempt times"
rm -rf full/filler full/run

cp whole/model.safetensors full/model.safetensors
"$bellows" profile full/model.safetensors --device server-cpu --seconds 0.01 --out full/profile.json > /dev/null
cp full/profile.json profile.json
"$bellows" sign --new-key key > /dev/null
fill
expect_refused full/profile.json "$bellows" profile full/model.safetensors --device server-cpu --seconds 0.01 \
  --out full/profile.json
cmp profile.json full/profile.json
expect_refused full/model.safetensors "$bellows" sign full/model.safetensors --key key.secret
cmp whole/model.safetensors full/model.safetensors
"$bellows" trim whole/model.safetensors --width 1 --out narrow > /dev/null
"$bellows" diff whole/model.safetensors --base narrow --out growth > /dev/null
rm full/filler full/model.safetensors
cp narrow full/deployed
fill
expect_refused full/deployed "$bellows" apply growth full/deployed
cmp narrow full/deployed
expect_refused full/model.onnx "$bellows" export whole/model.safetensors --out full/model.onnx
[[ ! -e full/model.onnx ]] || fail "half an ONNX file is left"
rm full/filler
"$bellows" apply growth full/deployed > /dev/null
cmp whole/model.safetensors full/deployed
echo "full_disk: nothing is lost"
