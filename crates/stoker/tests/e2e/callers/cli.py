"""Makes calls with tccli, many in one process: starting it takes longer than any call.

Input and output are those of sdk.py; `method` and `signature` are those that tccli has. Its `main`
runs as the command line would run it, with nothing but another clock.
"""

import contextlib
import io
import json
import re
import sys
import traceback

REPLIES = sys.stdout

import tccli.main  # noqa: E402  (it takes standard output for itself)
from shifted_time import ShiftedTime  # noqa: E402
from tencentcloud.common import abstract_client  # noqa: E402


class Kept(io.BytesIO):
    """What was written, also after a writer has closed it."""

    def close(self):
        self.flush()


def call(spec):
    abstract_client.time = ShiftedTime(spec["clock_shift"])
    sys.argv = ["tccli", spec["product"], spec["action"]]
    sys.argv += ["--endpoint", "http://" + spec["endpoint"], "--region", "ap-guangzhou"]
    sys.argv += ["--secretId", spec["secret_id"], "--secretKey", spec["secret_key"]]
    for name, value in spec["parameters"].items():
        sys.argv += ["--" + name, value if isinstance(value, str) else json.dumps(value)]
    kept, said = Kept(), io.StringIO()
    printed = io.TextIOWrapper(kept, encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        code = tccli.main.main()
        sys.stdout.flush()
    if code == 0:
        return json.loads(kept.getvalue())
    error = re.search(r"code:(\S+) message:(.*) requestId:", said.getvalue(), re.DOTALL)
    if code != 255 or error is None:
        raise RuntimeError(f"{code}: {said.getvalue()} {kept.getvalue()}")
    return {"Error": {"Code": error[1], "Message": error[2]}}


for line in sys.stdin:
    try:
        reply = call(json.loads(line))
    except (Exception, SystemExit):
        reply = {"Fault": traceback.format_exc()}
    print(json.dumps(reply), flush=True, file=REPLIES)
