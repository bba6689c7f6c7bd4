import json
from tests.unit.http.conftest import a_schedule
async def test_smoke(served, acme, job):
    print(job)
    async def show(m, p, **k):
        r = await acme.request(m, p, **k); print(m, p, r.status_code, dict(r.headers), r.text[:600]); return r
    s=(await show("POST","/schedules", json=a_schedule())).json()
    await show("POST","/schedules", json=a_schedule(bogus=1, trigger={"type":"CRON","cron":"x", "a":1}, calendar=5, labels={"a":3}))
    await show("POST","/schedules", json=a_schedule(trigger={"type":"CRON","cron":"x"}))
    await show("POST","/schedules", json=a_schedule(trigger={"type":"RRULE","rrule":"x"}))
    await show("POST","/schedules", json=a_schedule(trigger={}, target={"kind":"EVENT","eventTopic":"x"}))
    await show("PATCH",f"/schedules/{s['id']}", json={"description":"x","misfire":{"graceSec":5}})
    await show("GET","/schedules?limit=5&enabled=true&label=a:b&foo=1")
    await show("GET","/schedules?page=1")
    await show("POST","/schedules/preview", json={"trigger":{"type":"CRON","cron":"0 9 * * *"},"tz":"Europe/Berlin","count":2})
    await show("GET",f"/schedules/{s['id']}/fires?count=2")
    await show("GET",f"/schedules/{s['id']}/misses")
    await show("POST",f"/schedules/{s['id']}/trigger")
    await show("POST","/runs", json={"job":"reports.daily","payload":{"a":1},"dedupeKey":"k"})
    await show("POST","/runs", json={"job":"reports.daily","payload":{"a":1},"dedupeKey":"k"})
    await show("POST","/workers/register", json={"jobs":[{"name":"reports.daily"},{"name":"new"}],"slots":5})
    await show("GET","/openapi.json"); await show("GET","/docs"); await show("GET","/health"); await show("GET","/nope"); await show("PUT","/schedules")
    await show("POST","/runs/redrive", json={})
    assert 0
