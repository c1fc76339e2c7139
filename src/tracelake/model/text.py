"""Text that every store, index and table can hold."""


def encodable(text: str) -> str:
    """Without halves of surrogate pairs, which are not characters: JSON may write them, and a
    program does that cuts a text in the middle of an emoji. Each becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def storable(text: str) -> str:
    """Encodable, and without NUL, which PostgreSQL's text refuses and JSON may write: it becomes
    U+FFFD too. The payload keeps what came."""
    return encodable(text).replace("\0", "\ufffd")


def is_storable(text: str) -> bool:
    return storable(text) == text
