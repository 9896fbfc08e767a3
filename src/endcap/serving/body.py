"""Reads a request body, but never more of it than is allowed.

What the bytes mean is not its business.
"""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from endcap.serving.problems import Problem, ProblemError


async def read_body(request: Request, *, max_bytes: int) -> bytes:
    """Return the whole body.

    Raises:
        ProblemError: it is larger than `max_bytes` (413), announced or not; or it broke off (400).
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    pieces: list[bytes] = []
    n_bytes = 0
    try:
        async for piece in request.stream():
            n_bytes += len(piece)
            if n_bytes > max_bytes:
                raise _too_large(max_bytes)
            pieces.append(piece)
    except ClientDisconnect:
        # Nobody reads this answer; it only keeps the exchange from counting as a fault of ours.
        raise ProblemError(Problem(400, "The body broke off.", name="body-broke-off")) from None
    return b"".join(pieces)


def _too_large(max_bytes: int) -> ProblemError:
    # The rest of the body is not read, so the connection cannot be used again.
    return ProblemError(
        Problem(
            413,
            f"The body is larger than {max_bytes} bytes; send fewer events at a time.",
            name="body-too-large",
            headers={"Connection": "close"},
        )
    )
