//! Which Python runs the job, and where it comes from.

use super::{Case, json, with};
use crate::plan::{FileRole, Plan, PythonPlan};

fn case<'a>(flags: &[&'a str]) -> Case<'a> {
    let mut case = with(flags);
    case.text = case.text.replace("python_functions = false\n", "");
    case
}

#[test]
fn auto_takes_the_images_own_where_it_can_run_the_job() {
    let check = |image: &str, shipped: Option<&str>| {
        let flag = format!("cluster.image={image}");
        let plan = case(&[&flag]).planned();
        let environment = plan.staging.environment.as_ref();
        let version = environment.map(|environment| environment.python.to_string());
        assert_eq!(version.as_deref(), shipped, "{image}");
        let expected = if shipped.is_some() {
            PythonPlan::Shipped
        } else {
            PythonPlan::Image
        };
        assert_eq!(plan.job.python, expected, "{image}");
    };
    check("2.0", None);
    check("2.1", Some("3.8"));
    check("2.2", Some("3.10"));
    check("2.3", Some("3.10"));
    check("3.0", None);
    let functions = |flags: &[&str]| with(flags).planned().job.python;
    assert_eq!(
        functions(&["job.python_functions=false"]),
        PythonPlan::Image
    );
    // The user has an interpreter of his own.
    let own = case(&["job.flink_config.python.executable=/opt/py/bin/python"]).planned();
    assert_eq!(own.job.python, PythonPlan::Image);
}

