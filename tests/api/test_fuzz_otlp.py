"""Mutated OTLP requests: no 5xx, nothing unexpected, flat memory, and what was taken is there.

The whole run of 100,000 is `make bench-fuzz`; here are as many as a test may take.
"""

from collections import Counter
from http.client import HTTPConnection
from pathlib import Path

import pytest

from fuzz_otlp import Report, judge, run
from otlp_mutations import Mutated, Mutations
from tests.conftest import start_server
from tracelake.model.ids import format_trace_id
from tracelake.store.open import open_store

IN_PROCESS = 10_000
OVER_SOCKET = 2_000
GROWTH_BYTES = 50_000_000


@pytest.mark.timeout(600)
async def test_through_the_application(tmp_path: Path) -> None:
    report = await run(tmp_path, IN_PROCESS)
    assert report.wrong == []
    assert report.statuses.total() == IN_PROCESS
    assert min(report.statuses[status] for status in (200, 400, 404, 415)) > 0
    assert report.end_bytes - report.warm_bytes < GROWTH_BYTES


@pytest.mark.parametrize("workers", [1, 2])
def test_over_a_socket(tmp_path: Path, workers: int) -> None:
    url = f"sqlite:///{tmp_path / 'tracelake.db'}"
    server = start_server(tmp_path, url, workers=workers)
    report = Report()
    mutations = Mutations()
    try:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        for number in range(200_000, 200_000 + OVER_SOCKET // workers):
            mutated = mutations.at(number)
            judge(number, mutated, post(connection, mutated), report)
        connection.close()
    finally:
        server.process.terminate()
        assert server.process.wait(30) in (0, -15)
    assert report.wrong == []
    store = open_store(url)
    try:
        for trace_id, span_ids in report.acknowledged.items():
            info = store.traces.get_trace(format_trace_id(trace_id))
            assert info.span_count == len(span_ids)
    finally:
        store.close()
    assert report.statuses[200] > OVER_SOCKET // workers // 4, Counter(report.statuses)


def post(connection: HTTPConnection, mutated: Mutated) -> int:
    headers = {"content-type": mutated.content_type}
    if mutated.encoding:
        headers["content-encoding"] = mutated.encoding
    if mutated.experiment is not None:
        headers["x-mlflow-experiment-id"] = mutated.experiment
    connection.request("POST", "/v1/traces", mutated.body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status
