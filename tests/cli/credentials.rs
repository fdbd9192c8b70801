//! Credentials that are missing or expired: exit code 3, and no service is called with them.

use super::sound;

#[tokio::test]
async fn missing_credentials_are_said_to_be_missing() {
    let (mut home, witness) = sound();
    home.set("FLINKPROC_ANONYMOUS", "");
    // Where Google's library asks last.
    home.set("GCE_METADATA_HOST", "127.0.0.1:9");
    for arguments in [
        &["deploy"][..],
        &[
            "cluster",
            "list",
            "--project=my-project",
            "--region=europe-west1",
        ],
    ] {
        let ran = home.run(arguments).await;
        ran.ended_with(3).told(&[
            "error[",
            "credentials",
            "gcloud auth application-default login",
        ]);
    }
    witness.saw_nobody();
}

#[tokio::test]
async fn a_file_that_holds_no_credentials_is_refused() {
    let (mut home, witness) = sound();
    home.set("FLINKPROC_ANONYMOUS", "");
    home.write("key.json", "{\"type\": \"nonsense\"}");
    let file = home.work().join("key.json").display().to_string();
    home.set("GOOGLE_APPLICATION_CREDENTIALS", file);
    let ran = home.run(&["deploy"]).await;
    ran.ended_with(3).told(&["error[APP002]", "help:"]);
    witness.saw_nobody();
}

#[tokio::test]
async fn expired_credentials_are_refused_before_any_call() {
    let (mut home, witness) = sound();
    home.set("FLINKPROC_ANONYMOUS", "");
    // What Google's token server answers once `gcloud auth application-default login` is too long ago.
    let server = wiremock::MockServer::start().await;
    let refusal = serde_json::json!({
        "error": "invalid_grant", "error_description": "Token has been expired or revoked.",
    });
    wiremock::Mock::given(wiremock::matchers::method("POST"))
        .respond_with(wiremock::ResponseTemplate::new(400).set_body_json(refusal))
        .mount(&server)
        .await;
    let user = serde_json::json!({
        "type": "authorized_user", "client_id": "me", "client_secret": "s3cret-c",
        "refresh_token": "s3cret-r", "token_uri": format!("{}/token", server.uri()),
    });
    home.write("user.json", user.to_string());
    let file = home.work().join("user.json").display().to_string();
    home.set("GOOGLE_APPLICATION_CREDENTIALS", file);
    let ran = home.run(&["-vv", "deploy"]).await;
    ran.ended_with(3)
        .told(&["error[APP002]", "expired or revoked", "help:"]);
    assert!(!ran.err.contains("s3cret"), "{}", ran.err);
    assert!(!home.state().exists());
    witness.saw_nobody();
}
