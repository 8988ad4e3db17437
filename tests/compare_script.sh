#!/usr/bin/env bash
# scripts/compare trains variants, after those whose models they read, measures each width and counts points
# and storage from the plain networks.
#
#   tests/compare_script.sh PROGRAM     of bellows
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
small="data.digits.train_images = 400; data.digits.test_images = 200; training.epochs = [1]"
for width in 1 2 3 4; do
  cat > "$folder/plain-$width.toml" <<TEXT
name = "plain-$width"
base = "$PWD/configs/digits/lenet.toml"
plain_width = $width
TEXT
done
cat > "$folder/small.txt" <<TEXT
# name | configuration | keys
taught | digits/lenet.toml | $small; training.distillation = { teacher = 'model', model = '@plain-3-2' }
base | digits/lenet.toml | $small
plain-1 | $folder/plain-1.toml | $small
plain-2 | $folder/plain-2.toml | $small
plain-3 | $folder/plain-3.toml | $small
plain-4 | $folder/plain-4.toml | $small
TEXT
compare=(scripts/compare "$folder/small.txt" --out "$folder/runs" --seeds 1 --bellows "$1")

fail() { echo "$1"; cat "$folder/output"; exit 1; }

"${compare[@]}" --only base,plain-2 --profile server-cpu > "$folder/output" 2>&1 || fail "it fails"
grep -qE '^\| base \| 1 \|( [0-9.]+ \|){4}$' "$folder/output" || fail "no accuracies of four widths"
grep -qE '^\| plain-2 \| 1 \| [0-9.]+ \|' "$folder/output" || fail "no accuracy of the plain network"
# Only width 2 has a plain network to count from. Each list has a value for each width.
grep -qE '^\| base \| -, [+-][0-9.]+, -, - \|( [0-9.,]+, [0-9.,]+, [0-9.,]+, [0-9.,]+ \|){4} - \|$' \
  "$folder/output" || fail "no costs of four widths"
grep -qE '^\| plain-2 \| - \|( [0-9.]+ \|){4} - \|$' "$folder/output" || fail "no costs of the plain network"
grep -qE '^Energy: .*server-cpu' "$folder/output" || fail "the source of the energies is not told"

"${compare[@]}" --profile server-cpu > "$folder/output" 2>&1 || fail "it fails with a run that reads another's model"
[[ -f "$folder/runs/plain-3-2/model.safetensors" ]] || fail "what the taught one learns from was not trained"
for name in taught base; do
  line=$(grep -E "^\| $name \|" "$folder/output" | tail -n 1)
  python3 - "$line" "$(grep -E '^\| plain-[1-4] \| - ' "$folder/output")" \
    "$(grep -E "^\| ($name|plain-[1-4]) \| 1 " "$folder/output")" <<'PYTHON' || fail "points or storage of $name are wrong"
import sys
own, plain, scores = ([[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines()]
                      for text in sys.argv[1:])
weights = float(own[0][5].split(",")[-1])
assert abs(float(own[0][6]) - weights / sum(float(line[5]) for line in plain)) < 0.006
accuracies = {line[0]: [float(cell) for cell in line[2:] if cell] for line in scores}
for width, points in enumerate(own[0][1].split(","), 1):
    expected = accuracies[own[0][0]][width - 1] - accuracies[f"plain-{width}"][0]
    assert abs(float(points) - expected) < 0.011, (width, points, expected)
PYTHON
done

before=$(stat -c %y "$folder"/runs/*/model.safetensors "$folder"/runs/*.profile.json)
"${compare[@]}" --profile server-cpu > "$folder/again" 2>&1 || fail "it fails when nothing is left to do"
cmp "$folder/output" "$folder/again" || fail "another table without another run"
after=$(stat -c %y "$folder"/runs/*/model.safetensors "$folder"/runs/*.profile.json)
[[ "$before" == "$after" ]] || fail "it did again what was done"

sed -i 's/epochs = \[1\]/epochs = [2]/' "$folder/small.txt"
if "${compare[@]}" > "$folder/output" 2>&1; then fail "runs of other keys are taken for these"; fi
grep -q "is of another configuration or other keys" "$folder/output" || fail "another complaint"

sed -i 's/@plain-3-2/@nobody-1/' "$folder/small.txt"
if "${compare[@]}" --only taught > "$folder/output" 2>&1; then fail "a variant learns from nobody"; fi
grep -q "taught reads a model of nobody, which is no variant" "$folder/output" || fail "another complaint"
