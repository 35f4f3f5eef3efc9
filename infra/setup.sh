#!/bin/sh
# Makes .venv and puts into it what requirements/dev.txt pins, then the project itself, editable.
# `make` calls it when one of these files is newer than .venv/.ready. It talks on standard error only: the output of
# `make env` is for a shell to evaluate. Needs Python >= 3.11; uses uv where there is one, for its speed.
set -eu

venv=.venv
log=$venv/setup.log
requirements=requirements/dev.txt

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

recent() { command -v "$1" >/dev/null && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        recent "$PYTHON" || die "PYTHON=$PYTHON is not a Python >= 3.11"
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if recent "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    have=$(python3 --version 2>/dev/null || echo 'no python3 at all')
    die "ESKIT needs Python 3.11 or newer, here is $have; install one, or name it: make PYTHON=/path/to/python3.12 ..."
}

# quietly COMMAND ...: its output goes to the log, a line now and then tells how far it is, its end is shown if it fails.
quietly() {
    "$@" >"$log" 2>&1 &
    child=$!
    trap 'kill "$child" 2>/dev/null; exit 130' INT TERM
    waited=0
    while kill -0 "$child" 2>/dev/null; do
        sleep 1
        waited=$((waited + 1))
        if [ $((waited % 10)) -eq 0 ]; then
            say "still at it: $(grep -c '^Collecting' "$log") of $(grep -c '==' "$requirements") packages, $waited s"
        fi
    done
    trap - INT TERM
    if ! wait "$child"; then
        tail -n 20 "$log" >&2
        die "that did not work; the whole output is in $log"
    fi
}

with_uv() {
    [ -x "$venv/bin/python" ] || uv venv --quiet --python "$python" "$venv"
    uv pip install --quiet --python "$venv/bin/python" --require-hashes -r "$requirements"
    uv pip install --quiet --python "$venv/bin/python" --no-build-isolation --no-deps --editable .
}

with_pip() {
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        die "this Python comes without the module venv: on Debian and Ubuntu, apt install python3-venv; or install uv"
    if ! "$venv/bin/python" -c '' 2>/dev/null; then
        "$python" -m venv --clear "$venv"
    elif ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        "$venv/bin/python" -m ensurepip >/dev/null # it was made by uv, which needs no pip in it
    fi
    pip="$venv/bin/python -m pip install --disable-pip-version-check --no-input"
    quietly $pip --require-hashes -r "$requirements"
    quietly $pip --no-build-isolation --no-deps --editable .
}

python=$(find_python)
if [ -e "$venv/.ready" ]; then
    say "the requirements changed: bringing $venv up to date"
else
    say "making $venv with $("$python" --version), once; this downloads about 100 MB and takes a minute or so"
fi
if command -v uv >/dev/null; then with_uv; else with_pip; fi
touch "$venv/.ready"
say "done"
