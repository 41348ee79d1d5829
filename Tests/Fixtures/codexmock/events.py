# SPDX-License-Identifier: Apache-2.0
"""Events of a Responses stream, and the actions that a scenario answers with.

An action is a dictionary: `kind` is "sse", "json", "raw", "drop" or "hang"; the rest is what `Peer.perform` reads.
"""

import json
import random
import time


def rid(p):
    return p + "_" + "%032x" % random.getrandbits(128)


USAGE = {
    "input_tokens": 1200,
    "input_tokens_details": {"cached_tokens": 1024},
    "output_tokens": 37,
    "output_tokens_details": {"reasoning_tokens": 12},
    "total_tokens": 1237,
}


class Stream:
    """Builds a list of (event-name, payload) with increasing sequence_number."""

    def __init__(self, req):
        self.id = rid("resp")
        self.model = (req or {}).get("model", "mock-model")
        self.ev, self.n, self.out = [], 0, []

    def add(self, typ, **kw):
        self.ev.append((typ, {"type": typ, "sequence_number": self.n, **kw}))
        self.n += 1
        return self

    def resp(self, status, **kw):
        return {
            "id": self.id,
            "object": "response",
            "created_at": int(time.time()),
            "status": status,
            "model": self.model,
            "output": list(self.out),
            "error": None,
            "incomplete_details": None,
            "usage": None,
            **kw,
        }

    def start(self):
        self.add("response.created", response=self.resp("in_progress"))
        return self.add("response.in_progress", response=self.resp("in_progress"))

    def message(self, text, deltas=True, phase=None):
        i, mid = len(self.out), rid("msg")
        base = {"id": mid, "type": "message", "role": "assistant"}
        if phase:
            base["phase"] = phase
        self.add(
            "response.output_item.added",
            output_index=i,
            item={**base, "status": "in_progress", "content": []},
        )
        self.add(
            "response.content_part.added",
            item_id=mid,
            output_index=i,
            content_index=0,
            part={"type": "output_text", "text": "", "annotations": []},
        )
        if deltas:
            for w in text.split(" "):
                self.add(
                    "response.output_text.delta", item_id=mid, output_index=i, content_index=0, delta=w + " "
                )
        self.add("response.output_text.done", item_id=mid, output_index=i, content_index=0, text=text)
        part = {"type": "output_text", "text": text, "annotations": []}
        self.add("response.content_part.done", item_id=mid, output_index=i, content_index=0, part=part)
        item = {**base, "status": "completed", "content": [part]}
        self.out.append(item)
        return self.add("response.output_item.done", output_index=i, item=item)

    def reasoning(self, summary, encrypted="gAAAAAmockciphertext==", raw=None):
        i, r = len(self.out), rid("rs")
        self.add(
            "response.output_item.added",
            output_index=i,
            item={"id": r, "type": "reasoning", "summary": [], "encrypted_content": encrypted},
        )
        if summary:
            self.add(
                "response.reasoning_summary_part.added",
                item_id=r,
                output_index=i,
                summary_index=0,
                part={"type": "summary_text", "text": ""},
            )
            self.add(
                "response.reasoning_summary_text.delta",
                item_id=r,
                output_index=i,
                summary_index=0,
                delta=summary,
            )
            self.add(
                "response.reasoning_summary_text.done",
                item_id=r,
                output_index=i,
                summary_index=0,
                text=summary,
            )
            self.add(
                "response.reasoning_summary_part.done",
                item_id=r,
                output_index=i,
                summary_index=0,
                part={"type": "summary_text", "text": summary},
            )
        if raw:
            self.add("response.reasoning_text.delta", item_id=r, output_index=i, content_index=0, delta=raw)
            self.add("response.reasoning_text.done", item_id=r, output_index=i, content_index=0, text=raw)
        item = {
            "id": r,
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": summary}] if summary else [],
        }
        if raw:
            item["content"] = [{"type": "reasoning_text", "text": raw}]
        if encrypted is not None:
            item["encrypted_content"] = encrypted
        self.out.append(item)
        return self.add("response.output_item.done", output_index=i, item=item)

    def call(self, name, args, namespace=None, call_id=None, extra=None):
        i, f, c = len(self.out), rid("fc"), call_id or rid("call")
        a = args if isinstance(args, str) else json.dumps(args)
        base = {"id": f, "type": "function_call", "call_id": c, "name": name, **(extra or {})}
        if namespace:
            base["namespace"] = namespace
        self.add(
            "response.output_item.added",
            output_index=i,
            item={**base, "status": "in_progress", "arguments": ""},
        )
        self.add("response.function_call_arguments.delta", item_id=f, output_index=i, delta=a)
        self.add("response.function_call_arguments.done", item_id=f, output_index=i, arguments=a)
        item = {**base, "status": "completed", "arguments": a}
        self.out.append(item)
        return self.add("response.output_item.done", output_index=i, item=item)

    def custom(self, name, text, call_id=None, namespace=None):
        i, f, c = len(self.out), rid("ctc"), call_id or rid("call")
        base = {
            "id": f,
            "type": "custom_tool_call",
            "call_id": c,
            "name": name,
            **({"namespace": namespace} if namespace else {}),
        }
        self.add(
            "response.output_item.added", output_index=i, item={**base, "status": "in_progress", "input": ""}
        )
        self.add("response.custom_tool_call_input.delta", item_id=f, output_index=i, call_id=c, delta=text)
        self.add("response.custom_tool_call_input.done", item_id=f, output_index=i, input=text)
        item = {**base, "status": "completed", "input": text}
        self.out.append(item)
        return self.add("response.output_item.done", output_index=i, item=item)

    def item(self, item):
        i = len(self.out)
        self.out.append(item)
        return self.add("response.output_item.done", output_index=i, item=item)

    def completed(self, usage=USAGE, **kw):
        return self.add("response.completed", response=self.resp("completed", usage=usage, **kw))

    def failed(self, code, message, **kw):
        return self.add(
            "response.failed", response=self.resp("failed", error={"code": code, "message": message, **kw})
        )

    def incomplete(self, reason):
        return self.add(
            "response.incomplete",
            response=self.resp("incomplete", incomplete_details={"reason": reason}, usage=USAGE),
        )


