#!/bin/sh
# YARN's command on a fake master, over the folders that the fake `flink` makes.
echo "$* " >>"$HOME/yarn.calls"
yarn=$HOME/yarn
case "$1 $2" in
'application -list')
  echo "Total number of applications (application-types: [], states: [$6] and tags: [$4]):1"
  echo "                Application-Id	    Application-Name"
  for place in "$yarn"/application_*; do
    [ -e "$place/tags" ] || continue
    case ",$(cat "$place/tags")," in *",$4,"*) ;; *) continue ;; esac
    state=$(cat "$place/state")
    case ",$6," in *",$state,"* | ,ALL,) ;; *) continue ;; esac
    printf '%s\tmy etl\tApache Flink\troot\tdefault\t%s\t%s\t100%%\thttp://host:1\n' "${place##*/}" "$state" "$(cat "$place/final")"
  done
  ;;
'application -kill')
  shift 2
  for application; do
    place=$yarn/$application
    echo KILLED >"$place/final"
    echo KILLED >"$place/state"
    for job in "$place"/jobs/*; do
      [ -e "$job/state" ] && [ "$(cat "$job/state")" = RUNNING ] && echo CANCELED >"$job/state"
    done
    if [ -e "$place/container/pid" ]; then kill -TERM -- "-$(cat "$place/container/pid")" 2>/dev/null; fi
    echo "Killing application $application"
  done
  ;;
'logs -applicationId')
  echo "Container: container_1 on host"
  cat "$yarn/$3/container/jobmanager.out" 2>/dev/null
  ;;
esac
exit 0
