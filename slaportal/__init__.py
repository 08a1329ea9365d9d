"""The ground floor: settings, people, the task queue. It knows nothing of leads or agreements."""

from slaportal.celery import app as celery_app

__all__ = ["celery_app"]
