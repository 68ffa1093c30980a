"""The generator of invented people, and the seeding and starting of twins."""

from collections import Counter

import requests

from sandbox.people import generate
from sandbox.serve import start_twins


def address(record, key):
    return record[key].strip().lower()


def test_the_same_seed_gives_the_same_people_and_another_does_not():
    assert generate(50, 3) == generate(50, 3) != generate(50, 4)


def test_shares_are_as_asked():
    def shares(people):
        count = Counter((bool(p.crm), bool(p.marketing)) for p in people)
        return [round(count[k] / len(people), 1) for k in ((True, True), (True, False), (False, True))]

    assert sum(abs(a - b) for a, b in zip(shares(generate(4000, 1)), (0.55, 0.30, 0.15), strict=True)) < 0.16
    assert shares(generate(4000, 1, both=1.0, crm_only=0.0)) == [1.0, 0.0, 0.0]


def test_people_are_messy_but_legal():
    people = generate(3000, 1)
    crm, marketing = [p.crm for p in people if p.crm], [p.marketing for p in people if p.marketing]
    for records, key in ((crm, "email"), (marketing, "email_address")):
        emails = [address(r, key) for r in records]
        assert len(set(emails)) == len(emails) and all(e.endswith("@people.example") and e.isascii() for e in emails)
        assert any(r[key] != r[key].strip() for r in records) and any(r[key] != r[key].lower() for r in records)
    assert {m["status"] for m in marketing} == {"subscribed", "unsubscribed", "cleaned", "pending"}
    assert any(len(c["firstname"]) > 40 for c in crm) and any(not c["firstname"].isascii() for c in crm)
    assert 0 < sum("phone" not in c for c in crm) < len(crm) and any("hs_additional_emails" in c for c in crm)
    assert any(p.crm and p.marketing and p.crm.get("phone") != p.marketing["merge_fields"].get("PHONE") for p in people)


def test_seeded_values_would_pass_the_vendors_own_checks():
    with start_twins(300, seed=5) as twins:
        crm, audience = twins.hubspot.state, twins.mailchimp.state
        for contact in crm.live.values():
            own = {k: v for k, v in contact.props.items() if not crm.table[k].read_only}
            assert crm.cleaned(own) == own
        for m in list(audience.members.values()):
            assert audience.check_address(m.email) == m.email
            kept = audience.change(m, {"merge_fields": m.fields}).fields
            assert all(str(v).startswith(str(kept[k])) for k, v in m.fields.items())  # at most cut to size
        assert twins.hubspot.effects() == []


def test_twins_in_a_process_of_their_own_answer_and_tell_where_they_are():
    with start_twins(40, seed=5, apart=True) as twins:
        assert twins.hubspot.state is None
        assert len(twins.hubspot.records()) == sum(p.crm is not None for p in generate(40, 5))
        env = twins.env()
        token = {"Authorization": f"Bearer {env['SYNCLINE_HUBSPOT_TOKEN']}"}
        assert requests.get(env["SYNCLINE_HUBSPOT_BASE_URL"] + "/account-info/v3/details", headers=token, timeout=5).ok
        url = f"{env['SYNCLINE_MAILCHIMP_BASE_URL']}/3.0/lists/{env['SYNCLINE_MAILCHIMP_AUDIENCE']}"
        assert requests.get(url, auth=("any", env["SYNCLINE_MAILCHIMP_API_KEY"]), timeout=5).ok


def test_a_reset_empties_and_seeds_anew(twins):
    twins.reset(contacts=30, seed=2)
    assert len(twins.people) == 30 and twins.hubspot.records()
    twins.reset()
    assert twins.hubspot.records() == twins.mailchimp.records() == []
