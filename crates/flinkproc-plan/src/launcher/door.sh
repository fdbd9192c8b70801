# flinkproc's door on the master: finds or makes one attempt's directory, then hands over to its launcher.
# Arguments: deployment, attempt, action, what the action takes. `start` reads the attempt's files as a tar from its input.
set -eu
umask 077
export LC_ALL=C.UTF-8
base=$HOME/.flinkproc
run=$base/$1/$2
action=$3

answer() { printf 'flinkproc-answer %s\n' "$1"; exit 0; }
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
start)
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
  exec bash "$run/job/launch.sh" start
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
observe)
  if [ ! -e "$run/started" ]; then
    printf 'flinkproc-run 1 absent 0 0 0 0\n'
    exit 0
  fi
  [ -O "$run" ] || { echo "$run is not a directory of $(id -un)" >&2; exit 1; }
  exec bash "$run/job/launch.sh" observe "$4" "$5" "$6"
  ;;
esac
