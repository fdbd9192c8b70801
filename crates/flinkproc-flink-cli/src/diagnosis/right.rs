//! The line that does what was wanted: everything as `-t TARGET -Dkey=value`, the program last.

use flinkproc_core::FlinkVersion;

use super::intent::Intent;
use crate::grammar::Action;

/// Stands for the id of a YARN application that the line does not name.
pub const APPLICATION: &str = "APPLICATION_ID";
/// Stands for the id of a Flink job that the line does not name.
pub const JOB: &str = "JOB_ID";
/// Stands for Python files that the line does not name.
pub const FILES: &str = "CODE.zip";

/// The target that was wanted, in the words of this version.
pub(super) fn target<'a>(
    version: FlinkVersion,
    action: Action,
    intent: &Intent<'a>,
) -> Option<&'a str> {
    let application = "yarn-application";
    let per_job = if version.is_2() {
        application
    } else {
        "yarn-per-job"
    };
    match intent.target {
        Some("yarn-per-job") => Some(per_job),
        Some(target) if action == Action::RunApplication && !target.ends_with("application") => {
            Some(application)
        }
        Some(target) => Some(target),
        None if action == Action::RunApplication => Some(application),
        None if intent.setting("yarn.application.id").is_some() => Some("yarn-session"),
        None if intent.manager == Some("yarn-cluster") || intent.yarn => Some(per_job),
        None if intent.manager.is_some() => None,
        None => Some("yarn-session"),
    }
}

/// The lines to write, program first; a script that lies in a bucket is brought first.
pub(super) fn lines(
    version: FlinkVersion,
    action: Action,
    intent: &Intent<'_>,
) -> Vec<Vec<String>> {
    match action {
        Action::Session => vec![session(intent)],
        Action::Run | Action::RunApplication => run(version, action, intent),
        Action::Info if job_like(intent) => {
            vec![of_cluster(version, "list", intent, &[("a", None)], &[])]
        }
        Action::Info => run(version, action, intent),
        _ => vec![on_job(version, action, intent)],
    }
}

/// Whether `flink info` was given what can only be the id of a job.
pub(super) fn job_like(intent: &Intent<'_>) -> bool {
    let Some((_, word)) = intent.jar else {
        return false;
    };
    let id = word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let placeholder = word
        .to_ascii_lowercase()
        .replace(['-', '_'], "")
        .contains("job");
    id || (placeholder && !word.contains(['.', '/']))
}

struct Line(Vec<String>);

impl Line {
    fn word(&mut self, word: impl Into<String>) {
        self.0.push(word.into());
    }

    fn option(&mut self, name: &str, value: impl Into<String>) {
        self.0.extend([name.to_owned(), value.into()]);
    }

