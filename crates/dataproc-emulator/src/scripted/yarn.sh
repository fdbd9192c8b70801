
read_file() { if [ -e "$1" ]; then IFS= read -r line <"$1" || :; printf '%s' "$line"; fi; line=; }
standing() {
  state=RUNNING final=UNDEFINED
  if [ -s "$here/apps/$1/end" ]; then read -r state final finished <"$here/apps/$1/end" || :; fi
}

list() {
  tag= states=SUBMITTED,ACCEPTED,RUNNING
  while [ $# -gt 0 ]; do
    case $1 in
      -appTags) tag=$2; shift ;;
      -appStates) states=$2; shift ;;
    esac
    shift
  done
  printf '                Application-Id\t    Application-Name\t    Application-Type\t      User\t     Queue\t             State\t       Final-State\t       Progress\t                       Tracking-URL\n'
  for application in "$here"/apps/application_*; do
    [ -d "$application" ] || continue
    id=${application##*/}
    standing "$id"
    case ,$states, in *,"$state",* | *,ALL,*) ;; *) continue ;; esac
    if [ -n "$tag" ]; then
      case ,$(read_file "$application/tags"), in *,"$tag",*) ;; *) continue ;; esac
    fi
    printf '%s\t%20s\t        Apache Flink\t%10s\t   default\t%18s\t%18s\t           100%%\thttp://%s\n' "$id" "$(read_file "$application/name")" "$(id -un)" "$state" "$final" "$flink"
  done
}

kill_applications() {
  for id do
    [ -d "$here/apps/$id" ] || { echo "Application with id '$id' doesn't exist in RM or Timeline Server." >&2; exit 1; }
    standing "$id"
    if [ "$state" = RUNNING ]; then
      printf 'KILLED KILLED %s' "$(date +%s%3N)" >"$here/apps/$id/end"
      echo "Killing application $id"
    else
      echo "Application $id has already finished "
    fi
  done
}

status() {
  [ -d "$here/apps/$1" ] || { echo "Application with id '$1' doesn't exist in RM or Timeline Server." >&2; exit 1; }
  standing "$1"
  printf 'Application Report : \n\tApplication-Id : %s\n\tApplication-Name : %s\n\tApplication-Type : Apache Flink\n\tState : %s\n\tFinal-State : %s\n\tTracking-URL : http://%s\n' \
    "$1" "$(read_file "$here/apps/$1/name")" "$state" "$final" "$flink"
}

logs() {
  [ -d "$here/apps/$1" ] || { echo "Unable to get ApplicationState" >&2; exit 1; }
  printf 'Container: container_%s_01_000001 on 127.0.0.1_8041\nLogType:jobmanager.log\nLog Contents:\n' "${1#application_}"
  cat "$here/apps/$1/exception"
  printf '\nEnd of LogType:jobmanager.log\n'
}

command=$1 verb=$2
shift 2 2>/dev/null || { echo 'usage: yarn application -list | -status ID | -kill ID…, yarn logs -applicationId ID' >&2; exit 1; }
case "$command $verb" in
  'application -list' | 'app -list') list "$@" ;;
  'application -kill' | 'app -kill') kill_applications "$@" ;;
  'application -status' | 'app -status') status "$1" ;;
  'logs -applicationId') logs "$1" ;;
  *) echo "yarn $command $verb is not emulated" >&2; exit 1 ;;
esac
