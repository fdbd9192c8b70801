"""Clusters and operations by gcloud."""

import json
import tarfile

FLAGS = [
    "--image-version=2.2-debian12",
    "--master-machine-type=n2-standard-4",
    "--master-boot-disk-size=100GB",
    "--num-workers=2",
    "--worker-machine-type=n2-standard-2",
    "--num-secondary-workers=1",
    "--secondary-worker-type=spot",
    "--max-idle=600s",
    "--max-age=7200s",
    "--optional-components=FLINK,JUPYTER",
    "--enable-component-gateway",
    "--no-address",
    "--properties=flink:taskmanager.numberOfTaskSlots=2,dataproc:dataproc.logging.stackdriver.enable=true",
    "--initialization-actions=gs://code/first.sh,gs://code/second.sh",
    "--initialization-action-timeout=5m",
    "--bucket=proof-bucket",
    "--labels=team=data",
    "--metadata=answer=42",
    "--tags=proof",
    "--subnet=default",
    "--scopes=cloud-platform",
]


def test_a_cluster_with_every_flag(gcloud, dataproc, name, tmp_path):
    gcloud("storage", "buckets", "create", "gs://proof-bucket")
    dataproc("clusters", "create", name, "--zone=europe-west1-b", *FLAGS)
    cluster = dataproc("clusters", "describe", name, "--format=json").json()
    config = cluster["config"]
    assert cluster["status"]["state"] == "RUNNING"
    assert cluster["labels"]["team"] == "data"
    assert cluster["labels"]["goog-dataproc-cluster-name"] == name
    lifecycle = config["lifecycleConfig"]
    assert (lifecycle["idleDeleteTtl"], lifecycle["autoDeleteTtl"]) == ("600s", "7200s")
    assert sorted(config["softwareConfig"]["optionalComponents"]) == ["FLINK", "JUPYTER"]
    assert config["softwareConfig"]["properties"]["flink:taskmanager.numberOfTaskSlots"] == "2"
    assert config["endpointConfig"]["enableHttpPortAccess"] is True
    assert config["secondaryWorkerConfig"]["numInstances"] == 1
    assert config["secondaryWorkerConfig"]["preemptibility"] == "SPOT"
    machines = config["gceClusterConfig"]
    assert machines["internalIpOnly"] is True
    assert machines["metadata"]["answer"] == "42"
    assert machines["zoneUri"].endswith("europe-west1-b")
    assert "proof" in machines["tags"]
    files = [(one["executableFile"], one["executionTimeout"]) for one in config["initializationActions"]]
    assert files == [("gs://code/first.sh", "300s"), ("gs://code/second.sh", "300s")]
    assert config["configBucket"] == "proof-bucket"
    assert config["masterConfig"]["machineTypeUri"].endswith("n2-standard-4")
    assert config["masterConfig"]["diskConfig"]["bootDiskSizeGb"] == 100

    both = f"clusterName={name} AND labels.team=data AND status.state=ACTIVE"
    for text, expected in {both: [name], f"{both} AND labels.team=other": []}.items():
        listed = dataproc("clusters", "list", f"--filter={text}", "--format=value(clusterName)")
        assert listed.out.split() == expected, text

    workers = ["--num-workers=3", "--update-labels=team=science", "--graceful-decommission-timeout=60s"]
    dataproc("clusters", "update", name, *workers, "--max-idle=900s")
    file = tmp_path / "cluster.yaml"
    dataproc("clusters", "export", name, f"--destination={file}")
    text = file.read_text()
    assert "numInstances: 3" in text and "team: science" in text and "idleDeleteTtl: 900s" in text
    dataproc("clusters", "import", f"{name}-too", f"--source={file}")
    again = dataproc("clusters", "describe", f"{name}-too", "--format=json").json()
    assert again["config"]["workerConfig"]["numInstances"] == 3
    assert again["config"]["initializationActions"] == config["initializationActions"]

    for cluster in (name, f"{name}-too"):
        dataproc("clusters", "delete", cluster)
    gone = dataproc("clusters", "describe", name, code=1)
    assert "NOT_FOUND" in gone.err


def test_a_cluster_stops_starts_and_is_diagnosed(gcloud, dataproc, cluster, tmp_path):
    dataproc("clusters", "stop", cluster)
    state = ("clusters", "describe", cluster, "--format=value(status.state)")
    assert dataproc(*state).out.strip() == "STOPPED"
    dataproc("clusters", "start", cluster)
    assert dataproc(*state).out.strip() == "RUNNING"

    told = dataproc("clusters", "diagnose", cluster)
    # The report came down as a job's output does; it names the archive.
    place = next(word for word in told.err.split() if word.endswith(".tar.gz"))
    archive = tmp_path / "diagnosis.tar.gz"
    gcloud("storage", "cp", place, archive)
    with tarfile.open(archive) as held:
        assert held.getnames()


def test_operations(dataproc, cluster):
    listed = dataproc("operations", "list", f"--cluster={cluster}", "--format=json").json()
    kinds = {one["metadata"]["operationType"]: one["name"].rpartition("/")[2] for one in listed}
    assert "CREATE" in kinds
    assert all(one["metadata"]["clusterName"] == cluster for one in listed)
    described = dataproc("operations", "describe", kinds["CREATE"], "--format=json").json()
    assert described["done"] is True
    assert described["metadata"]["status"]["state"] == "DONE"
    # What has ended cannot be cancelled: the service takes the call and changes nothing.
    dataproc("operations", "cancel", kinds["CREATE"], code=None)
    after = dataproc("operations", "describe", kinds["CREATE"], "--format=json").json()
    assert after == described


def test_a_wrong_wish_is_told(dataproc, name):
    refused = dataproc("clusters", "create", name, "--image-version=9.9-plan9", code=1)
    assert "INVALID_ARGUMENT" in refused.err and "9.9-plan9" in refused.err
    taken = dataproc("clusters", "create", name, "--single-node", "--async", "--format=json")
    assert json.loads(taken.out or "[]") == []
    again = dataproc("clusters", "create", name, code=1)
    assert "ALREADY_EXISTS" in again.err
    dataproc("clusters", "delete", name)
