"""Verifies snapshots with PyJWT and the keys of the deployment, and prints the claims or the name of the error.

Usage: snapshots.py <origin> <live or test> <snapshot>...
"""

import json
import sys

import jwt

origin, mode, *snapshots = sys.argv[1:]
livemode = mode == "live"
keys = jwt.PyJWKClient(f"{origin}/.well-known/jwks.json")


def verify(snapshot):
    try:
        key = keys.get_signing_key_from_jwt(snapshot)
        required = {"require": ["exp", "iat", "sub", "version"]}
        claims = jwt.decode(snapshot, key, algorithms=["EdDSA"], issuer=origin, options=required)
        if jwt.get_unverified_header(snapshot)["typ"] != "entitlements+jwt" or claims["livemode"] is not livemode:
            return "another mode"
        return claims
    except jwt.PyJWTError as error:
        return type(error).__name__


print(json.dumps([verify(snapshot) for snapshot in snapshots]))
