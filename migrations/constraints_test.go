package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/settler-pay/settler/internal/pgtest"
)

// row is one row of a table: column → SQL expression.
type row map[string]string

// with is the row with some columns changed; an empty expression leaves the column out.
func (r row) with(changes row) row {
	out := maps.Clone(r)
	maps.Copy(out, changes)
	return out
}

func (r row) insert(ctx context.Context, tx pgx.Tx, table string) error {
	var columns, values []string
	for _, column := range slices.Sorted(maps.Keys(r)) {
		if r[column] != "" {
			columns, values = append(columns, column), append(values, r[column])
		}
	}
	_, err := tx.Exec(ctx, fmt.Sprintf("insert into %s (%s) values (%s)", table, strings.Join(columns, ", "), strings.Join(values, ", ")))
	return err
}

const (
	id1 = "'01932f9a-7c31-7abc-8def-000000000001'"
	id2 = "'01932f9a-7c31-7abc-8def-000000000002'"
	// entry is the good row of ledger_entries, whose id the database chose.
	entry = "(select min(id) from ledger_entries)"
)

// rows holds one good row of each table. They fit each other in the order of tables.
var rows = map[string]row{
	"payments": {
		"id": id1, "marketplace": "'m'", "order_id": "'o1'", "machine_id": "'x'", "version": "1", "state": "'awaiting_payment'",
		"chain": "'eip155:1'", "token": `'\x01'`, "token_symbol": "'USDC'", "token_decimals": "6", "payee": `'\x02'`,
		"amount": "1000000", "proven_payer": `'\x03'`, "not_before": "now()", "from_block": "100", "deadline": "now()",
		"grace_seconds": "60", "pay_token_hash": `'\xaa'`, "reference": "sha256('one')", "due_at": "now()", "created_at": "now()", "updated_at": "now()",
	},
	"transfers": {
		"payment_id": id1, "chain": "'eip155:1'", "txid": `'\x0a'`, "position": "'log/1'", "receipt_index": "0", "token": `'\x01'`,
		"payer": `'\x03'`, "payee": `'\x02'`, "amount": "1000000", "block_number": "101", "block_hash": `'\x0b'`,
		"block_time": "now()", "code": "'VERIFIED'", "evidence": "'{}'", "status": "'seen'", "seen_at": "now()",
	},
	"consumed_transfers": {
		"chain": "'eip155:1'", "txid": `'\x0a'`, "position": "'log/1'", "receipt_index": "0", "payment_id": id1,
		"amount": "1000000", "consumed_at": "now()",
	},
	"payer_proofs": {
		"chain": "'eip155:1'", "txid": `'\x0a'`, "signer": `'\x04'`, "payment_id": id1, "signature": "'0x'", "proved_at": "now()",
	},
	"audit_batches": {"seq": "1", "previous": "''", "digest": `'\x01'`, "events": "1", "at": "now()"},
	"payment_events": {
		"payment_id": id1, "version": "2", "event_id": "'e1'", "kind": "'deadline'", "from_state": "'awaiting_payment'",
		"to_state": "'expired'", "audit_seq": "1", "at": "now()",
	},
	"inbox": {
		"marketplace": "'m'", "webhook_id": "'w1'", "body_sha256": `'\x01'`, "type": "'order.created'", "machine_id": "'x'",
		"order_id": "'o1'", "received_at": "now()", "due_at": "now()",
	},
	"pairings":          {"marketplace": "'m'", "machine_id": "'x'", "pairing_id": "'p'", "address": "'0x'", "created_at": "now()"},
	"order_listings":    {"marketplace": "'m'", "due_at": "now()"},
	"chains":            {"chain": "'eip155:1'", "number": "1", "hash": `'\x01'`, "updated_at": "now()"},
	"payment_addresses": {"address": `'\x04'`, "payment_id": id1},
	"account_cursors": {
		"chain": "'solana:x'", "token": "''", "payee": `'\x02'`, "account": `'\x02'`, "cursor": "''", "watch_xid": "'1'", "updated_at": "now()",
	},
	"chain_blocks": {"chain": "'eip155:1'", "number": "1", "hash": `'\x01'`, "time": "now()"},
	"persons": {
		"id": id1, "issuer": "'https://i'", "subject": "'s'", "name": "'n'", "marketplace": "'m'", "scope": "'read'", "scope_since": "now()", "created_at": "now()",
	},
	"ledger_closed": {"until": "now()"}, // has its row from the beginning
	"ledger_totals": {"until": "'2026-01-02 00:00:00+00'", "marketplace": "'m'", "chain": "'eip155:1'", "token": `'\x01'`, "account": "'held'", "amount": "1"},
	"sessions":      {"token": "'s'", "data": `'\x01'`, "expires_at": "now()"},
	"api_keys": {
		"id": id1, "marketplace": "'m'", "name": "'n'", "scope": "'read'", "hash": `'\x01'`, "created_at": "now()",
	},
	"vaults": {
		"chain": "'eip155:1'", "address": `'\x02'`, "marketplace": "'m'", "reference": "'r1'", "payment_id": id1, "order_key": "sha256('k')", "token": `'\x01'`,
		"amount": "1000000", "payer": `'\x03'`, "payee": `'\x04'`, "operator": `'\x05'`, "arbiter": `'\x06'`, "reclaim_at": "now() + interval '1 day'",
		"dispute_at": "now() + interval '2 days'", "default_to_payee": "0", "created_at": "now()",
	},
	"refund_wallets": {
		"marketplace": "'m'", "pairing_id": "'p'", "chain": "'solana:x'", "wallet": "sha256('w')", "signature": "'s'", "signed_block": "0", "proved_at": "now()",
	},
	"signers": {"chain": "'eip155:1'", "address": `'\x05'`, "next_nonce": "1", "updated_at": "now()"},
	"signer_slots": {
		"chain": "'eip155:1'", "signer": `'\x05'`, "nonce": "0", "target": `'\x07'`, "calldata": `'\x08'`, "calldata_hash": `sha256('\x08')`, "gas_limit": "1",
		"state": "'prepared'", "created_at": "now()", "updated_at": "now()",
	},
	"slot_transactions": {
		"chain": "'eip155:1'", "signer": `'\x05'`, "nonce": "0", "attempt": "0", "txid": `'\x0e'`, "raw": `'\x01'`, "max_fee": "1", "tip": "0", "last_height": "0", "signed_at": "now()",
	},
	"token_accounts": {
		"chain": "'eip155:1'", "vault": `'\x02'`, "signer": `'\x05'`, "state": "'creating'", "nonce": "0", "asked_at": "now()", "due_at": "now()", "updated_at": "now()",
	},
	"ledger_entries": {
		"payment_id": id1, "chain": "'eip155:1'", "token": `'\x01'`, "txid": `'\x0a'`, "position": "'log/1'", "at": "now()",
	},
	"vault_events": {
		"chain": "'eip155:1'", "txid": `'\x0f'`, "vault": `'\x02'`, "ordinal": "0", "kind": "'paid'", "part": "254", "to_payee": "600000", "to_payer": "0",
		"owed": "false", "block_number": "1", "block_hash": `'\x10'`, "seen_at": "now()",
	},
	"ledger_lines": {"entry_id": entry, "account": "'payer'", "amount": "-1000000"},
	"movements": {
		"payment_id": id1, "part": "0", "purpose": "'partial_refund'", "source": "'vault'", "chain": "'eip155:1'", "token": `'\x01'`, "vault": `'\x02'`,
		"to_payee": "0", "to_payer": "600000", "state": "'approved'", "created_at": "now()", "updated_at": "now()",
	},
	"approvals": {
		"id": id1, "payment_id": id1, "version": "2", "action": "'close'", "reason": "'r'", "chain": "'eip155:1'", "token": `'\x01'`, "amount": "1",
		"receiver": `'\x02'`, "part": "0", "hash": `'\x01'`, "event_id": "'action/1'", "requester": id2, "requester_name": "'n'", "origin": "'o'",
		"needed": "1", "state": "'pending'", "created_at": "now()", "expires_at": "now()",
	},
	"approval_votes": {
		"approval_id": id1, "requester": id2, "approver": id1, "vote": "'approve'", "hash": `'\x01'`, "reason": "''", "origin": "'o'", "at": "now()",
	},
	"disputes": {
		"payment_id": id1, "number": "1", "opener": "'person'", "reason": "'other'", "party": "'payer'", "default_outcome": "'none'", "opened_at": "now()",
		"respond_by": "now()", "decide_by": "now()", "told": "false",
	},
	"dispute_statements": {
		"payment_id": id1, "version": "2", "number": "1", "party": "'payee'", "sha256": "sha256('a')", "size": "1", "media_type": "'text/plain'", "content": "'a'",
	},
	"rehearsals": {
		"chain": "'eip155:1'", "token": `'\x01'`, "factory": `'\x07'`, "code_hash": "sha256('c')", "wallet": `'\x03'`, "operator": `'\x05'`, "paid_vault": `'\x02'`,
		"reclaimed_vault": `'\x02'`, "started_at": "now()",
	},
	"halts":        {"scope": "'*'", "reason": "'test'", "halted_at": "now()"},
	"halt_records": {"scope": "'*'", "action": "'halt'", "reason": "'r'", "name": "'n'", "origin": "'o'", "at": "now()"},
	"idempotency_keys": {
		"api_key_id": "'k'", "key": "'i'", "request": `'\x01'`, "status": "200", "answer": "''", "created_at": "now()",
	},
}

