"""Makes calls of API v2 with the vendor's qcloudapi SDK for Python, which speaks TLS only.

Each line of standard input asks for one: {"endpoint", "authority", "secret_id", "secret_key",
"method", "signature", "action", "parameters"}; `authority` is the file of the certificates to trust.
Each line of standard output is what the server answered, or {"Fault": text}.
"""

import json
import os
import sys
import traceback

from QcloudApi.qcloudapi import QcloudApi


def call(spec):
    # read anew for each connection
    os.environ["SSL_CERT_FILE"] = spec["authority"]
    # any name but those whose host the SDK knows
    api = QcloudApi("stoker", {
        "endpoint": spec["endpoint"],
        "secretId": spec["secret_id"],
        "secretKey": spec["secret_key"],
        "method": spec["method"],
        "SignatureMethod": spec["signature"],
    })
    return json.loads(api.call(spec["action"], spec["parameters"]))


for line in sys.stdin:
    try:
        reply = call(json.loads(line))
    except Exception:
        reply = {"Fault": traceback.format_exc()}
    print(json.dumps(reply), flush=True)
