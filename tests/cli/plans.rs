//! From `init` to a plan in a file, and what becomes of that when its sources change.

use super::sound;

#[tokio::test]
async fn a_newcomer_comes_from_init_to_a_plan() {
    let (mut home, witness) = sound();
    std::fs::remove_file(home.work().join("flinkproc.toml")).unwrap();
    home.set("FLINKPROC_PROJECT", "my-project");
    home.set("FLINKPROC_REGION", "europe-west1");
    let ran = home.run(&["init"]).await;
    ran.ended_with(0).told(&["wrote flinkproc.toml"]);
    let written = std::fs::read_to_string(home.work().join("flinkproc.toml")).unwrap();
    // The only Python file is the script.
    assert!(written.contains("script = \"job.py\""), "{written}");
    // A second one leaves it alone.
    home.run(&["init"])
        .await
        .ended_with(2)
        .told(&["error[APP013]", "flinkproc.toml"]);
    let sandbox = home.run(&["check", "--sandbox"]).await;
    sandbox.ended_with(0);
    assert!(sandbox.out.contains("is sound"), "{}", sandbox.out);
    let ran = home
        .run(&["plan", "--image", "2.0", "--bucket", "my-bucket"])
        .await;
    ran.ended_with(0);
    for text in [
        "create-cluster",
        "gcloud dataproc clusters create",
        "flink run -t yarn-per-job",
        "Taken without being written",
    ] {
        assert!(ran.out.contains(text), "{text} is not in\n{}", ran.out);
    }
    assert!(!home.state().exists());
    witness.saw_nobody();
}

#[tokio::test]
async fn a_plan_in_a_file_holds_only_what_it_was_made_from() {
    let (home, witness) = sound();
    let spec = home.work().join("flinkproc.toml");
    let text = std::fs::read_to_string(&spec).unwrap();
    home.run(&["plan", "--out", "plan.json"])
        .await
        .ended_with(0)
        .told(&["wrote plan.json"]);

    home.write("flinkproc.toml", format!("{text}\n# changed\n"));
    home.run(&["deploy", "plan.json"])
        .await
        .ended_with(2)
        .told(&["error[APP007]", "flinkproc.toml has changed", "help:"]);
    home.write("flinkproc.toml", &text);
    home.write("job.py", "print(2)\n");
    home.run(&["deploy", "plan.json"])
        .await
        .ended_with(2)
        .told(&["error[APP007]", "job.py has changed"]);
    home.write("plan.json", "{}");
    home.run(&["deploy", "plan.json"])
        .await
        .ended_with(2)
        .told(&["error[", "plan.json", "plan --out"]);
    assert!(!home.state().exists());
    witness.saw_nobody();
}