var tables = []string{
	"sessions",
	"payments", "payment_addresses", "transfers", "consumed_transfers", "payer_proofs", "audit_batches", "payment_events", "inbox", "pairings", "order_listings", "chains",
	"chain_blocks", "account_cursors", "persons", "api_keys", "idempotency_keys",
	"vaults", "refund_wallets", "signers", "signer_slots", "slot_transactions", "token_accounts", "ledger_entries", "ledger_lines", "ledger_totals", "movements", "vault_events", "rehearsals", "halts", "halt_records",
	"approvals", "approval_votes", "disputes", "dispute_statements",
}

// refused says for each constraint which second row it refuses beside the good rows.
var refused = []struct {
	constraint, table string
	change            row
}{
	{"payments_pkey", "payments", row{"order_id": "'o2'", "pay_token_hash": `'\xbb'`}},
	{"payments_one_per_order", "payments", row{"id": id2, "pay_token_hash": `'\xbb'`}},
	{"payments_pay_token_unique", "payments", row{"id": id2, "order_id": "'o2'"}},
	{"payments_version_positive", "payments", row{"version": "0"}},
	{"payments_state_known", "payments", row{"state": "'paid'"}},
	{"payments_back_where_remembered", "payments", row{"state": "'verifying'"}},
	{"payments_back_where_remembered", "payments", row{"back": "'expired'"}},
	{"payments_amount_positive", "payments", row{"amount": "0"}},
	{"payments_terms_complete", "payments", row{"deadline": ""}},
	{"payments_terms_complete", "payments", row{"token": ""}},
	{"payments_payer_known", "payments", row{"proven_payer": "", "reference": ""}},
	{"payments_reference_unique", "payments", row{"id": id2, "order_id": "'o2'", "pay_token_hash": `'\xbb'`}},
	{"payments_reference_length", "payments", row{"reference": `'\x05'`}},
	{"payments_under_below_amount", "payments", row{"under_by": "1000000"}},
	{"payments_under_below_amount", "payments", row{"under_by": "-1"}},
	{"payments_over_not_negative", "payments", row{"over_by": "-1"}},
	{"payments_late_not_negative", "payments", row{"late_seconds": "-1"}},
	{"payments_received_by_parts", "payments", row{"received": "1"}},
	{"payments_received_by_parts", "payments", row{"received": "-1", "parts": "true"}},
	{"payments_payer_is_not_payee", "payments", row{"proven_payer": `'\x02'`}},
	{"payments_payer_is_not_payee", "payments", row{"named_payer": `'\x02'`}},
	{"payments_named_slot_whole", "payments", row{"named_txid": `'\x0a'`, "named_sender": `'\x01'`}},
	{"payments_named_slot_of_named", "payments", row{"named_sender": `'\x01'`, "named_nonce": "3"}},
	{"payments_terms_before_payment", "payments", row{
		"chain": "", "token": "", "token_symbol": "", "token_decimals": "", "payee": "", "amount": "", "not_before": "",
		"from_block": "", "deadline": "", "grace_seconds": "", "proven_payer": "",
	}},
	{"payments_paid_when_settled", "payments", row{"state": "'verified'"}},
	{"payments_paid_when_settled", "payments", row{"state": "'released'", "finished_at": "now()"}},
	{"payments_finish_time", "payments", row{"state": "'closed'"}},
	{"payments_finish_time", "payments", row{"finished_at": "now()"}},
	{"payments_custody_known", "payments", row{"custody": "'mine'"}},
	{"payments_custody_with_terms", "payments", row{
		"custody": "'none'", "chain": "", "token": "", "token_symbol": "", "token_decimals": "", "payee": "", "amount": "", "not_before": "",
		"from_block": "", "deadline": "", "grace_seconds": "", "proven_payer": "", "state": "'new'",
	}},
	{"payments_refund_address_known", "payments", row{"custody": "'vault'", "proven_payer": ""}},
	{"payments_payout_known", "payments", row{"payout": "'gift'"}},
	{"payments_paid_out_by_payout", "payments", row{"paid_out": `'\x0a'`}},
	{"payments_over_when_paid_out", "payments", row{"custody": "'vault'", "state": "'released'", "finished_at": "now()", "paid_by": `'\x0a'`}},
	{"payments_given_back_when_refunded", "payments", row{"state": "'refunded'", "finished_at": "now()", "paid_by": `'\x0a'`}},
	{"payments_over_when_paid_out", "payments", row{
		"custody": "'vault'", "state": "'released'", "finished_at": "now()", "paid_by": `'\x0a'`, "payout": "'refund'", "paid_out": `'\x0b'`,
	}},

	{"payment_addresses_pkey", "payment_addresses", row{}},
	{"payment_addresses_payment_fkey", "payment_addresses", row{"payment_id": id2}},

	{"transfers_pkey", "transfers", row{}},
	{"transfers_payment_fkey", "transfers", row{"payment_id": id2}},
	{"transfers_amount_positive", "transfers", row{"amount": "0"}},
	{"transfers_reference_keys_length", "transfers", row{"reference_keys": `'\x05'`}},
	{"transfers_status_known", "transfers", row{"status": "'lost'"}},

	{"consumed_transfers_pkey", "consumed_transfers", row{"receipt_index": "7"}},
	{"consumed_transfers_one_per_log", "consumed_transfers", row{"position": "'log/77'"}},
	{"consumed_transfers_payment_fkey", "consumed_transfers", row{"txid": `'\x0c'`, "payment_id": id2}},
	{"consumed_transfers_amount_positive", "consumed_transfers", row{"txid": `'\x0c'`, "amount": "0"}},

	{"sessions_pkey", "sessions", row{}},
	{"payer_proofs_pkey", "payer_proofs", row{"signature": "'0x1b'"}},
	{"payer_proofs_payment_fkey", "payer_proofs", row{"payment_id": id2}},

	{"audit_batches_pkey", "audit_batches", row{"previous": `'\x01'`, "digest": `'\x02'`}},
	{"audit_batches_digest_unique", "audit_batches", row{"seq": "2", "previous": `'\x01'`}},
	{"audit_batches_previous_unique", "audit_batches", row{"seq": "2", "digest": `'\x02'`}},

	{"payment_events_pkey", "payment_events", row{"event_id": "'e2'"}},
	{"payment_events_once", "payment_events", row{"version": "3"}},
	{"payment_events_payment_fkey", "payment_events", row{"payment_id": id2}},
	{"payment_events_audit_fkey", "payment_events", row{"version": "3", "event_id": "'e2'", "audit_seq": "9"}},

	{"inbox_pkey", "inbox", row{"body_sha256": `'\x02'`}},
	{"pairings_pkey", "pairings", row{"pairing_id": "'q'"}},
	{"order_listings_pkey", "order_listings", row{"started_at": "now()"}},
	{"account_cursors_pkey", "account_cursors", row{"cursor": `'\x01'`}},
	{"account_cursors_held_positive", "account_cursors", row{"account": `'\x03'`, "held": "-1"}},
	{"chains_pkey", "chains", row{"number": "2"}},
	{"chain_blocks_pkey", "chain_blocks", row{"hash": `'\x02'`}},
	{"persons_pkey", "persons", row{"subject": "'t'"}},
	{"persons_subject_unique", "persons", row{"id": id2}},
	{"persons_scope_known", "persons", row{"id": id2, "subject": "'t'", "scope": "'root'"}},
	{"persons_all_needs_admin", "persons", row{"id": id2, "subject": "'t'", "marketplace": ""}},
	{"api_keys_person_fkey", "api_keys", row{"id": id2, "hash": `'\x02'`, "person_id": id2}},
	{"api_keys_pkey", "api_keys", row{"hash": `'\x02'`}},
	{"api_keys_hash_unique", "api_keys", row{"id": id2}},
	{"api_keys_scope_known", "api_keys", row{"id": id2, "hash": `'\x02'`, "scope": "'root'"}},
	{"api_keys_all_needs_admin", "api_keys", row{"id": id2, "hash": `'\x02'`, "marketplace": ""}},
	{"vaults_pkey", "vaults", row{"reference": "'r2'", "payment_id": ""}},
	{"vaults_reference_unique", "vaults", row{"address": `'\x12'`, "payment_id": ""}},
	{"vaults_payment_unique", "vaults", row{"address": `'\x12'`, "reference": "'r2'"}},
	{"vaults_payment_fkey", "vaults", row{"address": `'\x12'`, "reference": "'r2'", "payment_id": id2}},
	{"vaults_amount_positive", "vaults", row{"amount": "0"}},
	{"vaults_default_within_amount", "vaults", row{"default_to_payee": "1000001"}},
	{"vaults_two_parties", "vaults", row{"operator": `'\x03'`}},
	{"vaults_two_parties", "vaults", row{"payer": `'\x04'`}},
	{"vaults_dispute_after_reclaim", "vaults", row{"dispute_at": "now()"}},
	{"vaults_derivation_whole", "vaults", row{"derived_for": id1}},
	{"vaults_generation_known", "vaults", row{"derived_for": id1, "generation": "-1", "epoch": "1"}},
	{"vaults_epoch_known", "vaults", row{"derived_for": id1, "generation": "0", "epoch": "0"}},
	{"refund_wallets_pkey", "refund_wallets", row{"wallet": "sha256('v')"}},
	{"refund_wallets_length", "refund_wallets", row{"pairing_id": "'q'", "wallet": `'\x03'`}},

	{"signers_pkey", "signers", row{}},
	{"signers_durable_nonce_length", "signers", row{"address": `'\x15'`, "durable_nonce": `'\x01'`}},
	{"signer_slots_pkey", "signer_slots", row{}},
	{"signer_slots_signer_fkey", "signer_slots", row{"signer": `'\x15'`}},
	{"signer_slots_hash_of_calldata", "signer_slots", row{"nonce": "1", "calldata": `'\x18'`}},
	{"signer_slots_value_positive", "signer_slots", row{"nonce": "1", "value": "-1"}},
	{"signer_slots_state_known", "signer_slots", row{"nonce": "1", "state": "'lost'"}},
	{"signer_slots_final_by_transaction", "signer_slots", row{"nonce": "1", "state": "'final'"}},
	{"signer_slots_final_by_transaction", "signer_slots", row{"nonce": "1", "state": "'sent'", "txid": `'\x19'`}},
	{"signer_slots_problem_of_final", "signer_slots", row{"nonce": "1", "problem": "'reverted'"}},
	{"signer_slots_unseen_from_block", "signer_slots", row{"nonce": "1", "unseen_hash": `'\x1d'`}},
	{"signer_slots_block_of_final", "signer_slots", row{"nonce": "1", "block_number": "7"}},
	{"signer_slots_gone_from_block", "signer_slots", row{"nonce": "1", "gone_at": "now()"}},
	{"slot_transactions_pkey", "slot_transactions", row{"txid": `'\x0f'`}},
	{"slot_transactions_txid_unique", "slot_transactions", row{"attempt": "1"}},
	{"slot_transactions_last_height_positive", "slot_transactions", row{"attempt": "1", "txid": `'\x0f'`, "last_height": "-1"}},
	{"slot_transactions_slot_fkey", "slot_transactions", row{"nonce": "7", "txid": `'\x0f'`}},

	{"token_accounts_pkey", "token_accounts", row{"state": "'asked'", "nonce": ""}},
	{"token_accounts_vault_fkey", "token_accounts", row{"vault": `'\x12'`, "state": "'asked'", "nonce": ""}},
	{"token_accounts_slot_fkey", "token_accounts", row{"vault": `'\x13'`, "state": "'open'", "nonce": "7"}},
	{"token_accounts_slot_once", "token_accounts", row{"vault": `'\x13'`, "state": "'open'"}},
	{"token_accounts_one_creating", "token_accounts", row{"vault": `'\x13'`, "nonce": "7"}},
	{"token_accounts_state_known", "token_accounts", row{"vault": `'\x13'`, "state": "'lost'", "nonce": "7"}},
	{"token_accounts_slot_of_state", "token_accounts", row{"vault": `'\x13'`, "state": "'open'", "nonce": ""}},

	{"ledger_entries_pkey", "ledger_entries", row{"id": entry, "txid": `'\x1a'`}},
	{"ledger_entries_transfer_once", "ledger_entries", row{}},
	{"ledger_entries_movement_once", "ledger_entries", row{"txid": "", "position": "", "part": "0"}},
	{"ledger_entries_gas_once", "ledger_entries", row{"payment_id": "", "txid": "", "position": "", "signer": `'\x05'`, "nonce": "0"}},
	{"ledger_entries_payment_fkey", "ledger_entries", row{"payment_id": id2, "txid": `'\x1a'`}},
	{"ledger_entries_transfer_fkey", "ledger_entries", row{"position": "'log/2'"}},
	{"ledger_entries_movement_fkey", "ledger_entries", row{"txid": "", "position": "", "part": "1"}},
	{"ledger_entries_gas_fkey", "ledger_entries", row{"payment_id": "", "txid": "", "position": "", "signer": `'\x05'`, "nonce": "7"}},
	{"ledger_entries_one_cause", "ledger_entries", row{"part": "0"}},
	{"ledger_entries_one_cause", "ledger_entries", row{"txid": "", "position": ""}},
	{"ledger_lines_pkey", "ledger_lines", row{}},
	{"ledger_lines_entry_fkey", "ledger_lines", row{"entry_id": "-1", "account": "'payee'"}},
	{"ledger_lines_account_known", "ledger_lines", row{"account": "'mine'"}},
	{"ledger_lines_amount_moves", "ledger_lines", row{"account": "'payee'", "amount": "0"}},
	{"ledger_lines_fee_is_kept", "ledger_lines", row{"account": "'fee'", "amount": "-1"}},
	{"ledger_lines_fee_is_kept", "ledger_lines", row{"account": "'payer_fee'", "amount": "1"}},
	{"transfers_withheld_positive", "transfers", row{"position": "'log/9'", "receipt_index": "9", "withheld": "-1"}},

	{"ledger_closed_pkey", "ledger_closed", row{}},
	{"ledger_closed_one_row", "ledger_closed", row{"single": "false"}},
	{"ledger_totals_pkey", "ledger_totals", row{"amount": "2"}},
	{"ledger_totals_account_known", "ledger_totals", row{"account": "'mine'"}},
	{"ledger_totals_amount_counts", "ledger_totals", row{"account": "'payee'", "amount": "0"}},
	{"ledger_totals_of_days", "ledger_totals", row{"until": "'2026-01-02 01:00:00+00'"}},

	{"ledger_entries_event_once", "ledger_entries", row{"txid": "", "position": "", "event_txid": `'\x0f'`, "event_vault": `'\x02'`, "event_ordinal": "0"}},
	{"ledger_entries_event_fkey", "ledger_entries", row{"txid": "", "position": "", "event_txid": `'\x0f'`, "event_vault": `'\x02'`, "event_ordinal": "1"}},
	{"vault_events_pkey", "vault_events", row{}},
	{"vault_events_vault_fkey", "vault_events", row{"vault": `'\x12'`}},
	{"vault_events_kind_known", "vault_events", row{"ordinal": "1", "kind": "'gone'", "part": ""}},
	{"vault_events_part_of_paid", "vault_events", row{"ordinal": "1", "part": ""}},
	{"vault_events_receiver_of_reclaimed", "vault_events", row{"ordinal": "1", "kind": "'reclaimed'", "part": ""}},
	{"vault_events_amounts_positive", "vault_events", row{"ordinal": "1", "to_payee": "0"}},
	{"movements_pkey", "movements", row{"to_payer": "1", "state": "'cancelled'"}},
	{"movements_one_under_way", "movements", row{"part": "1", "to_payer": "1"}},
	{"movements_payment_fkey", "movements", row{"payment_id": id2}},
	{"movements_vault_fkey", "movements", row{"part": "1", "to_payer": "1", "vault": `'\x12'`, "state": "'cancelled'"}},
	{"movements_slot_fkey", "movements", row{"part": "1", "to_payer": "1", "state": "'reverted'", "signer": `'\x05'`, "nonce": "7"}},
	{"movements_part_known", "movements", row{"part": "96", "to_payer": "1"}},
	{"movements_purpose_known", "movements", row{"part": "1", "to_payer": "1", "purpose": "'gift'"}},
	{"movements_source_known", "movements", row{"part": "1", "to_payer": "1", "source": "'mine'", "vault": ""}},
	{"movements_vault_of_source", "movements", row{"part": "1", "to_payer": "1", "vault": ""}},
	{"movements_receiver_of_source", "movements", row{"part": "1", "to_payer": "1", "receiver": `'\x15'`}},
	{"movements_own_money_goes_back", "movements", row{
		"part": "1", "to_payee": "1", "to_payer": "0", "purpose": "'release'", "source": "'operator_wallet'", "vault": "", "receiver": `'\x15'`,
	}},
	{"movements_amounts_positive", "movements", row{"part": "1", "to_payer": "0"}},
	{"movements_refund_to_payer", "movements", row{"part": "1", "to_payee": "1", "to_payer": "0"}},
	{"movements_split_has_two_parts", "movements", row{"part": "1", "to_payee": "1", "to_payer": "0", "purpose": "'split'"}},
	{"movements_state_known", "movements", row{"part": "1", "to_payer": "1", "state": "'lost'"}},
	{"movements_slot_once_prepared", "movements", row{"part": "1", "to_payer": "1", "state": "'sent'"}},
	{"halts_pkey", "halts", row{}},

	{"payment_events_actor_whole", "payment_events", row{"version": "3", "event_id": "'e2'", "actor": id1}},
	{"payment_events_weight_of_actor", "payment_events", row{"version": "3", "event_id": "'e2'", "weight": "1"}},
	{"approvals_pkey", "approvals", row{"event_id": "'action/2'"}},
	{"approvals_once", "approvals", row{"id": id2}},
	{"approvals_payment_fkey", "approvals", row{"id": id2, "payment_id": id2}},
	{"approvals_needed_known", "approvals", row{"id": id2, "event_id": "'action/2'", "needed": "0"}},
	{"approvals_state_known", "approvals", row{"id": id2, "event_id": "'action/2'", "state": "'lost'", "decided_at": "now()"}},
	{"approvals_decided", "approvals", row{"id": id2, "event_id": "'action/2'", "state": "'executed'"}},
	{"approvals_award_whole", "approvals", row{"id": id2, "event_id": "'action/2'", "to_payee": "1"}},
	{"disputes_pkey", "disputes", row{"closed_at": "now()", "outcome": "'dropped'"}},
	{"disputes_payment_fkey", "disputes", row{"payment_id": id2}},
	{"disputes_number_positive", "disputes", row{"number": "0", "closed_at": "now()", "outcome": "'dropped'"}},
	{"disputes_opener_known", "disputes", row{"opener": "'nobody'"}},
	{"disputes_party_known", "disputes", row{"party": "'nobody'"}},
	{"disputes_default_known", "disputes", row{"default_outcome": "'toss'"}},
	{"disputes_decision_whole", "disputes", row{"to_payee": "1", "to_payer": "0", "decided_at": "now()"}},
	{"disputes_decision_divides", "disputes", row{"to_payee": "-1", "to_payer": "2", "decided_at": "now()", "effective_at": "now()"}},
	{"disputes_decision_divides", "disputes", row{"to_payee": "0", "to_payer": "0", "decided_at": "now()", "effective_at": "now()"}},
	{"disputes_effective_after_decision", "disputes", row{"to_payee": "1", "to_payer": "0", "decided_at": "now()", "effective_at": "now() - interval '1 second'"}},
	{"disputes_outcome_known", "disputes", row{"closed_at": "now()", "outcome": "'toss'"}},
	{"disputes_outcome_when_closed", "disputes", row{"closed_at": "now()"}},
	{"disputes_one_open", "disputes", row{"number": "2"}},
	{"disputes_undisputed_after_drop", "disputes", row{"number": "2", "closed_at": "now()", "outcome": "'refunded'", "undisputed_at": "now()"}},
	{"disputes_undisputed_after_drop", "disputes", row{"number": "2", "closed_at": "now()", "outcome": "'dropped'", "undisputed_at": "now() - interval '1 second'"}},
	{"rehearsals_pkey", "rehearsals", row{"id": "(select min(id) from rehearsals)"}},
	{"rehearsals_paid_vault_fkey", "rehearsals", row{"token": `'\x11'`, "paid_vault": `'\x15'`}},
	{"rehearsals_reclaimed_vault_fkey", "rehearsals", row{"token": `'\x11'`, "reclaimed_vault": `'\x15'`}},
	{"rehearsals_hash_of_32_bytes", "rehearsals", row{"token": `'\x11'`, "code_hash": `'\x15'`}},
	{"rehearsals_done_by_transactions", "rehearsals", row{"token": `'\x11'`, "ended_at": "now()"}},
	{"rehearsals_done_by_transactions", "rehearsals", row{"token": `'\x11'`, "pay_txid": `'\x15'`}},
	{"rehearsals_problem_when_ended", "rehearsals", row{"token": `'\x11'`, "problem": "'p'"}},
	{"rehearsals_one_under_way", "rehearsals", row{}},
	{"halt_records_pkey", "halt_records", row{"id": "(select min(id) from halt_records)"}},
	{"halt_records_action_known", "halt_records", row{"action": "'pause'"}},
	{"halt_records_signer_of_restart", "halt_records", row{"action": "'restart'"}},
	{"halt_records_signer_of_restart", "halt_records", row{"signer": `'\x15'`}},
	{"halt_records_reason_given", "halt_records", row{"reason": "''"}},
	{"dispute_statements_pkey", "dispute_statements", row{"party": "'payer'"}},
	{"dispute_statements_event_fkey", "dispute_statements", row{"version": "9"}},
	{"dispute_statements_dispute_fkey", "dispute_statements", row{"number": "2"}},
	{"dispute_statements_party_known", "dispute_statements", row{"version": "9", "party": "'nobody'"}},
	{"dispute_statements_evidence_whole", "dispute_statements", row{"version": "9", "size": ""}},
	{"dispute_statements_bytes_or_reference", "dispute_statements", row{"version": "9", "url": "'https://files.example/1'"}},
	{"dispute_statements_bytes_or_reference", "dispute_statements", row{"version": "9", "content": ""}},
	{"dispute_statements_content_fits", "dispute_statements", row{"version": "9", "content": "'b'"}},
	{"dispute_statements_content_fits", "dispute_statements", row{"version": "9", "size": "2"}},
	{"dispute_statements_size_positive", "dispute_statements", row{"version": "9", "size": "0", "content": "", "url": "'https://files.example/1'"}},
	{"approval_votes_pkey", "approval_votes", row{"vote": "'reject'"}},
	{"approval_votes_request_fkey", "approval_votes", row{"approval_id": id2}},
	{"approval_votes_person_fkey", "approval_votes", row{"approver": "'01932f9a-7c31-7abc-8def-000000000003'"}},
	{"approval_votes_not_own", "approval_votes", row{"approver": id2}},
	{"approval_votes_vote_known", "approval_votes", row{"vote": "'perhaps'"}},
	{"idempotency_keys_pkey", "idempotency_keys", row{"request": `'\x02'`}},
}

