
# --- modes: what happens before and after Flink's client in a session and in application mode ---

# Finds the session by its tag, or starts it; whoever comes first starts it, others wait for that.
enter_session() {
  local lock=${TMPDIR:-/tmp}/.flinkproc-$session.lock index starter
  phase=session
  # Users of one machine share the lock; a foreign file can be locked, though not written.
  if [[ ! -e $lock ]]; then (umask 0; set -o noclobber; : >"$lock") 2>/dev/null || :; fi
  exec 8<"$lock"
  until flock --timeout 0.5 8; do
    if [[ -n $ending ]]; then exit 143; fi
  done
  application=$(session_application) || exit 1
  if [[ -z $application ]]; then
    starter=$(command -v yarn-session.sh || command -v /usr/lib/flink/bin/yarn-session.sh) || { say 'there is no yarn-session.sh on this machine'; exit 127; }
    : >session.ours
    attend "$starter" "${session_argv[@]}" >>err 2>&1 8>&- || { index=$?; say 'the session could not be started'; exit "$index"; }
    application=$(session_application) || exit 1
    [[ -n $application ]] || { say "YARN runs no application with the tag $session"; exit 1; }
  fi
  exec 8<&-
  printf '%s\n' "$application" >application
  say "in the session of application '$application'"
  for index in "${!argv[@]}"; do argv[index]=${argv[index]//$'\003'/"$application"}; done
}

# The oldest one, so that all agree should there ever be two.
session_application() {
  if [[ -s $run/application ]]; then
    cat "$run/application"
    return 0
  fi
  cluster find "$session" 2>>"$run/err" || { say 'could not ask YARN for the session'; return 1; }
}

# A session that this deployment started ends with it, unless it is to be kept.
leave_session() {
  if [[ $mode != session || $lifetime != deployment || ! -e session.ours ]]; then return 0; fi
  kill_applications "$session"
}

# Flink's client has ended well. Whether the job has is said by YARN (an application) or by Flink (a job in a session).
settle() {
  local final status=0
  case $mode in
    application)
      attend "$(any_python)" -BsE job/flinkproc_cluster.py final "$tag" >settled 2>>err || status=$?
      final=$(<settled)
      if [[ -n $ending ]]; then exit 143; fi
      case $final in
        SUCCEEDED) exit 0 ;;
        FAILED) say 'the application failed'; exit 1 ;;
        KILLED) say 'the application was killed'; exit 137 ;;
        *) say 'could not learn how the application ended'; exit 1 ;;
      esac
      ;;
    session)
      # Jobs that the program left running go on with nobody to look at them, or with a session that we are to end.
      if [[ -n $bucket || ( -e session.ours && $lifetime == deployment ) ]]; then
        attend "$(any_python)" -BsE job/flinkproc_cluster.py settled "$application" "$tag" >settled 2>>err || status=$?
        if [[ -n $ending ]]; then exit 143; fi
        if (( status )); then say "a job did not end well: $(<settled)"; exit 1; fi
      fi
      ;;
    *)
      if [[ -n $bucket ]]; then
        attend "$(any_python)" -BsE job/flinkproc_cluster.py final "$tag" >settled 2>>err || :
        if [[ -n $ending ]]; then exit 143; fi
      fi
      ;;
  esac
}