# action = dict(kind="sse"|"json"|"raw", status, headers, body, events, then="ok|rst|fin|stall", ...)
def sse(st, **kw):
    return {"kind": "sse", "events": st.ev if isinstance(st, Stream) else st, **kw}


def err(status, code=None, message="mock error", typ="invalid_request_error", headers=None, body=None, **kw):
    b = (
        body
        if body is not None
        else {"error": {"message": message, "type": typ, "param": None, "code": code, **kw}}
    )
    return {"kind": "json", "status": status, "headers": headers or {}, "body": b}


def raw(status, text, ctype="text/html", headers=None):
    return {
        "kind": "raw",
        "status": status,
        "text": text,
        "headers": {"Content-Type": ctype, **(headers or {})},
    }


def all_items(req):
    i = (req or {}).get("input")
    return i if isinstance(i, list) else []


def outputs(req):
    return [i for i in all_items(req) if isinstance(i, dict) and str(i.get("type", "")).endswith("_output")]


def tool_names(req):
    """[(namespace or None, name, tool)], from `tools` and from an `additional_tools` input item (Responses Lite)."""
    r, top = [], list((req or {}).get("tools") or [])
    for i in all_items(req):
        if isinstance(i, dict) and i.get("type") == "additional_tools":
            top += i.get("tools") or []
    for t in top:
        if t.get("type") == "namespace":
            r += [(t.get("name"), s.get("name"), s) for s in t.get("tools") or []]
        else:
            r.append((None, t.get("name") or t.get("type"), t))
    return r


def shell_call(st, req, cmd, **kw):
    names = {n: t for ns, n, t in tool_names(req) if ns in (None, "functions")}
    if "exec_command" in names:
        return st.call("exec_command", {"cmd": cmd}, **kw)
    if "shell_command" in names:
        return st.call("shell_command", {"command": cmd}, **kw)
    if "shell" in names:
        return st.call("shell", {"command": ["bash", "-lc", cmd]}, **kw)
    if "local_shell" in names:
        return st.item(
            {
                "id": rid("lsh"),
                "type": "local_shell_call",
                "call_id": rid("call"),
                "status": "completed",
                "action": {"type": "exec", "command": ["bash", "-lc", cmd], "env": {}},
            }
        )
    if "exec" in names and names["exec"].get("type") == "custom":  # "code mode"
        return st.custom(
            "exec",
            "const r = await tools.exec_command({cmd: %s});\ntext(JSON.stringify(r));" % json.dumps(cmd),
        )
    return st.call("exec_command", {"cmd": cmd}, **kw)