// books begins a transaction that holds the good rows and is rolled back at the end of the test.
func books(t *testing.T) pgx.Tx {
	t.Helper()
	tx, err := pgtest.New(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) })
	for _, table := range tables {
		if err := rows[table].insert(t.Context(), tx, table); err != nil {
			t.Fatalf("a good row of %s: %v", table, err)
		}
	}
	if err := rows["vaults"].with(row{"address": `'\x13'`, "reference": "'r3'", "payment_id": ""}).insert(t.Context(), tx, "vaults"); err != nil {
		t.Fatalf("another vault: %v", err)
	}
	for _, other := range []row{
		{"txid": "", "position": "", "part": "0"},
		{"payment_id": "", "txid": "", "position": "", "signer": `'\x05'`, "nonce": "0"},
		{"txid": "", "position": "", "event_txid": `'\x0f'`, "event_vault": `'\x02'`, "event_ordinal": "0"},
	} {
		if err := rows["ledger_entries"].with(other).insert(t.Context(), tx, "ledger_entries"); err != nil {
			t.Fatalf("an entry of another cause: %v", err)
		}
	}
	return tx
}

// attempt runs f in a savepoint and returns the name of the constraint that refused it.
func attempt(t *testing.T, tx pgx.Tx, f func(pgx.Tx) error) (constraint string, err error) {
	t.Helper()
	err = pgx.BeginFunc(t.Context(), tx, func(tx pgx.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return errors.New("accepted")
	})
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.ConstraintName, err
	}
	return "", err
}

