package evm

import (
	"encoding/json"

	"github.com/settler-pay/settler/settlement"
)

// Receipt is what one receipt says about payments.
type Receipt struct {
	TxID   settlement.TxID
	Block  settlement.Block   // without the time, which only the block itself tells
	Sender settlement.Address // who signed the transaction: not necessarily a payer; empty where the receipt does not say
	Status *uint64            // 1: success, 0: failure; nil: the receipt does not say, as before Byzantium
	// Transfers are all ERC-20 transfers in the logs of every contract, in their order; none unless the status is success.
	Transfers []settlement.Transfer
}

// ReadReceipt reads the result of eth_getTransactionReceipt as Verify does, and asks nobody: neither whether its block is
// final or canonical, nor whether any node ever said so. For a receipt from a source that is believed already;
// settlement.Judge then says what a claim comes to.
//
// The error is a *settlement.LookError: RPC_DECODE_FAILED for what cannot be read, RPC_INCONSISTENT for a receipt that
// contradicts itself (its logs are of another block or transaction, out of order, or not those of its bloom),
// RPC_UNAVAILABLE for what is no receipt at all.
//
// Source: steps 3, 6 and 7 of the verification rules.
func ReadReceipt(raw json.RawMessage) (Receipt, error) {
	r, err := decodeObject(raw, "the receipt", decodeReceipt)
	if err != nil {
		return Receipt{}, err
	}
	if err := r.check(false); err != nil {
		return Receipt{}, err
	}
	out := Receipt{
		TxID: r.txid, Block: settlement.Block{Number: r.number, Hash: r.blockHash}, Sender: r.sender, Status: r.status,
	}
	if r.status != nil && *r.status == 1 {
		out.Transfers = transfersOf(r.logs)
	}
	return out, nil
}
