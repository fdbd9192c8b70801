"""Copies what an attempt writes to its folder in the bucket, until the launcher's last word. Works with Python 3.6 and later.

Arguments: bucket, folder, tag, mode, and the launcher's process. What was copied is noted in `mirror.json`, so that
another one goes on where this one stopped.
"""

import json
import os
import subprocess
import sys
import time

from flinkproc_cluster import DONE, Bucket, Unreachable, applications, is_over, jobs

PIECE = 512 * 1024
PAUSE = 2.0
# What becomes of an application's jobs with it: the last look at them was a little earlier.
ENDS = {"SUCCEEDED": "FINISHED", "FAILED": "FAILED", "KILLED": "CANCELED"}
LOGS = 64 * 1024 * 1024


class Mirror:
    def __init__(self, bucket, prefix, tag, mode):
        self.bucket = Bucket(bucket)
        self.prefix = prefix
        self.tag = tag
        self.mode = mode
        self.ids = b""
        self.seen = None
        self.jobs = {}
        self.looked = 0
        self.sizes = {"out": 0, "err": 0}
        try:
            with open("mirror.json") as stream:
                self.sizes.update(json.load(stream))
        except (OSError, ValueError):
            pass

    def put(self, name, data):
        self.bucket.put(self.prefix + name, data)

    def pieces(self, name):
        """What is new of a file; a piece that is sent twice has the same name and the same beginning."""
        with open(name, "rb") as stream:
            stream.seek(self.sizes[name])
            while True:
                data = stream.read(PIECE)
                if not data:
                    return
                self.put("%s/%012d" % (name, self.sizes[name]), data)
                self.sizes[name] += len(data)
                with open("mirror.new", "w") as note:
                    json.dump(self.sizes, note)
                os.rename("mirror.new", "mirror.json")

    def told(self):
        with open("ids", "rb") as stream:
            ids = stream.read()
        if ids != self.ids:
            self.put("ids", ids)
            self.ids = ids

    def sight(self, last):
        """What YARN and Flink say; less often once nothing changes."""
        if not last and time.time() - self.looked < PAUSE:
            return
        self.looked = time.time()
        try:
            found = self.applications()
        except Unreachable:
            return
        for one in found:
            known = self.jobs.setdefault(one["id"], {})
            if one["state"] == "RUNNING":
                try:
                    known.update(jobs(one["id"], self.tag, self.mode))
                except Unreachable:
                    pass
            elif is_over(one):
                for job, state in known.items():
                    if state not in DONE:
                        known[job] = ENDS.get(one["finalStatus"], state)
        seen = {
            "applications": [
                {
                    "id": one["id"],
                    "state": one["state"],
                    "final_status": one["finalStatus"],
                    "diagnostics": one.get("diagnostics") or "",
                }
                for one in found
            ],
            "jobs": sorted(item for known in self.jobs.values() for item in known.items()),
        }
        if seen != self.seen:
            self.put("sighting", json.dumps(dict(seen, at=int(time.time()))).encode())
            self.seen = seen

    def applications(self):
        if self.mode != "session":
            return applications(self.tag)
        try:
            with open("application") as stream:
                own = stream.read().strip()
        except OSError:
            return []
        return [one for one in applications(self.session()) if one["id"] == own]

    @staticmethod
    def session():
        with open("job/facts", encoding="utf-8") as stream:
            return stream.read().split("\0")[1]

    def logs(self):
        """YARN's logs of what is over; those of a session that goes on are not this attempt's."""
        try:
            found = [one for one in self.applications() if is_over(one)]
        except Unreachable:
            return
        for one in found:
            words = ["yarn", "logs", "-applicationId", one["id"]]
            with open("yarn.log", "w+b") as stream:
                try:
                    subprocess.call(words, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.DEVNULL, timeout=120)
                except (OSError, subprocess.SubprocessError):
                    continue
                stream.seek(max(stream.tell() - LOGS, 0))
                data = stream.read()
            os.remove("yarn.log")
            if data:
                self.put("logs/%s.log" % one["id"], data)

    def copy(self, last):
        self.pieces("out")
        self.pieces("err")
        self.told()
        self.sight(last)


def main(bucket, prefix, tag, mode, launcher):
    mirror = Mirror(bucket, prefix, tag, mode)
    alone = False
    while True:
        # Looked at before copying: whoever wrote it has said everything.
        ended = os.path.exists("exit")
        alone = alone or not os.path.exists("/proc/" + launcher)
        try:
            mirror.copy(ended or alone)
            if ended:
                mirror.logs()
                mirror.pieces("err")
                with open("exit", "rb") as stream:
                    mirror.put("exit", stream.read())
                open("mirrored", "w").close()
                return
        except (OSError, Unreachable) as error:
            print("mirror: %s" % error, file=sys.stderr)
            if ended:
                return
        if alone and not ended:
            return
        until = time.time() + PAUSE
        while time.time() < until and not os.path.exists("exit") and os.path.exists("/proc/" + launcher):
            time.sleep(0.1)


main(*sys.argv[1:])
