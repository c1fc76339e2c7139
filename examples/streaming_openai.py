"""A streaming agent on the openai client, traced without a change to its calls.

Needs `pip install 'tracelake[openai]'` and OPENAI_API_KEY; OPENAI_BASE_URL points it at any
compatible server.
"""

import sys
from collections.abc import Iterator

import openai

import tracelake

tracelake.set_experiment("streaming")
tracelake.autolog("openai")


@tracelake.trace(span_type="AGENT")
def answer(question: str) -> Iterator[str]:
    """One span for the whole stream: the joined text, and the time to the first word."""
    stream = openai.OpenAI().chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": question}],
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def main() -> None:
    for word in answer(" ".join(sys.argv[1:]) or "Say something kind."):
        print(word, end="", flush=True)
    print()
    trace_id = tracelake.get_last_active_trace_id()
    trace = None if trace_id is None else tracelake.get_trace(trace_id)
    if trace is not None:
        token_usage = trace.info.token_usage
        if token_usage:
            print(
                token_usage.get("input_tokens"),
                token_usage.get("output_tokens"),
                token_usage.get("total_tokens"),
            )


if __name__ == "__main__":
    main()
