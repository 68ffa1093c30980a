"""Faults of the engine outside the kernel, each a text of a module and what to put in its place; `old` must stand there exactly once.

`tests`: tests that know this very mechanism, where histories seldom or never bring it out.
"""

# ruff: noqa: E501
from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Fault(NamedTuple):
    what: str
    module: str
    old: str
    new: str
    tests: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        return ROOT / (self.module.replace(".", "/") + ".py")

    def text(self) -> str:
        """The module's source with the fault in it."""
        source = self.path.read_text(encoding="utf-8")
        assert source.count(self.old) == 1, f"{self.module}: {self.old!r} stands there {source.count(self.old)} times"
        return source.replace(self.old, self.new)


OBSERVE, LISTINGS, PUSH, RECHECK, SENDER = "flows.observe", "flows.listings", "flows.push", "flows.recheck", "flows.sender"
RECONCILE, ROUND, SETTINGS = "flows.reconcile", "flows.round", "flows.settings"
SETTLING, ECHOES, COMMITS, MATCHING, MERGING = "state.settling", "state.echoes", "state.commits", "state.matching", "state.merging"
RETURNED, RECEIPTS, OVERTAKEN = "state.returned", "state.receipts", "state.overtaken"
OBSERVATIONS, CONTACTS, RUNS, LEASE, SCOPE = "state.observations", "state.contacts", "state.runs", "state.lease", "state.scope"
HUBSPOT, MAILCHIMP, TRYTON, HTTP = "connectors.hubspot_reads", "connectors.mailchimp", "connectors.tryton", "connectors.http"

