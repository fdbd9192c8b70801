# The end of flinkproc's bootstrap: unpacks what stands above and becomes the launcher. Works with bash 4.4 and later.
set -eu
umask 077
export LC_ALL=C.UTF-8
# A home that is no folder of ours, as some services have, cannot keep the attempt.
if [[ ${HOME:-} != /* || ! -d ${HOME:-} || ! -w ${HOME:-} || ! -O ${HOME:-} ]]; then
  FLINKPROC_BASE=$(mktemp -d "${TMPDIR:-/tmp}/flinkproc-XXXXXXXXXX")
  export FLINKPROC_BASE
fi
guard=()
# When the service's program dies, the launcher ends the job.
if setpriv --pdeathsig TERM true 2>/dev/null; then guard=(setpriv --pdeathsig TERM --); fi
exec "${guard[@]}" sh -c "$(base64 -d <<<"$door")" flinkproc "$@" < <(base64 -d <<<"$files")
