# SPDX-License-Identifier: Apache-2.0
"""Scenarios of the mock that fail or carry special headers: HTTP errors, in-stream failures, disconnects."""

import time

from events import Stream, err, raw, shell_call, sse
from scenarios import S, TXT, scenario, simple

# ---- HTTP errors -------------------------------------------------------------
OA = "invalid_request_error"
ERRS = {
    "400": lambda: err(400, None, "Unsupported parameter: 'foo'"),
    "400-model": lambda: err(400, "model_not_found", "The requested model 'x' does not exist."),
    "400-context": lambda: err(
        400, "context_length_exceeded", "Your input exceeds the context window of this model."
    ),
    "400-detail": lambda: err(400, body={"detail": "Unsupported parameter: max_output_tokens"}),
    "400-image": lambda: err(400, None, "The image data you provided does not represent a valid image"),
    "401": lambda: err(
        401, "invalid_api_key", "Incorrect API key provided: sk-xx", headers={"x-request-id": "req_mock401"}
    ),
    "401-www": lambda: err(
        401,
        "token_expired",
        "Provided authentication token is expired.",
        headers={"www-authenticate": "Bearer"},
    ),
    "402": lambda: err(402, "payment_required", "Payment required", "billing"),
    "403": lambda: err(403, "forbidden", "Forbidden for you"),
    "403-cf": lambda: raw(
        403,
        "<html><body>Cloudflare error: Sorry, you have been blocked</body></html>",
        headers={"cf-ray": "abc123-AMS"},
    ),
    "404": lambda: err(404, "not_found", "No such route"),
    "404-model": lambda: err(
        404, "model_not_found", "The model `gpt-zzz` does not exist or you do not have access to it."
    ),
    "404-html": lambda: raw(404, "<html>nginx 404</html>"),
    "405": lambda: err(405, None, "Method not allowed"),
    "408": lambda: err(408, None, "timeout"),
    "409": lambda: err(409, None, "conflict"),
    "413": lambda: err(413, None, "Payload too large"),
    "422": lambda: err(422, None, "unprocessable"),
    "429": lambda: err(
        429,
        "rate_limit_exceeded",
        "Rate limit reached. Please try again in 2s.",
        "requests",
        headers={"retry-after": "2"},
    ),
    "429-ms": lambda: err(
        429, "rate_limit_exceeded", "Rate limit reached", "requests", headers={"retry-after-ms": "1500"}
    ),
    "429-bare": lambda: err(429, None, "slow down"),
    "429-quota": lambda: err(
        429,
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
    ),
    "429-usage": lambda: err(
        429,
        body={
            "error": {
                "type": "usage_limit_reached",
                "message": "The usage limit has been reached",
                "plan_type": "plus",
                "resets_at": int(time.time()) + 3600,
                "resets_in_seconds": 3600,
            }
        },
        headers={
            "x-codex-primary-used-percent": "100",
            "x-codex-primary-window-minutes": "300",
            "x-codex-primary-reset-at": str(int(time.time()) + 3600),
        },
    ),
    "429-notincluded": lambda: err(
        429, body={"error": {"type": "usage_not_included", "message": "not in plan"}}
    ),
    "500": lambda: err(
        500,
        "server_error",
        "The server had an error",
        "server_error",
        headers={"x-request-id": "req_mock500"},
    ),
    "502": lambda: raw(502, "<html>Bad gateway</html>"),
    "503": lambda: err(503, None, "Service unavailable", "server_error", headers={"retry-after": "1"}),
    "503-overloaded": lambda: err(503, "server_is_overloaded", "Overloaded", "server_error"),
    "503-slowdown": lambda: err(503, "slow_down", "Slow down", "server_error"),
    "529": lambda: err(529, "overloaded_error", "Overloaded", "overloaded_error"),
    "307": lambda: {"kind": "raw", "status": 307, "text": "", "headers": {"Location": "/v2/responses"}},
}
for _k, _f in ERRS.items():
    simple("err-" + _k, "HTTP error", lambda c, r, f=_f: f())


