"""The line protocol of program_test.go: one JSON command a line, one answer a line."""

import json
import sys
import traceback

PATIENCE = 60  # seconds, as in client_test.go
LATEST, EARLIEST = -1, -2  # what "at" may be besides a timestamp


def serve(client):
    """Answers commands with the client's methods of the same names until the input ends."""
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(client, command.pop("op"))(**command)
        except Exception as e:
            traceback.print_exc()
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer or {}), flush=True)


def enough(records, count, until):
    """Whether what was read is what a consume command asked for."""
    if not records:
        return False
    return 0 < count <= len(records) or (until != "" and records[-1]["value"] == until)


def encode(text):
    return None if text is None else text.encode()


def decode(data):
    return None if data is None else bytes(data).decode()


class Telling:
    """What a work command tells while it works (program_job_test.go)."""

    def __init__(self):
        self.going = True

    def __call__(self, event, **fields):
        """Tells an event and waits until it has been taken down. False is that it is time to stop."""
        print(json.dumps({"event": event, **fields}), flush=True)
        self.going = self.going and json.loads(sys.stdin.readline())["go"]
        return self.going


class Values:
    """The values that a work command may write."""

    def __init__(self, first, partitions):
        self.next, self.partitions = first, partitions

    def outputs(self, inputs):
        """A record for each input: partition, value, input."""
        out = []
        for i in inputs:
            out.append([self.next % self.partitions, str(self.next), i])
            self.next += 1
        return out
