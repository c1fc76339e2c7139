"""The one error tree, drawn here. Rooms raise these; `server/errors.py` maps them to HTTP, once.

TracelakeError
├── InvalidInput            the caller sent what we cannot take; the message says what, where
│   ├── InvalidFilter       a filter that does not parse; carries the column
│   ├── PayloadTooLarge     a body over the limit, compressed or not
│   └── UnsupportedMedia    a content type or encoding we do not read
├── NotFound                no such experiment, trace, endpoint …
├── AlreadyExists           a name that is taken
├── Conflict                right request, wrong moment (an update is running)
├── Unauthenticated         nobody known: no token, or one that proves nothing
├── PermissionDenied        known caller, missing permission
├── Unavailable             try again later; carries the seconds to wait
├── QueryTimeout            a question that took longer than it may; the message says what to do
├── QueryCancelled          a question whose client has gone; nobody reads the answer
└── SchemaTooNew            the database was written by a newer Tracelake
"""

from typing import ClassVar


class TracelakeError(Exception):
    """Base of every error Tracelake raises on purpose. `code` is the word in the JSON answer."""

    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(TracelakeError):
    code: ClassVar[str] = "INVALID_PARAMETER_VALUE"


class InvalidFilter(InvalidInput):
    """`column` counts characters of the filter text from 1; `reason` does not tell it."""

    def __init__(self, reason: str, column: int) -> None:
        super().__init__(f"{reason} (column {column})")
        self.reason = reason
        self.column = column


class PayloadTooLarge(InvalidInput):
    # The one of the codes that clients of MLflow know which gRPC has for this as well.
    code: ClassVar[str] = "RESOURCE_EXHAUSTED"


class UnsupportedMedia(InvalidInput):
    code: ClassVar[str] = "UNSUPPORTED_MEDIA_TYPE"


class NotFound(TracelakeError):
    code: ClassVar[str] = "RESOURCE_DOES_NOT_EXIST"


class AlreadyExists(TracelakeError):
    code: ClassVar[str] = "RESOURCE_ALREADY_EXISTS"


class Conflict(TracelakeError):
    code: ClassVar[str] = "RESOURCE_CONFLICT"


class Unauthenticated(TracelakeError):
    code: ClassVar[str] = "UNAUTHENTICATED"


class PermissionDenied(TracelakeError):
    code: ClassVar[str] = "PERMISSION_DENIED"


class Unavailable(TracelakeError):
    code: ClassVar[str] = "TEMPORARILY_UNAVAILABLE"

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueryTimeout(TracelakeError):
    code: ClassVar[str] = "DEADLINE_EXCEEDED"


class QueryCancelled(TracelakeError):
    code: ClassVar[str] = "CANCELLED"


class SchemaTooNew(TracelakeError):
    code: ClassVar[str] = "INVALID_STATE"