func TestConstraintsRefuse(t *testing.T) {
	t.Parallel()
	tx := books(t)
	tried := make(map[string]bool)
	for _, r := range refused {
		tried[r.constraint] = true
		got, err := attempt(t, tx, func(tx pgx.Tx) error { return rows[r.table].with(r.change).insert(t.Context(), tx, r.table) })
		if got != r.constraint {
			t.Errorf("%s with %v: refused by %q (%v), want %s", r.table, r.change, got, err, r.constraint)
		}
	}
	names, err := tx.Query(t.Context(), `select conname from pg_constraint
		where connamespace = 'public'::regnamespace and contype in ('c', 'f', 'p', 'u') and conrelid <> 'goose_db_version'::regclass`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(names, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if !tried[name] {
			t.Errorf("constraint %s is not tested", name)
		}
	}
}

func TestConstraintsAcceptWhatIsTrue(t *testing.T) {
	t.Parallel()
	tx := books(t)
	for _, r := range []struct {
		name, table string
		change      row
	}{
		{"a second log of one transaction", "consumed_transfers", row{"position": "'log/2'", "receipt_index": "1"}},
		{"the transaction's own value beside its logs", "consumed_transfers", row{"position": "'native'", "receipt_index": "null"}},
		{"two places without an index within the receipt", "consumed_transfers", row{"txid": `'\x0d'`, "receipt_index": "null"}},
		{"the same id on another chain", "consumed_transfers", row{"chain": "'eip155:10'"}},
		{"one transfer seen for two payments", "transfers", row{"payment_id": id2}},
		{"the same order id at another marketplace", "payments", row{"id": id2, "marketplace": "'n'", "pay_token_hash": `'\xbb'`, "reference": ""}},
		{"the native coin", "payments", row{"id": id2, "order_id": "'o2'", "pay_token_hash": `'\xbb'`, "reference": "", "token": "''"}},
		{"the largest amount", "payments", row{
			"id": id2, "order_id": "'o2'", "pay_token_hash": `'\xbb'`, "reference": "",
			"amount": "115792089237316195423570985008687907853269984665640564039457584007913129639935",
		}},
		{"a reference instead of a payer", "payments", row{
			"id": id2, "order_id": "'o2'", "pay_token_hash": `'\xbb'`, "proven_payer": "", "reference": "sha256('two')",
		}},
		{"a vault before its order", "vaults", row{"address": `'\x12'`, "reference": "'r2'", "payment_id": ""}},
		{"a movement after one that was given up", "movements", row{"part": "1", "to_payer": "400000", "state": "'cancelled'"}},
		{"a key of all marketplaces", "api_keys", row{"id": id2, "hash": `'\x02'`, "marketplace": "", "scope": "'admin'"}},
	} {
		if _, err := attempt(t, tx, func(tx pgx.Tx) error {
			if r.change["payment_id"] == id2 {
				p := rows["payments"].with(row{"id": id2, "order_id": "'o2'", "pay_token_hash": `'\xbb'`, "reference": ""})
				if err := p.insert(t.Context(), tx, "payments"); err != nil {
					return err
				}
			}
			return rows[r.table].with(r.change).insert(t.Context(), tx, r.table)
		}); err.Error() != "accepted" {
			t.Errorf("%s: %v", r.name, err)
		}
	}
}

func TestHistoryIsAppendOnly(t *testing.T) {
	t.Parallel()
	tx := books(t)
	for _, table := range []string{"consumed_transfers", "payer_proofs", "audit_batches", "payment_events"} {
		for _, statement := range []string{
			"update " + table + " set " + map[string]string{
				"consumed_transfers": "payment_id = payment_id", "payer_proofs": "signature = signature", "audit_batches": "events = events", "payment_events": "kind = kind",
			}[table],
			"delete from " + table,
			"truncate " + table + " cascade",
		} {
			_, err := attempt(t, tx, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), statement)
				return err
			})
			if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != "23000" || !strings.Contains(pgErr.Message, "is append-only") {
				t.Errorf("%s: %v, want append-only", statement, err)
			}
		}
	}
	// A payment that has a history cannot be deleted, nor its table emptied.
	for _, statement := range []string{"delete from payments", "truncate payments cascade"} {
		if _, err := attempt(t, tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), statement)
			return err
		}); err.Error() == "accepted" {
			t.Errorf("%s was accepted", statement)
		}
	}
}
