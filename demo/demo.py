#!/usr/bin/env python3
"""The operator at work on a real Kubernetes API server and a simulated AWS, in eight acts.

Needs boto3, so it runs in the simulator's virtual environment; `make demo` does that. Exits with
0 when everything went as told, and leaves nothing behind; with --keep it stays up until Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

import access
import cloud
import network
import pods
import serving
from cloud import Cloud
from live import Live, Object, is_gone, is_ready
from process import StageError, Stopped, forget_settings, stop_on_signals
from stage import ROOT, Stage, executable, open_stage
from terminal import Terminal

LATENCY_MS = 150
DEADLINE_S = 90.0
NAMESPACE, NAME = "support", "assistant"
MANIFEST = "examples/storage.yaml"
CRD = "aiplatforms.aiplatform.dev"


class Demo:
    """The story.

    The command lines that are shown are those that run, but for `aws`: boto3 makes the same calls.
    """

    def __init__(self, stage: Stage, terminal: Terminal) -> None:
        """Take the stage."""
        self.stage = stage
        self.terminal = terminal
        self.cloud = Cloud(stage.aws_url)
        (stage.work / "examples").mkdir()
        shutil.copy(ROOT / MANIFEST, stage.work / MANIFEST)

    def type(self, command: str, expect: int = 0) -> None:
        """Run a command line as if typed; its output goes where ours goes."""
        self.terminal.command(command)
        with self.stage.shell(command) as process:
            self._expect(process, expect)
        if expect:
            self.terminal.line((f"(exit status {expect})", "dim"))

    def type_and_watch(
        self, command: str, what: str, done: Callable[[Object | None], bool] = is_ready
    ) -> None:
        """Run a command line and show the live list until the operator is done with it."""
        self.terminal.command(command)
        self.live.mark()
        with self.stage.shell(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            # One line tells what was done; a deletion then waits until the object is gone.
            if select.select([process.stdout], [], [], DEADLINE_S)[0]:
                print(process.stdout.readline(), end="", flush=True)
            self.live.until(what, done)
            self._expect(process, 0)

    def _expect(self, process: subprocess.Popen[str], expected: int) -> None:
        """Wait for a command to end as it should."""
        try:
            code = process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise StageError(f"that command took more than {DEADLINE_S:.0f} s") from None
        if code != expected:
            raise StageError(f"that command ended with {code} and not with {expected}")

    def _next_pass(self) -> Callable[[Object | None], bool]:
        """Tells whether a pass over the object has begun and ended since now."""

        def passes() -> tuple[float, float]:
            metrics = self.stage.metrics()
            ended = metrics["aiplatform_reconcile_duration_seconds_count"]
            return ended, metrics["aiplatform_reconciles_in_progress"]

        before, _ = passes()

        def done(_thing: Object | None) -> bool:
            ended, in_progress = passes()
            return ended > before and not in_progress

        return done

    def install(self) -> None:
        """From an empty cluster to a running operator."""
        say, stage = self.terminal.line, self.stage
        version = json.loads(stage.kubectl("get", "--raw=/version"))["gitVersion"]
        say(
            (
                f"  Kubernetes {version:<12}{stage.cluster_url:<28}nodes are played by kwok",
                "",
            )
        )
        say((f"  {'AWS':<23}{stage.aws_url:<28}simulated, {LATENCY_MS} ms for each call", ""))
        say()
        self.type("aiplatform crd | kubectl apply -f -")
        # kubectl cannot wait for a condition where there are none at all yet.
        of_crd = ("get", f"crd/{CRD}", "-o", "jsonpath={.status.conditions}")
        stage.wait("the definition to be looked at", lambda: stage.kubectl(*of_crd))
        self.type(f"kubectl wait --for=condition=Established crd/{CRD}")
        self.type(f"kubectl create namespace {NAMESPACE}")
        # Five seconds between looks are right in life, and long in a story.
        self.terminal.command("aiplatform run --transition-poll 1s &")
        began = time.monotonic()
        stage.start_operator("--transition-poll", "1s")
        say((f"operator ready after {time.monotonic() - began:.1f} s", "green"))
        self.live = Live(stage, self.terminal, NAMESPACE, NAME)

    def apply(self) -> None:
        """Act 1."""
        self.terminal.title("1. Apply")
        self.terminal.say("What would be made, before anything is: no cluster, no credentials.")
        self.type(f"aiplatform plan -f {MANIFEST} | sed -n '/ steps$/,$p'")
        self.terminal.say("Make it.")
        self.type_and_watch(f"kubectl apply -f {MANIFEST}", "Ready")
        self.type(f"kubectl get aip -n {NAMESPACE}")
        self.terminal.say("What now exists in AWS:")
        self.buckets = self.cloud.buckets()
        cloud.show(self.terminal, self.buckets, [a for a in cloud.ASPECTS if a != "objects"])
        thing = self.live.thing
        self.artifacts = bucket_of(thing, "artifacts")
        self.scratch = bucket_of(thing, "scratch")

    def drift(self) -> None:
        """Act 2."""
        terminal, bucket = self.terminal, self.artifacts
        terminal.title("2. Drift")
        rules = self.cloud.rules(bucket)
        kept = [rule for rule in rules if rule["ID"] != "aip-expire-eval-outputs"]
        theirs = {"ID": "clean-tmp", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}}
        theirs["Expiration"] = {"Days": 3}
        if len(kept) != len(rules) - 1:
            raise StageError("there is no lifecycle rule aip-expire-eval-outputs to delete")
        terminal.say("A colleague tidies up: one rule goes, one of their own comes.")
        terminal.command(f"aws s3api put-bucket-lifecycle-configuration --bucket {bucket} \\")
        terminal.line(("    --lifecycle-configuration file://tidied.json", "bold"))
        self.cloud.put_rules(bucket, [*kept, theirs])
        self._show_artifacts("lifecycle")

        terminal.say("What differs from the declaration?")
        self.type(f"aiplatform diff -f {MANIFEST}", expect=1)
        terminal.say("The operator would see it on its next look, within 10 minutes. Now, please:")
        self.look_again("Repaired")
        ids = {rule["ID"] for rule in self.cloud.rules(bucket)}
        if ids != {rule["ID"] for rule in [*rules, theirs]}:
            raise StageError(f"after the repair the lifecycle rules are {sorted(ids)}")
        terminal.say("The rule is back, and the colleague's own is kept: it is not the operator's.")
        self._show_artifacts("lifecycle")
        self.type(f"kubectl events -n {NAMESPACE} --for aip/{NAME} | grep -e REASON -e Updated")

    def look_again(
        self,
        what: str,
        namespace: str = NAMESPACE,
        name: str = NAME,
        done: Callable[[Object | None], bool] | None = None,
    ) -> None:
        """Ask the operator for a pass, and watch it."""
        self.type_and_watch(
            f"kubectl annotate aip {name} -n {namespace} --overwrite "
            'aiplatform.dev/reconcile-at="$(date)"',
            what,
            done or self._next_pass(),
        )

    def edit(self) -> None:
        """Act 3."""
        self.terminal.title("3. Edit")
        self.terminal.say("Outputs of evaluations for half a year only, and one more tag.")
        self.type(
            "sed -i -e 's/days: 365/days: 180/' -e 's/^    project:.*/&\\n    tier: gold/' "
            + MANIFEST
        )
        self.type(f"aiplatform diff -f {MANIFEST}", expect=1)
        self.type_and_watch(f"kubectl apply -f {MANIFEST}", "Ready")
        self._show_artifacts("lifecycle", "other tags")
        self.type(f"aiplatform diff -f {MANIFEST} | tail -1")

    def delete(self) -> None:
        """Act 4."""
        terminal = self.terminal
        terminal.title("4. Delete")
        terminal.say("Both buckets are in use.")
        for bucket, key in [
            (self.artifacts, "evals/2026-11/report.json"),
            (self.artifacts, "models/rank/1.4.0/model.tar.gz"),
            (self.scratch, "run-17/tokens.bin"),
            (self.scratch, "run-18/tokens.bin"),
        ]:
            terminal.command(f"aws s3 cp {key.rpartition('/')[2]} s3://{bucket}/{key}")
            self.cloud.s3.put_object(Bucket=bucket, Key=key, Body=b"content")
        terminal.say("Delete the object: artifacts says Retain, scratch DeleteWithContents.")
        self.type_and_watch(f"kubectl delete aip {NAME} -n {NAMESPACE}", "Gone", is_gone)
        self.type(f"kubectl get aip -n {NAMESPACE}")
        terminal.say("What is left in AWS: what was to be retained, with its objects and its tags.")
        left = self.cloud.buckets()
        cloud.show(terminal, left, ["objects", "deletion policy", "owner", "other tags"])
        if list(left) != [self.artifacts] or self.cloud.exists(self.scratch):
            raise StageError(f"the buckets left are {', '.join(left) or 'none'}")
        if len(left[self.artifacts]["objects"]) != 2:
            raise StageError(f"{self.artifacts} lost objects")
        terminal.line((f"  {self.scratch}: 404, gone with its objects", "dim"))

    def _show_artifacts(self, *aspects: str) -> None:
        """Show one bucket, with what changed since it was shown last."""
        now = self.cloud.buckets()
        cloud.show(
            self.terminal, {self.artifacts: now[self.artifacts]}, list(aspects), self.buckets
        )
        self.buckets = now

    def stay(self) -> None:
        """Tell how to look around, and wait for Ctrl-C."""
        terminal, stage = self.terminal, self.stage
        terminal.title("Yours to look around")
        terminal.say("In another terminal:")
        for name, value in stage.exports.items():
            print(f"export {name}={value}")
        print(f'export PATH="{stage.bin}:$PATH"')
        print(f"cd {stage.work}")
        terminal.say("Then, for example:")
        for command in [
            "kubectl get aip -A -o wide",
            f"kubectl describe aip {NAME} -n {NAMESPACE}",
            f"kubectl edit aip {NAME} -n {NAMESPACE}",
            f"aiplatform diff -f {access.MANIFEST}",
            f"aiplatform audit -f {access.MANIFEST} -o html > audit.html",
            f"aiplatform audit -f {network.MANIFEST} --live",
            f"aws s3api get-bucket-lifecycle-configuration --bucket {self.artifacts}",
            f"curl {stage.aws_url}/_sim/calls",
            f"curl {stage.operator_url}/metrics",
            f"tail -f {stage.log('operator')}",
        ]:
            terminal.command(command)
        terminal.say("Ctrl-C here stops everything.")
        self.live.watch.stop()
        try:
            while True:
                stage.check()
                time.sleep(0.5)
        except Stopped:
            print()


def bucket_of(thing: Object | None, part: str) -> str:
    """The name in AWS of one of the platform's buckets."""
    resources = thing["status"]["resources"] if thing else []
    return next(r["name"] for r in resources if f"-{part}-" in r["name"])


