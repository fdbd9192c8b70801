//! The submission methods: what each changes in a plan, and what does not go together.

use super::{commands, with};
use crate::methods;
use crate::plan::Plan;
use crate::spec::AccessSpec;

fn components(plan: &Plan) -> String {
    plan.cluster.resource["config"]["softwareConfig"]["optionalComponents"].to_string()
}

#[test]
fn only_methods_without_a_way_to_the_master_have_a_mirror() {
    for facts in methods::ALL {
        let method = format!("job.method={}", facts.name);
        let plan = with(&[&method, "job.experimental=[\"native\"]"]).planned();
        let mirror = plan.job.mirror.map(|uri| uri.to_string());
        let expected = "gs://my-bucket/flinkproc/deployments/etl-1/runs/";
        let has = facts.uses_launcher && !facts.needs_ssh;
        assert_eq!(mirror.as_deref(), has.then_some(expected), "{}", facts.name);
    }
    let own = with(&["job.method=carrier"]).planned();
    assert!(own.job.mirror.is_some(), "a method of the caller's");
}

#[test]
fn pig_adds_its_component_where_the_image_does_not_bring_it() {
    let check = |image: &str| {
        let image = format!("cluster.image={image}");
        components(&with(&["job.method=pig", &image]).planned())
    };
    assert_eq!(check("2.2"), r#"["FLINK"]"#);
    assert_eq!(check("2.3"), r#"["FLINK","PIG"]"#);
    assert_eq!(check("3.0"), r#"["FLINK","PIG"]"#);
    let written = with(&[
        "job.method=pig",
        "cluster.image=2.3",
        "cluster.components=[\"pig\"]",
    ]);
    assert_eq!(components(&written.planned()), r#"["FLINK","PIG"]"#);
    let found = with(&[
        "job.method=pig",
        "cluster.image=2.3",
        "cluster.existing=team",
    ])
    .planned();
    assert!(
        found
            .warnings
            .iter()
            .any(|text| text.contains("made with PIG"))
    );
}

#[test]
fn the_commands_of_each_method() {
    let check = |method: &str| {
        let method = format!("job.method={method}");
        let flags = [
            "job.experimental=[\"native\"]",
            "job.args=[\"it's $5\"]",
            "job.restore.from=gs://b/s",
            "job.flink_config.a=b",
        ];
        commands(
            &with(&[&flags[..], &[&method]].concat()).planned(),
            "submit",
        )
    };
    insta::assert_snapshot!(check("pig"), @"
    in job.sh: mkdir -p /tmp/flinkproc
    in job.sh: gcloud storage cp gs://my-bucket/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py /tmp/flinkproc/my etl.py
    in job.sh: flink run -t yarn-per-job -Da=b -Dpython.client.executable=python3 -Dyarn.application.name=my etl -Dyarn.tags=flinkproc-etl-1-1 -s gs://b/s -pyexec python3 -py /tmp/flinkproc/my etl.py it's $5
    here: gcloud storage cp job.sh gs://my-bucket/flinkproc/deployments/etl-1/job.sh
    here: gcloud dataproc jobs submit pig --cluster=flink-etl-1 --region=europe-west4 --project=my-project --id=flinkproc-etl-1-1 --execute=fs -copyToLocal gs://my-bucket/flinkproc/deployments/etl-1/job.sh /tmp/job.sh; sh bash /tmp/job.sh;
    ");
    let last = |method: &str| check(method).lines().last().unwrap_or_default().to_owned();
    insta::assert_snapshot!(last("pyspark"), @"here: gcloud dataproc jobs submit pyspark --cluster=flink-etl-1 --region=europe-west4 --project=my-project --id=flinkproc-etl-1-1 run_job.py --files=gs://my-bucket/flinkproc/deployments/etl-1/job.sh");
    insta::assert_snapshot!(last("hadoop"), @"here: gcloud dataproc jobs submit hadoop --cluster=flink-etl-1 --region=europe-west4 --project=my-project --id=flinkproc-etl-1-1 --jar=launcher.jar --files=gs://my-bucket/flinkproc/deployments/etl-1/job.sh -- job.sh");
    insta::assert_snapshot!(check("native"), @"here: gcloud dataproc jobs submit flink --cluster=flink-etl-1 --region=europe-west4 --project=my-project --id=flinkproc-etl-1-1 --class=org.apache.flink.client.python.PythonDriver --jars=file:///usr/lib/flink/opt/flink-python-1.17.0.jar --savepoint=gs://b/s --properties=a=b -- -py gs://my-bucket/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py it's $5");
    insta::assert_snapshot!(check("native-pyflink"), @"here: gcloud dataproc jobs submit pyflink gs://my-bucket/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py --cluster=flink-etl-1 --region=europe-west4 --project=my-project --id=flinkproc-etl-1-1 --savepoint=gs://b/s --properties=a=b -- it's $5");
    insta::assert_snapshot!(last("carrier"), @"in job.sh: flink run -t yarn-per-job -Da=b -Dpython.client.executable=python3 -Dyarn.application.name=my etl -Dyarn.tags=flinkproc-etl-1-1 -s gs://b/s -pyexec python3 -py /tmp/flinkproc/my etl.py it's $5");
}

#[test]
fn without_ssh_nobody_enters_and_the_commands_are_still_shown() {
    for flag in ["ssh=never", "ssh.access=never"] {
        let plan = with(&[flag]).planned();
        assert_eq!(plan.ssh.access, AccessSpec::Never);
        assert_eq!(plan.job.method, "hadoop");
        let noted = plan.defaults.iter().find(|taken| taken.key == "job.method");
        assert_eq!(
            noted.map(|taken| taken.source.as_str()),
            Some("ssh.access is never")
        );
        assert!(
            plan.defaults
                .iter()
                .all(|taken| !taken.key.starts_with("ssh."))
        );
        let steps: Vec<_> = plan.steps().iter().map(|step| step.id).collect();
        assert!(
            !steps.contains(&"enter") && !steps.contains(&"leave-machine"),
            "{steps:?}"
        );
        let shown: Vec<_> = plan
            .equivalents()
            .iter()
            .map(|command| command.step)
            .collect();
        assert!(
            shown.contains(&"create-cluster") && shown.contains(&"submit"),
            "{shown:?}"
        );
        assert!(!shown.contains(&"enter"));
        assert!(
            plan.warnings
                .iter()
                .any(|text| text.contains("cannot be forwarded"))
        );
    }
    let named = with(&["ssh=never", "job.method=pig"]).planned();
    assert_eq!(named.job.method, "pig");
    let mut case = with(&[]);
    case.text = format!("ssh = 'never'\n{}", case.text);
    assert_eq!(case.planned().ssh.access, AccessSpec::Never);
    assert_eq!(
        with(&["ssh=never"]).sandbox().planned().ssh.access,
        AccessSpec::Never
    );
}

#[test]
fn what_does_not_go_together_is_refused_with_a_way_out() {
    let check = |flags: &[&str]| with(flags).refused();
    insta::assert_snapshot!(check(&["ssh=never", "job.method=ssh"]), @"
    SPC040: job.method ssh and ssh.access never do not go together: this method enters the master
    help: Take one of the methods `pig`, `pyspark` and `hadoop`, or allow SSH.
    ");
    insta::assert_snapshot!(check(&["job.method=native"]), @r#"
    SPC040: job.method native and an empty job.experimental do not go together: Dataproc runs `flink` itself: outside the launcher, so nothing promises that an attempt starts only once, that arguments arrive as they are, or that the exit status is true
    help: Write `experimental = ["native"]` in `[job]` to allow it, or take another method.
    "#);
    insta::assert_snapshot!(check(&["job.experimental=[\"nativ\"]"]), @"
    SPC035: `job.experimental[0]` at --set job.experimental cannot be `nativ`: the experiments are `native`
    help: Nothing was created; change the value and run it again.
    ");
    let native = ["job.method=native", "job.experimental=[\"native\"]"];
    let check = |flags: &[&str]| check(&[&native[..], flags].concat());
    insta::assert_snapshot!(check(&["job.mode=session"]), @"
    SPC040: job.method native and job.mode session do not go together: Dataproc's Flink job has no way to name a session
    help: Take another method: `ssh`, `pig`, `pyspark` or `hadoop`.
    ");
    insta::assert_snapshot!(check(&["job.secrets.A=x"]), @"
    SPC040: job.method native and job.secrets do not go together: the launcher fetches secrets, and Dataproc's Flink job has none
    help: Take another method: `ssh`, `pig`, `pyspark` or `hadoop`.
    ");
    insta::assert_snapshot!(check(&["cluster.image=2.1.15-debian11"]), @"
    SPC040: job.method native and image 2.1.15-debian11 do not go together: Flink jobs came with 2.1.19, and this is patch 15
    help: Name a later image, or take another method.
    ");
    insta::assert_snapshot!(check(&["job.python_functions=true"]), @r#"
    SPC040: job.method native and a shipped Python do not go together: apache-flink 1.17.0 has wheels for Python 3.7 to 3.10, and image 2.2 brings 3.11, and Dataproc's Flink job ships nothing with it
    help: Take another method, or write `environment = "cluster"` in `[python]`.
    "#);
}

#[test]
fn what_is_not_confirmed_or_costs_is_said() {
    let check = |flags: &[&str]| {
        let plan = with(flags).planned();
        let own = plan
            .warnings
            .iter()
            .filter(|text| text.starts_with("job.method"));
        own.cloned().collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(check(&["job.method=native", "job.experimental=[\"native\"]", "cluster.image=3.0", "job.env.A=1"]), @"
    job.method is native: Google labels it a preview, and it is not confirmed that it runs PyFlink
    job.method is native: what Dataproc's Flink job does on images with Flink 2 is not confirmed
    job.method is native: job.env reaches Flink's containers by its configuration, and not a program that runs on the master
    ");
    insta::assert_snapshot!(check(&["job.method=pyspark"]), @"job.method is pyspark: the job's wrapper is a Spark driver that does nothing but wait; it held 124 MB on the master beside Flink's client when it was measured, and took no YARN container");
    assert_eq!(
        check(&[
            "job.method=native",
            "job.experimental=[\"native\"]",
            "cluster.image=2.1.19"
        ])
        .lines()
        .count(),
        1
    );
}