ENGINE_FAULTS = [
    # ---- observe
    Fault("stale reads are accepted", OBSERVATIONS, "read is not None and read < known and old", "False and old", ("tests/state/test_observations.py::test_an_older_read_moves_nothing",)),
    Fault("a read in part forgets the rest", OBSERVATIONS, "            seen = codec.dumps(before | dict(record.fields.items()))\n", "            pass\n", ("tests/state/test_observations.py::test_a_name_that_a_read_in_part_did_not_ask_for_keeps_its_value",)),
    Fault("what was swept is not forgotten", OBSERVATIONS, '"DELETE FROM swept WHERE sync_id = :s AND side = :side"', '"DELETE FROM swept WHERE sync_id = :s AND side = :side AND 1 = 0"'),
    Fault("held contacts are never touched again", OBSERVATIONS, "            for statement in _TOUCH:", "            for statement in ():", ("tests/e2e/test_cases_fields.py::test_B_08_an_option_the_vendor_refuses_holds_its_field_until_it_is_there",)),
    Fault("a restored backup brings its base along", OBSERVATIONS, "        if force:\n            connection.execute(_NO_BASE", "        if False:\n            connection.execute(_NO_BASE", ("tests/e2e/test_cases_operations.py::test_H_05_approved_it_is_merged_anew_and_nothing_newer_is_lost",)),
    Fault("digests without the life of a record", OBSERVE, 'f"{record.liveness}\\n', 'f"\\n'),
    Fault("a failed poll is passed over", OBSERVE, "    if failure is not None:\n        raise failure", "    if failure is not None:\n        return", ("tests/e2e/test_cases_faults.py::test_E_06_a_token_that_expires_while_listing_stops_the_run_and_the_next_goes_on_from_its_page",)),
    Fault("who was merged away lives when an index says so", OBSERVATIONS, 'return old.liveness == codec.LIVENESS_NO["merged"] or known is None', "return known is None", ("tests/state/test_observations.py::test_who_was_merged_away_and_shows_up_in_a_list_is_looked_up",)),
    Fault("who is told to be merged away has no age", OBSERVATIONS, '            modified_us = old["modified_us"]\n', "            pass\n", ("tests/state/test_observations.py::test_who_is_told_to_be_merged_away_is_as_old_as_when_last_shown",)),
    Fault("a listing finds no deletes", LISTINGS, "        _find_deletes(context, side, found)", "        pass"),
    Fault("an emptied side goes on", LISTINGS, "if emptied(before, listed) and", "if False and", ("tests/e2e/test_cases_operations.py::test_H_01_an_empty_first_page_stops_the_run_before_any_delete",)),
    Fault("a listing is believed whatever it shows", LISTINGS, "            context.sync.go_back(side,", "            context.sync.stage(side, (), each.ended) or (side,", ("tests/e2e/test_cases_operations.py::test_H_01_edits_that_an_emptied_listing_did_not_show_are_still_polled",)),
    Fault("a restored backup is taken for edits", LISTINGS, "    if len(still) > FLOOR and not accept:", "    if False:", ("tests/e2e/test_cases_operations.py::test_H_05_a_restored_backup_stops_the_run_before_anything_is_written",)),
    # ---- match
    Fault("a whole contact takes another record in", MATCHING, "owner, bool(row.partner),", "owner, False,"),
    Fault("people are linked by address each run", MATCHING, "    owner = row.contact_id\n", "    owner = None\n"),
    Fault("a create does not wait for the record it may be", MATCHING, "owner is not None and bool(row.unborn)", "False", ("tests/state/test_matching.py::test_a_create_waits_while_its_record_may_be_there_already",)),
    Fault("who waits is never looked at again", MATCHING, "for statement in (*_WINNERS, _AGAIN, _UNPAIR):", "for statement in (*_WINNERS, _UNPAIR):", ("tests/state/test_matching.py::test_an_ambiguity_waits_and_is_released_when_its_cause_goes",)),
    Fault("who joins is still free", MATCHING, "for statement in (_REPLACED, _JOIN, _ACTIVE):", "for statement in (_REPLACED, _ACTIVE):"),
    Fault("a merged contact takes records in", MATCHING, "sa.or_(partner, closed, pending).label", "sa.or_(partner, pending).label"),
    Fault("who comes back stays with half a person", RETURNED, "    return [_paired(SIDES", "    return [] and [_paired(SIDES", ("tests/state/test_matching.py::test_who_comes_back_joins_the_contact_that_was_made_anew_meanwhile",)),
    Fault("who comes back joins the first who shares the key", RETURNED, " == meant[row.heir] == 1]", " > 0][:1]", ("tests/state/test_matching.py::test_who_comes_back_stays_where_two_could_be_meant",)),
    Fault("merges are not followed", RECONCILE, "    for merge in context.sync.merges():", "    for merge in ():"),
    Fault("last words are not heard", MERGING, "connection.execute(_HEAR, {**of", "dict(_={**of", ("tests/state/test_last_words.py",)),
    Fault("a winner that another merge has ended wins", MERGING, "SELECT COALESCE(merged_into, id) FROM contact", "SELECT id FROM contact", ("tests/state/test_merging.py::test_a_winner_that_another_merge_has_just_ended_is_followed",)),
    Fault("who was swallowed takes from its heir", MERGING, "if heir is not None:", "if False:", ("tests/state/test_merging.py::test_a_survivor_that_went_the_same_way_itself_goes_to_its_heir",)),
    Fault("a listing forgets what it saw go back", OBSERVATIONS, '"older": codec.dumps(older)', '"older": "[]"', ("tests/state/test_observations.py::test_a_listing_remembers_over_its_runs_what_it_showed_going_back",)),
    Fault("what is refused again is let go of and held again", COMMITS, "or not _tried_again(plan, row, self._run_id)]", "or True]", ("tests/state/test_refusals.py",)),
    Fault("a write ends what it did not carry", RECEIPTS, "and row.field in fields and", "and", ("tests/state/test_refusals.py", "tests/e2e/test_refused_fields.py")),
    Fault("a write that was refused again ends what waits for it", RECEIPTS, "(one.result == APPLIED or one.holds)]", "True]", ("tests/state/test_refusals.py",)),
    Fault("what waits for a write waits on when it was made", RECEIPTS, "    ended = _ended(connection, scope, settled, there)\n", "    ended = list[HoldRow]()\n", ("tests/state/test_refusals.py",)),
    Fault("a write ends what another of its run has opened", RECEIPTS, "            if older and row.side", "            if row.side", ("tests/state/test_refusals.py",)),
    Fault("of two writes either ends what waits for both", COMMITS, "return len(writes) == 1", "return bool(writes)", ("tests/state/test_refusals.py",)),
    Fault("an older plan keeps what was opened since", COMMITS, "(row.opened_run is not None and row.opened_run >= run_id)", "False", ("tests/state/test_refusals.py",)),
    Fault("the first reason of a refusal stands", RECEIPTS, "            keep_hold(connection, row, owner, wanted.reason)\n", "            pass\n", ("tests/state/test_refusals.py",)),
    Fault("a merged contact lives on", MERGING, "UPDATE contact SET state = 'merged', merged_into", "UPDATE contact SET merged_into"),
    Fault("who was replaced by a survivor comes back to its contact", MERGING, '        connection.execute(_LET_GO, {**of, "contact": winner})\n', "", ("tests/state/test_merging.py::test_what_a_survivor_replaces_is_nobodys_should_it_come_back",)),
    Fault("a survivor that we may have made ourselves is taken for nobody's", MERGING, "there.contact_id if there.contact_id is not None else known.unheard.get(there.key_1))", "there.contact_id)", ("tests/state/test_merging.py::test_a_survivor_that_we_may_have_made_ourselves_is_whose_we_made_it_for",)),
    Fault("the survivor is not decided", MERGING, "connection.execute(_DIRTY, {", "dict(_={"),
    # ---- decide and guard
    Fault("the dead stand for a contact", CONTACTS, "key=lambda row: (-row.liveness, row.staged)", "key=lambda row: (row.liveness, row.staged)"),
    Fault("losers are forgotten", CONTACTS, "            lost[winner] += _left_behind(rows.get(loser, ()))", "            pass"),
    Fault("the dead are not heard", CONTACTS, "if row.liveness == codec.LIVE or row.dirty == UNHEARD]", "if row.liveness == codec.LIVE]", ("tests/state/test_last_words.py",)),
    Fault("who was merged into nobody's record is not heard", CONTACTS, "losers=_losers(merged.get(next_id + number, ())))", "losers={})", ("tests/state/test_last_words.py",)),
    Fault("nobody tells the survivor of a birth", SETTLING, "        tell(self._connection, self._scope,", "        _ = (self._connection, self._scope,", ("tests/kernel/test_model_replay.py",)),
    Fault("a loser's archive that failed brings its survivor back", SETTLING, "[row for row in undone if self._is_its_own(row)]", "undone", ("tests/kernel/test_model_replay.py",)),
    Fault("holds are forgotten", CONTACTS, "        held=frozenset(hold.field for hold in holds.get(row.id, ())),", "", ("tests/e2e/test_cases_consent.py::test_a_consent_that_waits_is_not_let_go_because_its_neighbour_was_written", "tests/e2e/test_cases_fields.py")),
    Fault("plans are not weighed", RECONCILE, "    if not any(totals.get(name) for name in WEIGHED.values()):", "    if True:", ("tests/e2e/test_cases_mapping.py::test_G_01_a_remapped_field_is_shown_first_stopped_by_its_limit_and_then_merged_without_a_base",)),
    Fault("a plan goes through whatever it does", RECONCILE, "    if planned.trips:", "    if False:", ("tests/e2e/test_cases_mapping.py::test_G_01_a_remapped_field_is_shown_first_stopped_by_its_limit_and_then_merged_without_a_base",)),
    Fault("a plan of another mapping is approved", ROUND, "    if run.mapping_version != context.mapping.version:", "    if False:", ("tests/e2e/test_cases_operations.py::test_a_plan_is_approved_once_and_only_under_its_own_mapping",)),
    Fault("looking at a plan writes", ROUND, '    if report.kind == "plan":\n        report.status = "planned"', '    if False:\n        report.status = "planned"', ("tests/e2e/test_plan_predicts.py::test_a_first_load_does_what_its_plan_says",)),
    Fault("a new mapping keeps the bases", RUNS, '"UPDATE record SET shadow = NULL, digest = NULL WHERE', '"UPDATE record SET digest = NULL WHERE', ("tests/state/test_observations.py::test_a_change_of_mapping_forgets_bases_and_cursors_and_is_logged",)),
    Fault("polls before the outbox is finished", ROUND, '    if context.sync.outbox_size() and report.kind != "plan":', "    if False:"),
    # ---- commit
    Fault("conflicts leave no entry", COMMITS, "            self._log.append(entry, codec", '            entry.rule == "newest" or self._log.append(entry, codec'),
    Fault("what was staged later counts as seen", COMMITS, "dirty = CASE WHEN staged > :staged THEN 1 ELSE 0 END", "dirty = CASE WHEN staged > :staged + 1000000 THEN 1 ELSE 0 END", ("tests/state/test_observations.py::test_an_edit_staged_after_the_plan_stays_dirty",)),
    Fault("contact numbers are given twice", COMMITS, "        if made:\n            following", "        if False:\n            following"),
    Fault("times of agreement are forgotten", COMMITS, "\", plan.agreed_us\n", "\", dict[str, int]()\n", ("tests/e2e/test_cases_consent.py",)),
    Fault("holds never end", COMMITS, "        if plan.holds or current:", "        if plan.holds:", ("tests/e2e/test_cases_fields.py::test_B_08_a_value_the_table_does_not_know_holds_its_field_alone", "tests/e2e/test_cases_fields.py")),
    Fault("holds are not written down", COMMITS, "        if plan.holds or current:", "        if current:"),
    Fault("consent is written last", COMMITS, '0 if write.kind == "consent" else 1,', '1 if write.kind == "consent" else 0,', ("tests/state/test_commits.py::test_consent_goes_first",)),
    Fault("a chunk is committed twice", COMMITS, '_TAKE = sa.text("DELETE FROM plan_chunk WHERE sync_id = :s AND run_id = :run AND number = :number RETURNING staged")', '_TAKE = sa.text("SELECT staged FROM plan_chunk WHERE sync_id = :s AND run_id = :run AND number = :number")', ("tests/state/test_commits.py::test_a_chunk_is_committed_once",)),
    # ---- plans that waited
    Fault("a plan that waited is carried out whatever has happened since", OVERTAKEN, "next_run_id = :run + 1", "next_run_id > :run", ("tests/state/test_overtaken.py::test_who_was_seen_to_be_edited_since_is_left_out_and_noted",)),
    Fault("a plan that waited overwrites what was seen since", OVERTAKEN, "row.staged > staged or ", "", ("tests/state/test_overtaken.py::test_who_was_seen_to_be_edited_since_is_left_out_and_noted",)),
    Fault("who was merged since is decided without the other", OVERTAKEN, " - told\n", "\n", ("tests/state/test_overtaken.py::test_neither_of_two_who_were_merged_since_is_decided_without_the_other",)),
    Fault("who was found across since is made there", OVERTAKEN, "row.pair_ref == refs.get(other(side))", "True", ("tests/state/test_overtaken.py::test_who_was_found_across_since_is_not_made_there",)),
    Fault("who waits since is made across", OVERTAKEN, "(row.dirty == UNHEARD and row.liveness == codec.LIVE)", "False", ("tests/state/test_overtaken.py::test_who_may_be_one_of_several_since_waits",)),
    Fault("who was linked since is linked again", OVERTAKEN, "row.contact_id is None for row", "True for row", ("tests/state/test_overtaken.py::test_who_was_linked_since_stays_where_they_are",)),
    Fault("who was swallowed since is made across", OVERTAKEN, "row.liveness == codec.LIVE and row.contact_id", "row.contact_id", ("tests/state/test_overtaken.py::test_who_was_swallowed_since_by_somebody_new_is_not_made",)),
    Fault("who swallowed somebody since is made without their last words", OVERTAKEN, "strays(connection, scope, owners).items()", "()", ("tests/state/test_overtaken.py::test_nobody_new_is_made_without_what_was_merged_into_them_since",)),
    Fault("a plan is approved without whom a run that failed has seen", ROUND, "    report.paired, report.ambiguous = match(context, report.run_id)\n    report.totals", "    report.totals", ("tests/e2e/test_cases_operations.py::test_an_older_plan_that_is_approved_makes_nobody_whom_a_run_that_failed_has_seen_there",)),
    Fault("what a plan leaves out is not noted", COMMITS, "            if late:", "            if False:", ("tests/state/test_overtaken.py::test_who_was_seen_to_be_edited_since_is_left_out_and_noted",)),
    # ---- look again
    Fault("nobody looks again", RECHECK, "        if record is None or _as_expected(row, record):", "        if True:"),
    Fault("an older copy proves that a write was made", RECHECK, "as_shown(sender, row, record) if record.ref not in late else None", "as_shown(sender, row, record)", ("tests/simulation/test_simulation.py::test_an_older_copy_is_no_proof_that_a_write_was_made",)),
    Fault("our own write is somebody's edit", RECHECK, "as_shown(sender, row, record) if record.ref not in late else None", "None", ("tests/e2e/test_cases_faults.py::test_E_04_an_update_that_was_applied_without_an_answer_is_recognised",)),
    Fault("one odd field makes edits of all that a lost answer wrote", RECHECK, "or not rest or odd & rest.keys():", "or left:", ("tests/e2e/test_cases_races.py::test_of_a_write_without_an_answer_what_shows_as_it_was_meant_is_agreed",)),
    Fault("another form of what was written is an edit", RECHECK, "    odd -= {name for name in odd if _means_the_same(sender, name, record, wanted)}\n", ""),
    Fault("a write of a field that has left the mapping counts as shown", RECHECK, "or not rest or odd & rest.keys():", "or not rest:", ("tests/e2e/test_cases_mapping.py::test_a_write_that_was_left_over_of_a_field_that_has_left_the_mapping_is_not_told_as_applied",)),
    Fault("what a refused write was to tell counts as told", RECHECK, "        untold=untold if any(untold.values()) else {},\n", "", ("tests/e2e/test_cases_fields.py::test_B_08_tags_of_both_sides_that_one_side_refuses_are_united_when_it_takes_them",)),
    Fault("what was left of a write is not judged again", SETTLING, "if settled.result != APPLIED or settled.left_out:", "if settled.result != APPLIED:", ("tests/state/test_settling.py::test_what_an_answer_does_not_show_is_judged_again",)),
    Fault("what has moved is not noted", RECHECK, "    note_world(sender, [*moved, *heirs(sender, others, moved)])\n", ""),
    Fault("an archive trusts a poll that may be late", RECHECK, ' or row.kind == "archive")]', ")]"),
    Fault("a lost create is made again", RECHECK, """    lost = [row for row in unsure if row.contact_id not in there] if key else []""", "    lost = []"),
    Fault("an address moves under a write", RECHECK, "    decided_on = {**row.anchor, **row.expect}", "    decided_on = {**row.expect}", ("tests/e2e/test_cases_races.py::test_the_member_we_are_about_to_update_changes_its_address", "tests/e2e/test_cases_races.py")),
    # ---- push
    Fault("a left-over write takes the version of an edit made since", "state.outbox", "moved = bool(dirty) or staged > body.staged", "moved = bool(dirty)", ("tests/state/test_commits.py::test_a_write_that_was_left_over_never_takes_the_version_of_an_edit_made_since",)),
    Fault("the same is sent again for a field that was not in it", PUSH, "{error.field} & {*row.fields, *row.consent} if", "{error.field} if", ("tests/e2e/test_refused_fields.py::test_a_record_refused_for_a_field_that_was_not_sent_waits_whole_and_is_sent_once",)),
    Fault("writes go out one by one", PUSH, "sync.claim(phase, sender.side, capabilities.batch_write)", "sync.claim(phase, sender.side, 1)"),
    Fault("writes go out unmarked", PUSH, "            sync.mark_sending([row.id for row in ready])", "            pass"),
    Fault("one refused item ends the batch", PUSH, "            return _refused(sender, row, error)", "            raise error"),
    Fault("a refused field takes its record along", PUSH, "        if not sent:", "        if True:", ("tests/e2e/test_cases_fields.py::test_B_08_an_option_taken_away_at_the_vendor_holds_its_field_and_not_its_neighbours",)),
    Fault("the refused field is sent again", PUSH, "        row = without(sender, row, refused)\n", "", ("tests/e2e/test_cases_fields.py::test_B_08_an_option_taken_away_at_the_vendor_holds_its_field_and_not_its_neighbours",)),
    Fault("what shares a refused name counts as written", PUSH, "        refused = behind(sender, sent)\n", "        refused = behind(sender, sent)[:1]\n", ("tests/e2e/test_refused_fields.py::test_a_refused_full_name_holds_both_its_parts_until_it_is_taken",)),
    Fault("every refused field waits for the first one's reason", PUSH, "holds += (_hold(sender, error, name) for name in refused)", "holds += (replace(holds[0], field=name) if holds else _hold(sender, error, name) for name in refused)", ("tests/e2e/test_refused_fields.py::test_each_refused_field_waits_for_its_own_reason",)),
    Fault("what is not sent again after so many refusals waits without a word", PUSH, "holds=(*holds, _hold(sender, error)))", "holds=tuple(holds) or (_hold(sender, error),))", ("tests/e2e/test_refused_fields.py::test_a_record_with_more_refused_fields_than_we_try_without_waits_whole",)),
    Fault("what only reads a refused name waits too", RECHECK, "if f.may_write(side) and not natives", "if not natives", ("tests/e2e/test_refused_fields.py::test_a_refused_full_name_holds_both_its_parts_until_it_is_taken",)),
    Fault("what settling holds is counted as applied", SETTLING, "        return batch.settled\n", "        return results\n", ("tests/state/test_settling.py::test_a_create_that_meets_anothers_record_is_held_and_links_nothing",)),
    Fault("what was answered before an error is forgotten", PUSH, "    finally:\n        _finish(sender, settled)", "    else:\n        _finish(sender, settled)", ("tests/e2e/test_cases_faults.py::test_E_06_what_was_answered_before_a_token_expired_is_settled_at_once",)),
    Fault("one side's silence stops the other", PUSH, "                stopped.add(side)\n", "                stopped.update(SIDES)\n", ("tests/e2e/test_cases_faults.py::test_E_01_a_side_that_stays_shut_fails_alone_and_is_retried_in_time",)),
    # ---- settle
    Fault("the base is what was sent", ECHOES, "        shadow |= {name: value for name, value in fields.items() if name not in unsent}", "        shadow |= {**row.fields, **row.consent}", ("tests/state/test_settling.py::test_the_shadow_is_the_echo_and_never_what_was_sent",)),
    Fault("the echo of another field becomes the base", ECHOES, "        shadow |= {name: value for name, value in fields.items() if name not in unsent}", "        shadow |= fields"),
    Fault("a found create has no second opinion", ECHOES, "        meant = {**row.fields, **row.consent} if found else row.consent", "        meant = row.consent"),
    Fault("an edit in the echo is not looked at", ECHOES, "    return shadow, any(seen.get(name, MISSING) != fields[name] for name in unsent)", "    return shadow, False", ("tests/state/test_settling.py::test_an_edit_that_the_echo_shows_is_not_taken_for_ours",)),
    Fault("the other side is confirmed though it moved", SETTLING, 'or not row.confirms or (far["dirty"] == 1 and not row.shown):', "or not row.confirms:", ("tests/state/test_settling.py::test_who_was_edited_while_the_other_record_was_made_has_no_base",)),
    Fault("what the other side shows by now is confirmed", SETTLING, "        showed = row.shown or seen\n", "        showed = seen\n", ("tests/state/test_settling.py::test_a_base_is_what_was_carried_across_and_not_a_newer_edit",)),
    Fault("what no echo has shown counts as agreed", SETTLING, '        if settled.echo is not None or row.kind == "archive":', "        if True:"),
    Fault("a create without an echo keeps what its record was", ECHOES, 'None if row.kind == "create" and echo is None else there or mine', "there or mine", ("tests/state/test_settling.py::test_a_create_without_an_echo_says_nothing_of_what_its_record_was",)),
    Fault("what is sent again is sent without the lease", PUSH, "        sender.context.sync.mark_sending([row.id])  #", "        pass  #", ("tests/e2e/test_cases_of_runs.py::test_H_03_a_run_that_lost_its_lease_sends_nothing_again_without_the_field_that_was_refused",)),
    Fault("a create sent again shows nobody's edit", PUSH, 'return replace(done, found=True) if row.kind == "create" and row.state == "sending" else done', "return done"),
    Fault("a create that is asked to come later gets another key", PUSH, ' or (row.state == "sending" and error.recovery is Recovery.RETRY)', "", ("tests/simulation/test_simulation.py::test_a_create_that_is_asked_to_come_later_keeps_its_key",)),
    Fault("erasing waits for no run", "state.erasure", "        with self._alone(now_us):\n", "        if True:\n", ("tests/state/test_erasing.py::test_nobody_is_erased_while_a_run_is_under_way",)),
    Fault("erasing waits for no answer", "state.erasure", "            if connection.execute(_UNHEARD, values).first() is not None:", "            if False:", ("tests/state/test_erasing.py::test_who_may_have_been_written_to_is_erased_when_the_answer_was_heard",)),
    Fault("who was erased is stored again", OBSERVATIONS, 'CONTACT.c.state == "erased"', 'CONTACT.c.state == "gone"', ("tests/state/test_log.py::test_an_erased_person_whom_a_vendor_still_shows_is_not_stored_again",)),
    Fault("erasing leaves what a replaced record said", "state.erasure", "            self._take_back(connection, one)\n", "", ("tests/state/test_erasing.py::test_what_a_record_said_that_another_one_has_replaced_goes_too_and_is_not_stored_again",)),
    Fault("erasing takes what a record said as somebody else's", "state.erasure", "                if owners[-1] == contact_id:", "                if owners:", ("tests/state/test_erasing.py::test_a_record_that_was_another_contacts_since_stays_with_what_it_said_there",)),
    Fault("what becomes of an erased person's record is logged with it", "state.log", 'key is None and kind != "erase"', "False", ("tests/state/test_erasing.py::test_what_becomes_of_an_erased_persons_record_later_is_logged_without_it",)),
    Fault("erasing leaves what a person was before", "state.erasure", "            former = connection.execute(_FORMER, values).scalars()", "            former = ()", ("tests/state/test_log.py::test_who_was_merged_into_an_erased_person_or_left_them_a_record_goes_too",)),
    Fault("the other side is never confirmed", SETTLING, "self._confirm(row)  #", "pass  #"),
    Fault("what becomes of a set is settled by the answer of one side", ECHOES, "if name not in unsent} | row.untold.get(row.side, {})", "if name not in unsent}"),
    Fault("a set that both sides have taken keeps the bases of one that is pending", SETTLING, "        if row.untold and self._is_told(row):", "        if False:"),
    Fault("a list that is late within one second is believed", "state.observations", "    return read is not None and read == known and _shows_else(old, record)", "    return False"),
    Fault("what a permission brings back is buried unjudged", "flows.recheck", '    if row.kind == "archive" and any(', "    if False and any("),
    Fault("who was linked meanwhile is made all the same", "flows.recheck", "sender.context.sync.standing(sender.side, [row.contact_id for row in unsure]) if unsure else frozenset()", "frozenset()"),
    Fault("a survivor whose partner is gone stays with it", "state.merging", "living and own is not None and known.goes_without(own)", "False"),
    Fault("who was erased is still a loser", CONTACTS, '    CONTACT.c.state == "merged",\n', "", ("tests/state/test_erasing.py::test_who_was_erased_by_the_number_of_a_merged_contact_is_nobodys_loser",)),
    Fault("a survivor that has gone on is not followed", "state.merging", "            pointers = pointers | more\n", "            break\n", ("tests/state/test_merging.py::test_a_survivor_that_had_gone_on_before_we_heard_of_it_is_followed",)),
    Fault("a survivor whose partner is on the way goes without", "state.merging", "contact not in self.coming and (across", "(across", ("tests/state/test_merging.py::test_a_survivor_whose_partner_is_on_the_way_keeps_it",)),
    Fault("a record that a merge left to another contact is taken from it", "state.merging", "    elif contacts and not living and own is None:", "    elif False:"),
    Fault("what waited with a record waits on when the record has ended", "state.holds", "HOLD.c.code != AMBIGUOUS, sa.not_(_owner)", "HOLD.c.code != AMBIGUOUS, sa.false()", ("tests/state/test_matching.py::test_what_waited_with_an_unlinked_record_is_released_when_it_dies_or_finds_a_contact",)),
    Fault("what waited with a record waits on when the record has a contact", "state.holds", "    RECORD.c.liveness == codec.LIVE, RECORD.c.contact_id.is_(None),\n", "    RECORD.c.liveness == codec.LIVE,\n", ("tests/state/test_matching.py::test_what_waited_with_an_unlinked_record_is_released_when_it_dies_or_finds_a_contact",)),
    Fault("what waited with who was merged away waits for ever", "state.merging", "            settle_holds(connection, self._scope, log, loser, holds", "            0 and settle_holds(connection, self._scope, log, loser, holds"),
    Fault("a second look that fails takes its batch for unwritten", PUSH, "            unseen[receipt.key] = error\n            continue", "            raise"),
    Fault("a refused create whose second try had no answer is decided anew", PUSH, "            if done is None or done.result != APPLIED:\n                return done\n", "            if done is None or done.result != APPLIED:\n                return done or Settled(row, 'moved')\n"),
    Fault("a refused field counts as applied, because its neighbour is not shown yet", PUSH, "            if done.left_out:  #", "            if False:  #", ("tests/e2e/test_refused_fields.py",)),
    Fault("the last words of who was merged away are lost in the look-up", OBSERVE, "        _with_last_words(context, side, each, doubted[each.record.ref]) for each in looked\n", "        each for each in looked\n", ("tests/simulation/test_simulation.py::test_what_a_late_index_shows_of_who_was_merged_away_is_heard",)),
    Fault("a refusal of one side waits with the other's", RECEIPTS, "in {(owner, hold.side, hold", "in {(owner, 'marketing', hold", ("tests/state/test_refusals.py",)),
    Fault("a hold of a record stays with a write that does not know it", COMMITS, "    if row.contact_id is None or ", "    if ", ("tests/state/test_refusals.py",)),
    Fault("who met somebody else's record waits for ever", COMMITS, "if row.code != AMBIGUOUS or row.contact_id is not None]", "if row.code != AMBIGUOUS]", ("tests/state/test_refusals.py",)),
    Fault("a run that repeats no failed write yet is in step", "flows.round", "report.pushed.failed or report.paused.contacts", "report.pushed.failed", ("tests/e2e/test_pauses.py::test_no_run_is_in_step_while_a_failed_write_waits_out_its_pause",)),
    Fault("a contact's pause is not told", "state.status", "MIN(COALESCE(retry_at_us, 0))", "MIN(0)", ("tests/state/test_status.py",)),
    Fault("what rests is counted as paused", "state.status", "AND dirty = 1 AND retry_at_us IS NOT NULL", "AND retry_at_us IS NOT NULL", ("tests/state/test_status.py",)),
    Fault("a round that has not polled makes people", "flows.round", 'births=report.kind != "retry"', "births=True"),
    Fault("a round that has not polled makes whom the last one could not", CONTACTS, "if births or len(contact.sides) == 2]", "if True]"),
    Fault("who is about to be archived is linked", "state.matching", "sa.or_(partner, closed, pending)", "sa.or_(partner, closed)", ("tests/state/test_matching.py::test_who_is_about_to_be_archived_takes_nobody_in",)),
    Fault("a restore moves the base", ECHOES, '    if row.kind != "restore":', "    if True:"),
    Fault("no receipt in the log", RECEIPTS, '    log.add(Entry(kind="receipt", new=new), committed=sealed(new, keys))\n', ""),
    Fault("results are not copied", RECEIPTS, "    for outcome, seqs in outcomes.items():", "    for outcome, seqs in ():"),
    Fault("a stolen record is taken over", SETTLING, '            if there["liveness"] == codec.LIVE:', "            if False:", ("tests/state/test_settling.py::test_a_create_that_meets_anothers_record_is_held_and_links_nothing",)),
    Fault("what is refused lengthens the pause of what fails", SETTLING, 'values["failed"] = 1 if settled.result.startswith("failed:") else 0', 'values["failed"] = 1', ("tests/state/test_settling.py::test_only_what_failed_counts_as_an_attempt_and_a_refusal_forgets_none",)),
    Fault("a failed write is not decided again", SETTLING, '        values["again"] = 0 if settled.waits else 1', '        values["again"] = 0', ("tests/state/test_settling.py::test_what_was_not_applied_is_decided_again_when_due",)),
    # ---- lease
    Fault("the lease keeps nobody out", LEASE, "            if row.holder is not None and row.expires_us > now_us:", "            if False:", ("tests/state/test_lease.py",)),
    Fault("writes are not fenced", SCOPE, "        if current != self.fencing:", "        if False:", ("tests/state/test_lease.py",)),
    Fault("a lost lease is renewed", LEASE, "AND fencing = :fencing AND holder IS NOT NULL", "AND fencing >= :fencing AND holder IS NOT NULL", ("tests/state/test_lease.py",)),
    # ---- connectors
    Fault("no overlap in HubSpot", HUBSPOT, "        low_ms = since_us(cursor, overlap_s) // 1000", "        low_ms = cursor.at_us // 1000", ("tests/connectors/test_hubspot_wire.py", "tests/connectors/test_hubspot_twin.py", "tests/connectors/test_hubspot_contract.py")),
    Fault("later for not before, in HubSpot", HUBSPOT, '"operator": "GTE"', '"operator": "GT"', ("tests/connectors/test_hubspot_wire.py", "tests/connectors/test_hubspot_twin.py", "tests/connectors/test_hubspot_contract.py")),
    Fault("no overlap in Mailchimp", MAILCHIMP, "self._changes(fields, cursor, since_us(cursor, self.capabilities.overlap_s))", "self._changes(fields, cursor, cursor.at_us)", ("tests/connectors/test_mailchimp_wire.py",)),
    Fault("no overlap in Tryton", TRYTON, "wire_instant(since_us(cursor, self.capabilities.overlap_s))", "wire_instant(cursor.at_us)", ("tests/connectors/test_tryton_wire.py",)),
    Fault("later for not before, in Tryton", TRYTON, '"last_modified_at", ">=",', '"last_modified_at", ">",', ("tests/connectors/test_tryton_wire.py",)),
    Fault("a write without an answer is sent again", HTTP, "        if sent and not repeat:", "        if False:", ("tests/connectors/test_http_door.py",)),
    Fault("a write that failed on their side is sent again", HTTP, "            return _Again(error) if repeat else OutcomeUnknown(f", "            return _Again(error) if True else OutcomeUnknown(f", ("tests/connectors/test_http_door.py",)),
    Fault("a vendor's wish to wait is not heard", HTTP, "float(_pause(state) if wish_s is None else wish_s)", "float(_pause(state))", ("tests/connectors/test_http_door.py",)),
    Fault("clocks are not compared", HTTP, "        self.clock_offset_us = offset_us if abs(offset_us) >= SAME_CLOCK_US else 0", "        self.clock_offset_us = 0", ("tests/connectors/test_http_door.py", "tests/e2e/test_cases_time.py")),
    Fault("the budget of calls is not kept", HTTP, "self.calls.total() >= self._budget:", "False:", ("tests/connectors/test_http_door.py",)),
]  # fmt: skip
