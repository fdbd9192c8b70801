"""`gcloud compute ssh` into machines whose SSH servers are real, by each way that it knows."""

import getpass
import os

import pytest

# The scripted machines' servers listen here; the relay takes 22 for it, as it does in the cloud.
PORT = os.environ["SSH_PORT"]
RELAY, CERTIFICATE = os.environ["IAP_URL"], os.environ["IAP_CERTIFICATE"]
COMMAND = "echo \"it's $((6 * 7))\"; whoami"
OUTPUT = f"it's 42\n{getpass.getuser()}\n"


@pytest.fixture
def machine(dataproc, gcloud, name):
    """Makes a cluster with more flags; gives how to run a command on its master by ssh with more flags."""

    def make(*flags):
        dataproc("clusters", "create", name, "--single-node", "--image-version=2.2-debian12", *flags)

        def run(*ssh, **more):
            said = gcloud("compute", "ssh", f"{name}-m", f"--command={COMMAND}", *ssh, **more).out
            # The first run makes a key pair, and says so before.
            assert said.endswith(OUTPUT), said

        return run

    yield make
    dataproc("clusters", "delete", name)


def test_by_a_key_in_the_metadata(gcloud, machine, name):
    run = machine()
    run(f"--ssh-flag=-p{PORT}")
    described = gcloud("compute", "project-info", "describe", "--format=json").json()
    entries = {one["key"]: one["value"] for one in described["commonInstanceMetadata"]["items"]}
    assert f"{getpass.getuser()}:ssh-" in entries["ssh-keys"]
    listed = gcloud("compute", "instances", "list", f"--filter=name={name}-m", "--format=value(status)")
    assert listed.out.strip() == "RUNNING"


def test_by_os_login(gcloud, machine):
    run = machine("--metadata=enable-oslogin=TRUE")
    account = {"CLOUDSDK_CORE_ACCOUNT": "me@example.com"}
    run(f"--ssh-flag=-p{PORT}", env=account)
    profile = gcloud("compute", "os-login", "describe-profile", "--format=json", env=account).json()
    assert profile["sshPublicKeys"]
    assert profile["posixAccounts"][0]["username"] == getpass.getuser()


def test_through_identity_aware_proxy(machine, tmp_path):
    run = machine("--no-address")
    relay = ("--tunnel-through-iap", f"--iap-tunnel-url-override={RELAY}")
    token = tmp_path / "token"
    token.write_text("a-token")
    # gcloud's tunnel crashes where credentials are disabled: it wants some token.
    with_token = {"CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "0", "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token)}
    run(*relay, env={"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": CERTIFICATE, **with_token})
