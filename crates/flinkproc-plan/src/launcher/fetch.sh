
# --- fetching: the staged files, checked, into files/ ---

fetch() {
  local index server=${STORAGE_EMULATOR_HOST:-} token=
  mapfile -d '' -t names <job/names
  mapfile -d '' -t objects <job/objects
  mkdir -p files parts
  (( ${#names[@]} )) || return 0
  phase=fetch
  if [[ -z $server ]]; then
    server=https://storage.googleapis.com
    token=$(machine_token) || { say 'the metadata server gave no token for the cluster'\''s service account'; exit 1; }
  elif [[ $server != *://* ]]; then
    server=http://$server
  fi
  local status=0
  if command -v curl >/dev/null; then
    # The token goes through standard input: arguments can be read by every user of this machine.
    attend curl --config - --fail --fail-early --silent --show-error --retry 4 --retry-connrefused --connect-timeout 10 \
      --speed-limit 1 --speed-time 60 < <(curl_config) || status=$?
  else
    attend "$(any_python)" job/flinkproc_fetch.py < <(fetch_list) || status=$?
  fi
  if (( status )); then
    if [[ -n $ending ]]; then exit "$status"; fi
    for index in "${!names[@]}"; do
      [[ -e parts/$index ]] || break
    done
    say "could not fetch ${names[index]}"
    exit "$status"
  fi
  phase=verify
  if [[ -s job/sums ]]; then verify; fi
  for index in "${!names[@]}"; do
    mv -f -- "parts/$index" "files/${names[index]}"
  done
}

curl_config() {
  if [[ -n $token ]]; then printf 'header = "Authorization: Bearer %s"\n' "$token"; fi
  for index in "${!objects[@]}"; do
    printf 'url = "%s%s"\noutput = "parts/%d"\n' "${server%/}" "${objects[index]}" "$index"
  done
}

fetch_list() {
  printf '%s\n' "$token"
  for index in "${!objects[@]}"; do printf '%s%s\n' "${server%/}" "${objects[index]}"; done
}

machine_token() {
  local host=${GCE_METADATA_HOST:-metadata.google.internal} text
  local url=http://$host/computeMetadata/v1/instance/service-accounts/default/token
  if command -v curl >/dev/null; then
    text=$(curl --fail --silent --show-error --retry 4 --connect-timeout 5 --header 'Metadata-Flavor: Google' "$url")
  else
    text=$("$(any_python)" job/flinkproc_fetch.py "$url" </dev/null)
  fi
  [[ $text =~ \"access_token\"[[:space:]]*:[[:space:]]*\"([^\"]+)\" ]]
  printf '%s' "${BASH_REMATCH[1]}"
}

verify() {
  local index word
  if ! (cd parts && sha256sum --quiet --check ../job/sums) >parts/verdict 2>&1; then
    while IFS=: read -r index word; do
      if [[ $word == *FAILED* ]]; then say "${names[index]} is not the file that was staged"; fi
    done <parts/verdict
    exit 1
  fi
  rm -f parts/verdict
}
