"""Login profiles by `google-cloud-os-login`."""

import time

import pytest

USER = "users/me@example.com"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJf5lLmtCBsdF8tRjM1wFYJ0nWt0mLNhm8BMWq0vXxLk"


def test_a_key_is_imported_read_changed_and_deleted(refused, os_login, name):
    expires = int(time.time() * 1_000_000) + 3_600_000_000
    key = {"key": f"{KEY} {name}", "expiration_time_usec": expires}
    request = {"parent": USER, "ssh_public_key": key, "project_id": "my-project"}
    profile = os_login.import_ssh_public_key(request=request).login_profile
    account = profile.posix_accounts[0]
    assert account.username and account.primary
    assert account.home_directory
    held = next(one for one in profile.ssh_public_keys.values() if one.key.endswith(name))
    assert held.expiration_time_usec == expires
    path = f"{USER}/sshPublicKeys/{held.fingerprint}"
    assert os_login.get_ssh_public_key(request={"name": path}) == held
    later = {"expiration_time_usec": expires + 60_000_000}
    mask = {"paths": ["expiration_time_usec"]}
    changed = os_login.update_ssh_public_key(request={"name": path, "ssh_public_key": later, "update_mask": mask})
    assert changed.expiration_time_usec == expires + 60_000_000
    os_login.delete_ssh_public_key(request={"name": path})
    assert held.fingerprint not in os_login.get_login_profile(request={"name": USER}).ssh_public_keys
    with refused("NOT_FOUND"):
        os_login.get_ssh_public_key(request={"name": path})


@pytest.mark.parametrize("key", [{"key": "not a key"}])
def test_what_the_service_refuses(refused, os_login, key):
    with refused("INVALID_ARGUMENT"):
        os_login.import_ssh_public_key(request={"parent": USER, "ssh_public_key": key})
