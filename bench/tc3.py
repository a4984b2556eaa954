"""Signs calls of API 3.0 and of the admin API with TC3-HMAC-SHA256; standard library only."""

import datetime
import hashlib
import hmac
import http.client
import json
import secrets
import time


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Client:
    """One kept-alive connection to a Stoker, signing for one key."""

    def __init__(self, credentials):
        self.key_id = credentials["secret_id"]
        self.key = credentials["secret_key"]
        self.host = credentials["endpoint"].split("://")[-1].rstrip("/")
        self.connection = http.client.HTTPConnection(self.host, timeout=120)

    def _sign(self, method, path, query, service, payload, further=()):
        """The fields of a signed call; `further` ones are signed too."""
        now = int(time.time())
        date = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y-%m-%d")
        content_hash = hashlib.sha256(payload).hexdigest()
        fields = {"Content-Type": "application/json", "Host": self.host} | dict(further)
        lower = sorted((name.lower(), value) for name, value in fields.items())
        signed = ";".join(name for name, _ in lower)
        lines = "".join(f"{name}:{value}\n" for name, value in lower)
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{signed}\n{content_hash}"
        scope = f"{date}/{service}/tc3_request"
        text = (
            f"TC3-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        )
        key = _hmac(_hmac(_hmac(("TC3" + self.key).encode(), date), service), "tc3_request")
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return fields | {
            "Authorization": f"TC3-HMAC-SHA256 Credential={self.key_id}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}",
            "X-TC-Timestamp": str(now),
        }

    def cdn(self, action, **parameters):
        """Calls an action of service `cdn`; returns `Response`, raises on `Error`."""
        body = json.dumps(parameters).encode()
        headers = self._sign("POST", "/", "", "cdn", body)
        headers |= {"X-TC-Action": action, "X-TC-Version": "2018-06-06"}
        self.connection.request("POST", "/", body, headers)
        reply = json.load(self.connection.getresponse())["Response"]
        if "Error" in reply:
            raise RuntimeError(f"{action}: {reply['Error']}")
        return reply

    def admin(self, path, query=""):
        """GETs a resource of the admin API."""
        nonce_and_hash = {
            "Stoker-Nonce": secrets.token_hex(16),
            "X-TC-Content-SHA256": hashlib.sha256(b"").hexdigest(),
        }
        headers = self._sign("GET", path, query, "admin", b"", nonce_and_hash)
        self.connection.request("GET", path + ("?" + query if query else ""), headers=headers)
        reply = self.connection.getresponse()
        body = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"GET {path}: {reply.status} {body[:300]!r}")
        return json.loads(body)
