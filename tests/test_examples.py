"""Every example runs, reaches what it says it reaches, and leaves its picture."""

import runpy
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_a_neuron_learns_the_logical_or(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / "neuron.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    losses = [float(line.split()[3]) for line in lines if line.startswith("step")]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.1
    for line in lines:
        if " or " in line and ": " in line:
            answer, target = float(line.split()[3]), float(line[-2])
            assert abs(answer - target) < 0.25
    picture = (tmp_path / "neuron.svg").read_text(encoding="utf-8")
    assert picture.count("<svg") == 1
    assert ">∂ 0" in picture.replace("\N{NO-BREAK SPACE}", "").replace("&#160;", "")  # w2 is multiplied by 0 there


def test_every_example_is_tested():
    assert [path.name for path in EXAMPLES.glob("*.py")] == ["neuron.py"]
