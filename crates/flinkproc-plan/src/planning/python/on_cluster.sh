#!/usr/bin/env bash
# Makes a Python with PyFlink on a machine of a Dataproc cluster, as an initialization action; a second run changes nothing.
set -euo pipefail

{
  IFS= read -r python_version
  IFS= read -r flink_version
  IFS= read -r channel
  IFS= read -r index_url || true
  IFS= read -r micromamba_url || true
} <<'@END@'
@SETTINGS@
@END@
packages=$(cat <<'@END@'
@PACKAGES@
@END@
)
locked=@LOCKED@

# --- work ---
prefix=/opt/flinkproc/env
stamp=$prefix/flinkproc-request

say() { printf 'flinkproc python-environment: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# A network that stumbles once is no reason to lose a cluster.
try() {
  local n
  for n in 1 2 3; do
    if "$@"; then return 0; fi
    say "try $n of 3 failed: $1"
    [[ $n == 3 ]] || sleep 10
  done
  return 1
}

find_conda() {
  local place
  for place in micromamba mamba conda; do
    if command -v "$place" >/dev/null 2>&1; then command -v "$place"; return 0; fi
  done
  for place in /opt/conda/default/bin /opt/conda/miniconda3/bin /opt/conda/bin /opt/micromamba/bin; do
    for name in micromamba mamba conda; do
      if [[ -x $place/$name ]]; then printf '%s\n' "$place/$name"; return 0; fi
    done
  done
  return 1
}

fetch() {
  case $1 in
    gs://*) gcloud storage cp "$1" "$2" ;;
    *) curl -fsSL --connect-timeout 20 -o "$2" "$1" ;;
  esac
}

request=$(printf '%s\n' "$python_version" "$flink_version" "$locked" "$packages" | sha256sum | cut -d ' ' -f 1)
if [[ -x $prefix/bin/python && -f $stamp && $(cat "$stamp") == "$request" ]]; then
  say "there already"
  exit 0
fi

unset PYTHONHOME PYTHONPATH
mkdir -p /opt/flinkproc
tool=$(find_conda) || tool=
if [[ -z $tool ]]; then
  [[ -n $micromamba_url ]] || fail "this image has neither micromamba nor conda; set python.micromamba_url"
  tool=/opt/flinkproc/micromamba
  try fetch "$micromamba_url" "$tool" || fail "cannot fetch micromamba from $micromamba_url"
  chmod 755 "$tool"
fi
say "making Python $python_version with $tool"
rm -rf "$prefix"
export MAMBA_ROOT_PREFIX=/opt/flinkproc/mamba
try "$tool" create --yes --prefix "$prefix" --override-channels --channel "$channel" \
  "python=$python_version" pip || fail "cannot make Python $python_version from the channel $channel"
[[ -x $prefix/bin/python ]] || fail "$tool left no $prefix/bin/python"

list=/opt/flinkproc/requirements.txt
printf '%s\n' "$packages" >"$list"
pip=("$prefix/bin/python" -I -m pip install --no-cache-dir --no-input --disable-pip-version-check)
[[ -z $index_url ]] || pip+=(--index-url "$index_url")
if [[ $locked == yes ]]; then
  pip+=(--require-hashes -r "$list")
else
  pip+=("apache-flink==$flink_version" -r "$list")
fi
try "${pip[@]}" || fail "pip cannot install apache-flink $flink_version and the requirements"

"$prefix/bin/python" -I -c 'import pyflink.table, apache_beam' || fail "PyFlink was installed and cannot be imported"
chmod -R a+rX /opt/flinkproc
printf '%s\n' "$request" >"$stamp"
say "done: $("$prefix/bin/python" -I -V)"
