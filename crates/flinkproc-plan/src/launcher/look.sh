
# --- looking and ending ---

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
    phase=flink
    end_jobs 2>/dev/null
    leave_session 2>/dev/null
  fi
  answer ok
}

# Ends what runs of this attempt: its applications, or its jobs in a session that is not for it alone.
end_jobs() {
  local application job state
  if [[ $mode != session ]]; then
    kill_applications "$tag"
    return 0
  fi
  if [[ -e session.ours && $lifetime == deployment ]]; then return 0; fi
  application=$(session_application) || return 0
  [[ -n $application ]] || return 0
  : "${flink:=$(command -v flink || command -v /usr/lib/flink/bin/flink)}"
  export_classpath
  while read -r job state; do
    if "$flink" cancel -t yarn-session "-Dyarn.application.id=$application" "$job" </dev/null >>err 2>&1 9>&-; then
      say "ended the job $job, which was $state"
    else
      say "could not end the job $job"
    fi
  done < <(cluster jobs "$application" "$tag" session live 2>>err)
}

export_classpath() {
  if [[ -z ${HADOOP_CLASSPATH:-} ]]; then HADOOP_CLASSPATH=$(hadoop classpath); fi
  export HADOOP_CLASSPATH
}

kill_applications() {
  local listed ids=()
  listed=$(yarn application -list -appTags "$1" -appStates NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING 9>&- 2>>err) || {
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
