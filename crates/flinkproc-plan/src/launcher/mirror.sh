
# --- the mirror: for those who cannot look at this machine ---

# Takes the gate in the bucket: whoever writes it first, a launcher or a fence, is the one. Says `started`, `fenced`,
# `taken` (another launcher was first), or nothing.
gate() { cluster gate "$bucket" "$prefix" || :; }

mirror_on() {
  rm -f mirrored
  setsid "$(any_python)" -BsE job/flinkproc_mirror.py "$bucket" "$prefix" "$tag" "$mode" "$$" </dev/null >>mirror.log 2>&1 9>&- &
  mirror=$!
}

# The last word is in the bucket before we go, if the bucket can be had at all.
mirror_off() {
  wait "$mirror" 2>/dev/null
  if [[ ! -e mirrored ]]; then
    "$(any_python)" -BsE job/flinkproc_mirror.py "$bucket" "$prefix" "$tag" "$mode" "$$" </dev/null >>mirror.log 2>&1 9>&-
  fi
  [[ -e mirrored ]] || say 'could not copy everything to the bucket'
}

# --- the foreground ---

# Shows what is written, from files: a reader who stalls or goes away does not disturb the job.
show() {
  sleep infinity 9>&- >/dev/null 2>&1 &
  tails=$!
  tail -c +1 -s 0.2 --pid="$tails" -f out 9>&- 2>/dev/null &
  tails+=" $!"
  tail -c +1 -s 0.2 --pid="${tails%% *}" -f err 9>&- >&2 2>/dev/null &
  tails+=" $!"
}

hide() {
  local sentinel rest
  read -r sentinel rest <<<"$tails"
  kill "$sentinel" 2>/dev/null
  wait "$sentinel" 2>/dev/null
  # A reader who stalls is not waited for.
  (sleep 10; kill $rest) >/dev/null 2>&1 9>&- &
  # shellcheck disable=SC2086
  wait $rest 2>/dev/null
  kill $! 2>/dev/null
}
