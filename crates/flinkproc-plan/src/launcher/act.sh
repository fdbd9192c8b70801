
# --- acting on the Flink jobs of this attempt, by Flink's own client ---

act() {
  if command_for "$@"; then
    printf 'flinkproc-act 1 %d %d\n' "$acted" "$(stat --format %s "$said")"
    cat -- "$said"
    rm -f -- "$said"
    exit 0
  fi
  rm -f -- "$said"
  printf '%s\n' "$refusal" >&2
  answer refused
}

# In a folder of its own, perhaps on another day and as another user: what it knows it has from YARN and from the bucket.
act_alone() {
  local action status=refused
  mapfile -d '' -t action <job/action
  if [[ -n $bucket && ! -e ids ]]; then cluster download "$bucket" "${prefix}ids" ids 2>/dev/null || :; fi
  : >>err
  if command_for "${action[@]:0:3}"; then
    status=$acted
    cat -- "$said"
  else
    printf '%s\n' "$refusal" | tee "$said" >&2
  fi
  cluster answer "$bucket" "$prefix" "${action[3]}" "$status" "$said" || exit 74
  rm -f -- "$said"
}

# Does this (`savepoint`, `stop`, `drain`, `cancel`) to the wanted job, or the only one, into this folder: `acted` is the
# client's exit status, the file `said` what it said; or else nothing was done, and `refusal` says why.
command_for() {
  local line=$1 wanted=$2 folder=$3 application jobs index word words=()
  said=$(mktemp "$run/said.XXXXXXXX")
  refusal=
  if [[ -n $folder ]]; then line+=-to; fi
  while read -rd '' word; do
    if [[ -z $word ]]; then
      if [[ ${words[0]} == "$line" ]]; then break; fi
      words=()
    else
      words+=("$word")
    fi
  done <job/acts
  if [[ $mode == session ]]; then
    application=$(session_application) || :
  else
    application=$(cluster find "$tag" 2>>err) || { refusal='YARN cannot be asked'; return 1; }
  fi
  [[ -n $application ]] || { refusal='YARN runs no application of this attempt'; return 1; }
  jobs=$(cluster jobs "$application" "$tag" "$mode" live 2>>err | cut -d ' ' -f 1) || { refusal='Flink cannot be asked for its jobs'; return 1; }
  if [[ -n $wanted ]]; then
    grep -qxF -- "$wanted" <<<"$jobs" || { refusal="no job $wanted of this attempt is running"; return 1; }
  else
    [[ -n $jobs ]] || { refusal='no job of this attempt is running'; return 1; }
    if [[ $jobs == *$'\n'* ]]; then
      refusal="several jobs of this attempt are running, name one: ${jobs//$'\n'/ }"
      return 1
    fi
    wanted=$jobs
  fi
  flink=$(command -v flink || command -v /usr/lib/flink/bin/flink) || { refusal='there is no flink command on this machine'; return 1; }
  unset PYTHONHOME
  export_classpath
  words=("${words[@]:1}")
  words=("${words[@]//$'\003'/"$application"}")
  words=("${words[@]//$'\004'/"$wanted"}")
  words=("${words[@]//$'\005'/"$folder"}")
  for index in 1 2 3 4; do
    acted=0
    "$flink" "${words[@]}" </dev/null >"$said" 2>&1 || acted=$?
    # A job is called RUNNING before all of its tasks are.
    if (( acted == 0 )) || ! grep -qaF 'is not being executed at the moment' "$said"; then break; fi
    if (( index < 4 )); then sleep 5; fi
  done
}
