"""What happens to SIGTERM before the worker's program is there, and where a person wants it to end the program."""

import json
import signal
import subprocess
import sys
from pathlib import Path


def test_nothing_that_takes_its_time_is_imported_before_signals_are_held_back() -> None:
    script = "import sys, labeltask_worker.__main__; print(sorted({'MySQLdb', 'pydantic', 'typer'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_labelling_lines_ends_by_a_signal_as_any_program_of_a_terminal(tmp_path: Path) -> None:
    pattern = tmp_path / "pattern.json"
    pattern.write_text(json.dumps({"A": [["a", "partially"]]}))
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "labeltask_worker", "match", "--pattern", str(pattern)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(b'"a"\n')
        program.stdin.flush()
        assert program.stdout.readline() == b'["A"]\n'
        program.send_signal(signal.SIGTERM)
        assert program.wait(60) == -signal.SIGTERM
