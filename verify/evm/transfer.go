package evm

import (
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/settlement"
)

// transferTopic is the first topic of every ERC-20 Transfer(address indexed from, address indexed to, uint256 value).
var transferTopic = string(crypto.Keccak256([]byte("Transfer(address,address,uint256)")))

// addressPadding precedes the 20 bytes of an address in a topic.
var addressPadding = strings.Repeat("\x00", 12)

// transfersOf are the ERC-20 transfers among all logs of one transaction.
func transfersOf(logs []logEntry) []settlement.Transfer {
	var transfers []settlement.Transfer
	for i, l := range logs {
		if t, ok := l.transfer(i); ok {
			transfers = append(transfers, t)
		}
	}
	return transfers
}

// transfer reads the log as an ERC-20 transfer: exactly three topics, addresses without anything before them, exactly 32
// bytes of data. Anything else is not a transfer, and not an error: ERC-721 shares the first topic.
//
// Source: step 7 and E-25, E-26, E-27 of the verification rules.
func (l *logEntry) transfer(index int) (settlement.Transfer, bool) {
	if len(l.topics) != 3 || l.topics[0] != transferTopic || len(l.data) != 32 {
		return settlement.Transfer{}, false
	}
	payer, ok := strings.CutPrefix(l.topics[1], addressPadding)
	if !ok {
		return settlement.Transfer{}, false
	}
	payee, ok := strings.CutPrefix(l.topics[2], addressPadding)
	if !ok {
		return settlement.Transfer{}, false
	}
	value, err := settlement.AmountFromBytes([]byte(l.data))
	if err != nil { // impossible: 32 bytes fit
		return settlement.Transfer{}, false
	}
	return settlement.Transfer{
		Token: l.address, Payer: settlement.Address(payer), Payee: settlement.Address(payee), Amount: value,
		Position: "log/" + strconv.FormatUint(l.index, 10), Index: index,
	}, true
}

// transfers is the transaction's own value, as a list of at most one transfer.
func (t *transaction) transfers() []settlement.Transfer {
	if t.to == "" || t.value.IsZero() {
		return nil
	}
	return []settlement.Transfer{{
		Payer: t.from, Payee: t.to, Amount: t.value, Position: settlement.Native, Index: -1,
	}}
}
