"""What schemathesis shall not send, since no schema can say that it is wrong."""

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    """Leaves out some bodies with files.

    - Files with a number beside files without: those without take the numbers that come next, which may be given too.
    - A blank text alone: it may stand beside a file only.
    - JSON with ids of files, which are those of files that the caller has uploaded to the session and not sent, and JSON
      that has neither ids nor a text.
    """
    path = case.operation.path
    if path.endswith("/messages") and case.media_type == "application/json" and isinstance(case.body, dict):
        return "attachmentIds" not in case.body and "content" in case.body
    if case.media_type != "multipart/form-data" or not isinstance(case.body, dict):
        return True
    files = [name for name in case.body if name.startswith("attachments")]
    without_number = [name for name in files if name in ("attachments", "attachments[]")]
    if without_number and len(files) > len(without_number):
        return False
    content = case.body.get("content")
    return bool(files) or not isinstance(content, str) or bool(content.strip())
