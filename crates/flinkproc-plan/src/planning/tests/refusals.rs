//! Requests that cannot be carried out, and what the user is told.

use super::{SPEC, with};

#[test]
fn wrong_files_are_refused() {
    let check = |flag: &str| with(&[flag]).refused();
    insta::assert_snapshot!(check("job.script=none.py"), @"
    SPC022: there is no file `jobs/none.py`, named by `job.script` at --set job.script
    help: Paths are taken from the spec file's own folder; check the spelling.
    ");
    insta::assert_snapshot!(check("job.script=folder"), @"
    SPC023: `jobs/folder` is a directory, named by `job.script` at --set job.script
    help: Name a file. Python packages go as a zip (`zip -r package.zip package`), inputs as a pattern (`data/**`).
    ");
    insta::assert_snapshot!(check("job.script=empty.py"), @"
    SPC025: the file `jobs/empty.py` is empty, named by `job.script` at --set job.script
    help: Save the script, or name the right one.
    ");
    insta::assert_snapshot!(check("job.script=latin.py"), @"
    SPC026: the file `jobs/latin.py` is not UTF-8, named by `job.script` at --set job.script
    help: Python reads UTF-8: convert the script.
    ");
    insta::assert_snapshot!(check("job.script=closed.py"), @"
    SPC024: `jobs/closed.py` cannot be read (permission denied), named by `job.script` at --set job.script
    help: Check the file's permissions.
    ");
    insta::assert_snapshot!(check("job.script=gs://b/folder/"), @"
    SPC035: `job.script` at --set job.script cannot be `gs://b/folder/`: it names a folder, not a file
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("job.python_files=[\"lib.zip\", \"sub/lib.zip\"]"), @"
    SPC028: two files are called `lib.zip`: `lib.zip` and `sub/lib.zip`
    help: All files of a job lie in one folder on the master: rename one, or put them into one zip.
    ");
    insta::assert_snapshot!(check("staging.input=[{from = \"nothing/*\"}]"), @"
    SPC027: no file matches `jobs/nothing/*`, named by `staging.input[0].from` at --set staging.input
    help: Patterns are taken from the spec file's own folder; `**` matches any number of folders.
    ");
    insta::assert_snapshot!(check("staging.input=[{from = \"gs://b/c\"}]"), @"
    SPC035: `staging.input[0].from` at --set staging.input cannot be `gs://b/c`: an input is a local file or pattern, and goes to a folder below `input/`
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("ssh.identity=~/.ssh/id"), @"
    SPC022: there is no file `jobs/~/.ssh/id`, named by `ssh.identity` at --set ssh.identity
    help: Write the whole path: `~` is not replaced here.
    ");
    insta::assert_snapshot!(check("cluster.from=other.yaml"), @"
    SPC022: there is no file `jobs/other.yaml`, named by `cluster.from` at --set cluster.from
    help: Paths are taken from the spec file's own folder; check the spelling.
    ");
}

#[test]
fn what_an_image_cannot_run_is_refused() {
    let check = |flags: &[&str]| with(flags).refused();
    let functions = "job.python_functions=true";
    insta::assert_snapshot!(check(&[functions, "python.environment=image"]), @"
    SPC031: apache-flink 1.17.0 has wheels for Python 3.7 to 3.10; image 2.2 brings 3.11
    help: Workers could not run Python functions. Remove `python.environment` (a Python with PyFlink is then shipped with the job); for a job without them (Table API or SQL only) write `python_functions = false` in `[job]`.
    ");
    insta::assert_snapshot!(check(&[functions, "python.environment=image", "cluster.image=2.3"]), @"
    SPC031: apache-flink 1.17.0 has wheels for Python 3.7 to 3.10; image 2.3 brings 3.11
    help: Workers could not run Python functions. Remove `python.environment` (a Python with PyFlink is then shipped with the job); for a job without them (Table API or SQL only) write `python_functions = false` in `[job]`.
    ");
    insta::assert_snapshot!(check(&[functions, "python.version=3.12"]), @"
    SPC044: apache-flink 1.17.0 of image 2.2 has wheels for Python 3.7 to 3.10; `python.version` at --set python.version asks for 3.12
    help: Write a version from 3.7 to 3.10, or remove `python.version`: it is then chosen.
    ");
    insta::assert_snapshot!(check(&["cluster.image=3.0", "job.mode=per-job"]), @"
    SPC029: image 3.0 has Flink 2.2.0, which has no per-job mode on YARN
    help: Remove `job.mode` (or write `auto`), or name an image with a Flink that has it: 2.2 and 2.3 have 1.17, 3.0 has 2.2.
    ");
    insta::assert_snapshot!(check(&["cluster.image=sandbox-1.20"]), @"
    SPC032: image sandbox-1.20 is of the local sandbox, and this deployment goes to Google Cloud
    help: Name an image of Dataproc, such as `2.2`, or run with `--sandbox`.
    ");
}

#[test]
fn values_that_the_services_would_refuse_are_refused() {
    let check = |flag: &str| with(&[flag]).refused();
    insta::assert_snapshot!(check("cluster.max_idle=4m"), @"
    SPC034: `cluster.max_idle` at --set cluster.max_idle is 4m, and it has to be from 5m to 14d
    help: The bounds are those of Dataproc's scheduled deletion.
    ");
    insta::assert_snapshot!(check("cluster.max_age=15d"), @"
    SPC034: `cluster.max_age` at --set cluster.max_age is 15d, and it has to be from 10m to 14d
    help: The bounds are those of Dataproc's scheduled deletion.
    ");
    insta::assert_snapshot!(check("cluster.prefix=a-very-long-prefix-that-leaves-no-room-for-more"), @"
    SPC035: `cluster.prefix` at --set cluster.prefix cannot be `a-very-long-prefix-that-leaves-no-room-for-more-etl-1`: the cluster's name has 53 characters; Dataproc takes 52, of which 3 are kept for a second try
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("cluster.labels.Team=x"), @"
    SPC035: `cluster.labels.Team` at --set cluster.labels.Team cannot be `x`: labels are at most 63 lower-case letters, digits, hyphens and underscores, and their names start with a letter
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("cluster.labels.flinkproc=x"), @"
    SPC035: `cluster.labels.flinkproc` at --set cluster.labels.flinkproc cannot be `x`: flinkproc sets this label, to find its clusters by it
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("cluster.zone=us-central1-a"), @"
    SPC035: `cluster.zone` at --set cluster.zone cannot be `us-central1-a`: it is not in the region europe-west4
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("cluster.properties.a=b"), @"
    SPC035: `cluster.properties.a` at --set cluster.properties.a cannot be `b`: a property is written with the file that it goes to, such as `flink:a`
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("cluster.initialization_actions=[{script = \"init.sh\"}]"), @"
    SPC035: `cluster.initialization_actions[0].script` at --set cluster.initialization_actions cannot be `init.sh`: every machine fetches it: it is the address of an object, `gs://…`
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("watch.deadline=5s"), @"
    SPC034: `watch.deadline` at --set watch.deadline is 5s, and it has to be from 1m to 14d
    help: The bounds are those of Dataproc's scheduled deletion.
    ");
    insta::assert_snapshot!(check("job.result=s3://x"), @"
    SPC035: `job.result` at --set job.result cannot be `s3://x`: a Cloud Storage address has this form: it starts with `gs://` and a bucket
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("job.method=pgi"), @"
    SPC039: there is no submission method `pgi`, named by `job.method` at --set job.method
    help: Did you mean `pig`? There are these methods: `ssh`, `pig`, `pyspark`, `hadoop`, `native`, `carrier`.
    ");
    insta::assert_snapshot!(check("job.method=airflow"), @"
    SPC039: there is no submission method `airflow`, named by `job.method` at --set job.method
    help: There are these methods: `ssh`, `pig`, `pyspark`, `hadoop`, `native`, `carrier`.
    ");
    insta::assert_snapshot!(check("job.parallelism=0"), @"
    FLK007: the Flink configuration key `parallelism` cannot be set: it is a positive number
    help: Remove the key, or set what the spec has a key of its own for there.
    ");
    insta::assert_snapshot!(check("job.flink_config.containerized.taskmanager.env.PYTHONHOME=/x"), @"
    SPC033: `job.flink_config.containerized.taskmanager.env.PYTHONHOME` at --set job.flink_config.containerized.taskmanager.env.PYTHONHOME sets PYTHONHOME, which breaks the interpreter on the workers
    help: Remove it; Flink finds the interpreter by `python.executable`.
    ");
    insta::assert_snapshot!(check("cluster.properties.flink:containerized.master.env.PYTHONHOME=/x"), @"
    SPC033: `cluster.properties.flink:containerized.master.env.PYTHONHOME` at --set cluster.properties.flink:containerized.master.env.PYTHONHOME sets PYTHONHOME, which breaks the interpreter on the workers
    help: Remove it; Flink finds the interpreter by `python.executable`.
    ");
    insta::assert_snapshot!(check("job.args=[\"${nothing}\"]"), @"
    SPC009: `${nothing}` in `job.args[0]` stands for nothing
    help: There are these names: `deployment`, `staging`. For a literal `${` write `$${`.
    ");
}

#[test]
fn flink_arguments_that_flink_would_misread_are_refused() {
    let check = |words: &str| with(&[&format!("job.flink_args={words}")]).refused();
    insta::assert_snapshot!(check("[\"-py\", \"gs://b/a.py\"]"), @"
    FLK005: `-py` takes a path on the master and cannot read `gs://b/a.py`
    help: Name a local script in the spec: flinkproc stages it and hands Flink the copy on the master.
    ");
    insta::assert_snapshot!(check("[\"-t\", \"yarn-per-job\", \"-ynm\", \"x\"]"), @"
    FLK004: Flink drops `-ynm` silently beside `-t yarn-per-job`
    help: Write everything as `-t TARGET` with `-Dkey=value`; the options that start with `-y` belong to `-m yarn-cluster`.
    ");
    insta::assert_snapshot!(check("[\"-pyexec\", \"python3\"]"), @"
    SPC037: the Flink argument `-pyexec` is not taken from `job.flink_args[0]` at --set job.flink_args
    help: `-D` and `-p` are taken. The rest has keys: `job.mode`, `job.script`, `job.module`, `job.python_files`, `job.requirements`, `job.archives`, `job.jars`, `job.flink_config`.
    ");
}

#[test]
fn what_is_missing_or_excludes_itself_is_named() {
    let check = |text: &str| {
        let mut case = with(&[]);
        case.text = text.to_owned();
        case.refused()
    };
    insta::assert_snapshot!(check(""), @r#"
    SPC020: `job.script` has no value
    help: Name the job's Python script in `[job]`, such as `script = "job.py"`.
    "#);
    insta::assert_snapshot!(check("[staging]\nbucket = 'my-bucket'\n"), @r#"
    SPC020: `job.script` has no value
    help: Name the job's Python script in `[job]`, such as `script = "job.py"`.
    "#);
    insta::assert_snapshot!(check("[staging]\nbucket = 'my-bucket'\n[cluster]\nproject = 'my-project'\nregion = 'us-central1'\nimage = '2.2'\n"), @r#"
    SPC020: `job.script` has no value
    help: Name the job's Python script in `[job]`, such as `script = "job.py"`.
    "#);
    insta::assert_snapshot!(check("[job]\nscript = 'a'\nmodule = 'b'\n[staging]\nbucket = 'my-bucket'\n[cluster]\nproject = 'my-project'\nregion = 'us-central1'\nimage = '2.0'\n"), @"
    SPC021: `job.script` and `job.module` exclude each other
    help: Remove `job.script` or `job.module`.
    ");
    insta::assert_snapshot!(check(&format!("{SPEC}[[staging.input]]\n").replace("region", "name = 'a'\nprefix = 'b'\nregion")), @"
    SPC021: `cluster.name` and `cluster.prefix` exclude each other
    help: Remove `cluster.name` or `cluster.prefix`.
    ");
    insta::assert_snapshot!(check(&SPEC.replace("image = '2.2'", "existing = 'team'").replace("functions = false", "functions = true")), @"
    SPC020: `cluster.image` has no value
    help: Say which image the existing cluster runs: it decides Flink's version.
    ");
}
