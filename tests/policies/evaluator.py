#!/usr/bin/env python3
"""The independent judge: @cloud-copilot/iam-simulate in one Node process."""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
INSTALL_DEADLINE_S = 300

RESOURCE_ACCOUNT = "aws:ResourceAccount"

Document = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Call:
    """One call to AWS, as IAM sees it."""

    action: str
    resource: str
    why: str
    context: dict[str, str | list[str]] = dataclasses.field(default_factory=dict)
    # Policies that somebody attached to the role beside those that are judged.
    beside: tuple[Document, ...] = ()

    def __str__(self) -> str:
        """What a failure shows."""
        beside = " beside a broad policy" if self.beside else ""
        return f"{self.action} on {self.resource} with {self.context}{beside} ({self.why})"


@dataclasses.dataclass(frozen=True)
class Caller:
    """Who calls, and what the called resources say about it themselves."""

    principal: str
    account: str
    bucket_policies: dict[str, Document] = dataclasses.field(default_factory=dict)
    trust: Document | None = None

    def request(self, call: Call) -> dict[str, Any]:
        """The call as judge.mjs takes it.

        Every resource is given the caller's account, or calls into another account would be denied
        for a reason that has nothing to do with the policies that are judged. Conditions on it see
        the caller's account too, unless the call says otherwise.
        """
        context = dict(call.context)
        if call.action.startswith("s3:"):
            context = {RESOURCE_ACCOUNT: self.account, **context}
        return {
            "principal": self.principal,
            "account": self.account,
            "action": call.action,
            "resource": call.resource,
            "context": context,
            "beside": call.beside,
            "resourcePolicy": self.trust or self.resource_policy(call.resource),
        }

    def resource_policy(self, resource: str) -> Document | None:
        """The bucket's policy, or the policy KMS gives a key: IAM policies decide."""
        partition, service = resource.split(":")[1:3] if resource != "*" else ("", "")
        if service == "s3":
            return self.bucket_policies.get(resource.split(":")[5].split("/")[0])
        if service != "kms":
            return None
        root = f"arn:{partition}:iam::{self.account}:root"
        return policy(Principal={"AWS": root}, Action="kms:*", Resource="*")


def policy(**statement: Any) -> Document:
    """A policy with one statement, which allows unless it says otherwise."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


ANYTHING = policy(Action="*", Resource="*")


class Evaluator:
    """Asks the Node process, which must be closed."""

    def __init__(self) -> None:
        """Start it, and install it before if this machine has not got it yet."""
        self.process = subprocess.Popen(
            ["node", str(HERE / "judge.mjs"), str(installed())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the process."""
        self.process.communicate(timeout=10)

    def exchange(self, kind: str, **question: Any) -> dict[str, Any]:
        """One question, one answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"kind": kind, **question}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"judge.mjs ended with {self.process.wait(timeout=10)}"
        return json.loads(line)

    def allowed(
        self, caller: Caller, identity: list[Document], calls: Iterable[Call]
    ) -> list[bool]:
        """Whether each call is allowed. What the evaluator did not understand is an error."""
        calls = list(calls)
        requests = [caller.request(call) for call in calls]
        answers = self.exchange("ask", identity=identity, calls=requests)["answers"]
        for call, answer in zip(calls, answers, strict=True):
            assert answer["result"] != "Error", f"cannot be judged: {call}: {answer['error']}"
            assert not answer["ignored"], f"ignored {answer['ignored']} of {call}"
        return [answer["result"] == "Allowed" for answer in answers]

    def surprise(
        self, caller: Caller, identity: list[Document], expected: list[tuple[Call, bool]]
    ) -> Call | None:
        """The first call that is not judged as expected."""
        requests = [{**caller.request(call), "expected": allowed} for call, allowed in expected]
        answer = self.exchange("surprise", identity=identity, calls=requests)
        return None if answer["index"] < 0 else expected[answer["index"]][0]

    def sweep(
        self, caller: Caller, identity: list[Document], call: Call, service: str
    ) -> tuple[set[str], int]:
        """Which of all actions of a service are allowed like this call, and how many there are."""
        answer = self.exchange(
            "sweep",
            identity=identity,
            call=caller.request(call),
            service=service,
            wildcardOnly=call.resource == "*",
        )
        assert "error" not in answer, answer
        return set(answer["allowed"]), answer["judged"]


def installed() -> Path:
    """The folder that holds the packages of package-lock.json, filled by the first who asks."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiplatform"
    root = Path(os.environ.get("AIPLATFORM_CACHE") or default).absolute() / "policies"
    lock_file = HERE / "package-lock.json"
    folder = root / hashlib.sha256(lock_file.read_bytes()).hexdigest()[:16]
    if folder.exists():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")) as lock:
        if not folder.exists():
            # Moved into place when it is whole: what a killed install left is never taken for one.
            aside = folder.with_suffix(".installing")
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, aside)
            install(aside, lock)
            aside.rename(folder)
    return folder


def install(folder: Path, lock: int) -> None:
    """Fill a folder with exactly what the lock file says. Nothing of it is run."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        raise RuntimeError("node and npm are needed to judge policies, and are not in PATH")
    subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        stdout=sys.stderr,
        timeout=INSTALL_DEADLINE_S,
        # It holds the lock too: killing this process does not stop what it started.
        pass_fds=[lock],
        check=True,
    )


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on a file, which the kernel drops with its last descriptor."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


if __name__ == "__main__":
    print(installed())
