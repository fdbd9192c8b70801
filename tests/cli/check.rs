//! `flinkproc check` and `plan --compare-methods`: commands, scripts, pages and other images; no service is asked.

use super::sound;

#[tokio::test]
async fn a_command_is_read_as_its_flink_reads_it() {
    let (home, witness) = sound();
    let ran = home
        .run(&[
            "check",
            "--flink",
            "1.17",
            "--",
            "flink",
            "run",
            "-t",
            "yarn-per-job",
            "-ytm",
            "4g",
            "-py",
            "my job.py",
        ])
        .await;
    ran.ended_with(2).told(&["1 error(s)", "Flink 1.17"]);
    for text in [
        "error[CHK001]",
        "--> command:1:27",
        "write instead:",
        "flink run -t yarn-per-job -Dtaskmanager.memory.process.size=4g -py 'my job.py'",
    ] {
        assert!(ran.out.contains(text), "{text} is not in\n{}", ran.out);
    }
    // What only Flink 2 lacks, by its image.
    let line = ["--", "flink", "run", "-t", "yarn-per-job", "-py", "job.py"];
    let old: Vec<&str> = ["check", "--image", "2.2"]
        .into_iter()
        .chain(line)
        .collect();
    home.run(&old).await.ended_with(0);
    let new: Vec<&str> = ["check", "--image", "3.0", "--output", "json"]
        .into_iter()
        .chain(line)
        .collect();
    let ran = home.run(&new).await;
    ran.ended_with(2);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        json["report"]["commands"][0]["findings"][0]["code"],
        "CHK008"
    );
    assert_eq!(json["report"]["flink"], "2.2.0");
    home.run(&["check", "--", "ls"])
        .await
        .ended_with(2)
        .told(&["error[APP006]", "`ls`"]);
    home.run(&["check", "--flink", "9.9", "--", "flink", "list"])
        .await
        .ended_with(2)
        .told(&["error[APP006]", "9.9"]);
    witness.saw_nobody();
}

#[tokio::test]
async fn every_command_of_a_script_is_read() {
    let (home, witness) = sound();
    home.write(
        "run.sh",
        "gcloud dataproc clusters create c --image-version=2.2 --workers=2\n\
         gcloud compute ssh c-m --command=\"flink run -m yarn-cluster -py gs://b/${JOB}.py --password hunter2\"\n",
    );
    let ran = home.run(&["check", "run.sh"]).await;
    ran.ended_with(2).told(&["run.sh: 3 command(s)"]);
    for text in [
        "error[CHK030]",
        "run.sh:1:55",
        "--num-workers=2",
        "error[CHK010]",
        "gcloud storage cp gs://b/\"${JOB}\".py /tmp/\"${JOB}\".py",
    ] {
        assert!(ran.out.contains(text), "{text} is not in\n{}", ran.out);
    }
    assert!(!ran.out.contains("hunter2"), "{}", ran.out);
    // Warnings alone break nothing.
    home.write("page.md", "```sh\nflink list\n```\n");
    let ran = home.run(&["check", "page.md"]).await;
    ran.ended_with(0).told(&["0 error(s), 2 warning(s)"]);
    assert!(ran.out.contains("page.md:2:1"), "{}", ran.out);
    home.write("latin1.sh", b"\xe9");
    home.run(&["check", "latin1.sh"])
        .await
        .ended_with(2)
        .told(&["error[APP006]", "UTF-8"]);
    witness.saw_nobody();
}

#[tokio::test]
async fn another_image_changes_a_deployment() {
    let (home, witness) = sound();
    let ran = home.run(&["check", "--image", "3.0"]).await;
    ran.ended_with(0);
    for text in [
        "From image 2.0 to image 3.0",
        "warning: mode: the mode becomes application",
        "Java 8 becomes 21",
        "config.yaml",
    ] {
        assert!(ran.out.contains(text), "{text} is not in\n{}", ran.out);
    }
    let spec = std::fs::read_to_string(home.work().join("flinkproc.toml")).unwrap();
    home.write(
        "flinkproc.toml",
        spec.replace("[job]", "[job]\nmode = \"per-job\""),
    );
    let ran = home.run(&["check", "--image", "3.0"]).await;
    ran.ended_with(2);
    assert!(
        ran.out.contains("error: mode: per-job mode was removed"),
        "{}",
        ran.out
    );
    // The image that the spec names changes nothing.
    let ran = home.run(&["check", "--image", "2.0-debian10"]).await;
    ran.ended_with(0);
    assert!(ran.out.contains("is sound"), "{}", ran.out);
    witness.saw_nobody();
}

#[tokio::test]
async fn the_methods_are_compared() {
    let (home, witness) = sound();
    let ran = home.run(&["plan", "--compare-methods"]).await;
    ran.ended_with(0);
    for text in ["Flink functionality\n", "\nCloud Composer\n", "  hadoop   "] {
        assert!(ran.out.contains(text), "{text} is not in\n{}", ran.out);
    }
    let ran = home
        .run(&["plan", "--compare-methods", "--output", "json"])
        .await;
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["methods"][0], "ssh");
    witness.saw_nobody();
}