    fn config(&mut self, intent: &Intent<'_>, without: &[&str]) {
        let kept = intent.config.iter();
        for (key, value) in kept.filter(|(key, _)| !without.contains(&key.as_ref())) {
            self.word(format!("-D{key}={value}"));
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn run(version: FlinkVersion, action: Action, intent: &Intent<'_>) -> Vec<Vec<String>> {
    let target = target(version, action, intent);
    let application =
        target.is_some_and(|target| target.ends_with("application")) && action != Action::Info;
    let mut first = Vec::new();
    let mut line = Line(vec!["flink".to_owned()]);
    line.word(match action {
        Action::Info => "info",
        _ if application && !version.is_2() => "run-application",
        _ => "run",
    });
    match (target, intent.manager) {
        _ if action == Action::Info => {}
        (Some(target), _) => line.option("-t", target),
        (None, Some(manager)) => line.option("-m", manager),
        (None, None) => {}
    }
    if target == Some("yarn-session")
        && intent.setting("yarn.application.id").is_none()
        && action != Action::Info
    {
        line.word(format!("-Dyarn.application.id={APPLICATION}"));
    }
    let script = intent
        .script
        .or_else(|| intent.jar.filter(|(_, jar)| jar.ends_with(".py")));
    let jar = intent.jar.filter(|(_, jar)| !jar.ends_with(".py"));
    let (mut files, mut module) = (
        python_files(version, intent),
        intent.module.map(|(_, name)| name.to_owned()),
    );
    let mut local = script.map(|(_, path)| path.to_owned());
    let mut shipped = false;
    if let Some((_, path)) = script {
        let stem = file_name(path)
            .strip_suffix(".py")
            .unwrap_or(file_name(path));
        if application {
            // The workers have no copy of what lies on the master: the code travels in a folder of its own.
            first.push(match path.contains("://") {
                true => command(&["gcloud", "storage", "cp", path, "ship/"]),
                false => command(&["cp", path, "ship/"]),
            });
            shipped = true;
            files = if files.is_empty() {
                "ship".to_owned()
            } else {
                format!("ship,{files}")
            };
            module = Some(stem.to_owned());
            local = None;
        } else if path.contains("://") {
            let copy = format!("/tmp/{}", file_name(path));
            first.push(command(&["gcloud", "storage", "cp", path, &copy]));
            local = Some(copy);
        }
    }
    let mut ship: Vec<String> = Vec::new();
    let own = intent.setting("yarn.ship-files").unwrap_or_default();
    for path in own.split([';', ',']).filter(|path| !path.is_empty()) {
        // Older versions ship what lies on this machine only.
        if path.contains("://") && version.minor() < (1, 18) {
            first.push(command(&["gcloud", "storage", "cp", "-r", path, "ship/"]));
            ship.push(format!("ship/{}", file_name(path)));
        } else {
            ship.push(path.to_owned());
        }
    }
    if shipped && !ship.iter().any(|path| file_name(path) == "ship") {
        ship.insert(0, "ship".to_owned());
    }
    if !ship.is_empty() {
        line.word(format!("-Dyarn.ship-files={}", ship.join(";")));
    }
    line.config(
        intent,
        &[
            "yarn.ship-files",
            "containerized.taskmanager.env.PYTHONHOME",
            "containerized.master.env.PYTHONHOME",
        ],
    );
    for (short, value) in &intent.python {
        match *short {
            "pyclientexec" if version.minor() < (1, 14) => {
                line.word(format!("-Dpython.client.executable={value}"));
            }
            // Among the Python files, see there.
            "pypath" if version.minor() < (1, 18) => {}
            short => line.option(&format!("-{short}"), *value),
        }
    }
    if let Some(parallelism) = intent.parallelism {
        line.option("-p", parallelism);
    }
    if intent.detached.is_some() {
        line.word("-d");
    }
    if intent.shutdown {
        line.word("-sae");
    }
    for path in &intent.classpaths {
        line.option("-C", path.as_ref());
    }
    restore(version, intent, &mut line);
    if !files.is_empty() {
        line.option("-pyfs", files);
    }
    let archives: Vec<&str> = archives(intent).collect();
    if !archives.is_empty() {
        line.option("-pyarch", archives.join(","));
    }
    if let Some(class) = intent.class {
        line.option("-c", class);
    }
    match (module, local, jar) {
        (Some(module), ..) => line.option("-pym", module),
        (None, Some(script), _) => line.option("-py", script),
        (None, None, Some((_, jar))) => line.word(jar),
        (None, None, None) => {}
    }
    let python = intent.is_python() || script.is_some();
    let mut arguments = intent.arguments.as_slice();
    if script.is_some() && !intent.is_python() {
        arguments = arguments.strip_prefix(&["--"]).unwrap_or(arguments);
    }
    let clear = |word: &&str| !word.starts_with('-') && *word != "--";
    // Flink's client and its Python driver each take options up to a `--` of their own.
    if python && !arguments.iter().take(1).all(clear) {
        let plain = arguments.iter().all(|word| harmless(version, word));
        if !plain {
            line.0.extend(["--".to_owned(), "--".to_owned()]);
        }
    }
    line.0
        .extend(arguments.iter().map(|word| (*word).to_owned()));
    first.push(line.0);
    first
}

/// Whether an archive without a folder's name is there for its modules: nobody names an interpreter in it.
fn for_modules(intent: &Intent<'_>, archive: &str) -> bool {
    let named = intent.python.iter().any(|(short, _)| *short == "pyexec");
    !named && intent.setting("python.executable").is_none() && !archive.contains('#')
}

fn archives<'i>(intent: &'i Intent<'_>) -> impl Iterator<Item = &'i str> {
    let all = intent
        .python_archives
        .iter()
        .flat_map(|list| list.split(','));
    all.filter(|archive| !for_modules(intent, archive))
}

fn python_files(version: FlinkVersion, intent: &Intent<'_>) -> String {
    let mut files = intent.python_files.clone();
    let paths = intent.python.iter().filter(|(short, _)| *short == "pypath");
    let paths = paths.flat_map(|(_, list)| list.split(':'));
    files.extend(paths.filter(|_| version.minor() < (1, 18)));
    let archives = intent
        .python_archives
        .iter()
        .flat_map(|list| list.split(','));
    files.extend(archives.filter(|archive| for_modules(intent, archive)));
    if files.is_empty() && intent.module.is_some() && intent.setting("python.files").is_none() {
        files.push(FILES);
    }
    files.join(",")
}

/// Whether Flink's parser leaves a program's argument alone wherever it stands.
fn harmless(version: FlinkVersion, word: &str) -> bool {
    if !word.starts_with('-') {
        return true;
    }
    let found = super::Reading::of(version, Action::Run, &["-py", "x.py", word]);
    // A `--name` that begins no option of Flink's ends the parsing.
    word.starts_with("--")
        && word.len() > 2
        && found.is_ok_and(|read| read.words.ended_at == Some(2))
}

fn restore(version: FlinkVersion, intent: &Intent<'_>, line: &mut Line) {
    let Some(path) = intent.restore else { return };
    line.option("-s", path);
    if intent.lax.is_some() {
        line.word("-n");
    }
    if let Some(claim) = intent.claim {
        let minor = version.minor();
        if minor >= (1, 20) {
            line.option("-cm", claim);
        } else if minor >= (1, 15) {
            line.option("-rm", claim);
        }
    }
}

fn command(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn session(intent: &Intent<'_>) -> Vec<String> {
    let mut line = Line(vec![Action::Session.word().to_owned()]);
    if intent.detached.is_some() {
        line.word("-d");
    }
    if intent.config.is_empty() {
        // With an option of its own, it starts a session instead of attaching to one that a file remembers.
        line.word("-Dyarn.application.name=flink-session");
    }
    line.config(intent, &[]);
    line.0
}

fn on_job(version: FlinkVersion, action: Action, intent: &Intent<'_>) -> Vec<String> {
    let words: Vec<&str> = intent.positional.iter().map(|(_, word)| *word).collect();
    let mut own: Vec<(&str, Option<&str>)> = Vec::new();
    let mut name = action.word();
    if action == Action::Checkpoint && !action.is_in(version) {
        let words: Vec<&str> = words.iter().copied().take(1).collect();
        return of_cluster(version, Action::Savepoint.word(), intent, &[], &words);
    }
    for (short, value) in &intent.own {
        match (action, *short) {
            (Action::Cancel, "s") => {
                name = "stop";
                own.extend(value.map(|path| ("p", Some(path))));
            }
            (Action::Savepoint, "d") => own.push(("-dispose", *value)),
            (_, short) => own.push((short, *value)),
        }
    }
    if action == Action::Stop && intent.detached.is_some() {
        own.push(("-drain", None));
    }
    of_cluster(version, name, intent, &own, &words)
}

fn of_cluster(
    version: FlinkVersion,
    action: &str,
    intent: &Intent<'_>,
    own: &[(&str, Option<&str>)],
    words: &[&str],
) -> Vec<String> {
    let mut line = Line(vec!["flink".to_owned(), action.to_owned()]);
    let wanted = intent
        .target
        .filter(|target| !(version.is_2() && *target == "yarn-per-job"));
    match (wanted, intent.manager) {
        (None, Some(manager)) if manager != "yarn-cluster" => line.option("-m", manager),
        (wanted, _) => {
            line.option("-t", wanted.unwrap_or("yarn-session"));
            if intent.setting("yarn.application.id").is_none() {
                line.word(format!("-Dyarn.application.id={APPLICATION}"));
            }
        }
    }
    line.config(intent, &[]);
    for (short, value) in own {
        line.word(format!("-{short}"));
        line.0.extend(value.map(str::to_owned));
    }
    if words.is_empty() && action != "list" && !own.iter().any(|(short, _)| *short == "-dispose") {
        line.word(JOB);
    }
    line.0.extend(words.iter().map(|word| (*word).to_owned()));
    line.0
}