@scenario(
    "retry-after", "--set status=429 --set value=V as the retry-after header, then text on the 2nd request"
)
def _(c, r):
    if c["n"] <= int(c["set"].get("fails", 1)):
        return err(
            int(c["set"].get("status", 429)),
            "rate_limit_exceeded",
            "Rate limit",
            "requests",
            headers={"retry-after": c["set"].get("value", "2").replace("_", " ")},
        )
    return sse(Stream(r).start().message(TXT).completed())


@scenario("flaky", "--set status=500 for the first --set fails=N answers, then text")
def _(c, r):
    if c["n"] <= int(c["set"].get("fails", 2)):
        k = c["set"].get("status", "500")
        return ERRS[k]()
    return sse(Stream(r).start().message(TXT).completed())


# ---- in-stream failures --------------------------------------------------------
FAILS = {
    "ctx": (
        "context_length_exceeded",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
    ),
    "quota": (
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "rate": (
        "rate_limit_exceeded",
        "Rate limit reached for gpt-5 in organization org-x on tokens per min (TPM): Limit 30000. Please try again in 1.5s.",
    ),
    "rate-nohint": ("rate_limit_exceeded", "Rate limit reached."),
    "server": ("server_error", "The server had an error processing your request."),
    "overloaded": ("server_is_overloaded", "Our servers are currently overloaded. Please try again later."),
    "slowdown": ("slow_down", "Please slow down."),
    "invalid-prompt": ("invalid_prompt", "Invalid prompt: limited access to this content."),
    "usage": ("usage_limit_reached", "usage limit"),
    "notincluded": ("usage_not_included", "usage not included"),
    "cyber": ("cyber_policy", "cyber policy"),
    "nocode": (None, "something odd"),
}
for _k, (_c, _m) in FAILS.items():
    simple(
        "failed-" + _k,
        "response.failed code=%s" % _c,
        lambda c, r, a=_c, b=_m: sse(Stream(r).start().failed(a, b)),
    )
simple(
    "failed-noerror",
    "response.failed with error null",
    lambda c, r: sse(Stream(r).start().add("response.failed", response={"id": "r", "error": None})),
)
simple(
    "incomplete-max",
    "response.incomplete max_output_tokens",
    lambda c, r: sse(Stream(r).start().message("partial").incomplete("max_output_tokens")),
)
simple(
    "incomplete-filter",
    "response.incomplete content_filter",
    lambda c, r: sse(Stream(r).start().message("partial").incomplete("content_filter")),
)
simple(
    "error-event",
    "bare 'error' SSE event then close",
    lambda c, r: sse(Stream(r).start().add("error", code="server_error", message="boom", param=None)),
)
simple(
    "error-event-nested",
    "{'type':'error','error':{..}} then close",
    lambda c, r: sse(
        Stream(r)
        .start()
        .add("error", error={"type": "invalid_request_error", "code": "x", "message": "nested boom"})
    ),
)


# ---- disconnects ----------------------------------------------------------------
def cut(st, n):
    return st.ev[:n]


simple(
    "cut-rst", "TCP reset mid-stream", lambda c, r: sse(cut(Stream(r).start().message(TXT), 6), then="rst")
)
simple(
    "cut-fin",
    "chunked body cut without terminator",
    lambda c, r: sse(cut(Stream(r).start().message(TXT), 6), then="fin"),
)
simple(
    "cut-clean",
    "chunked body properly ended, no response.completed",
    lambda c, r: sse(cut(Stream(r).start().message(TXT), 6)),
)
simple(
    "cut-then-ok",
    "first answer cut, then text",
    lambda c, r: (
        sse(cut(Stream(r).start().message(TXT), 6), then="fin")
        if c["n"] <= int(c["set"].get("fails", 1))
        else sse(Stream(r).start().message(TXT).completed())
    ),
)
simple(
    "cut-after-tool",
    "shell call item done, then cut",
    lambda c, r: (
        sse(Stream(r).start().message("recovered").completed())
        if c["n"] > 1
        else sse(shell_call(Stream(r).start(), r, "echo CUT"), then="fin")
    ),
)
simple("cut-headers", "connection closed before any response byte", lambda c, r: {"kind": "drop"})
simple(
    "stall",
    "headers + created then silence (--set secs=N)",
    lambda c, r: sse(Stream(r).start(), then="stall", secs=float(c["set"].get("secs", 600))),
)
simple(
    "stall-headers",
    "no response bytes at all (--set secs=N)",
    lambda c, r: {"kind": "hang", "secs": float(c["set"].get("secs", 600))},
)
simple(
    "slow",
    "text with --set gap=SECONDS between events",
    lambda c, r: sse(Stream(r).start().message(TXT).completed(), gap=float(c["set"].get("gap", 0.2))),
)

# ---- headers ------------------------------------------------------------------
RL = {
    "x-codex-primary-used-percent": "42.5",
    "x-codex-primary-window-minutes": "300",
    "x-codex-primary-reset-at": "2000000000",
    "x-codex-secondary-used-percent": "91",
    "x-codex-secondary-window-minutes": "10080",
    "x-codex-secondary-reset-at": "2000100000",
    "x-codex-credits-has-credits": "true",
    "x-codex-credits-unlimited": "false",
    "x-codex-credits-balance": "12.34",
    "x-codex-plan-type": "plus",
    "x-codex-turn-state": "mock-turn-state-1",
    "x-models-etag": "mock-etag-1",
    "openai-model": "gpt-other-model",
    "x-reasoning-included": "true",
    "x-request-id": "req_mock_1",
}
simple(
    "headers",
    "text + x-codex-*, openai-model, x-models-etag, x-codex-turn-state",
    lambda c, r: sse(Stream(r).start().message(TXT).completed(), headers=RL),
)
S["headers-tool"] = (lambda c, r: {**S["tool"][0](c, r), "headers": RL}, "same headers on a tool round trip")


def renamed(c, r):
    st = Stream(r)
    st.model = c["set"].get("as", "claude-other")
    return st.start().message(TXT).completed()


simple(
    "model-renamed",
    "response.model differs from the request (--set as=NAME), no openai-model header",
    lambda c, r: sse(renamed(c, r)),
)
simple(
    "model-header",
    "openai-model header differs from the request (--set as=NAME)",
    lambda c, r: sse(renamed(c, r), headers={"openai-model": c["set"].get("as", "claude-other")}),
)
simple(
    "usage-cachewrite",
    "usage with input_tokens_details.cache_write_tokens",
    lambda c, r: sse(
        Stream(r)
        .start()
        .message(TXT)
        .completed(
            usage={
                "input_tokens": 1000,
                "input_tokens_details": {"cached_tokens": 300, "cache_write_tokens": 500},
                "output_tokens": 7,
                "output_tokens_details": {"reasoning_tokens": 2},
                "total_tokens": 1007,
            }
        )
    ),
)
simple(
    "ratelimits",
    "text + x-codex-* rate-limit headers only",
    lambda c, r: sse(
        Stream(r).start().message(TXT).completed(),
        headers={k: v for k, v in RL.items() if k.startswith("x-codex-") and "turn-state" not in k},
    ),
)
# WebSocket-mode errors: {type:error,...} frames
simple(
    "ws-prev-missing",
    "2nd WebSocket create is answered previous_response_not_found, then normal",
    lambda c, r: (
        err(400, "previous_response_not_found", "Previous response with id 'x' not found.")
        if (r or {}).get("previous_response_id") and c["n"] == 1
        else sse(Stream(r).start().message(TXT).completed())
    ),
)
simple(
    "ws-limit",
    "websocket_connection_limit_reached once",
    lambda c, r: (
        err(400, "websocket_connection_limit_reached", "limit")
        if c["n"] == 1
        else sse(Stream(r).start().message(TXT).completed())
    ),
)
