"""Door to the search that stands on every page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leads import filters
from leads import search as searching


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """What the reader may see that mentions the words."""
    form = filters.SearchForm(request.GET)
    text = form.cleaned_data["q"].strip() if form.is_valid() else ""
    context = {"form": form, "query": text, "found": searching.find(request.user, text)}
    return render(request, "leads/search.html", context, status=200 if form.is_valid() else 400)
