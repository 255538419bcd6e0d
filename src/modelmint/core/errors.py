"""Every error that Modelmint raises on purpose.

ModelmintError                    exit code 1, HTTP 500
├── InputError                    exit code 2, HTTP 400: the caller can mend it
│   ├── RecipeError               a recipe is wrong; names file, line and key
│   ├── DataError                 a source or dataset is not usable
│   └── NotFoundError             HTTP 404
├── AuthError                     HTTP 401: no key, or a wrong one
│   └── ForbiddenError            HTTP 403: the key may not do this
├── GateError                     exit code 3, HTTP 409: a gate refused
├── OverloadError                 HTTP 503 with Retry-After
├── CancelledRunError             the run was cancelled on request
├── StageError                    a stage's process failed
├── IntegrityError                stored bytes are not what was written
├── StorageFullError              HTTP 507: no space is left
└── UnavailableError              HTTP 503: something outside (a hub, a database) cannot be reached

A message has four parts: which parameter, what is allowed, what was given, and what mends it.
"""

from typing import Any


class ModelmintError(Exception):
    """The root. `code` names the kind in JSON; `remedy` says how to go on."""

    code = "internal_error"
    http_status = 500
    exit_code = 1

    def __init__(self, message: str, *, parameter: str | None = None, remedy: str | None = None, **about: Any) -> None:
        super().__init__(message)
        self.message = message
        self.parameter = parameter
        self.remedy = remedy
        self.about = about

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message

    def to_dict(self) -> dict[str, Any]:
        """The one JSON shape of errors (that of the OpenAI API, plus `remedy`)."""
        body = {"message": self.message, "type": self.code, "param": self.parameter, "code": self.code}
        return {"error": body | {"remedy": self.remedy} | ({"about": self.about} if self.about else {})}


class InputError(ModelmintError):
    code = "invalid_request"
    http_status = 400
    exit_code = 2


class RecipeError(InputError):
    code = "invalid_recipe"


class DataError(InputError):
    code = "invalid_data"


class NotFoundError(InputError):
    code = "not_found"
    http_status = 404


class AuthError(ModelmintError):
    code = "unauthorized"
    http_status = 401


class ForbiddenError(AuthError):
    code = "forbidden"
    http_status = 403


class GateError(ModelmintError):
    code = "gate_refused"
    http_status = 409
    exit_code = 3


class OverloadError(ModelmintError):
    code = "overloaded"
    http_status = 503

    def __init__(self, message: str, *, retry_after_s: int = 1, **about: Any) -> None:
        super().__init__(message, **about)
        self.retry_after_s = retry_after_s


class CancelledRunError(ModelmintError):
    code = "cancelled"


class StageError(ModelmintError):
    code = "stage_failed"


class IntegrityError(ModelmintError):
    code = "integrity"


class StorageFullError(ModelmintError):
    code = "storage_full"
    http_status = 507


class UnavailableError(ModelmintError):
    code = "unavailable"
    http_status = 503


def from_dict(body: dict[str, Any]) -> ModelmintError:
    """The error that `to_dict` wrote, back from another process."""
    inner = body["error"]
    known = {kind.code: kind for kind in _tree(ModelmintError)}
    kind = known.get(inner["code"], ModelmintError)
    about = {str(key): value for key, value in inner.get("about", {}).items()}
    return kind(inner["message"], parameter=inner.get("param"), remedy=inner.get("remedy"), **about)


def _tree(root: type[ModelmintError]) -> list[type[ModelmintError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in _tree(child))]
