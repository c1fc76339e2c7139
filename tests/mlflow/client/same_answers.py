"""Asks two servers the same about the same traces: ids must be the same, in the same order.

python same_answers.py http://127.0.0.1:5050 http://127.0.0.1:5051 --traces 2000 --filters 300
"""

import argparse
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}

import requests
from mlflow.entities import AssessmentSource, Expectation, Feedback
from mlflow.exceptions import MlflowException
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from mlflow import MlflowClient

START_MS = 1_790_000_000_000
NAMES = ["plan", "Plan", "search_docs", "50%", "it's", "ünï", "a b"]
WORDS = ["alpha", "Alpha", "beta_1", "beta%2", 'say "hi"', "ünï", "a,b", "AND", ""]
SPANS = ["call", "tool_x", "Tool", "retrieve"]
TYPES = ["LLM", "TOOL", "RETRIEVER", "CHAIN"]


class World:
    def __init__(self, count, seed):
        chooser = self.chooser = random.Random(seed)
        self.traces = [self.trace(n) for n in range(count)]
        chooser.shuffle(self.traces)

    def trace(self, n):
        c = self.chooser
        return {
            "n": n,
            # Never the same as in another run: the servers may have seen that.
            "id": os.urandom(16).hex(),
            # Some begin in the same millisecond, and some take as long.
            "start_ms": START_MS + c.randrange(3000) * 1000,
            "duration_ms": c.choice([0, 1, 5, 5, 100, c.randrange(60_000)]),
            "name": c.choice(NAMES),
            "status": c.choice(["OK", "OK", "OK", "ERROR"]),
            "tags": {k: c.choice(WORDS) for k in ("env", "odd key", "v.1") if c.random() < 0.6},
            "metadata": {k: c.choice(WORDS) for k in ("tier", "git.sha") if c.random() < 0.6},
            "request": f"request-{c.randrange(40)}" if c.random() < 0.5 else None,
            "spans": [
                {
                    "name": c.choice(SPANS),
                    "type": c.choice(TYPES),
                    "status": c.choice([1, 1, 2]),
                    # MLflow looks for the words after a key, up to the end of the span: those of
                    # one attribute must be in no other.
                    "attributes": {"color": f"color-{c.randrange(30)}-"},
                }
                for _ in range(c.randrange(3))
            ],
            "score": c.choice([None, None, 0.0, 0.5, 1.0, 2.5]),
            "verdict": c.choice([None, None, "good", "Bad"]),
            "ok": c.choice([None, True, False]),
            "answer": c.choice([None, None, "42", "x"]),
        }


def attribute(key, value):
    return KeyValue(key=key, value=AnyValue(string_value=value))


def send(url, experiment_id, traces):
    body = ExportTraceServiceRequest()
    into = body.resource_spans.add().scope_spans.add().spans
    for trace in traces:
        begin = trace["start_ms"] * 1_000_000
        raw = bytes.fromhex(trace["id"])
        root_id = trace["n"].to_bytes(4, "big") + b"root"
        into.add(
            trace_id=raw, span_id=root_id, name=trace["name"], start_time_unix_nano=begin,
            end_time_unix_nano=begin + trace["duration_ms"] * 1_000_000,
            status={"code": 2 if trace["status"] == "ERROR" else 1},
            attributes=[attribute("mlflow.spanType", "CHAIN"),
                        attribute("mlflow.spanInputs", f"asked {trace['n']} in words")],
        )  # fmt: skip
        for k, span in enumerate(trace["spans"]):
            into.add(
                trace_id=raw, span_id=trace["n"].to_bytes(4, "big") + k.to_bytes(4, "big"),
                parent_span_id=root_id, name=span["name"], start_time_unix_nano=begin + k,
                end_time_unix_nano=begin + k + 1000, status={"code": span["status"]},
                attributes=[attribute("mlflow.spanType", span["type"]),
                            *(attribute(*pair) for pair in span["attributes"].items())],
            )  # fmt: skip
    headers = {"content-type": "application/x-protobuf", "x-mlflow-experiment-id": experiment_id}
    answer = requests.post(
        f"{url}/v1/traces", body.SerializeToString(), headers=headers, timeout=120
    )
    answer.raise_for_status()


def tell(url, experiment_id, trace):
    seconds, rest_ms = divmod(trace["start_ms"], 1000)
    from datetime import UTC, datetime

    info = {
        "trace_id": f"tr-{trace['id']}",
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": experiment_id},
        },
        "request_time": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ms:03d}Z",
        "execution_duration": f"{trace['duration_ms'] / 1000:.3f}s",
        "state": trace["status"],
        "trace_metadata": trace["metadata"] | {"mlflow.trace_schema.version": "3"},
        "tags": trace["tags"] | {"mlflow.traceName": trace["name"]},
    }
    if trace["request"]:
        info["client_request_id"] = trace["request"]
    source = AssessmentSource("HUMAN", "ann")
    told = [
        Feedback(name=name, value=trace[name], source=source).to_dictionary()
        for name in ("score", "verdict", "ok")
        if trace[name] is not None
    ]
    if trace["answer"] is not None:
        told.append(
            Expectation(name="answer", value=trace["answer"], source=source).to_dictionary()
        )
    body = {"trace": {"trace_info": info | {"assessments": told}}}
    answer = requests.post(f"{url}/api/3.0/mlflow/traces", json=body, timeout=120)
    answer.raise_for_status()


