//! Stages files by their content into a local directory, twice: the second time nothing is written.

use flinkproc_core::{BucketName, GcsUri};
use flinkproc_staging::{DirectoryStaging, LocalFile, Put, StagingExt as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("my etl.py");
    std::fs::write(&script, "print('hello')")?;

    let bucket: BucketName = "example-bucket".parse()?;
    let staging = DirectoryStaging::new(folder.path().join("buckets"));
    staging.create_bucket(&bucket)?;
    let base = GcsUri::new(bucket, "")?;

    let file = LocalFile::read(&script).await?;
    for expected in [Put::Written, Put::Present] {
        let (object, put) = staging.put_by_content(&base, &file).await?;
        assert_eq!(put, expected);
        assert_eq!(object.file_name(), "my etl.py");
    }

    let copy = folder.path().join("copy.py");
    staging.download(&file.address(&base)?, &copy).await?;
    assert_eq!(std::fs::read(&script)?, std::fs::read(&copy)?);
    Ok(())
}
