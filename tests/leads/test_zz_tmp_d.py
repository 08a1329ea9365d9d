import time
import pytest
from leads import intake, routing, routing_notices
from leads.models import *
from tests.conftest import *
from slaportal import roles
pytestmark = pytest.mark.django_db
def test_x(version, mona, sales, monkeypatch):
    for n in range(20): make_user(f"r{n}@x.example", roles.REP, team=sales)
    real, spent = routing_notices.tell, []
    def tell(*a, **k):
        t=time.process_time(); real(*a, **k); spent.append(time.process_time()-t)
    monkeypatch.setattr(routing_notices, "tell", tell)
    t=time.process_time(); r=intake.receive_leads([make_record(f"L{n}", email=f"l{n}@x.example") for n in range(10000)], now=MONDAY); print("intake cpu", time.process_time()-t, "tell", spent)
