//! Google's Python libraries against the emulators.

use crate::ground::{Clusters, Ground};

#[tokio::test(flavor = "multi_thread")]
async fn googles_python_libraries_work() {
    if let Some(ground) = Ground::new("Google's Python libraries", Clusters::Names).await {
        ground.pytest(&["test_strict.py", "libraries"], &[]).await;
        ground.end().await;
    }
}
