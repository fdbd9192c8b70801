# flinkproc's door on the master: finds or makes one attempt's directory, then hands over to its launcher.
# Arguments: deployment, attempt, action, what the action takes. `start` reads the attempt's files as a tar from its input.
set -eu
umask 077
export LC_ALL=C.UTF-8
base=${FLINKPROC_BASE:-$HOME/.flinkproc}
run=$base/$1/$2
action=$3

# Where our exit status is the run's, what is not started is no success.
unable=0
case $action in attend | act-alone) unable=70 ;; esac
answer() {
  printf 'flinkproc-answer %s\n' "$1"
  case $unable$1 in 70fenced) exit 76 ;; 70conflict) exit 75 ;; esac
  exit "$unable"
}
refuse() { printf '%s\n' "$1" >&2; cat >/dev/null; answer refused; }

# Whoever can write here decides what runs: each directory has to be ours, a real one, and closed to others.
own() {
  for folder in "$base" "$base/$1" "$run"; do
    [ -d "$folder" ] || mkdir "$folder" 2>/dev/null || [ -d "$folder" ] || refuse "cannot make $folder"
    { [ ! -L "$folder" ] && [ -O "$folder" ]; } || refuse "$folder is not a directory of $(id -un)"
  done
  chmod 700 "$base" "$base/$1" "$run" || refuse "cannot close $run to others"
}

case $action in
act-alone)
  # Each action has a folder of its own; the attempt's may be elsewhere or another user's.
  unset FLINKPROC_BASE
  base=$(mktemp -d "${TMPDIR:-/tmp}/flinkproc-XXXXXXXXXX")
  run=$base/$1/$2
  trap 'rm -rf "$base"' EXIT
  mkdir -p "$run/job"
  tar -xof - -C "$run/job"
  [ "$(cat "$run/job/digest")" = "$4" ] || refuse "the action's files did not arrive whole"
  bash "$run/job/launch.sh" act-alone && exit 0 || exit "$?"
  ;;
start | attend)
  own "$1"
  if [ -e "$run/fenced" ] && [ ! -e "$run/started" ]; then cat >/dev/null; answer fenced; fi
  if [ -d "$run/job" ]; then
    cat >/dev/null
  else
    new=$(mktemp -d "$run/.job.XXXXXXXX") || refuse "cannot make a directory in $run"
    # The last file holds the others' digest: a tar that broke off lacks it.
    if ! tar -xof - -C "$new" || [ "$(cat "$new/digest" 2>/dev/null)" != "$4" ]; then
      rm -rf "$new"
      refuse "the attempt's files did not arrive whole in $run"
    fi
    # Another start may have been faster; its files are as good as ours.
    mv -T "$new" "$run/job" 2>/dev/null || rm -rf "$new"
  fi
  [ "$(cat "$run/job/digest")" = "$4" ] || answer conflict
  command -v bash >/dev/null || refuse "there is no bash on this machine"
  exec bash "$run/job/launch.sh" "$action"
  ;;
fence)
  own "$1"
  : >>"$run/fenced"
  answer ok
  ;;
cancel)
  # One that has not started ends at once if it is started later.
  own "$1"
  : >>"$run/cancel"
  [ -e "$run/started" ] || answer ok
  exec bash "$run/job/launch.sh" cancel
  ;;
act)
  own "$1"
  [ -e "$run/started" ] || refuse 'the attempt was not started here'
  exec bash "$run/job/launch.sh" act "$4" "$5" "$6"
  ;;
observe)
  if [ ! -e "$run/started" ]; then
    printf 'flinkproc-run 1 absent 0 0 0 0\n'
    exit 0
  fi
  [ -O "$run" ] || { echo "$run is not a directory of $(id -un)" >&2; exit 1; }
  exec bash "$run/job/launch.sh" observe "$4" "$5" "$6"
  ;;
esac
