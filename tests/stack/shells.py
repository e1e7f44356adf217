"""A shell in which the real command line is run, in a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120


@dataclass(frozen=True)
class Shell:
    """A shell whose environment names the embedded AWS, and nothing else of AWS."""

    aws_url: str

    def run(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run `tarmac` to its end; an empty change takes the variable away."""
        with self.start(*arguments, **changes) as process:
            stdout, stderr = process.communicate(timeout=TIMEOUT_S)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def start(self, *arguments: str, **changes: str) -> subprocess.Popen[str]:
        """Start `tarmac`; who asks for it waits for it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TARMAC_"))}
        named = {
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "y",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "COLUMNS": "500",
        }
        environment = {name: value for name, value in {**kept, **named, **changes}.items() if value}
        command = [sys.executable, "-m", "tarmac.cli.main", *arguments]
        piped = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=piped, stderr=piped, text=True)


def error_of(ran: subprocess.CompletedProcess[str]) -> list[str]:
    """What the command line says went wrong, without the lines that told of its progress."""
    lines = ran.stderr.splitlines()
    assert "Traceback" not in ran.stderr
    first = next(index for index, line in enumerate(lines) if line.startswith("error: "))
    return [line for line in lines[first:] if line.strip()]
