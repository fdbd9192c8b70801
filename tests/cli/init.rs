//! `flinkproc init --from-script`: a script becomes a spec that can be planned.

use super::sound;

#[tokio::test]
async fn a_script_becomes_a_spec_that_can_be_planned() {
    let (home, witness) = sound();
    home.write(
        "run.sh",
        "gcloud dataproc clusters create etl-${ID} --project=my-project --region=europe-west1 --image-version=2.0 --workers=2\n\
         gcloud compute ssh etl-m --command=\"flink run -m yarn-cluster -yD a.b=c -p 2 -py job.py --day ${DAY}\"\n",
    );
    let ran = home
        .run(&["init", "--from-script", "run.sh", "made.toml"])
        .await;
    ran.ended_with(0)
        .told(&["mended: line 1:", "--workers", "wrote made.toml"]);
    let text = std::fs::read_to_string(home.work().join("made.toml")).unwrap();
    for line in [
        "script = \"job.py\"",
        "parallelism = 2",
        "args = [\"--day\", \"${params.day}\"]",
        "\"a.b\" = \"c\"",
        "prefix = \"etl\"",
        "workers.count = 2",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let plan = [
        "plan",
        "made.toml",
        "--param",
        "day=1",
        "--bucket",
        "my-bucket",
    ];
    home.run(&plan).await.ended_with(0);
    // What is there is left alone.
    home.run(&["init", "--from-script", "run.sh", "made.toml"])
        .await
        .ended_with(2)
        .told(&["error[APP013]"]);
    home.run(&["init", "--from-script", "none.sh", "other.toml"])
        .await
        .ended_with(2)
        .told(&["error[APP001]", "none.sh"]);
    assert!(!home.work().join("other.toml").exists());
    witness.saw_nobody();
}
