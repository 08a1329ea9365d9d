"""Application configuration: triggers on frozen rows after each migrate, and the system checks."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class AgreementsConfig(AppConfig):
    name = "agreements"

    def ready(self) -> None:
        from agreements import checks, frozen  # noqa: F401 (the checks register themselves)

        pre_migrate.connect(frozen.before_migrate, sender=self, dispatch_uid="frozen")
        post_migrate.connect(frozen.after_migrate, sender=self, dispatch_uid="frozen")
