"""What the launcher asks of Cloud Storage and of YARN: over HTTP, without a JVM. Works with Python 3.6 and later.

    gate BUCKET PREFIX                  takes the gate: says started, fenced or taken
    download BUCKET OBJECT FILE
    answer BUCKET PREFIX PLACE STATUS FILE
    find TAG                            the oldest living application of a tag
    final TAG                           waits for the application of a tag, and says its final status
    jobs APPLICATION TAG MODE [live]    the Flink jobs of an attempt and their states
    settled APPLICATION TAG             waits for the attempt's jobs in a session; status 1 unless all finished
    jars INTO FILES...                  binds jars into one, as Flink finds them
"""

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zipfile

LIVING = ("NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED", "RUNNING")
DONE = ("FINISHED", "CANCELED", "FAILED")
MARK = "flinkproc-attempt"


class Unreachable(Exception):
    """Nobody gave a usable answer."""


def call(method, url, data=None, headers=None, tries=6):
    """The body of the answer; HTTPError for what is not worth another try."""
    for turn in range(tries):
        last = turn + 1 == tries
        try:
            request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            if last or (error.code < 500 and error.code not in (408, 429)):
                raise
        except OSError as error:
            if last:
                raise Unreachable("%s: %s" % (url.split("?")[0], error))
        time.sleep(min(2 ** turn, 15))


class Bucket:
    """Objects by the JSON API, with the machine's token or, against an emulator, without one."""

    def __init__(self, name):
        server = os.environ.get("STORAGE_EMULATOR_HOST", "")
        self.own = not server
        if not server:
            server = "https://storage.googleapis.com"
        elif "://" not in server:
            server = "http://" + server
        self.server = server.rstrip("/")
        self.name = name
        self.token = None
        self.until = 0

    def headers(self):
        if not self.own:
            return {}
        if time.time() > self.until:
            host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
            url = "http://%s/computeMetadata/v1/instance/service-accounts/default/token" % host
            answer = json.loads(call("GET", url, headers={"Metadata-Flavor": "Google"}).decode())
            self.token = answer["access_token"]
            self.until = time.time() + max(answer.get("expires_in", 0) - 240, 30)
        return {"Authorization": "Bearer " + self.token}

    def put(self, name, data, only_new=False):
        """False when there is one already and only a new one was wanted."""
        query = {"uploadType": "media", "name": name}
        if only_new:
            query["ifGenerationMatch"] = "0"
        url = "%s/upload/storage/v1/b/%s/o?%s" % (self.server, self.name, urllib.parse.urlencode(query))
        headers = dict(self.headers())
        headers["Content-Type"] = "application/octet-stream"
        try:
            call("POST", url, data, headers)
        except urllib.error.HTTPError as error:
            if only_new and error.code == 412:
                return False
            raise
        return True

    def get(self, name):
        url = "%s/storage/v1/b/%s/o/%s?alt=media" % (self.server, self.name, urllib.parse.quote(name, safe=""))
        try:
            return call("GET", url, headers=self.headers())
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise


def resource_managers():
    """The web addresses of YARN's ResourceManagers, as its configuration names them."""
    from xml.etree import ElementTree

    folder = os.environ.get("HADOOP_CONF_DIR") or "/etc/hadoop/conf"
    values = {}
    try:
        for item in ElementTree.parse(os.path.join(folder, "yarn-site.xml")).getroot().iter("property"):
            values[item.findtext("name", "").strip()] = item.findtext("value", "").strip()
    except (OSError, ElementTree.ParseError):
        pass
    found = []
    for name in [""] + ["." + rm.strip() for rm in values.get("yarn.resourcemanager.ha.rm-ids", "").split(",") if rm]:
        host = values.get("yarn.resourcemanager.hostname" + name)
        address = values.get("yarn.resourcemanager.webapp.address" + name, "")
        if "${" in address or not address:
            address = host + ":8088" if host and "${" not in host else ""
        if address and address not in found:
            found.append(address)
    return found or ["localhost:8088"]


def ask(path, tries=2):
    """What a ResourceManager answers in JSON, the first one that does."""
    problem = None
    for address in resource_managers():
        try:
            return json.loads(call("GET", "http://%s/%s" % (address, path), tries=tries).decode("utf-8"))
        except (Unreachable, urllib.error.HTTPError, ValueError) as error:
            problem = error
    raise Unreachable(str(problem))


def applications(tag):
    """The YARN applications of a tag, the oldest first: id, state, finalStatus, diagnostics."""
    try:
        answer = ask("ws/v1/cluster/apps?applicationTags=" + urllib.parse.quote(tag.lower()))
        found = (answer.get("apps") or {}).get("app") or []
    except Unreachable:
        found = listed(tag)
    return sorted(found, key=lambda one: (len(one["id"]), one["id"]))


