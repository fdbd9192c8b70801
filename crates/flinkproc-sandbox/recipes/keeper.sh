# Ends a cluster once the sandbox that started it has gone, however it went: that is when the pipe on our input ends.
# $1 is the mark that every program of the cluster has in its environment, $2 the list of those that were started by the
# sandbox itself, as `process-id start-time`: OpenSSH's server writes its title over its environment.
trap '' HUP INT TERM
read -r _
started() {
  read -r stat <"/proc/$1/stat" || return
  set -- ${stat##*)}
  echo "${20}"
} 2>/dev/null
while read -r pid start; do
  [ "$(started "$pid")" = "$start" ] && kill -KILL "$pid"
done <"$2" 2>/dev/null
for round in 1 2 3 4 5; do
  left=
  for environ in $(grep -lzsxF -- "$1" /proc/[0-9]*/environ); do
    pid=${environ#/proc/}
    left=yes
    kill -KILL "${pid%/environ}" 2>/dev/null
  done
  [ -n "$left" ] || break
done
