"""The shop's own database: customers, orders, stock, shipments and help articles, in SQLite."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

SCHEMA = """
DROP TABLE IF EXISTS customers;
DROP TABLE IF EXISTS products;
DROP TABLE IF EXISTS orders;
DROP TABLE IF EXISTS items;
DROP TABLE IF EXISTS shipments;
DROP TABLE IF EXISTS articles;
DROP TABLE IF EXISTS carrier_calls;
CREATE TABLE customers (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL);
CREATE TABLE products (
    sku TEXT PRIMARY KEY, name TEXT NOT NULL, price_cents INTEGER NOT NULL, stock INTEGER NOT NULL
);
CREATE TABLE orders (
    number TEXT PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customers,
    placed_on TEXT NOT NULL, status TEXT NOT NULL, address TEXT NOT NULL
);
CREATE TABLE items (
    number TEXT NOT NULL REFERENCES orders, sku TEXT NOT NULL REFERENCES products,
    quantity INTEGER NOT NULL, refunded_on TEXT, PRIMARY KEY (number, sku)
);
CREATE TABLE shipments (
    number TEXT PRIMARY KEY REFERENCES orders, carrier TEXT NOT NULL, tracking TEXT NOT NULL,
    place TEXT NOT NULL, expected_on TEXT NOT NULL
);
CREATE TABLE articles (topic TEXT PRIMARY KEY, words TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE carrier_calls (carrier TEXT NOT NULL, number TEXT NOT NULL);
"""

CUSTOMERS = (
    ("C-1001", "Maya Lindqvist", "maya@example.com"),
    ("C-1002", "Jonas Weber", "jonas@example.com"),
    ("C-1003", "Priya Raman", "priya@example.com"),
    ("C-1004", "Sam Okafor", "sam@example.com"),
    ("C-1005", "Lena Moreau", "lena@example.com"),
    ("C-1006", "Tom Hayashi", "tom@example.com"),
)
PRODUCTS = (
    ("TENT-2P", "Heron two-person tent", 28900, 7),
    ("PACK-40", "Kestrel 40 backpack", 15900, 3),
    ("STOVE-1", "Ember gas stove", 5900, 41),
    ("BAG-0C", "Marten sleeping bag", 21900, 0),
    ("LAMP-3", "Firefly head lamp", 3900, 112),
    ("BOOT-42", "Ridge hiking boots size 42", 17900, 5),
)
# number, customer, days since the order, status, address
ORDERS = (
    ("R-20418", "C-1001", 4, "shipped", "Storgatan 12, Umea"),
    ("R-20190", "C-1001", 71, "delivered", "Storgatan 12, Umea"),
    ("R-20377", "C-1002", 12, "delivered", "Lindenallee 8, Kassel"),
    ("R-19864", "C-1003", 95, "delivered", "14 Temple Road, Pune"),
    ("R-20455", "C-1005", 3, "shipped", "Rue Haute 3, Lille"),
    ("R-20471", "C-1006", 1, "packing", "2-11 Honcho, Sapporo"),
    ("R-20402", "C-1006", 6, "shipped", "2-11 Honcho, Sapporo"),
)
ITEMS = (
    ("R-20418", "STOVE-1", 1),
    ("R-20418", "LAMP-3", 2),
    ("R-20190", "BAG-0C", 1),
    ("R-20377", "TENT-2P", 1),
    ("R-20377", "LAMP-3", 1),
    ("R-19864", "BOOT-42", 1),
    ("R-20455", "PACK-40", 1),
    ("R-20471", "STOVE-1", 2),
    ("R-20402", "TENT-2P", 1),
)
# number, carrier, tracking, last place, days until it is there
SHIPMENTS = (
    ("R-20418", "Postbåten", "PB-5519-203", "Sundsvall sorting centre", 2),
    ("R-20455", "Colis Éclair", "CE-88-1204", "Arras depot", 1),
    ("R-20402", "Kita Express", "KX-7730", "on the delivery van", 0),
)
ARTICLES = (
    (
        "refunds",
        "refund money back return days long take",
        "Items can be returned within 30 days. The money is back on the card within five working "
        "days after the refund was made.",
    ),
    (
        "warranty",
        "warranty guarantee broken repair backpack tent",
        "Tents and backpacks carry a warranty of five years on seams, zips and buckles; stoves and "
        "lamps carry two years. Repairs in that time cost nothing.",
    ),
    (
        "shipping",
        "shipping delivery cost express abroad country",
        "Shipping is free from 60 euros. Express delivery costs 9 euros and takes one working day.",
    ),
)


class Shop:
    """The database in one file. Connections are short; SQLite does the locking."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def connect(self) -> Generator[sqlite3.Connection]:
        """A transaction; rows are read by name."""
        with closing(sqlite3.connect(self._path, timeout=10)) as connection, connection:
            connection.row_factory = sqlite3.Row
            yield connection

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self.connect() as connection:
            return [dict(row) for row in connection.execute(query, values)]

    def fill(self, today: date) -> None:
        """Put the shop back to its first state, with dates as seen from `today`."""

        def day(ago: int) -> str:
            return (today - timedelta(days=ago)).isoformat()

        with self.connect() as connection:
            connection.executescript(SCHEMA)
            connection.executemany("INSERT INTO customers VALUES (?, ?, ?)", CUSTOMERS)
            connection.executemany("INSERT INTO products VALUES (?, ?, ?, ?)", PRODUCTS)
            connection.executemany(
                "INSERT INTO orders VALUES (?, ?, ?, ?, ?)",
                [(n, c, day(ago), status, address) for n, c, ago, status, address in ORDERS],
            )
            connection.executemany("INSERT INTO items VALUES (?, ?, ?, NULL)", ITEMS)
            connection.executemany(
                "INSERT INTO shipments VALUES (?, ?, ?, ?, ?)",
                [(n, c, t, place, day(-left)) for n, c, t, place, left in SHIPMENTS],
            )
            connection.executemany("INSERT INTO articles VALUES (?, ?, ?)", ARTICLES)
