#!/bin/sh
# Flink's client on a fake master: says what the real one says, and runs the program at once.
yarn=$HOME/yarn
action=$1
target=$3
application= mark= tags= ship= files= archives= folder= job= entry= last=
for word in "$@"; do
  case $previous in
    -pyfs) files=$word ;;
    -pyarch) archives=$word ;;
    -p) folder=$word ;;
    -s) restored=$word ;;
  esac
  case $word in
    -Dyarn.application.id=*) application=${word#*=} ;;
    -Dpython.client.executable=*) python=${word#*=} ;;
    -Dpipeline.global-job-parameters=*flinkproc-attempt:*) mark=${word##*flinkproc-attempt:} ;;
    -Dyarn.tags=*) tags=${word#*=} ;;
    -Dyarn.ship-files=*) ship=${word#*=} ;;
    -Dcontainerized.master.env.*) containers="$containers ${word#-Dcontainerized.master.env.}" ;;
  esac
  case $word in
    [0-9a-f][0-9a-f][0-9a-f][0-9a-f]*) [ "${#word}" = 32 ] && job=$word ;;
    /* | gs://*) [ "$action" = savepoint ] && folder=$word ;;
  esac
  entry=$last last=$word previous=$word
done
[ "$HADOOP_CLASSPATH" = /hadoop/jars ] || exit 99

case $action in savepoint | stop | cancel)
  echo "$*" >>"$HOME/flink.acts"
  place=$yarn/$application/jobs/$job
  if [ ! -d "$place" ] || [ "$(cat "$place/state")" != RUNNING ]; then
    echo "org.apache.flink.util.FlinkException: Could not $action the job \"$job\"."
    exit 1
  fi
  case $action in savepoint | stop) echo "Savepoint completed. Path: ${folder:-gs://bucket/default}/savepoint-4f0d1c-1" ;; esac
  case $action in
    stop) echo FINISHED >"$place/state" ;;
    cancel) echo CANCELED >"$place/state" ;;
    *) exit 0 ;;
  esac
  kill -TERM "$(cat "$place/pid")" 2>/dev/null
  exit 0
esac

echo run >>"$HOME/flink.runs"
echo "$*" >>"$HOME/flink.calls"
mkdir -p "$yarn"
if [ "$target" = yarn-session ]; then
  if [ "$(cat "$yarn/$application/state" 2>/dev/null)" != RUNNING ]; then
    echo "org.apache.flink.client.deployment.ClusterRetrieveException: Couldn't retrieve Yarn cluster"
    exit 1
  fi
  echo "INFO  YarnClusterDescriptor [] - Found Web Interface host:1 of application '$application'."
else
  number=1
  until mkdir "$yarn/application_1700000000000_000$number" 2>/dev/null; do number=$((number + 1)); done
  application=application_1700000000000_000$number
  mkdir "$yarn/$application/jobs"
  echo "$tags" >"$yarn/$application/tags"
  echo UNDEFINED >"$yarn/$application/final"
  echo RUNNING >"$yarn/$application/state"
  echo "INFO  YarnClusterDescriptor [] - Submitting application master $application"
fi
place=$yarn/$application
number=255
until mkdir "$place/jobs/$(printf '4f0d1c3b2a495877665544332211%04x' "$number")" 2>/dev/null; do number=$((number + 1)); done
job=$(printf '4f0d1c3b2a495877665544332211%04x' "$number")
echo "$mark" >"$place/jobs/$job/mark"
echo RUNNING >"$place/jobs/$job/state"

# What a job and its application become, unless somebody else has ended them.
ended() {
  [ "$(cat "$place/jobs/$job/state")" != RUNNING ] || echo "$1" >"$place/jobs/$job/state"
  [ "$target" != yarn-session ] && [ "$(cat "$place/state")" = RUNNING ] || return 0
  echo "$2" >"$place/final"
  echo FINISHED >"$place/state"
}

if [ "$target" = yarn-application ]; then
  # A worker has nothing but what was shipped.
  mkdir "$place/container"
  cp -r "${ship%%;*}" "$place/container/"
  cd "$place/container" || exit 1
  case $archives in *'#env') mkdir env && tar -xzf "${archives%#env}" -C env ;; esac
  cat >run.sh <<END
cd "$place/container"
env -i PYTHONUNBUFFERED=1 PATH="\$PATH" HOME="\$HOME" PYTHONPATH=ship STORAGE_EMULATOR_HOST="\$STORAGE_EMULATOR_HOST" $containers "$python" -m flinkproc_entry >jobmanager.out 2>&1
echo \$? >status
END
  # shellcheck disable=SC2016
  setsid sh -c 'sh run.sh; . "$0"' "$place/container/after.sh" >/dev/null 2>&1 </dev/null &
  echo $! >"$place/container/pid"
  cat >after.sh <<END
status=\$(cat status)
[ "\$(cat "$place/jobs/$job/state")" != RUNNING ] || { [ "\$status" = 0 ] && echo FINISHED || echo FAILED; } >"$place/jobs/$job/state"
if [ "\$(cat "$place/state")" = RUNNING ]; then
  { [ "\$status" = 0 ] && echo SUCCEEDED || echo FAILED; } >"$place/final"
  echo FINISHED >"$place/state"
fi
END
  exit 0
fi
echo "Job has been submitted with JobID $job"
for file in $(echo "$files" | tr ',' ' '); do
  case $file in */sitecustomize.py) export PYTHONPATH="${file%/*}" ;; esac
done
"$python" "$entry" "$last" &
echo $! >"$place/jobs/$job/pid"
wait $!
status=$?
if [ "$status" = 0 ]; then ended FINISHED SUCCEEDED; elif [ "$status" -lt 128 ]; then ended FAILED FAILED; fi
exit "$status"
