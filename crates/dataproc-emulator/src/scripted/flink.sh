
number=1
until mkdir "$here/calls/$number" 2>/dev/null; do number=$((number + 1)); done
for argument do printf '%s\0' "$argument"; done >"$here/calls/$number/argv"

case $1 in
  run | run-application) ;;
  -v | --version) echo 'Version: 1.20.5, Commit ID: 0980485'; exit 0 ;;
  *) echo "flink $1 is not emulated" >&2; exit 1 ;;
esac

. "$here/flink.conf"
name='Flink per-job cluster' tags= detached= job=$job_prefix$(printf %08x "$number")
[ "$1" = run ] || { name='Flink Application Cluster' detached=yes; }

setting() {
  case $1 in
    yarn.application.name=*) name=${1#*=} ;;
    yarn.tags=*) tags=${1#*=} ;;
    execution.attached=false) detached=yes ;;
    '$internal.pipeline.job-id='*) job=${1#*=} ;;
  esac
}
next=
for argument do
  case $next in
    setting) setting "$argument"; next=; continue ;;
    name) name=$argument; next=; continue ;;
  esac
  case $argument in
    -D | -yD) next=setting ;;
    -D*) setting "${argument#-D}" ;;
    -yD*) setting "${argument#-yD}" ;;
    -ynm) next=name ;;
    -d | --detached | -yd) detached=yes ;;
  esac
done

say() { if [ -n "$2" ]; then printf '%s\n' "$2" >&"$1"; fi; }

if [ -z "$submits" ]; then
  say 1 "$output"
  say 2 "$errors"
  exit "$exit_status"
fi

id=$(printf 'application_%s_%04d' "$stamp" "$number")
application=$here/apps/$id
started=$(date +%s%3N)
mkdir "$here/apps/.$id"
printf '%s' "$name" >"$here/apps/.$id/name"
printf '%s' "$tags" >"$here/apps/.$id/tags"
printf '%s' "$started" >"$here/apps/.$id/started"
printf '%s' "$job" >"$here/apps/.$id/job"
printf '%s' "$exception" >"$here/apps/.$id/exception"
mv "$here/apps/.$id" "$application"

log() { printf '%s INFO  %s [] - %s\n' "$(date '+%F %T,%3N')" "$1" "$2"; }
log org.apache.flink.yarn.YarnClusterDescriptor "Submitting application master $id"
log org.apache.hadoop.yarn.client.api.impl.YarnClientImpl "Submitted application $id"
log org.apache.flink.yarn.YarnClusterDescriptor "Found Web Interface $flink of application '$id'."
echo "Job has been submitted with JobID $job"

# Runs the job; fails when YARN or Flink ended it before.
work() {
  while [ "$tenths" -gt 0 ] && [ ! -s "$application/end" ]; do
    sleep 0.1
    tenths=$((tenths - 1))
  done
  if [ -s "$application/end" ]; then return 1; fi
  body "$@"
  if [ -n "$end" ]; then printf '%s %s' "$end" "$(date +%s%3N)" >"$application/end"; fi
}

if [ -n "$detached" ]; then
  say 1 "$output"
  work "$@" </dev/null >/dev/null 2>&1 &
  exit "$exit_status"
fi
say 1 "$output"
if ! work "$@"; then
  echo "org.apache.flink.client.program.ProgramInvocationException: The main method caused an error: the application $id was ended" >&2
  exit 1
fi
say 2 "$errors"
if [ "$exit_status" -eq 0 ]; then
  echo "Program execution finished"
  echo "Job with JobID $job has finished."
fi
exit "$exit_status"
