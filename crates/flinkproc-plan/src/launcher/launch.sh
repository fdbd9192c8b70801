#!/bin/bash
# flinkproc's launcher: runs one attempt of one deployment, at most once, and answers for it ever after.
#
#   launch.sh start                        starts the attempt, unless it was started or fenced before
#   launch.sh attend                       the same, in the foreground
#   launch.sh observe OUT ERR PATIENCE     says how it stands, and what it said from these offsets on
#   launch.sh cancel                       ends it: Flink's client, then the YARN applications of its tag
#   launch.sh act KIND JOB FOLDER          has Flink's client do something to a job of it
#   launch.sh act-alone                    the same, as the file `action` says; the answer goes to the bucket
#
# Everything that varies lies beside this file as data and is never read as shell text. Works with bash 4.4 and later.
set -euo pipefail
umask 077
export LC_ALL=C.UTF-8
run=${0%/job/launch.sh}
cd -- "$run"
piece=524288
{
  read -rd '' mode
  read -rd '' session
  read -rd '' lifetime
  read -rd '' bucket
  read -rd '' prefix
  read -rd '' environment
} <job/facts
tag=$(<job/tag)
prefix=$prefix${run##*/}/

answer() {
  printf 'flinkproc-answer %s\n' "$1"
  exit 0
}

say() { printf 'flinkproc: %s\n' "$*" >>"$run/err" || :; }

# Somebody holds the lock. A shared try never disturbs the launcher, whose lock is exclusive.
held() { ! flock --nonblock --shared lock true; }

start() {
  exec 9>>lock
  until flock --timeout 0.1 9; do
    if [[ -e started ]]; then answer ok; fi
  done
  if [[ -e started ]]; then answer ok; fi
  if [[ -e fenced ]]; then answer fenced; fi
  if [[ -n $bucket ]]; then
    case $(gate) in
      started) ;;
      fenced) answer fenced ;;
      *)
        echo 'the gate in the bucket cannot be taken' >&2
        answer refused
        ;;
    esac
  fi
  : >>out && : >>err && : >>ids
  # From here on this attempt never starts again, whatever happens to us.
  printf '%(%s)T\n' -1 >started
  # The child inherits the lock with descriptor 9.
  setsid bash "$run/job/launch.sh" run </dev/null >>err 2>&1 &
  answer ok
}

# For a service that runs us in its foreground: what is said comes out here, and our exit status is the run's.
attend_here() {
  exec 9>>lock </dev/null
  if ! flock --nonblock 9 || [[ -e started ]]; then
    echo 'flinkproc: this attempt was started before' >&2
    exit 75
  fi
  if [[ -e fenced ]]; then shut fenced; fi
  if [[ -n $bucket ]]; then shut "$(gate)"; fi
  : >>out && : >>err && : >>ids
  printf '%(%s)T\n' -1 >started
  foreground=yes
  run
}

shut() {
  case $1 in
    started) return 0 ;;
    fenced) echo 'flinkproc: this attempt may not start any more' >&2; exit 76 ;;
    taken) echo 'flinkproc: this attempt was started before' >&2; exit 75 ;;
    *) echo 'flinkproc: the gate in the bucket cannot be taken' >&2; exit 74 ;;
  esac
}

# --- the attempt itself ---

run() {
  phase=prepare
  ending=
  child=
  watcher=
  mirror=
  tails=
  guard=()
  # Written now, so that the last word needs no space on a disk that is full by then.
  printf '%256s' '' >exit.new
  trap finish EXIT
  trap end_child TERM INT HUP
  printf '%s\n' "$$" >pid
  if [[ -e cancel ]]; then ending=yes; fi
  if [[ -n ${foreground:-} ]]; then show; fi
  # A foreign PYTHONHOME makes every other interpreter unusable; the rest would run code of somebody else's choice.
  unset PYTHONHOME PYTHONSTARTUP PYTHONINSPECT
  # A launcher that is killed outright takes its child along.
  if setpriv --pdeathsig TERM true 2>/dev/null; then guard=(setpriv --pdeathsig TERM --); fi
  if [[ -n $bucket ]]; then mirror_on; fi
  fetch
  prepare
  watch_ids 9>&- &
  watcher=$!
  if [[ $mode == session ]]; then enter_session; fi
  phase=flink
  local status=0
  cd -- "$run/files"
  attend "$flink" "${argv[@]}" >>"$run/out" 2>>"$run/err" || status=$?
  cd -- "$run"
  (( status == 0 )) || exit "$status"
  settle
}

# Runs a command in a session of its own, and waits for it through signals.
attend() {
  local status=0
  [[ -z $ending ]] || return 143
  setsid "${guard[@]}" "$@" <&0 9>&- &
  child=$!
  [[ -z $ending ]] || end_child
  while :; do
    status=0
    wait "$child" || status=$?
    kill -0 "$child" 2>/dev/null || break
  done
  child=
  return "$status"
}

end_child() {
  ending=yes
  # Whoever ends us wants the job to end: the service that runs us in its foreground has no other word for it.
  : >>"$run/cancel"
  [[ -n $child ]] || return 0
  local victim=$child
  kill -TERM -- "-$victim" 2>/dev/null || kill -TERM "$victim" 2>/dev/null || :
  (
    for _ in {1..100}; do
      sleep 0.1
      kill -0 -- "-$victim" 2>/dev/null || exit 0
    done
    kill -KILL -- "-$victim"
  ) 9>&- >/dev/null 2>&1 &
}

finish() {
  local status=$? cancelled=false word
  trap - EXIT
  trap '' TERM INT HUP
  set +e
  cd -- "$run"
  if [[ -n $watcher ]]; then
    kill "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
  fi
  collect_ids
  if [[ -e cancel ]]; then
    cancelled=true
    if [[ ( $phase == flink || $phase == session ) && ( -n $ending || $status -ne 0 ) ]]; then end_jobs; fi
  fi
  leave_session
  printf -v word '{"status":%d,"phase":"%s","cancelled":%s,"at":%(%s)T}' "$status" "$phase" "$cancelled" -1
  printf '%-256s' "$word" 1<>exit.new
  mv -f exit.new exit
  if [[ -n $bucket ]]; then mirror_off; fi
  if [[ -n $tails ]]; then hide; fi
  exit "$status"
}
