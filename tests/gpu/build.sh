#!/usr/bin/env bash
# The whole starter from seeds on one graphics card, meant for less than 12 minutes: `tests/gpu/build.sh [OUT]` from a
# checkout. Started again, it goes on where it stopped. On a bare machine with torch and no network, PARTCRAFT_WHEELS
# names a folder with the wheels of the other packages (skia-python among them). DEVICE=cpu TRIAL=1 tries it without a
# card, a few steps of everything.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
out=${1:-build/aviary}
if [ -n "${PARTCRAFT_WHEELS:-}" ]; then
  "$python" -m pip install -q --no-index --no-deps --find-links "$PARTCRAFT_WHEELS" "$PARTCRAFT_WHEELS"/*.whl
fi
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
"$python" -m engine.aviary build --device "${DEVICE:-cuda}" ${TRIAL:+--trial} --out "$out"
echo "$SECONDS s of the clock in all; $out/work/build.log says when each stage began and ended" >&2
