#!/usr/bin/env bash
# All figures of a graphics card, in under 8 minutes: `tests/gpu/run.sh [OUT_FILE]` from a checkout.
# On a bare machine with torch and no network, PARTCRAFT_WHEELS names a folder with the wheels of the other packages.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
out=${1:-/dev/stdout}
if [ -n "${PARTCRAFT_WHEELS:-}" ]; then
  "$python" -m pip install -q --no-index --no-deps --find-links "$PARTCRAFT_WHEELS" "$PARTCRAFT_WHEELS"/*.whl
fi
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
{
  "$python" -m tests.gpu.measure
  echo "== training step"
  "$python" tests/bench/training_step.py --size 512 --steps 10 || echo "a bar was missed"
} >"$out"