def main() -> int:
    """Play; the return value is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="path of aiplatform")
    parser.add_argument("--keep", action="store_true", help="stay up until Ctrl-C")
    arguments = parser.parse_args()
    forget_settings()
    stop_on_signals()
    terminal = Terminal()
    began = time.monotonic()
    try:
        terminal.line(("aiplatform: one object, a platform on AWS", "title"))
        terminal.line(("  starting a Kubernetes API server and an AWS simulator ...", "dim"))
        with open_stage(executable(arguments.binary)) as stage:
            stage.set_latency(LATENCY_MS)
            demo = Demo(stage, terminal)
            demo.install()
            demo.apply()
            demo.drift()
            demo.edit()
            if not arguments.keep:
                demo.delete()
            access.play(demo)
            serving.play(demo)
            network.play(demo)
            pods.play(demo)
            if arguments.keep:
                demo.stay()
    except StageError as failure:
        notes = getattr(failure, "__notes__", [])
        print("\n".join([f"\ndemo: {failure}", *notes]), file=sys.stderr)
        return 1
    except Stopped:
        print("\ndemo: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Nobody reads on. The interpreter must not fail on what it still has to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    terminal.line()
    took = time.monotonic() - began
    terminal.line((f"Done in {took:.0f} s; nothing is left running.", "green"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
