
# --- ids: what Flink and YARN say of themselves, kept ---

watch_ids() {
  trap - EXIT TERM INT HUP
  local turn=0 pause=0.2
  while kill -0 $$ 2>/dev/null; do
    collect_ids || :
    if (( ++turn > 300 )); then pause=1; fi
    sleep "$pause"
  done
}

declare -A read_to=([out]=0 [err]=0)
id_lines=

# Keeps the lines in which Flink and YARN tell ids; what they mean is read elsewhere.
collect_ids() {
  local file size from lines
  for file in out err; do
    size=$(stat --format %s "$run/$file")
    (( size > read_to[$file] )) || continue
    # Some bytes again, for a line that was not whole the last time.
    (( from = read_to[$file] > 4096 ? read_to[$file] - 4096 : 0, 1 ))
    read_to[$file]=$size
    lines=$(tail -c "+$((from + 1))" "$run/$file" | head -c "$((size - from))" | tr -d '\0' | grep -aF -m 200 -f "$run/job/phrases") || continue
    if [[ $id_lines != *"$lines"* && ${#id_lines} -lt 65536 ]]; then
      id_lines+=$lines$'\n'
      printf '%s' "$id_lines" >"$run/ids.$BASHPID"
      mv -f "$run/ids.$BASHPID" "$run/ids"
    fi
  done
}
