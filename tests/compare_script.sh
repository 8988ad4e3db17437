#!/usr/bin/env bash
# scripts/compare trains variants, measures each width and counts points from the plain networks.
#
#   tests/compare_script.sh PROGRAM     of bellows
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
small="data.digits.train_images = 400; data.digits.test_images = 200; training.epochs = [1]"
cat > "$folder/plain-2.toml" <<TEXT
name = "plain-2"
base = "$PWD/configs/digits/lenet.toml"
plain_width = 2
TEXT
cat > "$folder/small.txt" <<TEXT
# name | configuration | keys
base | digits/lenet.toml | $small
plain-2 | $folder/plain-2.toml | $small
TEXT
compare=(scripts/compare "$folder/small.txt" --out "$folder/runs" --seeds 1 --bellows "$1")

fail() { echo "$1"; cat "$folder/output"; exit 1; }

"${compare[@]}" --profile server-cpu > "$folder/output" 2>&1 || fail "it fails"
grep -qE '^\| base \| 1 \|( [0-9.]+ \|){4}$' "$folder/output" || fail "no accuracies of four widths"
grep -qE '^\| plain-2 \| 1 \| [0-9.]+ \|' "$folder/output" || fail "no accuracy of the plain network"
# Only width 2 has a plain network to count from. Each list has a value for each width.
grep -qE '^\| base \| -, [+-][0-9.]+, -, - \|( [0-9.,]+, [0-9.,]+, [0-9.,]+, [0-9.,]+ \|){4}$' "$folder/output" ||
  fail "no costs of four widths"
grep -qE '^\| plain-2 \| - \|( [0-9.]+ \|){4}$' "$folder/output" || fail "no costs of the plain network"
grep -qE '^Energy: .*server-cpu' "$folder/output" || fail "the source of the energies is not told"

before=$(stat -c %y "$folder"/runs/*/model.safetensors "$folder"/runs/*.profile.json)
"${compare[@]}" --profile server-cpu > "$folder/again" 2>&1 || fail "it fails when nothing is left to do"
cmp "$folder/output" "$folder/again" || fail "another table without another run"
after=$(stat -c %y "$folder"/runs/*/model.safetensors "$folder"/runs/*.profile.json)
[[ "$before" == "$after" ]] || fail "it did again what was done"

sed -i 's/epochs = \[1\]/epochs = [2]/' "$folder/small.txt"
if "${compare[@]}" > "$folder/output" 2>&1; then fail "runs of other keys are taken for these"; fi
grep -q "is of another configuration or other keys" "$folder/output" || fail "another complaint"
