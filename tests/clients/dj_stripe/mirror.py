"""Commands of the Django project that dj-stripe has in its admin pages only.

mirror.py endpoint <origin>  creates a webhook endpoint as the admin page does, which refuses the addresses of this machine
mirror.py report <model>...  prints what each model has stored, by id, the customers that it knows as deleted, and the webhooks that
                             were received
"""

import json
import sys
import uuid

import django

django.setup()

from django.urls import reverse  # noqa: E402
from djstripe import models  # noqa: E402
from djstripe.settings import djstripe_settings  # noqa: E402


def create_endpoint(origin):
    identifier = str(uuid.uuid4())
    path = reverse("djstripe:djstripe_webhook_by_uuid", kwargs={"uuid": identifier})
    created = models.WebhookEndpoint._api_create(
        url=origin + path,
        api_version=djstripe_settings.STRIPE_API_VERSION,
        enabled_events=["*"],
        metadata={"djstripe_uuid": identifier},
        connect=False,
    )
    endpoint = models.WebhookEndpoint.sync_from_stripe_data(created)
    return {"id": endpoint.id, "url": endpoint.url}


def report(*names):
    deleted = [it.id for it in models.Customer.objects.all() if it.date_purged or it.stripe_data.get("deleted")]
    stored = {}
    for name in names:
        stored[name] = {it.id: it.stripe_data for it in getattr(models, name).objects.exclude(id__in=deleted)}
    triggers = models.WebhookEventTrigger.objects.all()
    received = [{"event": it.event_id, "valid": it.valid, "processed": it.processed, "exception": it.exception} for it in triggers]
    return {"api_version": djstripe_settings.STRIPE_API_VERSION, "stored": stored, "deleted": deleted, "received": received}


command, *arguments = sys.argv[1:]
print(json.dumps({"endpoint": create_endpoint, "report": report}[command](*arguments)))
