"""Verifies snapshots with PyJWT, by the keys that the deployment shows, and prints what they say.

Usage: snapshots.py <origin> <snapshot>...
"""

import json
import sys

import jwt

origin, *snapshots = sys.argv[1:]
keys = jwt.PyJWKClient(f"{origin}/.well-known/jwks.json")


def read(snapshot):
    try:
        key = keys.get_signing_key_from_jwt(snapshot)
        required = {"require": ["exp", "iat", "sub", "version"]}
        return jwt.decode(snapshot, key, algorithms=["EdDSA"], issuer=origin, options=required)
    except jwt.PyJWTError as error:
        return type(error).__name__


print(json.dumps([read(snapshot) for snapshot in snapshots]))