#[test]
fn a_shipped_python_is_a_file_of_the_job_and_named_by_what_is_in_it() {
    let plan = case(&[
        "python.requirements=r.txt",
        "python.index_url=https://mirror.example.com/simple",
    ])
    .planned();
    let environment = plan.staging.environment.clone().expect("shipped");
    insta::assert_snapshot!(serde_json::to_string_pretty(&environment).expect("JSON"), @r#"
    {
      "python": "3.10",
      "flink": "1.17.0",
      "platform": "x86_64-linux-gnu.2.36",
      "requirements": "numpy==1.21.4\n",
      "index_url": "https://mirror.example.com/simple",
      "lock": null,
      "builder": "auto",
      "key": "a1839345d3ca1d1cb4e37a5e3b21987552e3e557dc091bfa807098a7821c12c5",
      "pointer": "gs://my-bucket/flinkproc/env/by-request/a1839345d3ca1d1cb4e37a5e3b21987552e3e557dc091bfa807098a7821c12c5.json",
      "folder": "gs://my-bucket/flinkproc/env/",
      "name": "flinkproc-python.tar.gz"
    }
    "#);
    let file = plan
        .job
        .files
        .iter()
        .find(|file| file.role == FileRole::Environment);
    let file = file.expect("among the files");
    assert_eq!(file.from, environment.pointer);
    assert_eq!(
        (file.name.as_str(), &file.sha256),
        (environment.name.as_str(), &None)
    );
    let key = |flags: &[&str]| {
        let environment = case(flags).planned().staging.environment;
        environment.expect("shipped").key
    };
    assert_eq!(
        key(&["python.requirements=r.txt"]),
        environment.key,
        "where it comes from is not in it"
    );
    assert_eq!(
        key(&["python.requirements=r.txt", "python.builder=uv"]),
        environment.key
    );
    for other in [
        &["python.version=3.9", "python.requirements=r.txt"][..],
        &[],
        &["python.lock=lock.txt"],
        &["cluster.image=2.1", "python.requirements=r.txt"],
        &[
            "cluster.workers.machine_type=t2a-standard-4",
            "python.requirements=r.txt",
        ],
    ] {
        assert_ne!(key(other), environment.key, "{other:?}");
    }
    assert_eq!(
        Plan::from_json(&plan.to_json().expect("JSON")).expect("reads"),
        plan
    );
}

#[test]
fn the_commands_unpack_a_shipped_python_where_the_program_runs() {
    let check = |mode: &str| {
        let mode = format!("job.mode={mode}");
        let plan = case(&[&mode]).planned();
        let commands = super::commands(&plan, "submit");
        commands.lines().skip(2).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(check("per-job"), @"
    on the master: gcloud storage cp gs://my-bucket/flinkproc/env/LOCK_SHA256/env.tar.gz /tmp/flinkproc/flinkproc-python.tar.gz
    on the master: mkdir -p /tmp/flinkproc/env
    on the master: tar -xzf /tmp/flinkproc/flinkproc-python.tar.gz -C /tmp/flinkproc/env
    on the master: flink run -t yarn-per-job -Dpython.client.executable=/tmp/flinkproc/env/bin/python -Dyarn.application.name=my etl -Dyarn.tags=flinkproc-etl-1-1 -pyarch /tmp/flinkproc/flinkproc-python.tar.gz#env -pyexec env/bin/python -py /tmp/flinkproc/my etl.py
    ");
    insta::assert_snapshot!(check("application"), @"
    on the master: gcloud storage cp gs://my-bucket/flinkproc/env/LOCK_SHA256/env.tar.gz /tmp/flinkproc/ship/flinkproc-python.tar.gz
    on the master: flink run-application -t yarn-application -Dpython.client.executable=flinkproc-python.tar.gz/bin/python -Dyarn.application.name=my etl -Dyarn.ship-files=/tmp/flinkproc/ship -Dyarn.tags=flinkproc-etl-1-1 -pyfs ship -pyarch ship/flinkproc-python.tar.gz -pyexec flinkproc-python.tar.gz/bin/python -py ship/my etl.py
    ");
}

#[test]
fn packages_or_another_version_ask_for_a_python_of_the_jobs_own() {
    for flag in [
        "python.requirements=r.txt",
        "python.version=3.10",
        "python.lock=lock22.txt",
    ] {
        let plan = case(&["cluster.image=3.0", flag]).planned();
        assert_eq!(plan.job.python, PythonPlan::Shipped, "{flag}");
    }
    let same = case(&["cluster.image=3.0", "python.version=3.12"]).planned();
    assert_eq!(same.job.python, PythonPlan::Image);
}

#[test]
fn a_sandbox_without_pyflink_gets_a_shipped_one() {
    let bare = "cluster.properties.flinkproc-sandbox:python=bare";
    let plan = case(&[bare]).sandbox().planned();
    assert_eq!(plan.job.python, PythonPlan::Shipped);
    let environment = plan.staging.environment.expect("shipped");
    assert_eq!(
        (
            environment.python.to_string(),
            environment.flink.to_string()
        ),
        ("3.11".into(), "1.20.5".into())
    );
    assert_eq!(case(&[]).sandbox().planned().job.python, PythonPlan::Image);
}

#[test]
fn a_python_on_the_cluster_is_made_by_an_initialization_action() {
    let flags = [
        "python.builder=cluster",
        "python.requirements=r.txt",
        "cluster.initialization_actions=[{script = \"gs://b/i.sh\"}]",
    ];
    let plan = case(&flags).planned();
    assert_eq!(
        plan.job.python,
        PythonPlan::OnCluster("/opt/flinkproc/env/bin/python".to_owned())
    );
    assert_eq!(plan.staging.environment, None);
    let text = &plan.staging.texts[0];
    assert!(
        text.text.contains("\n3.10\n1.17.0\nconda-forge\n"),
        "{}",
        text.text
    );
    let actions = &plan.cluster.resource["config"]["initializationActions"];
    assert_eq!(actions[0]["executableFile"], text.to.to_string());
    insta::assert_snapshot!(json(&actions[1]), @r#"
    {
      "executableFile": "gs://b/i.sh"
    }
    "#);
    assert!(
        plan.warnings
            .iter()
            .any(|text| text.contains("never run on Google's images"))
    );
    assert!(super::commands(&plan, "stage").contains("python-environment.sh"));
    let there = case(&[
        "python.executable=/opt/py/bin/python",
        "cluster.existing=team",
    ])
    .planned();
    assert_eq!(
        there.job.python,
        PythonPlan::OnCluster("/opt/py/bin/python".to_owned())
    );
    assert!(there.staging.texts.is_empty());
}

#[test]
fn what_a_python_cannot_be_is_refused_before_anything_costs_money() {
    let check = |flags: &[&str]| case(flags).refused();
    insta::assert_snapshot!(check(&["python.environment=image"]), @"
    SPC031: apache-flink 1.17.0 has wheels for Python 3.7 to 3.10; image 2.2 brings 3.11
    help: Workers could not run Python functions. Remove `python.environment` (a Python with PyFlink is then shipped with the job); for a job without them (Table API or SQL only) write `python_functions = false` in `[job]`.
    ");
    insta::assert_snapshot!(check(&["python.version=3.11"]), @"
    SPC044: apache-flink 1.17.0 of image 2.2 has wheels for Python 3.7 to 3.10; `python.version` at --set python.version asks for 3.11
    help: Write a version from 3.7 to 3.10, or remove `python.version`: it is then chosen.
    ");
    insta::assert_snapshot!(check(&["python.version=3.11", "python.environment=cluster"]), @"
    SPC044: apache-flink 1.17.0 of image 2.2 has wheels for Python 3.7 to 3.10; `python.version` at --set python.version asks for 3.11
    help: Write a version from 3.7 to 3.10, or remove `python.version`: it is then chosen.
    ");
    insta::assert_snapshot!(check(&["cluster.image=3.0", "python.version=3.10", "python.environment=image"]), @r#"
    SPC040: python.version 3.10 and python.environment image do not go together: image 3.0 brings Python 3.12
    help: Write `environment = "shipped"`, or remove the version.
    "#);
    insta::assert_snapshot!(check(&["cluster.image=3.0", "python.lock=lock.txt", "python.environment=image"]), @r#"
    SPC040: python.lock and python.environment image do not go together: packages go into a Python of the job's own
    help: Write `environment = "shipped"`, or let Flink install packages on the workers: `job.requirements`.
    "#);
    insta::assert_snapshot!(check(&["python.environment=shipped", "python.builder=cluster"]), @r#"
    SPC040: python.builder cluster and python.environment shipped do not go together: it is about a Python that is on the cluster
    help: Remove one of them, or write `environment = "cluster"`.
    "#);
    insta::assert_snapshot!(check(&["python.environment=cluster", "python.builder=uv"]), @r#"
    SPC040: python.builder and python.environment cluster do not go together: the cluster builds it
    help: Remove `builder`, or write `environment = "shipped"`.
    "#);
    insta::assert_snapshot!(check(&["python.environment=cluster", "cluster.existing=team"]), @r#"
    SPC040: python.environment cluster and cluster.existing do not go together: it is made while a cluster is created
    help: Name an interpreter that the cluster has, with `python.executable`, or write `environment = "shipped"`.
    "#);
    insta::assert_snapshot!(check(&["python.environment=shipped", "python.executable=/x"]), @r#"
    SPC040: python.executable and python.environment shipped do not go together: it is about a Python that is on the cluster
    help: Remove one of them, or write `environment = "cluster"`.
    "#);
    insta::assert_snapshot!(check(&["python.executable=python3"]), @"
    SPC035: `python.executable` at --set python.executable cannot be `python3`: it is an absolute path on every machine, without `#` and `,`
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check(&["python.requirements=r.txt", "python.lock=lock.txt"]), @"
    SPC021: `python.requirements` and `python.lock` exclude each other
    help: Remove `python.requirements` or `python.lock`.
    ");
    insta::assert_snapshot!(check(&["python.requirements=gs://b/r.txt"]), @"
    SPC035: `python.requirements` at --set python.requirements cannot be `gs://b/r.txt`: it is a local file: what it says decides which archive is shipped
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check(&["python.requirements=none.txt"]), @"
    SPC022: there is no file `jobs/none.txt`, named by `python.requirements` at --set python.requirements
    help: Paths are taken from the spec file's own folder; check the spelling.
    ");
    insta::assert_snapshot!(check(&["python.requirements=broken.txt"]), @r#"
    SPC043: line 1 of `jobs/broken.txt` is no requirement that can be carried: one `=` is no comparison: a version is pinned with `==`, named by `python.requirements` at --set python.requirements
      numpy=1.2
    help: Write each requirement as pip takes it, one a line: `name`, `name==1.2`, `name>=1,<2; python_version < "3.11"`.
    "#);
    insta::assert_snapshot!(check(&["python.lock=r.txt"]), @r#"
    SPC043: line 1 of `jobs/r.txt` is no requirement that can be carried: a lock has hashes: `--hash=sha256:…`, named by `python.lock` at --set python.lock
      numpy==1.21.4
    help: Write each requirement as pip takes it, one a line: `name`, `name==1.2`, `name>=1,<2; python_version < "3.11"`.
    "#);
    insta::assert_snapshot!(check(&["python.index_url=https://ada:pass@mirror.example.com/"]), @"
    SPC035: `python.index_url` at --set python.index_url cannot be `…@mirror.example.com/`: it holds a user or password, which would be written into the plan
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check(&["python.index_url=mirror"]), @"
    SPC035: `python.index_url` at --set python.index_url cannot be `mirror`: it starts with `https://` or `http://`
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check(&["python.platform=windows"]), @"
    SPC035: `python.platform` at --set python.platform cannot be `windows`: the platforms are `x86_64-linux-gnu` and `aarch64-linux-gnu`, also with the version of the C library: `x86_64-linux-gnu.2.36`
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check(&["python.builder=cluster", "python.channel=https://ada:pass@x/"]), @"
    SPC035: `python.channel` at --set python.channel cannot be `…`: it is an address without user and password
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check(&["python.builder=cluster", "python.micromamba_url=/x"]), @"
    SPC035: `python.micromamba_url` at --set python.micromamba_url cannot be `/x`: it is an address without user and password
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check(&["job.requirements=broken.txt"]), @r#"
    SPC043: line 1 of `jobs/broken.txt` is no requirement that can be carried: one `=` is no comparison: a version is pinned with `==`, named by `job.requirements` at --set job.requirements
      numpy=1.2
    help: Write each requirement as pip takes it, one a line: `name`, `name==1.2`, `name>=1,<2; python_version < "3.11"`.
    "#);
    insta::assert_snapshot!(check(&["job.python_files=[\"sub/flinkproc-python.tar.gz\"]"]), @"
    SPC028: two files are called `flinkproc-python.tar.gz`: `sub/flinkproc-python.tar.gz` and `the shipped Python`
    help: All files of a job lie in one folder on the master: rename one, or put them into one zip.
    ");
}