def load(url, world):
    experiment_id = MlflowClient(url).create_experiment(f"same-{os.urandom(5).hex()}")
    for at in range(0, len(world.traces), 50):
        send(url, experiment_id, world.traces[at : at + 50])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda trace: tell(url, experiment_id, trace), world.traces))
    return experiment_id


def text(value):
    return "'" + value + "'" if "'" not in value else '"' + value + '"'


def pattern(c, words):
    word = c.choice([word for word in words if '"' not in word and "'" not in word] or ["a"])
    return c.choice([word, f"%{word[1:3]}%", f"{word[:2]}%", "%"])


def words_clause(c, left, words, *, null=True, one_of=False):
    ways = ["=", "=", "!=", "LIKE", "ILIKE", *(["IS NULL", "IS NOT NULL"] if null else [])]
    way = c.choice([*ways, *(["IN", "NOT IN"] if one_of else [])])
    if way in ("IS NULL", "IS NOT NULL"):
        return f"{left} {way}"
    if way in ("LIKE", "ILIKE"):
        return f"{left} {way} {text(pattern(c, words))}"
    if way in ("IN", "NOT IN"):
        return f"{left} {way} ({', '.join(text(w) for w in c.sample(words, 2))})"
    plain = [word for word in words if not ("'" in word and '"' in word)]
    return f"{left} {way} {text(c.choice(plain))}"


def clause(c, world):
    some = c.choice(world.traces)
    compare = c.choice(["=", "!=", ">", ">=", "<", "<="])
    match c.randrange(15):
        case 0:
            return f"status {c.choice(['=', '!='])} '{c.choice(['OK', 'ERROR', 'IN_PROGRESS'])}'"
        case 1:
            # MLflow's server fails on `name IS NULL`.
            return words_clause(
                c, c.choice(["name", "trace.name", "attributes.name"]), NAMES, null=False
            )
        case 2:
            return words_clause(c, c.choice(["tags.env", "tag.`odd key`", "tags.`v.1`"]), WORDS)
        case 3:
            return words_clause(c, c.choice(["metadata.tier", "request_metadata.`git.sha`"]), WORDS)
        case 4:
            return f"client_request_id {c.choice(['=', '!='])} 'request-{c.randrange(40)}'"
        case 5:
            return f"timestamp_ms {compare} {some['start_ms']}"
        case 6:
            return f"execution_time_ms {compare} {some['duration_ms']}"
        case 7:
            return words_clause(c, "span.name", SPANS, null=False, one_of=True)
        case 8:
            return words_clause(c, "span.type", TYPES, null=False, one_of=True)
        case 9:
            return f"span.status {c.choice(['=', '!='])} '{c.choice(['OK', 'ERROR'])}'"
        case 10:
            return f"span.attributes.color LIKE '%color-{c.randrange(30)}-%'"
        case 11:
            return f"feedback.score {c.choice(['>', '>=', '<', '<='])} {c.choice([0, 0.5, 1, 2.5])}"
        case 12:
            return c.choice(
                [
                    "feedback.ok = 'true'",
                    "feedback.verdict = 'good'",
                    "feedback.verdict != 'good'",
                    "feedback.verdict IS NULL",
                    "feedback.score IS NOT NULL",
                    "expectation.answer = '42'",
                ]
            )
        case 13:
            return f"trace.text LIKE '%asked {some['n']} in%'"
        case _:
            return f"request_id = 'tr-{some['id']}'"


def question(c, world):
    clauses = [clause(c, world) for _ in range(c.choice([1, 1, 2, 2, 3]))]
    if any(each.startswith("trace.text") for each in clauses):
        # MLflow takes it for a clause on one span, which all others must hold on as well.
        clauses = [each for each in clauses if not each.startswith("span.")]
    # MLflow's server fails on an order by the same twice.
    time_key = c.choice(["timestamp_ms", "timestamp"])
    keys = [time_key, "execution_time", "status", "name", "tags.env", "metadata.tier", "request_id"]
    order = [f"{key} {c.choice(['ASC', 'DESC'])}" for key in c.sample(keys, c.choice([0, 1, 1, 2]))]
    return " AND ".join(clauses), order


def answer(client, experiment_id, filter, order):
    ids, token = [], None
    try:
        while True:
            page = client.search_traces(
                experiment_ids=[experiment_id], filter_string=filter, order_by=order or None,
                max_results=500, page_token=token, include_spans=False,
            )  # fmt: skip
            ids += [trace.info.trace_id for trace in page]
            token = page.token
            if not token or len(ids) >= 1000:
                return ids[:1000]
    except MlflowException as error:
        return [error.error_code]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("urls", nargs=2)
    parser.add_argument("--traces", type=int, default=2000)
    parser.add_argument("--filters", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    world = World(arguments.traces, arguments.seed)
    where = [load(url, world) for url in arguments.urls]
    clients = [MlflowClient(url) for url in arguments.urls]
    chooser = random.Random(arguments.seed)
    differ = found = 0
    for _ in range(arguments.filters):
        filter, order = question(chooser, world)
        first, second = (answer(c, e, filter, order) for c, e in zip(clients, where, strict=True))
        found += bool(first)
        if first != second:
            differ += 1
            same = (
                "same ids, other order"
                if set(first) == set(second)
                else f"{len(first)} and {len(second)}"
            )
            print(
                f"{same}: {filter}   ORDER {order}  {[x for x in first if len(x) < 34][:1]} {[x for x in second if len(x) < 34][:1]}"
            )
    print(
        f"{arguments.filters} filters over {arguments.traces} traces, {found} found some: {differ} differ"
    )
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
