"""The demo's stand-in for a language model: it answers by rule, and knows nothing else.

Given the messages of a chat completion it either calls tools or writes the answer, from what the
tools said since the customer's last message.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]

_ORDER = re.compile(r"\bR-\d{5}\b")
_CUSTOMER = re.compile(r"\bC-\d{4}\b")
_ADDRESS = re.compile(r"\bto ([^.?!]*\d[^.?!]*)")
_STOP_WORDS = {"have", "stock", "still", "there", "with", "your", "what", "does", "this", "that"}


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: dict[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    text: str = ""
    calls: list[Call] = field(default_factory=list[Call])


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules look at."""

    said: str
    """The customer's last message."""
    customer_id: str
    order: str | None
    """The order number named last in the conversation."""
    results: dict[str, Any]
    """What tools returned since the customer's last message, by tool name."""


def reply(messages: list[Message]) -> Reply:
    """The next message of the assistant."""
    now = _read(messages)
    refusal = next((r["error"] for r in now.results.values() if _is_error(r)), None)
    if refusal is not None:
        return Reply(f"I am sorry, I cannot do that: {refusal}. Is there anything else?")
    for pattern, rule in _RULES:
        if re.search(pattern, now.said, re.IGNORECASE):
            return rule(now)
    return Reply("I can help with orders, deliveries, refunds and our products. What is it about?")


def _is_error(result: Any) -> bool:
    return isinstance(result, dict) and "error" in result


def _read(messages: list[Message]) -> Situation:
    last_user = max(i for i, each in enumerate(messages) if each["role"] == "user")
    names: dict[str, str] = {}
    results: dict[str, Any] = {}
    for message in messages[last_user + 1 :]:
        calls: list[dict[str, Any]] = message.get("tool_calls") or []
        for call in calls:
            names[call["id"]] = call["function"]["name"]
        if message["role"] == "tool":
            results[names[message["tool_call_id"]]] = json.loads(message["content"])
    texts = [str(each.get("content") or "") for each in messages]
    users = [text for each, text in zip(messages, texts, strict=True) if each["role"] == "user"]
    orders = [number for text in users for number in _ORDER.findall(text)]
    customer = next((m[0] for text in texts if (m := _CUSTOMER.search(text))), "")
    return Situation(users[-1], customer, orders[-1] if orders else None, results)


def _refund(now: Situation) -> Reply:
    if now.order is None:
        return Reply("Gladly. What is the number of the order? It begins with R-.")
    done = now.results.get("refund_item")
    if done is not None:
        return Reply(
            f"Done: {_money(done['refunded_cents'])} for {done['sku']} of order {done['number']} "
            "go back to your card."
        )
    order = now.results.get("get_order")
    if order is None:
        return Reply(calls=[Call("get_order", {"number": now.order})])
    items = order["items"]
    named = [item for item in items if _shares_word(item["name"], now.said)] or items
    return Reply(calls=[Call("refund_item", {"number": now.order, "sku": named[0]["sku"]})])


def _track(now: Situation) -> Reply:
    if now.order is None:
        return Reply("What is the number of the order? It begins with R-.")
    shipment = now.results.get("track_shipment")
    if shipment is None:
        return Reply(calls=[Call("track_shipment", {"number": now.order})])
    return Reply(
        f"Order {now.order} travels with {shipment['carrier']} ({shipment['tracking']}). It was "
        f"last seen at: {shipment['place']}. It should be with you on {shipment['expected_on']}."
    )


def _orders(now: Situation) -> Reply:
    orders = now.results.get("list_orders")
    if orders is None:
        return Reply(calls=[Call("list_orders", {"customer_id": now.customer_id})])
    if not orders:
        return Reply("There is no order under your name yet.")
    lines = [
        f"{each['number']} of {each['placed_on']}, {each['status']}, {_money(each['total_cents'])}"
        for each in orders
    ]
    return Reply("These are your orders: " + "; ".join(lines) + ".")


def _address(now: Situation) -> Reply:
    address = _ADDRESS.search(now.said)
    if now.order is None or address is None:
        return Reply("Please tell me the order number and the whole new address.")
    done = now.results.get("change_address")
    if done is None:
        arguments = {"number": now.order, "address": address[1].strip()}
        return Reply(calls=[Call("change_address", arguments)])
    return Reply(f"Order {done['number']} now goes to {done['address']}.")


def _stock(now: Situation) -> Reply:
    found = now.results.get("search_products")
    if found is None:
        words = re.findall(r"[A-Za-z]+", now.said)
        kept = [word for word in words if len(word) > 3 and word.lower() not in _STOP_WORDS]
        return Reply(calls=[Call("search_products", {"words": " ".join(kept)})])
    if not found:
        return Reply("I found no such product.")
    lines = [
        f"{each['name']} ({_money(each['price_cents'])}): "
        + (f"{each['stock']} in stock" if each["stock"] else "sold out")
        for each in found
    ]
    return Reply("; ".join(lines) + ".")


def _help(now: Situation) -> Reply:
    found = now.results.get("search_help")
    if found is None:
        asked = " ".join(re.findall(r"[a-z]+", now.said.lower()))
        return Reply(calls=[Call("search_help", {"question": asked})])
    return Reply(found[0]["page_content"] if found else "Our help pages say nothing about that.")


def _thanks(now: Situation) -> Reply:
    return Reply("You are welcome. Enjoy the outdoors!")


_RULES: tuple[tuple[str, Callable[[Situation], Reply]], ...] = (
    (r"warranty|guarantee|how long|shipping cost", _help),
    (r"refund|money back|return\b", _refund),
    (r"address|send (it|order)", _address),
    (r"where|track|arriv|try (it )?again", _track),
    (r"stock|available|do you have", _stock),
    (r"orders", _orders),
    (r"thank|great|perfect", _thanks),
)


def _shares_word(name: str, said: str) -> bool:
    words = {word for word in re.findall(r"[a-z]+", said.lower()) if len(word) > 3}
    return bool(words & set(re.findall(r"[a-z]+", name.lower())))


def _money(cents: int) -> str:
    return f"{cents / 100:.2f} euros"
