"""What the API is asked for."""

from __future__ import annotations

import json
from typing import Any

from emulator.runs import quiet, until
from excamera.cloud.api import http
from mu import MemoryStore, TaskRecord
from mu.timelines import STACK_PLACE, TimelineWriter
from tests.aws.test_api import complete
from tests.aws.uses.user import User


class UsesOfTheApi(User):
    """Requests about jobs, their reports, and what was learned from them."""

    def asks(self) -> list[str]:
        """Asks for jobs of an object, with and without its version, and of a missing object."""
        stack, key = self._stack, self._key()
        # Large enough for a turn with which `admit` has environments made.
        uploaded = stack.upload(f"{key}.film", self._long_film)
        source = f"s3://{stack.outputs['InputBucket']}/{uploaded.key}"
        seen = []
        for version in ("", f"?versionId={uploaded.version}"):
            made = self._ask("POST", "/jobs", {"source": source + version})
            if made.status != 201:
                return [*seen, str(made.status)]
            if version:
                break
            job = self._ended(made.json()["id"])
            seen.append(job["state"])
            if job["state"] != "succeeded" or not job["result"]["url"]:
                return seen
            seen.append(str(http().request("GET", job["result"]["url"]).status))
            stack.s3.delete_object(Bucket=job["result"]["bucket"], Key=job["result"]["key"])
            logs = self._ask("GET", f"/jobs/{job['id']}/logs")
            seen.append(str(bool(logs.json().get("lines"))))
            after = self._ask("GET", f"/jobs/{job['id']}")
            seen.append("gone" if after.json().get("result", {"url": ""})["url"] is None else "")
        listed = self._ask("GET", "/jobs?limit=100&state=succeeded").json().get("jobs", [])
        seen.append(str(job["id"] in [one["id"] for one in listed]))
        missing = self._ask("POST", "/jobs", {"source": f"{source}.not"})
        detail = missing.json()["detail"]
        return [*seen, "there is no" if "there is no s3" in detail else detail]

    def sends(self) -> list[str]:
        """Sends a job's source through the API's URLs, and looks at it meanwhile."""
        data = self._film.read_bytes()
        request = {"upload": True, "name": self._key(), "size": len(data)}
        made = self._ask("POST", "/jobs", request)
        if made.status != 201:
            return [str(made.status)]
        job, [part] = made.json()["id"], made.json()["upload"]["parts"]
        http().request("PUT", part["url"], body=data)
        found = self._ask("GET", f"/jobs/{job}")
        if found.status != 200:
            return [str(found.status)]
        received = found.json()["upload"]["received"]
        tags = [(one["number"], one["etag"]) for one in received]
        if complete(found.json()["upload"], tags).status != 200:
            return [str(len(received))]
        return [str(len(received)), self._ended(job)["state"]]

    def reports(self) -> list[str]:
        """Has the report of a job made, with its quality, for which its source is read."""
        name = self._stack.job(self._stack.upload(self._key(), self._film)).name
        path = f"/jobs/{name}/report"
        asked = self._ask("POST", path)
        if asked.status != 202:
            return [str(asked.status)]

        def ended() -> dict[str, Any]:
            told: dict[str, Any] = self._ask("GET", path).json()
            return {} if told["state"] == "making" else told

        told: dict[str, Any] = until(ended)
        if told["state"] != "made":
            return [told["state"], told["message"]]
        page, facts = (http().request("GET", told[name]) for name in ("url", "facts_url"))
        measured = json.loads(facts.data)["runs"][0]["quality"] is not None
        return [told["state"], str(page.status), str(measured)]

    def remembers(self) -> list[str]:
        """Asks for a job of which only the catalogue knows."""
        stack, work = self._stack, self._stack.outputs["WorkBucket"]
        stack.job(stack.upload(self._key(), self._film))
        [record, *_] = until(lambda: stack.keys("WorkBucket", "catalogue/jobs/"))
        old = json.dumps({**stack.read_work(record), "job": "old"}).encode()
        stack.s3.put_object(Bucket=work, Key="catalogue/jobs/old.json", Body=old)
        return [str(self._ask("GET", "/jobs/old").status)]

    def learns(self) -> list[str]:
        """Forgets what was learned, learns from a job, and uses that for the next one."""
        quiet(self._emulator)  # jobs are learned from after their ends, also those before these
        forgotten = self._ask("DELETE", "/model")
        told: list[dict[str, Any]] = []
        for _ in range(2):
            # Noise has more bits than any film, so even little of it changes what is predicted.
            job = self._stack.job(self._stack.upload(self._key(), self._noise)).name
            until(lambda job=job: self._stack.keys("WorkBucket", f"jobs/{job}/end.json"))
            told.append(self._ask("GET", f"/jobs/{job}").json()["predicted"] or {})
            if len(told) == 1:
                model = self._ask("GET", "/model")
        sizes = [one.get("bytes") for one in told]
        return [
            str(forgotten.status),
            str(model.json().get("jobs")),
            str(sizes[0] != sizes[1]),
            str(model.status),
        ]

    def shows_mu(self) -> list[str]:
        """Stores a record as an executor does, and asks the API for its job."""
        stored = MemoryStore()
        writer = TimelineWriter(stored, f"{STACK_PLACE}/calls")
        writer.add(TaskRecord("divided", 0, {}, 1.0, 2.0, worker="w"))
        for key in stored.list():
            self._stack.s3.put_object(
                Bucket=self._stack.outputs["WorkBucket"], Key=key, Body=stored.get(key)
            )
        listed = self._ask("GET", "/mu")
        jobs = listed.json().get("jobs", [])
        told = self._ask("GET", "/mu/calls").json().get("records", [])
        return [
            str(listed.status),
            *(f"{one['name']} {one['state']}" for one in jobs),
            *(one["name"] for one in told),
        ]
