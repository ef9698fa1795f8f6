"""What schemathesis is told beside the OpenAPI document. Loaded by it, as tests/fuzz/schemas says."""

import os

import schemathesis

# Changes to images are JSON under a name of OpenStack's own.
schemathesis.serializer.alias("application/openstack-images-v2.1-json-patch", "application/json")

# The account that asks: its ids come back in answers, and are used again for what is made up.
OWN = set(os.environ["CUTTLE_FUZZ_OWN"].split())


@schemathesis.hook
def map_case(context, case):
    """Nothing takes the asking account its rights: all that came after would be refused unread. Instead it is about what
    does not exist; left out, too little would be left of some routes."""
    if case.method.upper() not in ("GET", "HEAD") and case.path.startswith("/identity/"):
        named = case.path_parameters or {}
        case.path_parameters = {name: str(value)[::-1] if str(value) in OWN else value for name, value in named.items()}
    return case
