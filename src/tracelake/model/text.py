"""Text that every store, index and table can hold."""


def storable(text: str) -> str:
    """Without NUL, which PostgreSQL's text refuses, and without halves of surrogate pairs, which
    are not characters: JSON may write both. Each becomes U+FFFD. The payload keeps what came."""
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "\ufffd")


def is_storable(text: str) -> bool:
    return storable(text) == text
