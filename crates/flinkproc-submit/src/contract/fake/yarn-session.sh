#!/bin/sh
# Starts a session on a fake master.
echo "$*" >>"$HOME/session.starts"
[ "$HADOOP_CLASSPATH" = /hadoop/jars ] || exit 99
for word in "$@"; do
  case $word in -Dyarn.tags=*) tags=${word#*=} ;; esac
done
mkdir -p "$HOME/yarn"
number=1
until mkdir "$HOME/yarn/application_1700000000000_000$number" 2>/dev/null; do number=$((number + 1)); done
place=$HOME/yarn/application_1700000000000_000$number
mkdir "$place/jobs"
echo "$tags" >"$place/tags"
echo UNDEFINED >"$place/final"
echo RUNNING >"$place/state"
echo "INFO  YarnClientImpl [] - Submitted application ${place##*/}"
