"""The routes of the Django project: dj-stripe's webhook view."""

from django.urls import include, path

urlpatterns = [path("stripe/", include("djstripe.urls", namespace="djstripe"))]
