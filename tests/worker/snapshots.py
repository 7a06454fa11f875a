"""Verifies snapshots with PyJWT and the keys of the deployment, and prints the claims or the name of the error.

Usage: snapshots.py <origin> <snapshot>...
"""

import json
import sys

import jwt

origin, *snapshots = sys.argv[1:]
keys = jwt.PyJWKClient(f"{origin}/.well-known/jwks.json")


def verify(snapshot):
    try:
        key = keys.get_signing_key_from_jwt(snapshot)
        required = {"require": ["exp", "iat", "sub", "version"]}
        return jwt.decode(snapshot, key, algorithms=["EdDSA"], issuer=origin, options=required)
    except jwt.PyJWTError as error:
        return type(error).__name__


print(json.dumps([verify(snapshot) for snapshot in snapshots]))
