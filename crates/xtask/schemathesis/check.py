"""Runs schemathesis against a server that nothing else uses, as one person.

Reads from the environment: CHAT_URL, the role in CHAT_ROLE, and the tokens CHAT_USER, CHAT_AGENT and CHAT_ADMIN of three
people. Makes what the requests need to get beyond 404: a session that the agent has claimed, with a message and a file in it.
"""

import os
import pathlib
import sys

import requests

HERE = pathlib.Path(__file__).parent
URL = os.environ["CHAT_URL"]
ROLE = os.environ["CHAT_ROLE"]


def call(role, method, path, **arguments):
    headers = {"Authorization": "Bearer " + os.environ[f"CHAT_{role.upper()}"]}
    response = requests.request(method, URL + path, headers=headers, timeout=30, **arguments)
    response.raise_for_status()
    return response.json()


session = call("user", "POST", "/api/chat/sessions")["id"]
call("agent", "PUT", f"/api/chat/sessions/{session}/assign", json={"agentId": "bob"})
files = {"attachments[0]": ("receipt.txt", b"12.50 EUR\n", "text/plain")}
message = call("user", "POST", f"/api/chat/sessions/{session}/messages", files=files)

# The agent opens no session, so schemathesis finds none by itself.
parameters = {"path.attachmentId": message["attachments"][0]["id"]}
if ROLE == "agent":
    parameters["path.sessionId"] = session
lines = [f'"{name}" = "{value}"' for name, value in parameters.items()]
configuration = (HERE / "schemathesis.toml").read_text() + "\n[parameters]\n" + "\n".join(lines) + "\n"
pathlib.Path("schemathesis.toml").write_text(f'hooks = "{HERE / "hooks.py"}"\n' + configuration)

arguments = ["st", "--no-color", "run", f"{URL}/openapi.json", "--checks", "all", "--warnings", "off"]
arguments += ["--header", "Authorization: Bearer " + os.environ[f"CHAT_{ROLE.upper()}"], "--output-truncate", "false"]
# How fast requests are generated says how busy the machine is, and nothing of the service.
arguments += ["--suppress-health-check", "too_slow"]
sys.stdout.flush()
os.execv(pathlib.Path(sys.executable).parent / "st", arguments)