def listed(tag):
    """The same by YARN's own command, where HTTP is closed to us."""
    words = ["yarn", "application", "-list", "-appTags", tag, "-appStates", "ALL"]
    try:
        text = subprocess.check_output(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unreachable("yarn application -list: %s" % error)
    found = []
    for line in text.decode("utf-8", "replace").splitlines():
        cells = [cell.strip() for cell in line.split("\t")]
        if re.match(r"application_\d+_\d+$", cells[0]) and len(cells) > 6:
            found.append({"id": cells[0], "state": cells[5], "finalStatus": cells[6], "diagnostics": ""})
    return found


def is_over(application):
    return application["state"] in ("FINISHED", "FAILED", "KILLED")


def own_ids():
    """The jobs that Flink's client told of."""
    try:
        with open("ids", encoding="utf-8", errors="replace") as stream:
            return set(re.findall(r"\b[0-9a-f]{32}\b", stream.read()))
    except OSError:
        return set()


MARKED = {}


def jobs(application, tag, mode):
    """The attempt's Flink jobs and their states; in a session, those it told of and those that carry its mark."""
    proxy = "proxy/%s/jobs" % application
    answer = ask(proxy)
    found = [(one["id"], one["status"]) for one in answer.get("jobs", [])]
    if mode != "session":
        return found
    told = own_ids()
    return [(job, state) for job, state in found if job in told or is_marked(proxy, job, tag)]


def is_marked(proxy, job, tag):
    if job not in MARKED:
        try:
            config = ask("%s/%s/config" % (proxy, job), tries=1).get("execution-config") or {}
        except Unreachable:
            return False
        MARKED[job] = (config.get("user-config") or {}).get(MARK) == tag
    return MARKED[job]


def gate(bucket, prefix):
    # An answer may be lost on its way: the second try then finds our own word.
    word = ("started\n%s\n" % uuid.uuid4()).encode()
    store = Bucket(bucket)
    if store.put(prefix + "gate", word, only_new=True):
        return "started"
    found = store.get(prefix + "gate") or b""
    if found == word:
        return "started"
    return "fenced" if found.startswith(b"fenced") else "taken"


def answer(bucket, prefix, place, status, path):
    with open(path, "rb") as stream:
        said = stream.read()
    reply = {"said": base64.b64encode(said).decode()}
    if status == "refused":
        reply["refused"] = said.decode("utf-8", "replace").strip()
    else:
        reply["status"] = int(status)
    name = prefix + place
    if place.startswith("gs://"):
        bucket, name = place[5:].split("/", 1)
    Bucket(bucket).put(name, json.dumps(reply).encode())


def final(tag):
    """Waits as long as it takes: the launcher ends us when the run is to end."""
    missing = 0
    while True:
        try:
            found = applications(tag)
        except Unreachable as error:
            print("flinkproc: %s" % error, file=sys.stderr)
            found = None
        if found:
            if is_over(found[-1]):
                if found[-1]["finalStatus"] != "SUCCEEDED" and found[-1].get("diagnostics"):
                    print("flinkproc: %s" % found[-1]["diagnostics"].strip(), file=sys.stderr)
                return found[-1]["finalStatus"]
        elif found is not None:
            missing += 1
            if missing > 20:
                return "UNKNOWN"
        time.sleep(1)


def settled(application, tag):
    unknown = 0
    while True:
        try:
            found = jobs(application, tag, "session")
            unknown = 0
        except Unreachable as error:
            unknown += 1
            if unknown > 30:
                print("unknown: %s" % error)
                return 1
            found = [("", "UNKNOWN")]
        if all(state in DONE for _, state in found):
            bad = ["%s %s" % one for one in found if one[1] != "FINISHED"]
            print(", ".join(bad))
            return 1 if bad else 0
        time.sleep(1)


def jars(into, files):
    with zipfile.ZipFile(into, "w") as bundle:
        for path in files:
            bundle.write(path, "lib/" + os.path.basename(path))


def main(action, *words):
    if action == "gate":
        print(gate(*words))
    elif action == "download":
        data = Bucket(words[0]).get(words[1])
        if data is None:
            return 1
        with open(words[2], "wb") as stream:
            stream.write(data)
    elif action == "answer":
        answer(*words)
    elif action == "find":
        living = [one["id"] for one in applications(words[0]) if one["state"] in LIVING]
        print("\n".join(living[:1]))
    elif action == "final":
        print(final(*words))
    elif action == "jobs":
        for job, state in jobs(*words[:3]):
            if words[3:] != ("live",) or state not in DONE:
                print(job, state)
    elif action == "settled":
        return settled(*words)
    elif action == "jars":
        jars(words[0], words[1:])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (OSError, Unreachable, ValueError) as error:
        sys.exit("flinkproc: %s" % error)
