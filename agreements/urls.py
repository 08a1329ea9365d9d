"""Addresses of agreements."""

from django.urls import path

from agreements import views

urlpatterns = [
    path("agreements/", views.agreement_list, name="agreements"),
    path("agreements/<int:pk>/", views.agreement, name="agreement"),
    path("agreements/<int:pk>/compare/", views.compare, name="compare"),
    path("agreements/<int:pk>/versions/<int:number>/", views.version, name="version"),
    path("agreements/<int:pk>/versions/<int:number>/sign", views.sign, name="sign"),
    path("agreements/<int:pk>/versions/<int:number>/decline", views.decline, name="decline"),
    path("agreements/<int:pk>/versions/<int:number>/document", views.document, name="document"),
    path("agreements/<int:pk>/versions/<int:number>/agreement.pdf", views.pdf, name="agreement_pdf"),
]
