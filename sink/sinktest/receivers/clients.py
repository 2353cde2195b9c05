"""Clients that are not ours send to the doubles: clients.py splunk URL TOKEN, or clients.py azure URL CA DIRECTORY RULE STREAM."""

import json
import logging
import sys
import time
import urllib.parse
import urllib.request


def splunk(url, token):
    from splunk_hec_handler import SplunkHecHandler

    at = urllib.parse.urlsplit(url)
    handler = SplunkHecHandler(at.hostname, token, port=at.port, proto=at.scheme, sourcetype="bloodhound:audit")
    log = logging.getLogger("houndtrail")
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    log.info({"id": 1, "time": 1768480496.123456, "fields": {"event_id": "acme/1/1768480496123456"}})
    log.info("a plain line")
    handler.token = handler.r.headers["Authorization"] = "Splunk other"
    try:
        handler.emit(logging.LogRecord("n", logging.INFO, "", 0, "refused", None, None))
    except Exception as refused:
        assert "403" in str(refused), refused
    else:
        raise AssertionError("a wrong token is taken")


def azure(url, ca, directory, rule, stream):
    import ssl

    from azure.core.credentials import AccessToken
    from azure.core.exceptions import HttpResponseError
    from azure.monitor.ingestion import LogsIngestionClient

    class Credential:
        def get_token(self, *scopes, **_):
            form = {"client_id": "client", "client_secret": "secret", "grant_type": "client_credentials", "scope": scopes[0]}
            ask = urllib.request.Request(f"{url}/{directory}/oauth2/v2.0/token", urllib.parse.urlencode(form).encode())
            with urllib.request.urlopen(ask, context=ssl.create_default_context(cafile=ca)) as answer:
                content = json.load(answer)
            return AccessToken(content["access_token"], int(time.time()) + content["expires_in"])

    client = LogsIngestionClient(
        url, Credential(), credential_scopes=["https://monitor.azure.com//.default"], connection_verify=ca, retry_total=1
    )
    row = {"TimeGenerated": "2026-01-15T12:34:56.123456Z", "RecordId": 7, "Action": "a", "Fields": {"b": [1]}}
    client.upload(rule, stream, [dict(row, RecordId=i) for i in range(1000)])
    for name, bad in ((rule, "Custom-Other"), ("dcr-1", stream)):
        try:
            client.upload(name, bad, [row])
        except HttpResponseError as refused:
            assert refused.status_code == 404, refused
        else:
            raise AssertionError("another rule or stream is taken")


globals()[sys.argv[1]](*sys.argv[2:])
