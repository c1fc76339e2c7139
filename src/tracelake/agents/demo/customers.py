"""The demo's customers: who they are, what they say, and what they think of the answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Opinion:
    """A thumb, up or down, as the customer gives it after an answer."""

    good: bool
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    says: str
    stream: bool = False
    opinion: Opinion | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    user_id: str
    name: str
    turns: tuple[Turn, ...]


CUSTOMERS = (
    Customer(
        "C-1001",
        "Maya",
        (
            Turn("Hi! Where is my order R-20418?", opinion=Opinion(True)),
            Turn("And could you list all my orders?", stream=True),
            Turn("Perfect, thank you"),
        ),
    ),
    Customer(
        "C-1002",
        "Jonas",
        (
            Turn("I would like a refund for the tent in order R-20377.", stream=True),
            Turn("How long until I have the money back?"),
        ),
    ),
    Customer(
        "C-1003",
        "Priya",
        (
            Turn("The boots of order R-19864 fell apart. I want my money back!"),
            Turn(
                "Then what about a refund of half the price?",
                opinion=Opinion(False, "It only repeats the rule and does not offer a repair."),
            ),
        ),
    ),
    Customer(
        "C-1004",
        "Sam",
        (
            Turn("Do you have the Kestrel backpack and the Marten sleeping bag in stock?"),
            Turn("What warranty does the backpack have?", stream=True),
        ),
    ),
    Customer(
        "C-1005",
        "Lena",
        (
            Turn("Where is my order R-20455? It should have been here yesterday."),
            Turn("Something went wrong, can you try again?"),
            Turn("Great, that helps"),
        ),
    ),
    Customer(
        "C-1006",
        "Tom",
        (
            Turn("Please change the address of R-20471 to 5 Minami Odori, Sapporo."),
            Turn("Same for R-20402: send it to 5 Minami Odori, Sapporo."),
        ),
    ),
)
