"""autolog with the real openai client against a local server: spans nest under ours."""

from collections.abc import Generator, Iterator

import openai
import openai_server
import pytest
from otlp_receiver import Receiver

import tracelake
from tracelake.sdk.client import Client


@pytest.fixture
def base_url(client: Client) -> Iterator[str]:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    assert tracelake.autolog("openai") == ("openai",)
    server, url = openai_server.start()
    yield url
    OpenAIInstrumentor().uninstrument()
    server.shutdown()
    server.server_close()


def test_a_call_nests_and_carries_usage(receiver: Receiver, base_url: str) -> None:
    @tracelake.trace(span_type="AGENT")
    def answer(question: str) -> str | None:
        with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0) as api:
            made = api.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": question}]
            )
        return made.choices[0].message.content

    assert answer("hello") == "echo: hello"
    assert tracelake.flush(10)
    root = receiver.named("answer")
    (call,) = [span for span in receiver.spans if span is not root]
    assert (call.trace_id, call.parent_id) == (root.trace_id, root.span_id)
    assert call.attributes["openinference.span.kind"] == "LLM"
    assert call.attributes["llm.token_count.total"] == 18
    assert call.attributes["llm.model_name"] == "gpt-4o"
    assert "echo: hello" in call.attributes["output.value"]


def test_a_stream_nests_in_a_traced_generator(receiver: Receiver, base_url: str) -> None:
    @tracelake.trace
    def words(question: str) -> Generator[str, None, None]:
        with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0) as api:
            stream = api.chat.completions.create(
                model="gpt-4o",
                messages=[{"role": "user", "content": question}],
                stream=True,
                stream_options={"include_usage": True},
            )
            for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content

    assert "".join(words("a b")) == "echo: a b "
    assert tracelake.flush(10)
    root = receiver.named("words")
    (call,) = [span for span in receiver.spans if span is not root]
    assert call.parent_id == root.span_id
    assert root.outputs == "echo: a b "
    assert call.attributes["llm.token_count.total"] == 18


def test_without_a_name_every_installed_library(
    receiver: Receiver, base_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert "openai" in tracelake.autolog()
    with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0) as api:
        api.chat.completions.create(model="m", messages=[{"role": "user", "content": "alone"}])
    assert tracelake.flush(10)
    assert [span.parent_id for span in receiver.spans] == [None]
    assert tracelake.autolog("no_such_library") == ()
    assert "pip install openinference-instrumentation-no-such-library" in caplog.text
