"""What the agent can do: each tool is one function over the shop's database, and one TOOL span."""

from collections.abc import Callable
from datetime import date
from typing import Any

from shop import Shop

import tracelake

REFUND_DAYS = 30
FLAKY_CARRIER = "Colis Éclair"
"""Its tracking service times out on every first question about an order."""

Tool = Callable[..., Any]


class Refused(Exception):
    """The shop's rules do not allow it. The model is told, and tells the customer."""


class Tools:
    """The tools by name, and how they are described to the model."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.by_name: dict[str, Tool] = {
            "list_orders": self.list_orders,
            "get_order": self.get_order,
            "track_shipment": self.track_shipment,
            "refund_item": self.refund_item,
            "change_address": self.change_address,
            "search_products": self.search_products,
            "search_help": self.search_help,
        }

    @tracelake.trace(span_type="TOOL")
    def list_orders(self, customer_id: str) -> list[dict[str, Any]]:
        return self._shop.rows(
            "SELECT o.number, o.placed_on, o.status, sum(i.quantity * p.price_cents) AS total_cents"
            " FROM orders o JOIN items i USING (number) JOIN products p USING (sku)"
            " WHERE o.customer_id = ? GROUP BY o.number ORDER BY o.placed_on DESC",
            customer_id,
        )

    @tracelake.trace(span_type="TOOL")
    def get_order(self, number: str) -> dict[str, Any]:
        found = self._shop.rows("SELECT * FROM orders WHERE number = ?", number)
        if not found:
            raise Refused(f"there is no order {number}")
        items = self._shop.rows(
            "SELECT i.sku, p.name, i.quantity, p.price_cents, i.refunded_on"
            " FROM items i JOIN products p USING (sku) WHERE i.number = ? ORDER BY i.sku",
            number,
        )
        return {**found[0], "items": items}

    @tracelake.trace(span_type="TOOL")
    def track_shipment(self, number: str) -> dict[str, Any]:
        found = self._shop.rows("SELECT * FROM shipments WHERE number = ?", number)
        if not found:
            raise Refused(f"order {number} has not left the warehouse")
        shipment = found[0]
        with self._shop.connect() as connection:
            connection.execute(
                "INSERT INTO carrier_calls VALUES (?, ?)", (shipment["carrier"], number)
            )
            calls: int = connection.execute(
                "SELECT count(*) FROM carrier_calls WHERE number = ?", (number,)
            ).fetchone()[0]
        if shipment["carrier"] == FLAKY_CARRIER and calls % 2:
            raise TimeoutError(f"the tracking service of {FLAKY_CARRIER} did not answer")
        return shipment

    @tracelake.trace(span_type="TOOL")
    def refund_item(self, number: str, sku: str) -> dict[str, Any]:
        with self._shop.connect() as connection:
            row = connection.execute(
                "SELECT o.placed_on, i.refunded_on, i.quantity * p.price_cents AS cents"
                " FROM orders o JOIN items i USING (number) JOIN products p USING (sku)"
                " WHERE o.number = ? AND i.sku = ?",
                (number, sku),
            ).fetchone()
            if row is None:
                raise Refused(f"order {number} has no item {sku}")
            if row["refunded_on"]:
                raise Refused(f"{sku} was refunded on {row['refunded_on']} already")
            age_days = (date.today() - date.fromisoformat(row["placed_on"])).days  # noqa: DTZ011
            if age_days > REFUND_DAYS:
                raise Refused(f"the order is {age_days} days old; the limit is {REFUND_DAYS}")
            connection.execute(
                "UPDATE items SET refunded_on = date() WHERE number = ? AND sku = ?", (number, sku)
            )
        return {"number": number, "sku": sku, "refunded_cents": row["cents"]}

    @tracelake.trace(span_type="TOOL")
    def change_address(self, number: str, address: str) -> dict[str, Any]:
        with self._shop.connect() as connection:
            changed = connection.execute(
                "UPDATE orders SET address = ? WHERE number = ? AND status = 'packing'",
                (address, number),
            )
        if changed.rowcount == 0:
            raise Refused(f"order {number} is on its way, its address is fixed now")
        return {"number": number, "address": address}

    @tracelake.trace(span_type="TOOL")
    def search_products(self, words: str) -> list[dict[str, Any]]:
        wanted = [f"%{word}%" for word in words.split() if len(word) > 3]
        where = " OR ".join("name LIKE ?" for _ in wanted) or "1"
        return self._shop.rows(
            f"SELECT sku, name, price_cents, stock FROM products WHERE {where} ORDER BY sku",
            *wanted,
        )

    @tracelake.trace(span_type="RETRIEVER")
    def search_help(self, question: str) -> list[dict[str, Any]]:
        asked = set(question.lower().split())
        articles = self._shop.rows("SELECT topic, words, body FROM articles")
        scored = [(len(asked & set(each["words"].split())), each) for each in articles]
        best = sorted(scored, key=lambda pair: -pair[0])[:2]
        return [
            {
                "page_content": each["body"],
                "metadata": {"doc_uri": f"help/{each['topic']}", "score": score},
            }
            for score, each in best
            if score
        ]


def describe() -> list[dict[str, Any]]:
    """The tools as OpenAI chat completions want them described."""
    return [
        _tool("list_orders", "Orders of a customer, newest first.", "customer_id"),
        _tool("get_order", "One order with its items.", "number"),
        _tool("track_shipment", "Where a shipped order is and when it arrives.", "number"),
        _tool("refund_item", "Refund one item of an order.", "number", "sku"),
        _tool("change_address", "Change where an order goes.", "number", "address"),
        _tool("search_products", "Products by words of their name, with stock.", "words"),
        _tool("search_help", "Help articles for a question.", "question"),
    ]


def _tool(name: str, description: str, *arguments: str) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {each: {"type": "string"} for each in arguments},
                "required": list(arguments),
            },
        },
    }
