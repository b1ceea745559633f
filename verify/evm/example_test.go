package evm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
)

const exampleTx = "0x4c53d4b0b0e6dd2ae5c8c1ff0a2bd2a5b6b0b6b8d1e9d3a8f0b1c2d3e4f50617"

// exampleReceipt has one transfer of 1.50 in a token of 6 decimals.
func exampleReceipt() *types.Receipt {
	r := &types.Receipt{
		Status: types.ReceiptStatusSuccessful, TxHash: common.HexToHash(exampleTx), BlockHash: common.HexToHash("0xb10c"), BlockNumber: common.Big32,
		Logs: []*types.Log{{
			Address: common.HexToAddress("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"), Data: hexutil.MustDecode("0x000000000000000000000000000000000000000000000000000000000016e360"),
			Topics:      []common.Hash{crypto.Keccak256Hash([]byte("Transfer(address,address,uint256)")), common.HexToHash("0xa11ce"), common.HexToHash("0xb0bb0b")},
			BlockNumber: 32, TxHash: common.HexToHash(exampleTx), BlockHash: common.HexToHash("0xb10c"), Index: 7,
		}},
	}
	r.Bloom = types.CreateBloom(r)
	return r
}

// exampleNode serves that receipt in block 32 of a chain whose final block is the 40th.
func exampleNode() *httptest.Server {
	block := func(number uint64, hash string) map[string]any {
		return map[string]any{"number": hexutil.Uint64(number), "hash": common.HexToHash(hash), "timestamp": "0x6553f100"}
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			ID     json.RawMessage
			Method string
			Params []any
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			log.Fatal(err)
		}
		var result any
		switch q.Method {
		case "eth_chainId":
			result = "0x2105"
		case "eth_getTransactionReceipt":
			result = exampleReceipt()
		case "eth_getBlockByNumber":
			if result = block(40, "0xf1"); q.Params[0] == "0x20" {
				result = block(32, "0xb10c")
			}
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": q.ID, "result": result}); err != nil {
			log.Fatal(err)
		}
	}))
}

func exampleClaim() settlement.Claim {
	token, err := evm.ParseAddress("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")
	if err != nil {
		log.Fatal(err)
	}
	id, err := evm.ParseTxID(exampleTx)
	if err != nil {
		log.Fatal(err)
	}
	payer, payee := common.HexToAddress("0xa11ce"), common.HexToAddress("0xb0bb0b")
	return settlement.Claim{
		Chain: "eip155:8453", TxID: id, Payers: []settlement.Address{settlement.Address(payer[:])},
		Want: settlement.Transfer{Token: token, Payee: settlement.Address(payee[:]), Amount: settlement.NewAmount(1_500_000)},
		// Block time, with a minute for clocks that differ.
		NotBefore: time.Unix(1_700_000_000, 0).Add(-time.Minute), NotAfter: time.Unix(1_700_000_000, 0).Add(time.Hour),
	}
}

// Asks one node whether a transaction pays, and shows what to keep of the answer.
func ExampleChain_Verify() {
	node := exampleNode()
	defer node.Close()
	claim := exampleClaim()
	chain, err := evm.New(evm.Config{
		Chain: claim.Chain, Endpoints: []evm.Endpoint{{Name: "node", URL: node.URL}}, Finality: evm.Finality{Tag: "finalized"},
		Tokens: []settlement.Token{{Chain: claim.Chain, Address: claim.Want.Token, Symbol: "USDC", Decimals: 6}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, amount := range []uint64{1_500_000, 2_000_000} {
		claim.Want.Amount = settlement.NewAmount(amount)
		verdict, err := chain.Verify(context.Background(), claim)
		if err != nil { // nothing is known about the payment: look again
			log.Fatal(settlement.LookCode(err), err)
		}
		fmt.Println(verdict.Outcome(), verdict.Code, verdict.Detail, verdict.Code.MoneyMoved())
		fmt.Println(verdict.Transfer.Position, verdict.Transfer.Amount.Major(6), "in block", verdict.Evidence.Block, verdict.Evidence.Finality)
	}
	// Output:
	// confirmed VERIFIED  false
	// log/7 1.500000 in block 32 finalized
	// rejected AMOUNT_MISMATCH under true
	// log/7 1.500000 in block 32 finalized
}

// Shows each check of a look as it is made.
func ExampleConfig_explain() {
	node := exampleNode()
	defer node.Close()
	claim := exampleClaim()
	chain, err := evm.New(evm.Config{
		Chain: claim.Chain, Endpoints: []evm.Endpoint{{Name: "node", URL: node.URL}}, Finality: evm.Finality{Tag: "finalized"},
		Tokens:  []settlement.Token{{Chain: claim.Chain, Address: claim.Want.Token, Symbol: "USDC", Decimals: 6}},
		Explain: func(c evm.Check) { fmt.Println(c.Name+":", c.Found) },
	})
	if err != nil {
		log.Fatal(err)
	}
	claim.Payers[0] = settlement.Address(common.HexToAddress("0xca401").Bytes())
	if _, err := chain.Verify(context.Background(), claim); err != nil {
		log.Fatal(err)
	}
	// Output:
	// chain: it serves eip155:8453
	// found: in block 32, transaction 0 of it, with 1 logs
	// coherent: every log is where the receipt is, in order, and the bloom is that of the logs
	// final: finalized: yes, up to block 40
	// canonical: yes: block 32 is 0x000000000000000000000000000000000000000000000000000000000000b10c
	// succeeded: yes
	// read: 1 transfers
	// transfers: fits
	// token: fits
	// payee: fits
	// payer: no: PAYER_MISMATCH
}

// Judges a receipt that somebody has already, without asking any node.
func ExampleReadReceipt() {
	raw, err := json.Marshal(exampleReceipt())
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := evm.ReadReceipt(raw)
	if err != nil {
		log.Fatal(err)
	}
	receipt.Block.Time = time.Unix(1_700_000_000, 0) // from the block itself
	fmt.Println(settlement.Judge(exampleClaim(), receipt.Block, receipt.Transfers).Code)

	forged := exampleReceipt()
	forged.Logs[0].Topics[2] = common.HexToHash("0xbad")
	if raw, err = json.Marshal(forged); err != nil {
		log.Fatal(err)
	}
	_, err = evm.ReadReceipt(raw)
	fmt.Println(err)
	// Output:
	// VERIFIED
	// RPC_INCONSISTENT: the receipt's logsBloom is not that of its logs
}

// Takes what a person copies from a block explorer.
func ExampleParseTransaction() {
	chain, id, err := evm.ParseTransaction("https://basescan.org/tx/" + exampleTx)
	fmt.Println(chain, id, err)
	// Output: eip155:8453 0x4c53d4b0b0e6dd2ae5c8c1ff0a2bd2a5b6b0b6b8d1e9d3a8f0b1c2d3e4f50617 <nil>
}
