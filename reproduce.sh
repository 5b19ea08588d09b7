#!/usr/bin/env bash
# usage: ./reproduce.sh COMMAND... [options]
#
#   verify                          does this machine give the committed numbers? (about three minutes)
#   table1 table2 table3            images, text, retrieval: every method at few and at many labels
#   fig1 fig2 theory ablation-*     figures; all: tables 1 to 3 and the figures
#   compare METHOD                  is a method (a file, or a row) better than TGT?
#   new method NAME, new task NAME, validate FILE       a custom method or task
#   submit METHOD                   a method and its runs in one file, for others to check and show
#   report check export throughput tune data teachers list test
#
#   ./reproduce.sh COMMAND --help tells a command's options.
#
# The first call makes a virtual environment in .venv and installs the project (several minutes); later calls start at once.
set -euo pipefail
here=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$PWD

usage() { sed -n '2,/^$/{/^#/s/^# \{0,1\}//p}' reproduce.sh | sed '/^set /,$d'; }

# Set-up depends on these files and this place alone: the stamp that tells an environment is up to date.
stamp="$(cat pyproject.toml constraints.txt requirements.lock | cksum) $root"
kept=$(cat .venv/.installed 2>/dev/null || true)
# An environment runs the code that it was made for: a copy, or a link to it, would run another checkout's.
case "$kept" in
  *" "/*) made_for="/${kept#* /}"
    [ "$made_for" = "$root" ] || {
      echo "reproduce.sh: .venv was made for $made_for, not for $root: remove it (rm -r .venv), and call this again" >&2; exit 2; } ;;
esac
if [ "$(cat .venv/.installed 2>/dev/null || true)" != "$stamp" ]; then
  case "${1:---help}" in -h | --help | help) usage; exit 0 ;; esac
  python=${PYTHON:-python3}
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "reproduce.sh: Python 3.11 or newer is needed (set PYTHON to its path)" >&2; exit 2; }
  exec 9>.venv.lock
  if command -v flock >/dev/null; then flock 9; fi # a second call waits here rather than install beside the first
  if [ "$(cat .venv/.installed 2>/dev/null || true)" != "$stamp" ]; then
    echo "reproduce.sh: installing into .venv (once; several minutes, about 6 GB)" >&2
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@" >&2; }
    if [ "$(uname -sm)" = "Linux x86_64" ] && [ -z "${TGT_UNLOCKED:-}" ]; then
      # Every distribution by its hash, none built here; the project itself by what the lock has installed.
      install --require-hashes --only-binary=:all: -r requirements.lock || {
        echo "reproduce.sh: the locked distributions cannot be had as they were; TGT_UNLOCKED=1 takes what constraints.txt allows" >&2; exit 1; }
      install --no-deps --no-build-isolation -e .
    else
      install -c constraints.txt -e '.[dev]'
    fi
    echo "$stamp" >.venv/.installed
  fi
  exec 9>&-
fi

# glibc hands large blocks back to the system at every free and pays page faults to have them again; kept, a step of
# training takes about a fifth less time.
export MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=1073741824

if [ "${1:-}" = test ]; then
  shift
  # Two processes of one thread each: two multi-threaded ones slow each other down many times over.
  OMP_NUM_THREADS=1 exec .venv/bin/python -m pytest -n 2 --dist worksteal "$@"
fi
cd "$here" # files and folders that a person names are meant from where they stand
exec "$root/.venv/bin/python" -P -m benchmarks "$@"
