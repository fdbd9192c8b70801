# Runs a program as on a machine of its own: mounts first, then the program.
# Arguments: pairs of what is mounted and where, `--`, the user and group the program runs as (`-` where they are right
# already), the program. Runs in a mount namespace of its own; where an ordinary user needed a user namespace to have one,
# a second user namespace gives the program its own name back.
set -eu
while [ "$1" != -- ]; do
  mount --rbind -- "$1" "$2"
  shift 2
done
user=$2
group=$3
shift 3
# What is reached through the old working folder would be what lies below the mounts.
cd /
if [ "$user" = - ]; then
  exec "$@"
fi
exec unshare --user --map-user="$user" --map-group="$group" -- "$@"
