"""The rules for Prometheus: the file is the generated one, promtool understands it and they fire as ours do."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import bot.metrics
from bot.monitoring.figures import FIGURES
from generation.runtime.monitoring import alert_rules
from generation.runtime.monitoring.metrics import REGISTRY

MONITORING = Path(__file__).parents[3] / "docs" / "monitoring"
PROMTOOL = shutil.which("promtool")

#: Hold time and hysteresis of a sum, and of a value for each worker.
UNIT = {
    "rule_files": [str(MONITORING / "rules.yml")],
    "evaluation_interval": "10s",
    "tests": [
        {
            "interval": "10s",
            "input_series": [
                # Two replicas tell the same: 60 from 0:10 on, 30 from 1:10 on, 20 from 2:10 on.
                {"series": f'vitte_queue_depth{{priority="free", instance="{n}"}}', "values": "0 60x5 30x5 20x10"}
                for n in (1, 2)
            ]
            + [
                {"series": 'vitte_gpu_temperature_celsius{worker="a"}', "values": "70 86x2 82x5 79x5"},
                {"series": 'vitte_gpu_temperature_celsius{worker="b"}', "values": "82x20"},
            ],
            "alert_rule_test": [
                {"eval_time": "30s", "alertname": "high_queue_depth", "exp_alerts": []},
                *(
                    {
                        "eval_time": when,
                        "alertname": "high_queue_depth",
                        "exp_alerts": [
                            {
                                "exp_labels": {"action": "scale_up"},
                                "exp_annotations": {"summary": f"Photos that wait for a GPU. Now {now}, limit 50."},
                            }
                        ],
                    }
                    for when, now in (("50s", 60), ("100s", 30))
                ),
                {"eval_time": "150s", "alertname": "high_queue_depth", "exp_alerts": []},
                {
                    "eval_time": "60s",
                    "alertname": "gpu_overheating",
                    "exp_alerts": [
                        {
                            "exp_labels": {"action": "throttle", "worker": "a"},
                            "exp_annotations": {"summary": "Temperature of the card. Now 82, limit 85."},
                        }
                    ],
                },
                {"eval_time": "100s", "alertname": "gpu_overheating", "exp_alerts": []},
            ],
        }
    ],
}


def test_the_file_in_docs_is_what_the_rules_say() -> None:
    assert (MONITORING / "rules.yml").read_text() == alert_rules.prometheus(alert_rules.load("", FIGURES), FIGURES)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian's package prometheus)")
def test_promtool_understands_them_and_they_hold_and_end(tmp_path: Path) -> None:
    unit = tmp_path / "unit.yml"
    unit.write_text(yaml.safe_dump(UNIT))
    for command in (["check", "rules", str(MONITORING / "rules.yml")], ["test", "rules", str(unit)]):
        ran = subprocess.run([str(PROMTOOL), *command], capture_output=True, text=True, check=False, timeout=60)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_dashboard_asks_for_nothing_that_nobody_tells() -> None:
    assert bot.metrics.UPDATES
    known = {figure.metric for figure in FIGURES}
    for family in REGISTRY.collect():
        known |= {family.name, *(f"{family.name}_{end}" for end in ("total", "bucket", "sum", "count"))}
    dashboard = json.loads((MONITORING / "grafana" / "dashboards" / "vitte.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"vitte_\w+", target["expr"])
    }
    assert asked - known == set()


def test_figures_have_names_by_the_conventions() -> None:
    for figure in FIGURES:
        assert re.fullmatch(r"vitte_[a-z][a-z0-9_]*", figure.metric), figure.metric
        assert not figure.metric.endswith("_total"), "a counter's ending"
    assert len({figure.metric for figure in FIGURES}) == len(FIGURES)
