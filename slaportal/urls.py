"""Every address. All need a login but those marked with `login_not_required`."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from slaportal import views

urlpatterns = [
    path("", views.home, name="home"),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", login_not_required(LogoutView.as_view()), name="logout"),
    path("numbers/", views.numbers, name="numbers"),
    path("healthz", views.health, name="health"),
    path("admin/", admin.site.urls),
    path("", include("agreements.urls")),
    path("", include("leads.urls")),
    path("", include("reports.urls")),
]
