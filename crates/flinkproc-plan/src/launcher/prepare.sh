
# --- preparing: commands, interpreters, arguments ---

prepare() {
  local index python='' name value
  phase=prepare
  # Flink 1.12 starts the program with buffered output.
  export PYTHONUNBUFFERED=1
  flink=$(command -v flink || command -v /usr/lib/flink/bin/flink) || { say 'there is no flink command on this machine: does the cluster have the FLINK component?'; exit 127; }
  command -v hadoop >/dev/null || { say 'there is no hadoop command on this machine'; exit 127; }
  while read -rd '' name && read -rd '' value; do export "$name=$value"; done <job/env
  if [[ -s job/sitecustomize.py ]]; then set_hook; fi
  if [[ $mode == application ]]; then fill_ship; fi
  if [[ $mode == session && $(tr '\0' ' ' <job/roles) == *jar* ]]; then bind_jars; fi
  if [[ -n $environment && $mode != application ]]; then unpack_environment; fi
  HADOOP_CLASSPATH=$(hadoop classpath) || { say '`hadoop classpath` failed'; exit 1; }
  export HADOOP_CLASSPATH
  mapfile -d '' -t argv <job/argv
  mapfile -d '' -t session_argv <job/session-argv
  if [[ ${argv[*]} == *$'\002'* ]]; then
    python=$(program_python) || { say 'there is no Python 3 on this machine'; exit 127; }
  fi
  for index in "${!argv[@]}"; do
    argv[index]=${argv[index]//$'\001'/"$run"}
    argv[index]=${argv[index]//$'\002'/"$python"}
  done
}

# The hook fetches secrets itself, wherever Python runs; here it is only told the way, and tried.
set_hook() {
  local text
  mkdir -p hook
  text=$(<job/sitecustomize.py)
  text=${text//@SECRET_MANAGER@/${FLINKPROC_SECRET_MANAGER_ENDPOINT:-}}
  printf '%s\n' "${text//@METADATA@/${GCE_METADATA_HOST:-}}" >hook/sitecustomize.py
  if [[ -s job/secrets ]] && ! attend "$(any_python)" -BsE hook/sitecustomize.py >>err 2>&1; then
    say 'a secret cannot be read'
    exit 1
  fi
}

# An application's program runs on a worker, which has nothing but this folder.
fill_ship() {
  local index roles
  mapfile -d '' -t roles <job/roles
  mkdir -p ship
  for index in "${!names[@]}"; do
    if [[ ${roles[index]} != jar ]]; then ln -f -- "files/${names[index]}" "ship/${names[index]}"; fi
  done
  cp job/flinkproc_entry.py job/entry.json ship/
  if [[ -e hook/sitecustomize.py ]]; then cp hook/sitecustomize.py ship/; fi
}

# Flink takes one jar for a session's job, and finds others in its lib folder.
bind_jars() {
  local index roles jars=()
  mapfile -d '' -t roles <job/roles
  for index in "${!names[@]}"; do
    if [[ ${roles[index]} == jar ]]; then jars+=("files/${names[index]}"); fi
  done
  cluster jars jars.jar "${jars[@]}" 2>>err || { say 'the jars could not be bound into one'; exit 1; }
}

unpack_environment() {
  mkdir -p env
  if ! attend tar -xzf "files/$environment" -C env 2>>err; then
    if [[ -n $ending ]]; then exit 143; fi
    say "$environment is no archive that tar could unpack"
    exit 1
  fi
  [[ -x env/bin/python ]] || { say "$environment holds no bin/python"; exit 1; }
}

cluster() { "$(any_python)" -BsE "$run/job/flinkproc_cluster.py" "$@" 9>&-; }

any_python() { command -v python3 || command -v /opt/conda/default/bin/python3 || command -v python; }

# The first interpreter that has PyFlink; else the first one, for what Flink's own copy of the Python API can run.
program_python() {
  local name path found=()
  for name in python3 /opt/conda/default/bin/python3 /opt/conda/miniconda3/bin/python3 python; do
    if path=$(command -v "$name"); then found+=("$path"); fi
  done
  (( ${#found[@]} )) || return 1
  if (( ${#found[@]} > 1 )); then
    for path in "${found[@]}"; do
      if "$path" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("pyflink") is None)' 2>/dev/null; then
        printf '%s' "$path"
        return 0
      fi
    done
  fi
  printf '%s' "${found[0]}"
}
