#!/bin/bash
# flinkproc's launcher: runs one attempt of one deployment, at most once, and answers for it ever after.
#
#   launch.sh start                        starts the attempt, unless it was started or fenced before
#   launch.sh observe OUT ERR PATIENCE     says how it stands, and what it said from these offsets on
#   launch.sh cancel                       ends it: Flink's client, then the YARN applications of its tag
#
# Everything that varies lies beside this file as data and is never read as shell text. Works with bash 4.4 and later.
set -euo pipefail
umask 077
export LC_ALL=C.UTF-8
run=${0%/job/launch.sh}
cd -- "$run"
piece=524288

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
  : >>out && : >>err && : >>ids
  # From here on this attempt never starts again, whatever happens to us.
  printf '%(%s)T\n' -1 >started
  # The child inherits the lock with descriptor 9.
  setsid bash "$run/job/launch.sh" run </dev/null >>err 2>&1 &
  answer ok
}

# --- the attempt itself -------------------------------------------------------------------------------------------------

run() {
  phase=prepare
  ending=
  child=
  watcher=
  guard=()
  # Written now, so that the last word needs no space on a disk that is full by then.
  printf '%256s' '' >exit.new
  trap finish EXIT
  trap end_child TERM INT HUP
  printf '%s\n' "$$" >pid
  if [[ -e cancel ]]; then ending=yes; fi
  # A foreign PYTHONHOME makes every other interpreter unusable; the rest would run code of somebody else's choice.
  unset PYTHONHOME PYTHONSTARTUP PYTHONINSPECT
  # A launcher that is killed outright takes its child along.
  if setpriv --pdeathsig TERM true 2>/dev/null; then guard=(setpriv --pdeathsig TERM --); fi
  fetch
  prepare
  phase=flink
  watch_ids 9>&- &
  watcher=$!
  cd -- "$run/files"
  attend "$flink" "${argv[@]}" >>"$run/out" 2>>"$run/err"
}

# Runs a command in a session of its own, and waits for it through signals.
attend() {
  local status=0
  [[ -z $ending ]] || return 143
  setsid "${guard[@]}" "$@" <&0 &
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
    if [[ $phase == flink && ( -n $ending || $status -ne 0 ) ]]; then kill_applications; fi
  fi
  printf -v word '{"status":%d,"phase":"%s","cancelled":%s,"at":%(%s)T}' "$status" "$phase" "$cancelled" -1
  printf '%-256s' "$word" 1<>exit.new
  mv -f exit.new exit
  exit "$status"
}

# --- fetching -----------------------------------------------------------------------------------------------------------

