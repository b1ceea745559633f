package evm

import (
	"strconv"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/settlement"
)

var (
	// transferTopic is the first topic of every ERC-20 Transfer(address indexed from, address indexed to, uint256 value).
	transferTopic = string(crypto.Keccak256([]byte("Transfer(address,address,uint256)")))
	// authorizationTopic is that of EIP-3009's AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce).
	authorizationTopic = string(crypto.Keccak256([]byte("AuthorizationUsed(address,bytes32)")))
)

// transfersOf are the ERC-20 transfers among all logs of one transaction.
func transfersOf(logs []logEntry) []settlement.Transfer {
	var transfers []settlement.Transfer
	for i := range logs {
		t, ok := logs[i].transfer(i)
		if !ok {
			continue
		}
		if i > 0 {
			t.Authorization = logs[i].authorization(&logs[i-1])
		}
		transfers = append(transfers, t)
	}
	return transfers
}

// transfer reads the log as an ERC-20 transfer: exactly three topics, addresses without anything before them, exactly 32
// bytes of data. Anything else is not a transfer, and not an error: ERC-721 shares the first topic.
//
// Source: step 7 and E-25, E-26, E-27 of the verification rules.
func (l *logEntry) transfer(index int) (settlement.Transfer, bool) {
	if !l.isTransfer() {
		return settlement.Transfer{}, false
	}
	value, err := settlement.AmountFromBytes(l.data[:])
	if err != nil { // impossible: 32 bytes fit
		return settlement.Transfer{}, false
	}
	return settlement.Transfer{
		Token: settlement.Address(l.address[:]), Payer: settlement.Address(l.topics[1][12:]), Payee: settlement.Address(l.topics[2][12:]),
		Amount: value, Position: "log/" + strconv.FormatUint(l.index, 10), Index: index,
	}, true
}

func (l *logEntry) isTransfer() bool {
	return l.hasTopic(transferTopic) && l.topicSize == 3 && l.dataSize == 32 && padded(&l.topics[1]) && padded(&l.topics[2])
}

// hasTopic reports whether the log's first topic is that event's.
func (l *logEntry) hasTopic(event string) bool {
	return l.topicSize > 0 && string(l.topics[0][:]) == event
}

// padded reports whether the topic is an address with nothing before it.
func padded(topic *[32]byte) bool { return [12]byte(topic[:12]) == [12]byte{} }

// authorization is the nonce of the EIP-3009 authorisation that the transfer carries out, or "": the token logs it, for
// the payer, directly before.
//
// Source: E-52 of the verification rules.
func (l *logEntry) authorization(before *logEntry) string {
	if !before.hasTopic(authorizationTopic) || before.topicSize != 3 || before.dataSize != 0 ||
		before.address != l.address || before.topics[1] != l.topics[1] || before.index+1 != l.index {
		return ""
	}
	return string(before.topics[2][:])
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
