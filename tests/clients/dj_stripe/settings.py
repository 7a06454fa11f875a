"""A Django project with dj-stripe, configured as its documentation says, with another host. The database is SQLite.

The environment has MIRROR_FOLDER (where the database is), STRIPE_API_HOST and STRIPE_TEST_SECRET_KEY.
"""

import os

ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.path.join(os.environ["MIRROR_FOLDER"], "mirror.sqlite3"),
        # Webhooks arrive at the same time: a transaction waits for its turn when it begins.
        "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "djstripe"]
# `migrate --run-syncdb` creates the tables from the models: on SQLite the migrations would copy every table dozens of times.
MIGRATION_MODULES = {"djstripe": None}
ROOT_URLCONF = "urls"
SECRET_KEY = "a secret of the tests"
USE_TZ = True

DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
STRIPE_API_HOST = os.environ["STRIPE_API_HOST"]
STRIPE_LIVE_MODE = False
STRIPE_TEST_SECRET_KEY = os.environ["STRIPE_TEST_SECRET_KEY"]