fetch() {
  local index server=${STORAGE_EMULATOR_HOST:-} token=
  mapfile -d '' -t names <job/names
  mapfile -d '' -t objects <job/objects
  mkdir -p files parts
  (( ${#names[@]} )) || return 0
  phase=fetch
  if [[ -z $server ]]; then
    server=https://storage.googleapis.com
    token=$(machine_token) || { say 'the metadata server gave no token for the cluster'\''s service account'; exit 1; }
  elif [[ $server != *://* ]]; then
    server=http://$server
  fi
  local status=0
  if command -v curl >/dev/null; then
    # The token goes through standard input: arguments can be read by every user of this machine.
    attend curl --config - --fail --fail-early --silent --show-error --retry 4 --retry-connrefused --connect-timeout 10 \
      --speed-limit 1 --speed-time 60 < <(curl_config) || status=$?
  else
    attend "$(any_python)" job/flinkproc_fetch.py < <(fetch_list) || status=$?
  fi
  if (( status )); then
    if [[ -n $ending ]]; then exit "$status"; fi
    for index in "${!names[@]}"; do
      [[ -e parts/$index ]] || break
    done
    say "could not fetch ${names[index]}"
    exit "$status"
  fi
  phase=verify
  if [[ -s job/sums ]]; then verify; fi
  for index in "${!names[@]}"; do
    mv -f -- "parts/$index" "files/${names[index]}"
  done
}

curl_config() {
  if [[ -n $token ]]; then printf 'header = "Authorization: Bearer %s"\n' "$token"; fi
  for index in "${!objects[@]}"; do
    printf 'url = "%s%s"\noutput = "parts/%d"\n' "${server%/}" "${objects[index]}" "$index"
  done
}

fetch_list() {
  printf '%s\n' "$token"
  for index in "${!objects[@]}"; do printf '%s%s\n' "${server%/}" "${objects[index]}"; done
}

machine_token() {
  local host=${GCE_METADATA_HOST:-metadata.google.internal} text
  local url=http://$host/computeMetadata/v1/instance/service-accounts/default/token
  if command -v curl >/dev/null; then
    text=$(curl --fail --silent --show-error --retry 4 --connect-timeout 5 --header 'Metadata-Flavor: Google' "$url")
  else
    text=$("$(any_python)" job/flinkproc_fetch.py "$url" </dev/null)
  fi
  [[ $text =~ \"access_token\"[[:space:]]*:[[:space:]]*\"([^\"]+)\" ]]
  printf '%s' "${BASH_REMATCH[1]}"
}

verify() {
  local index word
  if ! (cd parts && sha256sum --quiet --check ../job/sums) >parts/verdict 2>&1; then
    while IFS=: read -r index word; do
      if [[ $word == *FAILED* ]]; then say "${names[index]} is not the file that was staged"; fi
    done <parts/verdict
    exit 1
  fi
  rm -f parts/verdict
}

# --- preparing ----------------------------------------------------------------------------------------------------------

prepare() {
  local index python=
  phase=prepare
  # Flink 1.12 starts the program with buffered output.
  export PYTHONUNBUFFERED=1
  flink=$(command -v flink || command -v /usr/lib/flink/bin/flink) || { say 'there is no flink command on this machine: does the cluster have the FLINK component?'; exit 127; }
  command -v hadoop >/dev/null || { say 'there is no hadoop command on this machine'; exit 127; }
  HADOOP_CLASSPATH=$(hadoop classpath) || { say '`hadoop classpath` failed'; exit 1; }
  export HADOOP_CLASSPATH
  mapfile -d '' -t argv <job/argv
  if [[ ${argv[*]} == *$'\002'* ]]; then
    python=$(program_python) || { say 'there is no Python 3 on this machine'; exit 127; }
  fi
  for index in "${!argv[@]}"; do
    argv[index]=${argv[index]//$'\001'/"$run"}
    argv[index]=${argv[index]//$'\002'/"$python"}
  done
}

any_python() { command -v python3 || command -v /opt/conda/default/bin/python3 || command -v python; }

# The first interpreter that has PyFlink; else the first one, for what Flink's own copy of the Python API can run.
program_python() {
  local name path found=()
  for name in python3 /opt/conda/default/bin/python3 /opt/conda/miniconda3/bin/python3 python; do
    if path=$(command -v "$name"); then found+=("$path"); fi
  done
  (( ${#found[@]} )) || return 1
  if (( ${#found[@]} > 1 )); then
    for path in "${found[@]}"; do
      if "$path" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("pyflink") is None)' 2>/dev/null; then
        printf '%s' "$path"
        return 0
      fi
    done
  fi
  printf '%s' "${found[0]}"
}

# --- ids ----------------------------------------------------------------------------------------------------------------

watch_ids() {
  trap - EXIT TERM INT HUP
  local turn=0 pause=0.2
  while kill -0 $$ 2>/dev/null; do
    collect_ids || :
    if (( ++turn > 300 )); then pause=1; fi
    sleep "$pause"
  done
}

declare -A read_to=([out]=0 [err]=0)
id_lines=

# Keeps the lines in which Flink and YARN tell ids; what they mean is read elsewhere.
collect_ids() {
  local file size from lines
  for file in out err; do
    size=$(stat --format %s "$run/$file")
    (( size > read_to[$file] )) || continue
    # Some bytes again, for a line that was not whole the last time.
    (( from = read_to[$file] > 4096 ? read_to[$file] - 4096 : 0, 1 ))
    read_to[$file]=$size
    lines=$(tail -c "+$((from + 1))" "$run/$file" | head -c "$((size - from))" | tr -d '\0' | grep -aF -m 200 -f "$run/job/phrases") || continue
    if [[ $id_lines != *"$lines"* && ${#id_lines} -lt 65536 ]]; then
      id_lines+=$lines$'\n'
      printf '%s' "$id_lines" >"$run/ids.$BASHPID"
      mv -f "$run/ids.$BASHPID" "$run/ids"
    fi
  done
}

# --- looking and ending -------------------------------------------------------------------------------------------------

observe() {
  local out=$1 err=$2 until=$((SECONDS + $3)) turn=0 state ended ids
  exec 7<> <(:)
  while :; do
    # The lock is looked at before `exit`: who let go of it has written that before.
    if (( turn++ % 20 == 0 )); then
      if held; then state=running; else state=lost; fi
    fi
    if [[ -e exit ]]; then state=ended; fi
    { read -r out_size && read -r err_size; } < <(stat --format %s out err)
    if [[ $state != running ]] || (( out_size > out || err_size > err || SECONDS >= until )); then break; fi
    # A pause without a process: nobody ever writes there. Quick at first, for those who only wait for the end.
    if (( turn < 40 )); then read -rt 0.04 -u 7 || :; else read -rt 0.15 -u 7 || :; fi
  done
  ended=
  if [[ $state == ended ]]; then ended=$(<exit); fi
  ids=$(<ids)
  out_size=$(bounded "$((out_size - out))")
  err_size=$(bounded "$((err_size - err))")
  printf 'flinkproc-run 1 %s %d %d %d %d\n' "$state" "$(bytes "$ended")" "$(bytes "$ids")" "$out_size" "$err_size"
  printf '%s%s' "$ended" "$ids"
  if (( out_size )); then tail -c "+$((out + 1))" out | head -c "$out_size" || :; fi
  if (( err_size )); then tail -c "+$((err + 1))" err | head -c "$err_size" || :; fi
}

bounded() { printf '%d' "$(( $1 < 0 ? 0 : $1 > piece ? piece : $1 ))"; }

bytes() {
  local LC_ALL=C
  printf '%d' "${#1}"
}

cancel() {
  local launcher=
  : >>cancel
  if [[ -e exit ]]; then answer ok; fi
  if [[ -e pid ]]; then launcher=$(<pid); fi
  if [[ -n $launcher ]] && grep -qaF -- "$run/job/launch.sh" "/proc/$launcher/cmdline" 2>/dev/null; then
    kill -TERM "$launcher" 2>/dev/null || :
  elif ! held; then
    # The launcher died; what it may have started has our tag.
    kill_applications 2>/dev/null
  fi
  answer ok
}

kill_applications() {
  local tag listed ids=()
  tag=$(<job/tag)
  listed=$(yarn application -list -appTags "$tag" -appStates NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING 9>&- 2>>err) || {
    say 'could not ask YARN for the applications of this attempt'
    return 0
  }
  mapfile -t ids < <(grep -oE '^[[:space:]]*application_[0-9]+_[0-9]+' <<<"$listed" | tr -d '[:blank:]')
  (( ${#ids[@]} )) || return 0
  if yarn application -kill "${ids[@]}" 9>&- >>err 2>&1; then
    say "ended ${ids[*]}"
  else
    say "could not end ${ids[*]}"
  fi
}

case $1 in
  start | run | cancel) "$1" ;;
  observe) observe "$2" "$3" "$4" ;;
esac
