// Code generated via abigen V2 - DO NOT EDIT.
// This file is a generated binding and any manual changes will be lost.

package contracts

import (
	"bytes"
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Reference imports to suppress errors if they are not otherwise used.
var (
	_ = bytes.Equal
	_ = errors.New
	_ = big.NewInt
	_ = common.Big1
	_ = types.BloomLookup
	_ = abi.ConvertType
)

// OrderVaultsPayment is an auto generated low-level Go binding around an user-defined struct.
type OrderVaultsPayment struct {
	Terms   Terms
	Part    *big.Int
	ToPayee *big.Int
	ToPayer *big.Int
}

// Terms is an auto generated low-level Go binding around an user-defined struct.
type Terms struct {
	Version         *big.Int
	ChainId         *big.Int
	OrderKey        [32]byte
	Token           common.Address
	Amount          *big.Int
	Payer           common.Address
	Payee           common.Address
	Operator        common.Address
	Arbiter         common.Address
	ReclaimDeadline *big.Int
	DisputeDeadline *big.Int
	DefaultToPayee  *big.Int
}

// DigestWalletMetaData contains all meta data concerning the DigestWallet contract.
var DigestWalletMetaData = bind.MetaData{
	ABI: "[{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"digest\",\"type\":\"bytes32\"},{\"internalType\":\"bytes\",\"name\":\"\",\"type\":\"bytes\"}],\"name\":\"isValidSignature\",\"outputs\":[{\"internalType\":\"bytes4\",\"name\":\"\",\"type\":\"bytes4\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"digest\",\"type\":\"bytes32\"}],\"name\":\"sign\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"}]",
	ID:  "e5b084aacda5c0c730be56356af64f2b31",
	Bin: "0x6080604052348015600f57600080fd5b5061015b8061001f6000396000f3fe608060405234801561001057600080fd5b50600436106100365760003560e01c80631626ba7e1461003b578063799cd3331461006b575b600080fd5b61004e6100493660046100c4565b610096565b6040516001600160e01b0319909116815260200160405180910390f35b610094610079366004610142565b6000908152602081905260409020805460ff19166001179055565b005b60008381526020819052604081205460ff166100b35760006100bc565b630b135d3f60e11b5b949350505050565b6000806000604084860312156100d957600080fd5b83359250602084013567ffffffffffffffff8111156100f757600080fd5b8401601f8101861361010857600080fd5b803567ffffffffffffffff81111561011f57600080fd5b86602082840101111561013157600080fd5b939660209190910195509293505050565b60006020828403121561015457600080fd5b503591905056",
}

// DigestWallet is an auto generated Go binding around an Ethereum contract.
type DigestWallet struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *DigestWallet) GetABI() abi.ABI {
	return c.abi
}

// NewDigestWallet creates a new instance of DigestWallet.
func NewDigestWallet() *DigestWallet {
	parsed, err := DigestWalletMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &DigestWallet{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *DigestWallet) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackIsValidSignature is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1626ba7e.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function isValidSignature(bytes32 digest, bytes ) view returns(bytes4)
func (digestWallet *DigestWallet) PackIsValidSignature(digest [32]byte, arg1 []byte) []byte {
	enc, err := digestWallet.abi.Pack("isValidSignature", digest, arg1)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackIsValidSignature is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1626ba7e.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function isValidSignature(bytes32 digest, bytes ) view returns(bytes4)
func (digestWallet *DigestWallet) TryPackIsValidSignature(digest [32]byte, arg1 []byte) ([]byte, error) {
	return digestWallet.abi.Pack("isValidSignature", digest, arg1)
}

// UnpackIsValidSignature is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x1626ba7e.
//
// Solidity: function isValidSignature(bytes32 digest, bytes ) view returns(bytes4)
func (digestWallet *DigestWallet) UnpackIsValidSignature(data []byte) ([4]byte, error) {
	out, err := digestWallet.abi.Unpack("isValidSignature", data)
	if err != nil {
		return *new([4]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([4]byte)).(*[4]byte)
	return out0, nil
}

// PackSign is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x799cd333.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function sign(bytes32 digest) returns()
func (digestWallet *DigestWallet) PackSign(digest [32]byte) []byte {
	enc, err := digestWallet.abi.Pack("sign", digest)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSign is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x799cd333.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function sign(bytes32 digest) returns()
func (digestWallet *DigestWallet) TryPackSign(digest [32]byte) ([]byte, error) {
	return digestWallet.abi.Pack("sign", digest)
}

// HostileTokenMetaData contains all meta data concerning the HostileToken contract.
var HostileTokenMetaData = bind.MetaData{
	ABI: "[{\"inputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"constructor\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"spender\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"allowance\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"needed\",\"type\":\"uint256\"}],\"name\":\"ERC20InsufficientAllowance\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"sender\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"balance\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"needed\",\"type\":\"uint256\"}],\"name\":\"ERC20InsufficientBalance\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"approver\",\"type\":\"address\"}],\"name\":\"ERC20InvalidApprover\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"receiver\",\"type\":\"address\"}],\"name\":\"ERC20InvalidReceiver\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"sender\",\"type\":\"address\"}],\"name\":\"ERC20InvalidSender\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"spender\",\"type\":\"address\"}],\"name\":\"ERC20InvalidSpender\",\"type\":\"error\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"owner\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"address\",\"name\":\"spender\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"value\",\"type\":\"uint256\"}],\"name\":\"Approval\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"from\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"value\",\"type\":\"uint256\"}],\"name\":\"Transfer\",\"type\":\"event\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"owner\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"spender\",\"type\":\"address\"}],\"name\":\"allowance\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"spender\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"value\",\"type\":\"uint256\"}],\"name\":\"approve\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"}],\"name\":\"balanceOf\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"blocked\",\"outputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"internalType\":\"bytes\",\"name\":\"what\",\"type\":\"bytes\"}],\"name\":\"callBack\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"decimals\",\"outputs\":[{\"internalType\":\"uint8\",\"name\":\"\",\"type\":\"uint8\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"}],\"name\":\"mint\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"mood\",\"outputs\":[{\"internalType\":\"enumHostileToken.Mood\",\"name\":\"\",\"type\":\"uint8\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"from\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"}],\"name\":\"moveFor\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"name\",\"outputs\":[{\"internalType\":\"string\",\"name\":\"\",\"type\":\"string\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"reentered\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"enumHostileToken.Mood\",\"name\":\"m\",\"type\":\"uint8\"},{\"internalType\":\"address\",\"name\":\"who\",\"type\":\"address\"}],\"name\":\"setMood\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"symbol\",\"outputs\":[{\"internalType\":\"string\",\"name\":\"\",\"type\":\"string\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"totalSupply\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"}],\"name\":\"transfer\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"from\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"value\",\"type\":\"uint256\"}],\"name\":\"transferFrom\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"}]",
	ID:  "9e5a66390717f248268527df77231a260e",
	Bin: "0x608060405234801561001057600080fd5b5060405180604001604052806007815260200166486f7374696c6560c81b815250604051806040016040528060048152602001631213d4d560e21b815250816003908161005d919061011e565b50600461006a828261011e565b5050506101e0565b634e487b7160e01b600052604160045260246000fd5b600181811c9082168061009c57607f821691505b6020821081036100bc57634e487b7160e01b600052602260045260246000fd5b50919050565b601f821115610119578282111561011957806000526020600020601f840160051c60208510156100f0575060005b90810190601f840160051c0360005b81811015610115576000838201556001016100ff565b5050505b505050565b81516001600160401b0381111561013757610137610072565b61014b816101458454610088565b846100c2565b6020601f82116001811461017f57600083156101675750848201515b600019600385901b1c1916600184901b1784556101d9565b600084815260208120601f198516915b828110156101af578785015182556020948501946001909201910161018f565b50848210156101cd5786840151600019600387901b60f8161c191681555b505060018360011b0184555b5050505050565b610de5806101ef6000396000f3fe608060405234801561001057600080fd5b50600436106101005760003560e01c806370a082311161009757806395d89b411161006657806395d89b4114610235578063a9059cbb1461023d578063ba22bba014610250578063dd62ed3e1461026357600080fd5b806370a08231146101cc57806370ffe53d146101f55780638c9714e31461020f5780638cb561511461022257600080fd5b8063303bdd2c116100d3578063303bdd2c1461016b578063313ce5671461019b5780633f09775e146101aa57806340c10f19146101b757600080fd5b806306fdde0314610105578063095ea7b31461012357806318160ddd1461014657806323b872dd14610158575b600080fd5b61010d61029c565b60405161011a91906109b6565b60405180910390f35b610136610131366004610a20565b61032e565b604051901515815260200161011a565b6002545b60405190815260200161011a565b610136610166366004610a4a565b610348565b6005546101839061010090046001600160a01b031681565b6040516001600160a01b03909116815260200161011a565b6040516012815260200161011a565b6008546101369060ff1681565b6101ca6101c5366004610a20565b61036c565b005b61014a6101da366004610a87565b6001600160a01b031660009081526020819052604090205490565b6005546102029060ff1681565b60405161011a9190610abf565b6101ca61021d366004610ae7565b61037a565b6101ca610230366004610a4a565b6103d2565b61010d6103e2565b61013661024b366004610a20565b6103f1565b6101ca61025e366004610b20565b61061e565b61014a610271366004610ba5565b6001600160a01b03918216600090815260016020908152604080832093909416825291909152205490565b6060600380546102ab90610bc1565b80601f01602080910402602001604051908101604052809291908181526020018280546102d790610bc1565b80156103245780601f106102f957610100808354040283529160200191610324565b820191906000526020600020905b81548152906001019060200180831161030757829003601f168201915b5050505050905090565b60003361033c818585610660565b60019150505b92915050565b60003361035685828561066d565b6103618585856106ec565b506001949350505050565b610376828261074b565b5050565b600580546001600160a01b03831661010002610100600160a81b031982168117835584928492849260ff19166001600160a81b03199091161760018360088111156103c7576103c7610aa9565b021790555050505050565b6103dd8383836106ec565b505050565b6060600480546102ab90610bc1565b6000600260055460ff16600881111561040c5761040c610aa9565b0361041957506000610342565b6005805460ff16600881111561043157610431610aa9565b14801561045057506005546001600160a01b0384811661010090920416145b1561048c5760405162461bcd60e51b8152602060048201526007602482015266189b1bd8dad95960ca1b60448201526064015b60405180910390fd5b600460055460ff1660088111156104a5576104a5610aa9565b1480156104c457506005546001600160a01b0384811661010090920416145b156104cf575b6104ca565b600660055460ff1660088111156104e8576104e8610aa9565b03610574576006546040516000916001600160a01b03169061050c90600790610bfb565b6000604051808303816000865af19150503d8060008114610549576040519150601f19603f3d011682016040523d82523d6000602084013e61054e565b606091505b505060085490915060ff16806105615750805b6008805460ff1916911515919091179055505b61057f3384846106ec565b600160055460ff16600881111561059857610598610aa9565b036105b1576105b1836105ac606485610c70565b610781565b600360055460ff1660088111156105ca576105ca610aa9565b036105d157005b600760055460ff1660088111156105ea576105ea610aa9565b036105fc576001600052620186a06000f35b600860055460ff16600881111561061557610615610aa9565b14159392505050565b828282600660006007610632848683610d03565b508491906101000a8154816001600160a01b0302191690836001600160a01b03160217905550505050505050565b6103dd83838360016107b7565b6001600160a01b038381166000908152600160209081526040808320938616835292905220546000198110156106e657818110156106d757604051637dc7a0d960e11b81526001600160a01b03841660048201526024810182905260448101839052606401610483565b6106e6848484840360006107b7565b50505050565b6001600160a01b03831661071657604051634b637e8f60e11b815260006004820152602401610483565b6001600160a01b0382166107405760405163ec442f0560e01b815260006004820152602401610483565b6103dd83838361088c565b6001600160a01b0382166107755760405163ec442f0560e01b815260006004820152602401610483565b6103766000838361088c565b6001600160a01b0382166107ab57604051634b637e8f60e11b815260006004820152602401610483565b6103768260008361088c565b6001600160a01b0384166107e15760405163e602df0560e01b815260006004820152602401610483565b6001600160a01b03831661080b57604051634a1406b160e11b815260006004820152602401610483565b6001600160a01b03808516600090815260016020908152604080832093871683529290522082905580156106e657826001600160a01b0316846001600160a01b03167f8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b9258460405161087e91815260200190565b60405180910390a350505050565b6001600160a01b0383166108b75780600260008282546108ac9190610dc4565b909155506109299050565b6001600160a01b0383166000908152602081905260409020548181101561090a5760405163391434e360e21b81526001600160a01b03851660048201526024810182905260448101839052606401610483565b6001600160a01b03841660009081526020819052604090209082900390555b6001600160a01b03821661094557600280548290039055610964565b6001600160a01b03821660009081526020819052604090208054820190555b816001600160a01b0316836001600160a01b03167fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef836040516109a991815260200190565b60405180910390a3505050565b602081526000825180602084015260005b818110156109e457602081860181015160408684010152016109c7565b506000604082850101526040601f19601f83011684010191505092915050565b80356001600160a01b0381168114610a1b57600080fd5b919050565b60008060408385031215610a3357600080fd5b610a3c83610a04565b946020939093013593505050565b600080600060608486031215610a5f57600080fd5b610a6884610a04565b9250610a7660208501610a04565b929592945050506040919091013590565b600060208284031215610a9957600080fd5b610aa282610a04565b9392505050565b634e487b7160e01b600052602160045260246000fd5b6020810160098310610ae157634e487b7160e01b600052602160045260246000fd5b91905290565b60008060408385031215610afa57600080fd5b823560098110610b0957600080fd5b9150610b1760208401610a04565b90509250929050565b600080600060408486031215610b3557600080fd5b610b3e84610a04565b9250602084013567ffffffffffffffff811115610b5a57600080fd5b8401601f81018613610b6b57600080fd5b803567ffffffffffffffff811115610b8257600080fd5b866020828401011115610b9457600080fd5b939660209190910195509293505050565b60008060408385031215610bb857600080fd5b610b0983610a04565b600181811c90821680610bd557607f821691505b602082108103610bf557634e487b7160e01b600052602260045260246000fd5b50919050565b6000808354610c0981610bc1565b600182168015610c205760018114610c3557610c65565b60ff1983168652811515820286019350610c65565b86600052602060002060005b83811015610c5d57815488820152600190910190602001610c41565b505081860193505b509195945050505050565b600082610c8d57634e487b7160e01b600052601260045260246000fd5b500490565b634e487b7160e01b600052604160045260246000fd5b601f8211156103dd57828211156103dd57806000526020600020601f840160051c6020851015610cd6575060005b90810190601f840160051c0360005b81811015610cfb57600083820155600101610ce5565b505050505050565b67ffffffffffffffff831115610d1b57610d1b610c92565b610d2f83610d298354610bc1565b83610ca8565b6000601f841160018114610d635760008515610d4b5750838201355b600019600387901b1c1916600186901b178355610dbd565b600083815260209020601f19861690835b82811015610d945786850135825560209485019460019092019101610d74565b5086821015610db15760001960f88860031b161c19848701351681555b505060018560011b0183555b5050505050565b8082018082111561034257634e487b7160e01b600052601160045260246000fd",
}

// HostileToken is an auto generated Go binding around an Ethereum contract.
type HostileToken struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *HostileToken) GetABI() abi.ABI {
	return c.abi
}

// NewHostileToken creates a new instance of HostileToken.
func NewHostileToken() *HostileToken {
	parsed, err := HostileTokenMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &HostileToken{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *HostileToken) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackAllowance is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xdd62ed3e.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function allowance(address owner, address spender) view returns(uint256)
func (hostileToken *HostileToken) PackAllowance(owner common.Address, spender common.Address) []byte {
	enc, err := hostileToken.abi.Pack("allowance", owner, spender)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackAllowance is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xdd62ed3e.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function allowance(address owner, address spender) view returns(uint256)
func (hostileToken *HostileToken) TryPackAllowance(owner common.Address, spender common.Address) ([]byte, error) {
	return hostileToken.abi.Pack("allowance", owner, spender)
}

// UnpackAllowance is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xdd62ed3e.
//
// Solidity: function allowance(address owner, address spender) view returns(uint256)
func (hostileToken *HostileToken) UnpackAllowance(data []byte) (*big.Int, error) {
	out, err := hostileToken.abi.Unpack("allowance", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackApprove is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x095ea7b3.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function approve(address spender, uint256 value) returns(bool)
func (hostileToken *HostileToken) PackApprove(spender common.Address, value *big.Int) []byte {
	enc, err := hostileToken.abi.Pack("approve", spender, value)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackApprove is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x095ea7b3.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function approve(address spender, uint256 value) returns(bool)
func (hostileToken *HostileToken) TryPackApprove(spender common.Address, value *big.Int) ([]byte, error) {
	return hostileToken.abi.Pack("approve", spender, value)
}

// UnpackApprove is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x095ea7b3.
//
// Solidity: function approve(address spender, uint256 value) returns(bool)
func (hostileToken *HostileToken) UnpackApprove(data []byte) (bool, error) {
	out, err := hostileToken.abi.Unpack("approve", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// PackBalanceOf is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x70a08231.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function balanceOf(address account) view returns(uint256)
func (hostileToken *HostileToken) PackBalanceOf(account common.Address) []byte {
	enc, err := hostileToken.abi.Pack("balanceOf", account)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackBalanceOf is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x70a08231.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function balanceOf(address account) view returns(uint256)
func (hostileToken *HostileToken) TryPackBalanceOf(account common.Address) ([]byte, error) {
	return hostileToken.abi.Pack("balanceOf", account)
}

// UnpackBalanceOf is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x70a08231.
//
// Solidity: function balanceOf(address account) view returns(uint256)
func (hostileToken *HostileToken) UnpackBalanceOf(data []byte) (*big.Int, error) {
	out, err := hostileToken.abi.Unpack("balanceOf", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackBlocked is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x303bdd2c.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function blocked() view returns(address)
func (hostileToken *HostileToken) PackBlocked() []byte {
	enc, err := hostileToken.abi.Pack("blocked")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackBlocked is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x303bdd2c.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function blocked() view returns(address)
func (hostileToken *HostileToken) TryPackBlocked() ([]byte, error) {
	return hostileToken.abi.Pack("blocked")
}

// UnpackBlocked is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x303bdd2c.
//
// Solidity: function blocked() view returns(address)
func (hostileToken *HostileToken) UnpackBlocked(data []byte) (common.Address, error) {
	out, err := hostileToken.abi.Unpack("blocked", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// PackCallBack is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xba22bba0.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function callBack(address to, bytes what) returns()
func (hostileToken *HostileToken) PackCallBack(to common.Address, what []byte) []byte {
	enc, err := hostileToken.abi.Pack("callBack", to, what)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackCallBack is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xba22bba0.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function callBack(address to, bytes what) returns()
func (hostileToken *HostileToken) TryPackCallBack(to common.Address, what []byte) ([]byte, error) {
	return hostileToken.abi.Pack("callBack", to, what)
}

// PackDecimals is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x313ce567.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function decimals() view returns(uint8)
func (hostileToken *HostileToken) PackDecimals() []byte {
	enc, err := hostileToken.abi.Pack("decimals")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackDecimals is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x313ce567.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function decimals() view returns(uint8)
func (hostileToken *HostileToken) TryPackDecimals() ([]byte, error) {
	return hostileToken.abi.Pack("decimals")
}

// UnpackDecimals is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x313ce567.
//
// Solidity: function decimals() view returns(uint8)
func (hostileToken *HostileToken) UnpackDecimals(data []byte) (uint8, error) {
	out, err := hostileToken.abi.Unpack("decimals", data)
	if err != nil {
		return *new(uint8), err
	}
	out0 := *abi.ConvertType(out[0], new(uint8)).(*uint8)
	return out0, nil
}

// PackMint is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x40c10f19.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function mint(address to, uint256 amount) returns()
func (hostileToken *HostileToken) PackMint(to common.Address, amount *big.Int) []byte {
	enc, err := hostileToken.abi.Pack("mint", to, amount)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackMint is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x40c10f19.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function mint(address to, uint256 amount) returns()
func (hostileToken *HostileToken) TryPackMint(to common.Address, amount *big.Int) ([]byte, error) {
	return hostileToken.abi.Pack("mint", to, amount)
}

// PackMood is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x70ffe53d.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function mood() view returns(uint8)
func (hostileToken *HostileToken) PackMood() []byte {
	enc, err := hostileToken.abi.Pack("mood")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackMood is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x70ffe53d.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function mood() view returns(uint8)
func (hostileToken *HostileToken) TryPackMood() ([]byte, error) {
	return hostileToken.abi.Pack("mood")
}

// UnpackMood is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x70ffe53d.
//
// Solidity: function mood() view returns(uint8)
func (hostileToken *HostileToken) UnpackMood(data []byte) (uint8, error) {
	out, err := hostileToken.abi.Unpack("mood", data)
	if err != nil {
		return *new(uint8), err
	}
	out0 := *abi.ConvertType(out[0], new(uint8)).(*uint8)
	return out0, nil
}

// PackMoveFor is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8cb56151.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function moveFor(address from, address to, uint256 amount) returns()
func (hostileToken *HostileToken) PackMoveFor(from common.Address, to common.Address, amount *big.Int) []byte {
	enc, err := hostileToken.abi.Pack("moveFor", from, to, amount)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackMoveFor is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8cb56151.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function moveFor(address from, address to, uint256 amount) returns()
func (hostileToken *HostileToken) TryPackMoveFor(from common.Address, to common.Address, amount *big.Int) ([]byte, error) {
	return hostileToken.abi.Pack("moveFor", from, to, amount)
}

// PackName is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x06fdde03.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function name() view returns(string)
func (hostileToken *HostileToken) PackName() []byte {
	enc, err := hostileToken.abi.Pack("name")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackName is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x06fdde03.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function name() view returns(string)
func (hostileToken *HostileToken) TryPackName() ([]byte, error) {
	return hostileToken.abi.Pack("name")
}

// UnpackName is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x06fdde03.
//
// Solidity: function name() view returns(string)
func (hostileToken *HostileToken) UnpackName(data []byte) (string, error) {
	out, err := hostileToken.abi.Unpack("name", data)
	if err != nil {
		return *new(string), err
	}
	out0 := *abi.ConvertType(out[0], new(string)).(*string)
	return out0, nil
}

// PackReentered is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x3f09775e.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function reentered() view returns(bool)
func (hostileToken *HostileToken) PackReentered() []byte {
	enc, err := hostileToken.abi.Pack("reentered")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackReentered is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x3f09775e.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function reentered() view returns(bool)
func (hostileToken *HostileToken) TryPackReentered() ([]byte, error) {
	return hostileToken.abi.Pack("reentered")
}

// UnpackReentered is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x3f09775e.
//
// Solidity: function reentered() view returns(bool)
func (hostileToken *HostileToken) UnpackReentered(data []byte) (bool, error) {
	out, err := hostileToken.abi.Unpack("reentered", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// PackSetMood is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8c9714e3.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function setMood(uint8 m, address who) returns()
func (hostileToken *HostileToken) PackSetMood(m uint8, who common.Address) []byte {
	enc, err := hostileToken.abi.Pack("setMood", m, who)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSetMood is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8c9714e3.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function setMood(uint8 m, address who) returns()
func (hostileToken *HostileToken) TryPackSetMood(m uint8, who common.Address) ([]byte, error) {
	return hostileToken.abi.Pack("setMood", m, who)
}

// PackSymbol is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x95d89b41.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function symbol() view returns(string)
func (hostileToken *HostileToken) PackSymbol() []byte {
	enc, err := hostileToken.abi.Pack("symbol")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSymbol is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x95d89b41.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function symbol() view returns(string)
func (hostileToken *HostileToken) TryPackSymbol() ([]byte, error) {
	return hostileToken.abi.Pack("symbol")
}

// UnpackSymbol is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x95d89b41.
//
// Solidity: function symbol() view returns(string)
func (hostileToken *HostileToken) UnpackSymbol(data []byte) (string, error) {
	out, err := hostileToken.abi.Unpack("symbol", data)
	if err != nil {
		return *new(string), err
	}
	out0 := *abi.ConvertType(out[0], new(string)).(*string)
	return out0, nil
}

// PackTotalSupply is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x18160ddd.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function totalSupply() view returns(uint256)
func (hostileToken *HostileToken) PackTotalSupply() []byte {
	enc, err := hostileToken.abi.Pack("totalSupply")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackTotalSupply is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x18160ddd.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function totalSupply() view returns(uint256)
func (hostileToken *HostileToken) TryPackTotalSupply() ([]byte, error) {
	return hostileToken.abi.Pack("totalSupply")
}

// UnpackTotalSupply is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x18160ddd.
//
// Solidity: function totalSupply() view returns(uint256)
func (hostileToken *HostileToken) UnpackTotalSupply(data []byte) (*big.Int, error) {
	out, err := hostileToken.abi.Unpack("totalSupply", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackTransfer is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa9059cbb.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function transfer(address to, uint256 amount) returns(bool)
func (hostileToken *HostileToken) PackTransfer(to common.Address, amount *big.Int) []byte {
	enc, err := hostileToken.abi.Pack("transfer", to, amount)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackTransfer is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa9059cbb.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function transfer(address to, uint256 amount) returns(bool)
func (hostileToken *HostileToken) TryPackTransfer(to common.Address, amount *big.Int) ([]byte, error) {
	return hostileToken.abi.Pack("transfer", to, amount)
}

// UnpackTransfer is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xa9059cbb.
//
// Solidity: function transfer(address to, uint256 amount) returns(bool)
func (hostileToken *HostileToken) UnpackTransfer(data []byte) (bool, error) {
	out, err := hostileToken.abi.Unpack("transfer", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// PackTransferFrom is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x23b872dd.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function transferFrom(address from, address to, uint256 value) returns(bool)
func (hostileToken *HostileToken) PackTransferFrom(from common.Address, to common.Address, value *big.Int) []byte {
	enc, err := hostileToken.abi.Pack("transferFrom", from, to, value)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackTransferFrom is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x23b872dd.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function transferFrom(address from, address to, uint256 value) returns(bool)
func (hostileToken *HostileToken) TryPackTransferFrom(from common.Address, to common.Address, value *big.Int) ([]byte, error) {
	return hostileToken.abi.Pack("transferFrom", from, to, value)
}

// UnpackTransferFrom is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x23b872dd.
//
// Solidity: function transferFrom(address from, address to, uint256 value) returns(bool)
func (hostileToken *HostileToken) UnpackTransferFrom(data []byte) (bool, error) {
	out, err := hostileToken.abi.Unpack("transferFrom", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// HostileTokenApproval represents a Approval event raised by the HostileToken contract.
type HostileTokenApproval struct {
	Owner   common.Address
	Spender common.Address
	Value   *big.Int
	Raw     *types.Log // Blockchain specific contextual infos
}

const HostileTokenApprovalEventName = "Approval"

// ContractEventName returns the user-defined event name.
func (HostileTokenApproval) ContractEventName() string {
	return HostileTokenApprovalEventName
}

// UnpackApprovalEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Approval(address indexed owner, address indexed spender, uint256 value)
func (hostileToken *HostileToken) UnpackApprovalEvent(log *types.Log) (*HostileTokenApproval, error) {
	event := "Approval"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != hostileToken.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(HostileTokenApproval)
	if len(log.Data) > 0 {
		if err := hostileToken.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range hostileToken.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// HostileTokenTransfer represents a Transfer event raised by the HostileToken contract.
type HostileTokenTransfer struct {
	From  common.Address
	To    common.Address
	Value *big.Int
	Raw   *types.Log // Blockchain specific contextual infos
}

const HostileTokenTransferEventName = "Transfer"

// ContractEventName returns the user-defined event name.
func (HostileTokenTransfer) ContractEventName() string {
	return HostileTokenTransferEventName
}

// UnpackTransferEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Transfer(address indexed from, address indexed to, uint256 value)
func (hostileToken *HostileToken) UnpackTransferEvent(log *types.Log) (*HostileTokenTransfer, error) {
	event := "Transfer"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != hostileToken.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(HostileTokenTransfer)
	if len(log.Data) > 0 {
		if err := hostileToken.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range hostileToken.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// UnpackError attempts to decode the provided error data using user-defined
// error definitions.
func (hostileToken *HostileToken) UnpackError(raw []byte) (any, error) {
	if bytes.Equal(raw[:4], hostileToken.abi.Errors["ERC20InsufficientAllowance"].ID.Bytes()[:4]) {
		return hostileToken.UnpackERC20InsufficientAllowanceError(raw[4:])
	}
	if bytes.Equal(raw[:4], hostileToken.abi.Errors["ERC20InsufficientBalance"].ID.Bytes()[:4]) {
		return hostileToken.UnpackERC20InsufficientBalanceError(raw[4:])
	}
	if bytes.Equal(raw[:4], hostileToken.abi.Errors["ERC20InvalidApprover"].ID.Bytes()[:4]) {
		return hostileToken.UnpackERC20InvalidApproverError(raw[4:])
	}
	if bytes.Equal(raw[:4], hostileToken.abi.Errors["ERC20InvalidReceiver"].ID.Bytes()[:4]) {
		return hostileToken.UnpackERC20InvalidReceiverError(raw[4:])
	}
	if bytes.Equal(raw[:4], hostileToken.abi.Errors["ERC20InvalidSender"].ID.Bytes()[:4]) {
		return hostileToken.UnpackERC20InvalidSenderError(raw[4:])
	}
	if bytes.Equal(raw[:4], hostileToken.abi.Errors["ERC20InvalidSpender"].ID.Bytes()[:4]) {
		return hostileToken.UnpackERC20InvalidSpenderError(raw[4:])
	}
	return nil, errors.New("Unknown error")
}

// HostileTokenERC20InsufficientAllowance represents a ERC20InsufficientAllowance error raised by the HostileToken contract.
type HostileTokenERC20InsufficientAllowance struct {
	Spender   common.Address
	Allowance *big.Int
	Needed    *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)
func HostileTokenERC20InsufficientAllowanceErrorID() common.Hash {
	return common.HexToHash("0xfb8f41b23e99d2101d86da76cdfa87dd51c82ed07d3cb62cbc473e469dbc75c3")
}

// UnpackERC20InsufficientAllowanceError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)
func (hostileToken *HostileToken) UnpackERC20InsufficientAllowanceError(raw []byte) (*HostileTokenERC20InsufficientAllowance, error) {
	out := new(HostileTokenERC20InsufficientAllowance)
	if err := hostileToken.abi.UnpackIntoInterface(out, "ERC20InsufficientAllowance", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// HostileTokenERC20InsufficientBalance represents a ERC20InsufficientBalance error raised by the HostileToken contract.
type HostileTokenERC20InsufficientBalance struct {
	Sender  common.Address
	Balance *big.Int
	Needed  *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)
func HostileTokenERC20InsufficientBalanceErrorID() common.Hash {
	return common.HexToHash("0xe450d38cd8d9f7d95077d567d60ed49c7254716e6ad08fc9872816c97e0ffec6")
}

// UnpackERC20InsufficientBalanceError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)
func (hostileToken *HostileToken) UnpackERC20InsufficientBalanceError(raw []byte) (*HostileTokenERC20InsufficientBalance, error) {
	out := new(HostileTokenERC20InsufficientBalance)
	if err := hostileToken.abi.UnpackIntoInterface(out, "ERC20InsufficientBalance", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// HostileTokenERC20InvalidApprover represents a ERC20InvalidApprover error raised by the HostileToken contract.
type HostileTokenERC20InvalidApprover struct {
	Approver common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ERC20InvalidApprover(address approver)
func HostileTokenERC20InvalidApproverErrorID() common.Hash {
	return common.HexToHash("0xe602df05cc75712490294c6c104ab7c17f4030363910a7a2626411c6d3118847")
}

// UnpackERC20InvalidApproverError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ERC20InvalidApprover(address approver)
func (hostileToken *HostileToken) UnpackERC20InvalidApproverError(raw []byte) (*HostileTokenERC20InvalidApprover, error) {
	out := new(HostileTokenERC20InvalidApprover)
	if err := hostileToken.abi.UnpackIntoInterface(out, "ERC20InvalidApprover", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// HostileTokenERC20InvalidReceiver represents a ERC20InvalidReceiver error raised by the HostileToken contract.
type HostileTokenERC20InvalidReceiver struct {
	Receiver common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ERC20InvalidReceiver(address receiver)
func HostileTokenERC20InvalidReceiverErrorID() common.Hash {
	return common.HexToHash("0xec442f055133b72f3b2f9f0bb351c406b178527de2040a7d1feb4e058771f613")
}

// UnpackERC20InvalidReceiverError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ERC20InvalidReceiver(address receiver)
func (hostileToken *HostileToken) UnpackERC20InvalidReceiverError(raw []byte) (*HostileTokenERC20InvalidReceiver, error) {
	out := new(HostileTokenERC20InvalidReceiver)
	if err := hostileToken.abi.UnpackIntoInterface(out, "ERC20InvalidReceiver", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// HostileTokenERC20InvalidSender represents a ERC20InvalidSender error raised by the HostileToken contract.
type HostileTokenERC20InvalidSender struct {
	Sender common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ERC20InvalidSender(address sender)
func HostileTokenERC20InvalidSenderErrorID() common.Hash {
	return common.HexToHash("0x96c6fd1edd0cd6ef7ff0ecc0facdf53148dc0048b57fe58af65755250a7a96bd")
}

// UnpackERC20InvalidSenderError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ERC20InvalidSender(address sender)
func (hostileToken *HostileToken) UnpackERC20InvalidSenderError(raw []byte) (*HostileTokenERC20InvalidSender, error) {
	out := new(HostileTokenERC20InvalidSender)
	if err := hostileToken.abi.UnpackIntoInterface(out, "ERC20InvalidSender", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// HostileTokenERC20InvalidSpender represents a ERC20InvalidSpender error raised by the HostileToken contract.
type HostileTokenERC20InvalidSpender struct {
	Spender common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ERC20InvalidSpender(address spender)
func HostileTokenERC20InvalidSpenderErrorID() common.Hash {
	return common.HexToHash("0x94280d62c347d8d9f4d59a76ea321452406db88df38e0c9da304f58b57b373a2")
}

// UnpackERC20InvalidSpenderError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ERC20InvalidSpender(address spender)
func (hostileToken *HostileToken) UnpackERC20InvalidSpenderError(raw []byte) (*HostileTokenERC20InvalidSpender, error) {
	out := new(HostileTokenERC20InvalidSpender)
	if err := hostileToken.abi.UnpackIntoInterface(out, "ERC20InvalidSpender", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultMetaData contains all meta data concerning the OrderVault contract.
var OrderVaultMetaData = bind.MetaData{
	ABI: "[{\"inputs\":[],\"name\":\"AboveAmount\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"BadSignature\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"uint256\",\"name\":\"available\",\"type\":\"uint256\"}],\"name\":\"BelowBalance\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"NotAllowed\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"NothingToPay\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"OrderMoneyMoved\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"uint256\",\"name\":\"part\",\"type\":\"uint256\"}],\"name\":\"PartTooHigh\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"uint256\",\"name\":\"part\",\"type\":\"uint256\"}],\"name\":\"PartUsed\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"TooLittleGas\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"TransferFailed\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"WrongChain\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"caller\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"part\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"receiver\",\"type\":\"address\"}],\"name\":\"claim\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"toPayee\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"toPayer\",\"type\":\"uint256\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"caller\",\"type\":\"address\"}],\"name\":\"divideByDefault\",\"outputs\":[{\"internalType\":\"uint128\",\"name\":\"toPayee\",\"type\":\"uint128\"},{\"internalType\":\"uint128\",\"name\":\"toPayer\",\"type\":\"uint128\"},{\"internalType\":\"bool\",\"name\":\"payeePaid\",\"type\":\"bool\"},{\"internalType\":\"bool\",\"name\":\"payerPaid\",\"type\":\"bool\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"caller\",\"type\":\"address\"}],\"name\":\"freeze\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"uint256\",\"name\":\"part\",\"type\":\"uint256\"}],\"name\":\"owedBy\",\"outputs\":[{\"internalType\":\"uint128\",\"name\":\"toPayee\",\"type\":\"uint128\"},{\"internalType\":\"uint128\",\"name\":\"toPayer\",\"type\":\"uint128\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"caller\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"part\",\"type\":\"uint256\"},{\"internalType\":\"uint128\",\"name\":\"toPayee\",\"type\":\"uint128\"},{\"internalType\":\"uint128\",\"name\":\"toPayer\",\"type\":\"uint128\"}],\"name\":\"pay\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"payeePaid\",\"type\":\"bool\"},{\"internalType\":\"bool\",\"name\":\"payerPaid\",\"type\":\"bool\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"caller\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"receiver\",\"type\":\"address\"}],\"name\":\"reclaim\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"caller\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"total\",\"type\":\"uint256\"},{\"internalType\":\"bytes\",\"name\":\"signature\",\"type\":\"bytes\"}],\"name\":\"release\",\"outputs\":[{\"internalType\":\"uint128\",\"name\":\"toPayee\",\"type\":\"uint128\"},{\"internalType\":\"bool\",\"name\":\"payeePaid\",\"type\":\"bool\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"caller\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"receiver\",\"type\":\"address\"}],\"name\":\"returnOther\",\"outputs\":[{\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"state\",\"outputs\":[{\"internalType\":\"uint128\",\"name\":\"toPayee\",\"type\":\"uint128\"},{\"internalType\":\"uint96\",\"name\":\"parts\",\"type\":\"uint96\"},{\"internalType\":\"bool\",\"name\":\"frozen\",\"type\":\"bool\"},{\"internalType\":\"uint128\",\"name\":\"owedToPayee\",\"type\":\"uint128\"},{\"internalType\":\"uint128\",\"name\":\"owedToPayer\",\"type\":\"uint128\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"}],\"name\":\"transferOut\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"stateMutability\":\"payable\",\"type\":\"receive\"}]",
	ID:  "2c78ee5966c2cab7958ae6a3bf7e428283",
	Bin: "0x60a06040523360805234801561001457600080fd5b50608051611fac61005a6000396000818161046d01528181610671015281816107bb015281816109e801528181610b1501528181610edb01526110d70152611fac6000f3fe6080604052600436106100955760003560e01c80639e96a260116100595780639e96a2601461018c578063a6c1a3ec146101c1578063c19d93fb14610214578063c315f7d9146102a1578063cca5510d146102e057600080fd5b8063078d3b79146100a15780631c1a4a18146100c35780635bb2dcfd1461010757806379201c7b146101355780638d1fdf2f1461016c57600080fd5b3661009c57005b600080fd5b3480156100ad57600080fd5b506100c16100bc366004611b24565b610342565b005b3480156100cf57600080fd5b506100e36100de366004611b65565b61045f565b604080516001600160a01b0390931683526020830191909152015b60405180910390f35b34801561011357600080fd5b50610127610122366004611bb0565b610664565b6040519081526020016100fe565b34801561014157600080fd5b50610155610150366004611c05565b6107ad565b6040805192151583529015156020830152016100fe565b34801561017857600080fd5b506100c1610187366004611c54565b6109dd565b34801561019857600080fd5b506101ac6101a7366004611c71565b610b07565b604080519283526020830191909152016100fe565b3480156101cd57600080fd5b506101e16101dc366004611c54565b610ecb565b604080516001600160801b03958616815294909316602085015290151591830191909152151560608201526080016100fe565b34801561022057600080fd5b5061025e6000546001546001600160801b0380831693600160801b8085046001600160601b031694600160e01b900460ff1693838116939190041690565b604080516001600160801b0396871681526001600160601b039095166020860152921515928401929092528316606083015291909116608082015260a0016100fe565b3480156102ad57600080fd5b506102c16102bc366004611ca8565b6110c9565b604080516001600160801b0390931683529015156020830152016100fe565b3480156102ec57600080fd5b506103226102fb366004611d34565b6000908152600260205260409020546001600160801b0380821692600160801b9092041690565b604080516001600160801b039384168152929091166020830152016100fe565b333014158061035957506001600160a01b03821630145b1561037757604051631eb49d6d60e11b815260040160405180910390fd5b6001600160a01b03831661039d5760008060008084865af161039857600080fd5b505050565b826001600160a01b03163b6000036103c8576040516312171d8360e31b815260040160405180910390fd5b6040516001600160a01b03831660248201526044810182905260009060640160408051601f19818403018152919052602080820180516001600160e01b031663a9059cbb60e01b1781528251929350600092839182895af190503d801561043957600160005114601f3d1116821691505b5080610458576040516312171d8360e31b815260040160405180910390fd5b5050505050565b600080336001600160a01b037f0000000000000000000000000000000000000000000000000000000000000000161415806104a35750600054600160e81b900460ff165b156104c157604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b1781556104dc61138b565b90506000600182600001511480156104f75750468260200151145b90508160e001516001600160a01b0316876001600160a01b03161415801561054357508160a001516001600160a01b0316876001600160a01b0316141580610543575081610120015142105b1561056157604051631eb49d6d60e11b815260040160405180910390fd5b60008161056f57600061057c565b61057c83606001516113b4565b90508260a001516001600160a01b0316886001600160a01b0316146105a5578260a001516105a7565b855b94506001600160a01b038716156105c6576105c1876113b4565b6105c8565b475b9350836000036105eb576040516326b1e12960e11b815260040160405180910390fd5b6105f687868661143c565b610613576040516312171d8360e31b815260040160405180910390fd5b81801561062c57508061062984606001516113b4565b14155b1561064a576040516319e0258360e11b815260040160405180910390fd5b50506000805460ff60e81b19169055509094909350915050565b6000336001600160a01b037f0000000000000000000000000000000000000000000000000000000000000000161415806106a75750600054600160e81b900460ff165b156106c557604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b1781556106e0611502565b90508060a001516001600160a01b0316846001600160a01b03161415806107105750600054600160e01b900460ff165b8061071f575080610120015142105b1561073d57604051631eb49d6d60e11b815260040160405180910390fd5b61074a816060015161154b565b91508160000361076d576040516326b1e12960e11b815260040160405180910390fd5b61077c8160600151848461143c565b610799576040516312171d8360e31b815260040160405180910390fd5b506000805460ff60e81b1916905592915050565b600080336001600160a01b037f0000000000000000000000000000000000000000000000000000000000000000161415806107f15750600054600160e81b900460ff165b1561080f57604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b17815561082a611502565b600054909150600160e01b900460ff161561088d578061010001516001600160a01b0316876001600160a01b031614158061086a57508061014001514210155b1561088857604051631eb49d6d60e11b815260040160405180910390fd5b6108d5565b8060e001516001600160a01b0316876001600160a01b03161415806108b757508061012001514210155b156108d557604051631eb49d6d60e11b815260040160405180910390fd5b606086106108fe57604051632b0a9d8560e11b8152600481018790526024015b60405180910390fd5b600054600160801b900460016001600160601b038089169190911b91909116161561093f576040516354a5a2df60e01b8152600481018790526024016108f5565b6001600160801b03851615801561095d57506001600160801b038416155b1561097b576040516326b1e12960e11b815260040160405180910390fd5b6000805460016001600160601b03808a169190911b8116600160801b80840490921617026bffffffffffffffffffffffff60801b199091161790556109c28187878761159e565b6000805460ff60e81b19169055909890975095505050505050565b336001600160a01b037f000000000000000000000000000000000000000000000000000000000000000016141580610a1e5750600054600160e81b900460ff165b15610a3c57604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b178155610a57611502565b90508060e001516001600160a01b0316826001600160a01b031614158015610a9657508061010001516001600160a01b0316826001600160a01b031614155b15610ab457604051631eb49d6d60e11b815260040160405180910390fd5b600054600160e01b900460ff1680610ad157508061012001514210155b15610aef57604051631eb49d6d60e11b815260040160405180910390fd5b50506000805461ffff60e01b1916600160e01b179055565b600080336001600160a01b037f000000000000000000000000000000000000000000000000000000000000000016141580610b4b5750600054600160e81b900460ff165b15610b6957604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b178155610b84611502565b6000868152600260209081526040918290208251808401909352546001600160801b038082168452600160801b909104169082015260e0820151919250906001600160a01b03888116911614801590610bf357508160c001516001600160a01b0316876001600160a01b031614155b8015610c1557508160a001516001600160a01b0316876001600160a01b031614155b15610c3357604051631eb49d6d60e11b815260040160405180910390fd5b80516001600160801b031615801590610c8057508160e001516001600160a01b0316876001600160a01b03161480610c8057508160c001516001600160a01b0316876001600160a01b0316145b15610d5857600086815260026020526040812080546fffffffffffffffffffffffffffffffff1916905581516001805491929091610cc89084906001600160801b0316611d63565b92506101000a8154816001600160801b0302191690836001600160801b03160217905550610d2d82606001518360c001516001600160a01b0316896001600160a01b031614610d1b578360c00151610d1d565b865b83516001600160801b031661143c565b610d4a576040516312171d8360e31b815260040160405180910390fd5b80516001600160801b031693505b600081602001516001600160801b0316118015610da957508160e001516001600160a01b0316876001600160a01b03161480610da957508160a001516001600160a01b0316876001600160a01b0316145b15610e8857600086815260026020908152604090912080546001600160801b03908116909155908201516001805491929091601091610df2918591600160801b90910416611d63565b92506101000a8154816001600160801b0302191690836001600160801b03160217905550610e5a82606001518360a001516001600160a01b0316896001600160a01b031614610e45578360a00151610e47565b865b83602001516001600160801b031661143c565b610e77576040516312171d8360e31b815260040160405180910390fd5b80602001516001600160801b031692505b83158015610e94575082155b15610eb2576040516326b1e12960e11b815260040160405180910390fd5b50506000805460ff60e81b191690559094909350915050565b6000808080336001600160a01b037f000000000000000000000000000000000000000000000000000000000000000016141580610f115750600054600160e81b900460ff165b15610f2f57604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b178155610f4a611502565b90508060a001516001600160a01b0316866001600160a01b031614158015610f8857508060c001516001600160a01b0316866001600160a01b031614155b15610fa657604051631eb49d6d60e11b815260040160405180910390fd5b600054600160e01b900460ff161580610fc3575080610140015142105b15610fe157604051631eb49d6d60e11b815260040160405180910390fd5b6000610ff0826060015161154b565b905080600003611013576040516326b1e12960e11b815260040160405180910390fd5b6001600160801b0381111561102c57506001600160801b035b600082608001518361016001511061104857826080015161104f565b8261016001515b60008054919250906001600160801b0316821161106d576000611083565b600054611083906001600160801b031683611d82565b9050828111156110905750815b96508661109d8184611d82565b96506110ac8460ff8a8a61159e565b6000805460ff60e81b19169055989a979950979695505050505050565b600080336001600160a01b037f00000000000000000000000000000000000000000000000000000000000000001614158061110d5750600054600160e81b900460ff165b1561112b57604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b178155611146611502565b90508060c001516001600160a01b0316876001600160a01b03161415806111765750600054600160e01b900460ff165b1561119457604051631eb49d6d60e11b815260040160405180910390fd5b604080517f8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f60208201527fca20554c02ec77d331420eb33bd38dbb5d0b8370eec1cc68b2169120c58c16c5918101919091527fc89efdaa54c0f20c7adf612882df0950f5a951637e0307cdcb4c672f298b8bc660608201524660808201523060a082015260009060c0016040516020818303038152906040528051906020012090506000817f5ef28d9f507d4d45ef5547693476bf084cfb7025e31b1eb2f216f2ca1b78682d89604051602001611275929190918252602082015260400190565b604051602081830303815290604052805190602001206040516020016112b292919061190160f01b81526002810192909252602282015260420190565b6040516020818303038152906040528051906020012090506112da8360a00151828989611817565b6112f757604051635cd5d23360e01b815260040160405180910390fd5b826080015188111561131c57604051635636c0b960e01b815260040160405180910390fd5b6000546001600160801b03168811611347576040516326b1e12960e11b815260040160405180910390fd5b60005461135d906001600160801b031689611d82565b945061136d8360fe87600061159e565b506000805460ff60e81b191690559499949850939650505050505050565b611393611aa8565b61139c30611921565b8060200190518101906113af9190611dee565b905090565b60006001600160a01b0382163b15611433576040516370a0823160e01b81523060048201526001600160a01b038316906370a0823190602401602060405180830381865afa15801561140a573d6000803e3d6000fd5b505050506040513d601f19601f8201168201806040525081019061142e9190611eb2565b611436565b60005b92915050565b600061144d61ea60620493e0611ecb565b60405a61145b90603f611ede565b6114659190611ef5565b101561148457604051632eea15db60e11b815260040160405180910390fd5b60405163078d3b7960e01b81526001600160a01b0380861660048301528416602482015260448101839052309063078d3b7990620493e090606401600060405180830381600088803b1580156114d957600080fd5b5087f1935050505080156114eb575060015b6114f7575060006114fb565b5060015b9392505050565b61150a611aa8565b61151261138b565b8051909150600114158061152a575046816020015114155b15611548576040516310dfc03360e01b815260040160405180910390fd5b90565b600080611557836113b4565b60015490915060009061157c906001600160801b03600160801b820481169116611ecb565b905080821161158c576000611596565b6115968183611d82565b949350505050565b608084015160008054909182916115c1906001600160801b038088169116611ecb565b11156115e057604051635636c0b960e01b815260040160405180910390fd5b60006115ef876060015161154b565b9050806116086001600160801b03808716908816611ecb565b111561162a57604051633bbd263360e01b8152600481018290526024016108f5565b6000805486919081906116479084906001600160801b0316611f17565b92506101000a8154816001600160801b0302191690836001600160801b03160217905550846001600160801b03166000148061169a575061169a87606001518860c00151876001600160801b031661143c565b92506001600160801b03841615806116c957506116c987606001518860a00151866001600160801b031661143c565b91508261176757600086815260026020526040812080548792906116f79084906001600160801b0316611f17565b92506101000a8154816001600160801b0302191690836001600160801b0316021790555084600160000160008282829054906101000a90046001600160801b03166117429190611f17565b92506101000a8154816001600160801b0302191690836001600160801b031602179055505b8161180d576000868152600260205260409020805485919060109061179d908490600160801b90046001600160801b0316611f17565b92506101000a8154816001600160801b0302191690836001600160801b0316021790555083600160000160108282829054906101000a90046001600160801b03166117e89190611f17565b92506101000a8154816001600160801b0302191690836001600160801b031602179055505b5094509492505050565b600080600061182786868661198f565b509092509050600081600381111561184157611841611f36565b14801561185f5750866001600160a01b0316826001600160a01b0316145b1561186f57600192505050611596565b866001600160a01b03163b60000361188c57600092505050611596565b604051630b135d3f60e11b81526001600160a01b03881690631626ba7e906118bc90899089908990600401611f4c565b602060405180830381865afa9250505080156118f5575060408051601f3d908101601f191682019092526118f291810190611f82565b60015b61190457600092505050611596565b6001600160e01b031916630b135d3f60e11b149250611596915050565b6060600061193a602d6001600160a01b0385163b611d82565b67ffffffffffffffff81111561195257611952611d95565b6040519080825280601f01601f19166020018201604052801561197c576020820181803683370190505b5090508051602d60208301853c92915050565b6000808060418490036119c55784356020860135604087013560001a6119b7898285856119d9565b9550955095505050506119d0565b506000915060029050825b93509350939050565b600080807f7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0841115611a145750600091506003905082611a9e565b604080516000808252602082018084528a905260ff891692820192909252606081018790526080810186905260019060a0016020604051602081039080840390855afa158015611a68573d6000803e3d6000fd5b5050604051601f1901519150506001600160a01b038116611a9457506000925060019150829050611a9e565b9250600091508190505b9450945094915050565b6040805161018081018252600080825260208201819052918101829052606081018290526080810182905260a0810182905260c0810182905260e0810182905261010081018290526101208101829052610140810182905261016081019190915290565b6001600160a01b0381168114611b2157600080fd5b50565b600080600060608486031215611b3957600080fd5b8335611b4481611b0c565b92506020840135611b5481611b0c565b929592945050506040919091013590565b600080600060608486031215611b7a57600080fd5b8335611b8581611b0c565b92506020840135611b9581611b0c565b91506040840135611ba581611b0c565b809150509250925092565b60008060408385031215611bc357600080fd5b8235611bce81611b0c565b91506020830135611bde81611b0c565b809150509250929050565b80356001600160801b0381168114611c0057600080fd5b919050565b60008060008060808587031215611c1b57600080fd5b8435611c2681611b0c565b935060208501359250611c3b60408601611be9565b9150611c4960608601611be9565b905092959194509250565b600060208284031215611c6657600080fd5b81356114fb81611b0c565b600080600060608486031215611c8657600080fd5b8335611c9181611b0c565b9250602084013591506040840135611ba581611b0c565b60008060008060608587031215611cbe57600080fd5b8435611cc981611b0c565b935060208501359250604085013567ffffffffffffffff811115611cec57600080fd5b8501601f81018713611cfd57600080fd5b803567ffffffffffffffff811115611d1457600080fd5b876020828401011115611d2657600080fd5b949793965060200194505050565b600060208284031215611d4657600080fd5b5035919050565b634e487b7160e01b600052601160045260246000fd5b6001600160801b03828116828216039081111561143657611436611d4d565b8181038181111561143657611436611d4d565b634e487b7160e01b600052604160045260246000fd5b604051610180810167ffffffffffffffff81118282101715611ddd57634e487b7160e01b600052604160045260246000fd5b60405290565b8051611c0081611b0c565b6000610180828403128015611e0257600080fd5b506000611e0d611dab565b835181526020808501519082015260408085015190820152611e3160608501611de3565b606082015260808481015190820152611e4c60a08501611de3565b60a0820152611e5d60c08501611de3565b60c0820152611e6e60e08501611de3565b60e0820152611e806101008501611de3565b610100820152610120848101519082015261014080850151908201526101609384015193810193909352509092915050565b600060208284031215611ec457600080fd5b5051919050565b8082018082111561143657611436611d4d565b808202811582820484141761143657611436611d4d565b600082611f1257634e487b7160e01b600052601260045260246000fd5b500490565b6001600160801b03818116838216019081111561143657611436611d4d565b634e487b7160e01b600052602160045260246000fd5b83815260406020820152816040820152818360608301376000818301606090810191909152601f909201601f1916010192915050565b600060208284031215611f9457600080fd5b81516001600160e01b0319811681146114fb57600080fd",
}

// OrderVault is an auto generated Go binding around an Ethereum contract.
type OrderVault struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *OrderVault) GetABI() abi.ABI {
	return c.abi
}

// NewOrderVault creates a new instance of OrderVault.
func NewOrderVault() *OrderVault {
	parsed, err := OrderVaultMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &OrderVault{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *OrderVault) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackClaim is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x9e96a260.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function claim(address caller, uint256 part, address receiver) returns(uint256 toPayee, uint256 toPayer)
func (orderVault *OrderVault) PackClaim(caller common.Address, part *big.Int, receiver common.Address) []byte {
	enc, err := orderVault.abi.Pack("claim", caller, part, receiver)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackClaim is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x9e96a260.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function claim(address caller, uint256 part, address receiver) returns(uint256 toPayee, uint256 toPayer)
func (orderVault *OrderVault) TryPackClaim(caller common.Address, part *big.Int, receiver common.Address) ([]byte, error) {
	return orderVault.abi.Pack("claim", caller, part, receiver)
}

// ClaimOutput serves as a container for the return parameters of contract
// method Claim.
type ClaimOutput struct {
	ToPayee *big.Int
	ToPayer *big.Int
}

// UnpackClaim is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x9e96a260.
//
// Solidity: function claim(address caller, uint256 part, address receiver) returns(uint256 toPayee, uint256 toPayer)
func (orderVault *OrderVault) UnpackClaim(data []byte) (ClaimOutput, error) {
	out, err := orderVault.abi.Unpack("claim", data)
	outstruct := new(ClaimOutput)
	if err != nil {
		return *outstruct, err
	}
	outstruct.ToPayee = abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	outstruct.ToPayer = abi.ConvertType(out[1], new(big.Int)).(*big.Int)
	return *outstruct, nil
}

// PackDivideByDefault is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa6c1a3ec.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function divideByDefault(address caller) returns(uint128 toPayee, uint128 toPayer, bool payeePaid, bool payerPaid)
func (orderVault *OrderVault) PackDivideByDefault(caller common.Address) []byte {
	enc, err := orderVault.abi.Pack("divideByDefault", caller)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackDivideByDefault is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa6c1a3ec.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function divideByDefault(address caller) returns(uint128 toPayee, uint128 toPayer, bool payeePaid, bool payerPaid)
func (orderVault *OrderVault) TryPackDivideByDefault(caller common.Address) ([]byte, error) {
	return orderVault.abi.Pack("divideByDefault", caller)
}

// DivideByDefaultOutput serves as a container for the return parameters of contract
// method DivideByDefault.
type DivideByDefaultOutput struct {
	ToPayee   *big.Int
	ToPayer   *big.Int
	PayeePaid bool
	PayerPaid bool
}

// UnpackDivideByDefault is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xa6c1a3ec.
//
// Solidity: function divideByDefault(address caller) returns(uint128 toPayee, uint128 toPayer, bool payeePaid, bool payerPaid)
func (orderVault *OrderVault) UnpackDivideByDefault(data []byte) (DivideByDefaultOutput, error) {
	out, err := orderVault.abi.Unpack("divideByDefault", data)
	outstruct := new(DivideByDefaultOutput)
	if err != nil {
		return *outstruct, err
	}
	outstruct.ToPayee = abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	outstruct.ToPayer = abi.ConvertType(out[1], new(big.Int)).(*big.Int)
	outstruct.PayeePaid = *abi.ConvertType(out[2], new(bool)).(*bool)
	outstruct.PayerPaid = *abi.ConvertType(out[3], new(bool)).(*bool)
	return *outstruct, nil
}

// PackFreeze is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8d1fdf2f.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function freeze(address caller) returns()
func (orderVault *OrderVault) PackFreeze(caller common.Address) []byte {
	enc, err := orderVault.abi.Pack("freeze", caller)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackFreeze is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8d1fdf2f.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function freeze(address caller) returns()
func (orderVault *OrderVault) TryPackFreeze(caller common.Address) ([]byte, error) {
	return orderVault.abi.Pack("freeze", caller)
}

// PackOwedBy is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xcca5510d.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function owedBy(uint256 part) view returns(uint128 toPayee, uint128 toPayer)
func (orderVault *OrderVault) PackOwedBy(part *big.Int) []byte {
	enc, err := orderVault.abi.Pack("owedBy", part)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackOwedBy is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xcca5510d.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function owedBy(uint256 part) view returns(uint128 toPayee, uint128 toPayer)
func (orderVault *OrderVault) TryPackOwedBy(part *big.Int) ([]byte, error) {
	return orderVault.abi.Pack("owedBy", part)
}

// OwedByOutput serves as a container for the return parameters of contract
// method OwedBy.
type OwedByOutput struct {
	ToPayee *big.Int
	ToPayer *big.Int
}

// UnpackOwedBy is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xcca5510d.
//
// Solidity: function owedBy(uint256 part) view returns(uint128 toPayee, uint128 toPayer)
func (orderVault *OrderVault) UnpackOwedBy(data []byte) (OwedByOutput, error) {
	out, err := orderVault.abi.Unpack("owedBy", data)
	outstruct := new(OwedByOutput)
	if err != nil {
		return *outstruct, err
	}
	outstruct.ToPayee = abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	outstruct.ToPayer = abi.ConvertType(out[1], new(big.Int)).(*big.Int)
	return *outstruct, nil
}

// PackPay is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x79201c7b.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function pay(address caller, uint256 part, uint128 toPayee, uint128 toPayer) returns(bool payeePaid, bool payerPaid)
func (orderVault *OrderVault) PackPay(caller common.Address, part *big.Int, toPayee *big.Int, toPayer *big.Int) []byte {
	enc, err := orderVault.abi.Pack("pay", caller, part, toPayee, toPayer)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackPay is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x79201c7b.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function pay(address caller, uint256 part, uint128 toPayee, uint128 toPayer) returns(bool payeePaid, bool payerPaid)
func (orderVault *OrderVault) TryPackPay(caller common.Address, part *big.Int, toPayee *big.Int, toPayer *big.Int) ([]byte, error) {
	return orderVault.abi.Pack("pay", caller, part, toPayee, toPayer)
}

// PayOutput serves as a container for the return parameters of contract
// method Pay.
type PayOutput struct {
	PayeePaid bool
	PayerPaid bool
}

// UnpackPay is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x79201c7b.
//
// Solidity: function pay(address caller, uint256 part, uint128 toPayee, uint128 toPayer) returns(bool payeePaid, bool payerPaid)
func (orderVault *OrderVault) UnpackPay(data []byte) (PayOutput, error) {
	out, err := orderVault.abi.Unpack("pay", data)
	outstruct := new(PayOutput)
	if err != nil {
		return *outstruct, err
	}
	outstruct.PayeePaid = *abi.ConvertType(out[0], new(bool)).(*bool)
	outstruct.PayerPaid = *abi.ConvertType(out[1], new(bool)).(*bool)
	return *outstruct, nil
}

// PackReclaim is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5bb2dcfd.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function reclaim(address caller, address receiver) returns(uint256 amount)
func (orderVault *OrderVault) PackReclaim(caller common.Address, receiver common.Address) []byte {
	enc, err := orderVault.abi.Pack("reclaim", caller, receiver)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackReclaim is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5bb2dcfd.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function reclaim(address caller, address receiver) returns(uint256 amount)
func (orderVault *OrderVault) TryPackReclaim(caller common.Address, receiver common.Address) ([]byte, error) {
	return orderVault.abi.Pack("reclaim", caller, receiver)
}

// UnpackReclaim is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x5bb2dcfd.
//
// Solidity: function reclaim(address caller, address receiver) returns(uint256 amount)
func (orderVault *OrderVault) UnpackReclaim(data []byte) (*big.Int, error) {
	out, err := orderVault.abi.Unpack("reclaim", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackRelease is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xc315f7d9.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function release(address caller, uint256 total, bytes signature) returns(uint128 toPayee, bool payeePaid)
func (orderVault *OrderVault) PackRelease(caller common.Address, total *big.Int, signature []byte) []byte {
	enc, err := orderVault.abi.Pack("release", caller, total, signature)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRelease is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xc315f7d9.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function release(address caller, uint256 total, bytes signature) returns(uint128 toPayee, bool payeePaid)
func (orderVault *OrderVault) TryPackRelease(caller common.Address, total *big.Int, signature []byte) ([]byte, error) {
	return orderVault.abi.Pack("release", caller, total, signature)
}

// ReleaseOutput serves as a container for the return parameters of contract
// method Release.
type ReleaseOutput struct {
	ToPayee   *big.Int
	PayeePaid bool
}

// UnpackRelease is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xc315f7d9.
//
// Solidity: function release(address caller, uint256 total, bytes signature) returns(uint128 toPayee, bool payeePaid)
func (orderVault *OrderVault) UnpackRelease(data []byte) (ReleaseOutput, error) {
	out, err := orderVault.abi.Unpack("release", data)
	outstruct := new(ReleaseOutput)
	if err != nil {
		return *outstruct, err
	}
	outstruct.ToPayee = abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	outstruct.PayeePaid = *abi.ConvertType(out[1], new(bool)).(*bool)
	return *outstruct, nil
}

// PackReturnOther is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1c1a4a18.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function returnOther(address caller, address token, address receiver) returns(address to, uint256 amount)
func (orderVault *OrderVault) PackReturnOther(caller common.Address, token common.Address, receiver common.Address) []byte {
	enc, err := orderVault.abi.Pack("returnOther", caller, token, receiver)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackReturnOther is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1c1a4a18.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function returnOther(address caller, address token, address receiver) returns(address to, uint256 amount)
func (orderVault *OrderVault) TryPackReturnOther(caller common.Address, token common.Address, receiver common.Address) ([]byte, error) {
	return orderVault.abi.Pack("returnOther", caller, token, receiver)
}

// ReturnOtherOutput serves as a container for the return parameters of contract
// method ReturnOther.
type ReturnOtherOutput struct {
	To     common.Address
	Amount *big.Int
}

// UnpackReturnOther is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x1c1a4a18.
//
// Solidity: function returnOther(address caller, address token, address receiver) returns(address to, uint256 amount)
func (orderVault *OrderVault) UnpackReturnOther(data []byte) (ReturnOtherOutput, error) {
	out, err := orderVault.abi.Unpack("returnOther", data)
	outstruct := new(ReturnOtherOutput)
	if err != nil {
		return *outstruct, err
	}
	outstruct.To = *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	outstruct.Amount = abi.ConvertType(out[1], new(big.Int)).(*big.Int)
	return *outstruct, nil
}

// PackState is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xc19d93fb.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function state() view returns(uint128 toPayee, uint96 parts, bool frozen, uint128 owedToPayee, uint128 owedToPayer)
func (orderVault *OrderVault) PackState() []byte {
	enc, err := orderVault.abi.Pack("state")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackState is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xc19d93fb.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function state() view returns(uint128 toPayee, uint96 parts, bool frozen, uint128 owedToPayee, uint128 owedToPayer)
func (orderVault *OrderVault) TryPackState() ([]byte, error) {
	return orderVault.abi.Pack("state")
}

// StateOutput serves as a container for the return parameters of contract
// method State.
type StateOutput struct {
	ToPayee     *big.Int
	Parts       *big.Int
	Frozen      bool
	OwedToPayee *big.Int
	OwedToPayer *big.Int
}

// UnpackState is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xc19d93fb.
//
// Solidity: function state() view returns(uint128 toPayee, uint96 parts, bool frozen, uint128 owedToPayee, uint128 owedToPayer)
func (orderVault *OrderVault) UnpackState(data []byte) (StateOutput, error) {
	out, err := orderVault.abi.Unpack("state", data)
	outstruct := new(StateOutput)
	if err != nil {
		return *outstruct, err
	}
	outstruct.ToPayee = abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	outstruct.Parts = abi.ConvertType(out[1], new(big.Int)).(*big.Int)
	outstruct.Frozen = *abi.ConvertType(out[2], new(bool)).(*bool)
	outstruct.OwedToPayee = abi.ConvertType(out[3], new(big.Int)).(*big.Int)
	outstruct.OwedToPayer = abi.ConvertType(out[4], new(big.Int)).(*big.Int)
	return *outstruct, nil
}

// PackTransferOut is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x078d3b79.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function transferOut(address token, address to, uint256 amount) returns()
func (orderVault *OrderVault) PackTransferOut(token common.Address, to common.Address, amount *big.Int) []byte {
	enc, err := orderVault.abi.Pack("transferOut", token, to, amount)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackTransferOut is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x078d3b79.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function transferOut(address token, address to, uint256 amount) returns()
func (orderVault *OrderVault) TryPackTransferOut(token common.Address, to common.Address, amount *big.Int) ([]byte, error) {
	return orderVault.abi.Pack("transferOut", token, to, amount)
}

// UnpackError attempts to decode the provided error data using user-defined
// error definitions.
func (orderVault *OrderVault) UnpackError(raw []byte) (any, error) {
	if bytes.Equal(raw[:4], orderVault.abi.Errors["AboveAmount"].ID.Bytes()[:4]) {
		return orderVault.UnpackAboveAmountError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVault.abi.Errors["BadSignature"].ID.Bytes()[:4]) {
		return orderVault.UnpackBadSignatureError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVault.abi.Errors["BelowBalance"].ID.Bytes()[:4]) {
		return orderVault.UnpackBelowBalanceError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVault.abi.Errors["NotAllowed"].ID.Bytes()[:4]) {
		return orderVault.UnpackNotAllowedError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVault.abi.Errors["NothingToPay"].ID.Bytes()[:4]) {
		return orderVault.UnpackNothingToPayError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVault.abi.Errors["OrderMoneyMoved"].ID.Bytes()[:4]) {
		return orderVault.UnpackOrderMoneyMovedError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVault.abi.Errors["PartTooHigh"].ID.Bytes()[:4]) {
		return orderVault.UnpackPartTooHighError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVault.abi.Errors["PartUsed"].ID.Bytes()[:4]) {
		return orderVault.UnpackPartUsedError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVault.abi.Errors["TooLittleGas"].ID.Bytes()[:4]) {
		return orderVault.UnpackTooLittleGasError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVault.abi.Errors["TransferFailed"].ID.Bytes()[:4]) {
		return orderVault.UnpackTransferFailedError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVault.abi.Errors["WrongChain"].ID.Bytes()[:4]) {
		return orderVault.UnpackWrongChainError(raw[4:])
	}
	return nil, errors.New("Unknown error")
}

// OrderVaultAboveAmount represents a AboveAmount error raised by the OrderVault contract.
type OrderVaultAboveAmount struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error AboveAmount()
func OrderVaultAboveAmountErrorID() common.Hash {
	return common.HexToHash("0x5636c0b9524b7a4f914116d2e1e53e5571de1d17da893c2ab1f0dc6604432652")
}

// UnpackAboveAmountError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error AboveAmount()
func (orderVault *OrderVault) UnpackAboveAmountError(raw []byte) (*OrderVaultAboveAmount, error) {
	out := new(OrderVaultAboveAmount)
	if err := orderVault.abi.UnpackIntoInterface(out, "AboveAmount", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultBadSignature represents a BadSignature error raised by the OrderVault contract.
type OrderVaultBadSignature struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error BadSignature()
func OrderVaultBadSignatureErrorID() common.Hash {
	return common.HexToHash("0x5cd5d2335541c4f2ed05fbe44f397e8b79f8e2333157122d2dab06e378ef7685")
}

// UnpackBadSignatureError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error BadSignature()
func (orderVault *OrderVault) UnpackBadSignatureError(raw []byte) (*OrderVaultBadSignature, error) {
	out := new(OrderVaultBadSignature)
	if err := orderVault.abi.UnpackIntoInterface(out, "BadSignature", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultBelowBalance represents a BelowBalance error raised by the OrderVault contract.
type OrderVaultBelowBalance struct {
	Available *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error BelowBalance(uint256 available)
func OrderVaultBelowBalanceErrorID() common.Hash {
	return common.HexToHash("0x3bbd2633f5b8b33c6e6a5c92f2955a0f151d7a487a678e80f0d4852290264141")
}

// UnpackBelowBalanceError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error BelowBalance(uint256 available)
func (orderVault *OrderVault) UnpackBelowBalanceError(raw []byte) (*OrderVaultBelowBalance, error) {
	out := new(OrderVaultBelowBalance)
	if err := orderVault.abi.UnpackIntoInterface(out, "BelowBalance", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultNotAllowed represents a NotAllowed error raised by the OrderVault contract.
type OrderVaultNotAllowed struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NotAllowed()
func OrderVaultNotAllowedErrorID() common.Hash {
	return common.HexToHash("0x3d693ada2b7d6a2edee20ea0cf19d7267a84cc4ae96aafe9d465faf4dde58518")
}

// UnpackNotAllowedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NotAllowed()
func (orderVault *OrderVault) UnpackNotAllowedError(raw []byte) (*OrderVaultNotAllowed, error) {
	out := new(OrderVaultNotAllowed)
	if err := orderVault.abi.UnpackIntoInterface(out, "NotAllowed", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultNothingToPay represents a NothingToPay error raised by the OrderVault contract.
type OrderVaultNothingToPay struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NothingToPay()
func OrderVaultNothingToPayErrorID() common.Hash {
	return common.HexToHash("0x4d63c252538ab708dc54228436ccda748d3924f239d20604ecbd55e56c4f3138")
}

// UnpackNothingToPayError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NothingToPay()
func (orderVault *OrderVault) UnpackNothingToPayError(raw []byte) (*OrderVaultNothingToPay, error) {
	out := new(OrderVaultNothingToPay)
	if err := orderVault.abi.UnpackIntoInterface(out, "NothingToPay", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultOrderMoneyMoved represents a OrderMoneyMoved error raised by the OrderVault contract.
type OrderVaultOrderMoneyMoved struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error OrderMoneyMoved()
func OrderVaultOrderMoneyMovedErrorID() common.Hash {
	return common.HexToHash("0x33c04b06484dd93baa2154754a02f2c987262453406295d08a500e41d274c22f")
}

// UnpackOrderMoneyMovedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error OrderMoneyMoved()
func (orderVault *OrderVault) UnpackOrderMoneyMovedError(raw []byte) (*OrderVaultOrderMoneyMoved, error) {
	out := new(OrderVaultOrderMoneyMoved)
	if err := orderVault.abi.UnpackIntoInterface(out, "OrderMoneyMoved", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultPartTooHigh represents a PartTooHigh error raised by the OrderVault contract.
type OrderVaultPartTooHigh struct {
	Part *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error PartTooHigh(uint256 part)
func OrderVaultPartTooHighErrorID() common.Hash {
	return common.HexToHash("0x56153b0a969c0585c7f1a67950ddf2c5bbfadb0d6e665c9226a8b544414dd44c")
}

// UnpackPartTooHighError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error PartTooHigh(uint256 part)
func (orderVault *OrderVault) UnpackPartTooHighError(raw []byte) (*OrderVaultPartTooHigh, error) {
	out := new(OrderVaultPartTooHigh)
	if err := orderVault.abi.UnpackIntoInterface(out, "PartTooHigh", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultPartUsed represents a PartUsed error raised by the OrderVault contract.
type OrderVaultPartUsed struct {
	Part *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error PartUsed(uint256 part)
func OrderVaultPartUsedErrorID() common.Hash {
	return common.HexToHash("0x54a5a2df8aaa5984e1ae169fd78948ab13c38ae86c1fdad359222f2fcd7c2160")
}

// UnpackPartUsedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error PartUsed(uint256 part)
func (orderVault *OrderVault) UnpackPartUsedError(raw []byte) (*OrderVaultPartUsed, error) {
	out := new(OrderVaultPartUsed)
	if err := orderVault.abi.UnpackIntoInterface(out, "PartUsed", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultTooLittleGas represents a TooLittleGas error raised by the OrderVault contract.
type OrderVaultTooLittleGas struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error TooLittleGas()
func OrderVaultTooLittleGasErrorID() common.Hash {
	return common.HexToHash("0x5dd42bb600374752ec882c5cc10522a55f1659aecd3d4b7f69bda1d572e0426a")
}

// UnpackTooLittleGasError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error TooLittleGas()
func (orderVault *OrderVault) UnpackTooLittleGasError(raw []byte) (*OrderVaultTooLittleGas, error) {
	out := new(OrderVaultTooLittleGas)
	if err := orderVault.abi.UnpackIntoInterface(out, "TooLittleGas", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultTransferFailed represents a TransferFailed error raised by the OrderVault contract.
type OrderVaultTransferFailed struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error TransferFailed()
func OrderVaultTransferFailedErrorID() common.Hash {
	return common.HexToHash("0x90b8ec1877afffd816d05d9b13947f3ff18ec5851c38bad15ec2b710f92391b1")
}

// UnpackTransferFailedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error TransferFailed()
func (orderVault *OrderVault) UnpackTransferFailedError(raw []byte) (*OrderVaultTransferFailed, error) {
	out := new(OrderVaultTransferFailed)
	if err := orderVault.abi.UnpackIntoInterface(out, "TransferFailed", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultWrongChain represents a WrongChain error raised by the OrderVault contract.
type OrderVaultWrongChain struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error WrongChain()
func OrderVaultWrongChainErrorID() common.Hash {
	return common.HexToHash("0x10dfc0335c19295c382cb53aae6de08649b5ae251dfaadd00512a35c8db090ed")
}

// UnpackWrongChainError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error WrongChain()
func (orderVault *OrderVault) UnpackWrongChainError(raw []byte) (*OrderVaultWrongChain, error) {
	out := new(OrderVaultWrongChain)
	if err := orderVault.abi.UnpackIntoInterface(out, "WrongChain", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultsMetaData contains all meta data concerning the OrderVaults contract.
var OrderVaultsMetaData = bind.MetaData{
	ABI: "[{\"inputs\":[],\"name\":\"CloneArgumentsTooLong\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"Create2EmptyBytecode\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"FailedDeployment\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"uint256\",\"name\":\"balance\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"needed\",\"type\":\"uint256\"}],\"name\":\"InsufficientBalance\",\"type\":\"error\"},{\"inputs\":[],\"name\":\"NotAllowed\",\"type\":\"error\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"vault\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"indexed\":true,\"internalType\":\"uint256\",\"name\":\"part\",\"type\":\"uint256\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"toPayee\",\"type\":\"uint256\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"toPayer\",\"type\":\"uint256\"}],\"name\":\"Claimed\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"vault\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"indexed\":true,\"internalType\":\"uint256\",\"name\":\"part\",\"type\":\"uint256\"}],\"name\":\"Failed\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"vault\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"}],\"name\":\"Frozen\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"vault\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"indexed\":true,\"internalType\":\"uint256\",\"name\":\"part\",\"type\":\"uint256\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"toPayee\",\"type\":\"uint256\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"toPayer\",\"type\":\"uint256\"},{\"indexed\":false,\"internalType\":\"bool\",\"name\":\"payeePaid\",\"type\":\"bool\"},{\"indexed\":false,\"internalType\":\"bool\",\"name\":\"payerPaid\",\"type\":\"bool\"}],\"name\":\"Paid\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"vault\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"indexed\":false,\"internalType\":\"address\",\"name\":\"receiver\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"}],\"name\":\"Reclaimed\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"vault\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"indexed\":false,\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"}],\"name\":\"Returned\",\"type\":\"event\"},{\"inputs\":[{\"components\":[{\"internalType\":\"uint256\",\"name\":\"version\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"chainId\",\"type\":\"uint256\"},{\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"payer\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"payee\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"arbiter\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"reclaimDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"disputeDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"defaultToPayee\",\"type\":\"uint256\"}],\"internalType\":\"structTerms\",\"name\":\"terms\",\"type\":\"tuple\"},{\"internalType\":\"uint256\",\"name\":\"part\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"receiver\",\"type\":\"address\"}],\"name\":\"claim\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"components\":[{\"internalType\":\"uint256\",\"name\":\"version\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"chainId\",\"type\":\"uint256\"},{\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"payer\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"payee\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"arbiter\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"reclaimDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"disputeDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"defaultToPayee\",\"type\":\"uint256\"}],\"internalType\":\"structTerms\",\"name\":\"terms\",\"type\":\"tuple\"}],\"name\":\"divideByDefault\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"components\":[{\"internalType\":\"uint256\",\"name\":\"version\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"chainId\",\"type\":\"uint256\"},{\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"payer\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"payee\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"arbiter\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"reclaimDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"disputeDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"defaultToPayee\",\"type\":\"uint256\"}],\"internalType\":\"structTerms\",\"name\":\"terms\",\"type\":\"tuple\"}],\"name\":\"freeze\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"implementation\",\"outputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"components\":[{\"components\":[{\"internalType\":\"uint256\",\"name\":\"version\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"chainId\",\"type\":\"uint256\"},{\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"payer\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"payee\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"arbiter\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"reclaimDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"disputeDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"defaultToPayee\",\"type\":\"uint256\"}],\"internalType\":\"structTerms\",\"name\":\"terms\",\"type\":\"tuple\"},{\"internalType\":\"uint256\",\"name\":\"part\",\"type\":\"uint256\"},{\"internalType\":\"uint128\",\"name\":\"toPayee\",\"type\":\"uint128\"},{\"internalType\":\"uint128\",\"name\":\"toPayer\",\"type\":\"uint128\"}],\"internalType\":\"structOrderVaults.Payment\",\"name\":\"payment\",\"type\":\"tuple\"}],\"name\":\"pay\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"components\":[{\"components\":[{\"internalType\":\"uint256\",\"name\":\"version\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"chainId\",\"type\":\"uint256\"},{\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"payer\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"payee\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"arbiter\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"reclaimDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"disputeDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"defaultToPayee\",\"type\":\"uint256\"}],\"internalType\":\"structTerms\",\"name\":\"terms\",\"type\":\"tuple\"},{\"internalType\":\"uint256\",\"name\":\"part\",\"type\":\"uint256\"},{\"internalType\":\"uint128\",\"name\":\"toPayee\",\"type\":\"uint128\"},{\"internalType\":\"uint128\",\"name\":\"toPayer\",\"type\":\"uint128\"}],\"internalType\":\"structOrderVaults.Payment[]\",\"name\":\"payments\",\"type\":\"tuple[]\"},{\"internalType\":\"uint256\",\"name\":\"gasEach\",\"type\":\"uint256\"}],\"name\":\"payBatch\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"caller\",\"type\":\"address\"},{\"components\":[{\"components\":[{\"internalType\":\"uint256\",\"name\":\"version\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"chainId\",\"type\":\"uint256\"},{\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"payer\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"payee\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"arbiter\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"reclaimDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"disputeDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"defaultToPayee\",\"type\":\"uint256\"}],\"internalType\":\"structTerms\",\"name\":\"terms\",\"type\":\"tuple\"},{\"internalType\":\"uint256\",\"name\":\"part\",\"type\":\"uint256\"},{\"internalType\":\"uint128\",\"name\":\"toPayee\",\"type\":\"uint128\"},{\"internalType\":\"uint128\",\"name\":\"toPayer\",\"type\":\"uint128\"}],\"internalType\":\"structOrderVaults.Payment\",\"name\":\"payment\",\"type\":\"tuple\"}],\"name\":\"payFor\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"components\":[{\"internalType\":\"uint256\",\"name\":\"version\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"chainId\",\"type\":\"uint256\"},{\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"payer\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"payee\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"arbiter\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"reclaimDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"disputeDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"defaultToPayee\",\"type\":\"uint256\"}],\"internalType\":\"structTerms\",\"name\":\"terms\",\"type\":\"tuple\"},{\"internalType\":\"address\",\"name\":\"receiver\",\"type\":\"address\"}],\"name\":\"reclaim\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"components\":[{\"internalType\":\"uint256\",\"name\":\"version\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"chainId\",\"type\":\"uint256\"},{\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"payer\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"payee\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"arbiter\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"reclaimDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"disputeDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"defaultToPayee\",\"type\":\"uint256\"}],\"internalType\":\"structTerms\",\"name\":\"terms\",\"type\":\"tuple\"},{\"internalType\":\"uint256\",\"name\":\"totalToPayee\",\"type\":\"uint256\"},{\"internalType\":\"bytes\",\"name\":\"signature\",\"type\":\"bytes\"}],\"name\":\"release\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"components\":[{\"internalType\":\"uint256\",\"name\":\"version\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"chainId\",\"type\":\"uint256\"},{\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"payer\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"payee\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"arbiter\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"reclaimDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"disputeDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"defaultToPayee\",\"type\":\"uint256\"}],\"internalType\":\"structTerms\",\"name\":\"terms\",\"type\":\"tuple\"},{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"receiver\",\"type\":\"address\"}],\"name\":\"returnOther\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"components\":[{\"internalType\":\"uint256\",\"name\":\"version\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"chainId\",\"type\":\"uint256\"},{\"internalType\":\"bytes32\",\"name\":\"orderKey\",\"type\":\"bytes32\"},{\"internalType\":\"address\",\"name\":\"token\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"},{\"internalType\":\"address\",\"name\":\"payer\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"payee\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"operator\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"arbiter\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"reclaimDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"disputeDeadline\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"defaultToPayee\",\"type\":\"uint256\"}],\"internalType\":\"structTerms\",\"name\":\"terms\",\"type\":\"tuple\"}],\"name\":\"vaultOf\",\"outputs\":[{\"internalType\":\"address\",\"name\":\"\",\"type\":\"address\"}],\"stateMutability\":\"view\",\"type\":\"function\"}]",
	ID:  "7a413e20bcb5253e0a755073915a79b63a",
	Bin: "0x60a06040526040516100109061004b565b604051809103906000f08015801561002c573d6000803e3d6000fd5b506001600160a01b031660805234801561004557600080fd5b50610058565b6120068061145f83390190565b6080516113d76100886000396000818161011d01528181610333015281816109c50152610a0401526113d76000f3fe608060405234801561001057600080fd5b50600436106100a95760003560e01c80637590f173116100715780637590f1731461013f578063cac3c6c414610152578063d1fdf32314610165578063d34b067614610178578063d63e21151461018b578063e24020cf1461019e57600080fd5b80630626dafc146100ae578063358e2776146100c357806355f96449146100d65780635c2ea8b3146101055780635c60da1b14610118575b600080fd5b6100c16100bc366004610d52565b6101b1565b005b6100c16100d1366004610d94565b610258565b6100e96100e4366004610d52565b61032c565b6040516001600160a01b03909116815260200160405180910390f35b6100c1610113366004610dce565b610380565b6100e97f000000000000000000000000000000000000000000000000000000000000000081565b6100c161014d366004610e5c565b610479565b6100c1610160366004610d52565b610564565b6100c1610173366004610eb3565b610655565b6100c1610186366004610ed0565b610662565b6100c1610199366004610f07565b610690565b6100c16101ac366004610f84565b6107db565b60006101bd82336108ca565b604051638d1fdf2f60e01b81523360048201529091506001600160a01b03821690638d1fdf2f90602401600060405180830381600087803b15801561020157600080fd5b505af1158015610215573d6000803e3d6000fd5b505050508160400135816001600160a01b03167fb3208dd93e38b58840576a9c5ea4e5bb40c318bbd1ec3d58b06353511b782f1860405160405180910390a35050565b600061026483336108ca565b60408051635bb2dcfd60e01b81523360048201526001600160a01b03858116602483015292935090850135918316907fbc36a102afa453e410397ab71ed2091ddf71e2d25a997345a0d888652badca629085908390635bb2dcfd906044016020604051808303816000875af11580156102e1573d6000803e3d6000fd5b505050506040513d601f19601f820116820180604052508101906103059190610fc6565b604080516001600160a01b03909316835260208301919091520160405180910390a3505050565b600061037a7f00000000000000000000000000000000000000000000000000000000000000008360405160200161036391906110a7565b60408051601f198184030181529190526000610a35565b92915050565b600061038c85336108ca565b9050600080826001600160a01b031663c315f7d9338888886040518563ffffffff1660e01b81526004016103c394939291906110b6565b60408051808303816000875af11580156103e1573d6000803e3d6000fd5b505050506040513d601f19601f820116820180604052508101906104059190611123565b604080516001600160801b038416815260006020820152821515818301526001606082015292945090925060fe9190890135906001600160a01b038616907f151b9239934e770fb945d59e3b3655e909887108cf9f150df325659712a4b0579060800160405180910390a450505050505050565b600061048584336108ca565b6040516304f4b51360e51b8152336004820152602481018590526001600160a01b038481166044830152919250600091829190841690639e96a2609060640160408051808303816000875af11580156104e2573d6000803e3d6000fd5b505050506040513d601f19601f82011682018060405250810190610506919061114f565b91509150848660400135846001600160a01b03167fed72414098cc52a3b477d9707549baa5081fe3c6f69d434dbcefaaf5b992d60c8585604051610554929190918252602082015260400190565b60405180910390a4505050505050565b600061057082336108ca565b6040516329b068fb60e21b81523360048201529091506000908190819081906001600160a01b0386169063a6c1a3ec906024016080604051808303816000875af11580156105c2573d6000803e3d6000fd5b505050506040513d601f19601f820116820180604052508101906105e69190611173565b604080516001600160801b03808716825285166020820152831515818301528215156060820152949850929650909450925060ff9190880135906001600160a01b038816907f151b9239934e770fb945d59e3b3655e909887108cf9f150df325659712a4b05790608001610554565b61065f3382610a4d565b50565b33301461068257604051631eb49d6d60e11b815260040160405180910390fd5b61068c8282610a4d565b5050565b60005b828110156107d55760003063d34b0676338787868181106106b6576106b66111cc565b90506101e002016040516024016106ce9291906111e2565b604051602081830303815290604052915060e01b6020820180516001600160e01b038381831617835250505050905060008360405a61070e90603f61126a565b6107189190611281565b1061072e5760008083516020850160003089f190505b806107cb57858584818110610745576107456111cc565b90506101e002016101800135868685818110610763576107636111cc565b90506101e0020160000160400135610795888887818110610786576107866111cc565b90506101e0020160000161032c565b6001600160a01b03167f4c45b6a30746f99c56d923ecd78a97e8558e1d8f87f5645999f2fa57e50ca37b60405160405180910390a45b5050600101610693565b50505050565b60006107e784336108ca565b604051630383494360e31b81523360048201526001600160a01b0385811660248301528481166044830152919250600091829190841690631c1a4a189060640160408051808303816000875af1158015610845573d6000803e3d6000fd5b505050506040513d601f19601f8201168201806040525081019061086991906112a3565b604080516001600160a01b0389811682528085166020830152818301849052939550919350880135918516907fbf3cf1094d5af6c6675ccdaa459ec3a8ff99d236522e3a926e2ed61fbd92a6599060600160405180910390a3505050505050565b60006108dd610100840160e085016112d1565b6001600160a01b0316826001600160a01b031614158015610921575061090b610120840161010085016112d1565b6001600160a01b0316826001600160a01b031614155b801561094e575061093860c0840160a085016112d1565b6001600160a01b0316826001600160a01b031614155b801561097b575061096560e0840160c085016112d1565b6001600160a01b0316826001600160a01b031614155b1561099957604051631eb49d6d60e11b815260040160405180910390fd5b6000836040516020016109ac91906110a7565b60408051601f19818403018152919052905060006109eb7f00000000000000000000000000000000000000000000000000000000000000008383610a35565b9050806001600160a01b03163b600003610a2d57610a2b7f0000000000000000000000000000000000000000000000000000000000000000836000610bb9565b505b949350505050565b6000610a4384848430610bc8565b90505b9392505050565b6000610a5982846108ca565b90506000806001600160a01b0383166379201c7b86610180870135610a866101c089016101a08a016112ee565b610a986101e08a016101c08b016112ee565b6040516001600160e01b031960e087901b1681526001600160a01b03909416600485015260248401929092526001600160801b03908116604484015216606482015260840160408051808303816000875af1158015610afb573d6000803e3d6000fd5b505050506040513d601f19601f82011682018060405250810190610b1f919061130b565b909250905061018084013560408501356001600160a01b0385167f151b9239934e770fb945d59e3b3655e909887108cf9f150df325659712a4b057610b6c6101c089016101a08a016112ee565b610b7e6101e08a016101c08b016112ee565b604080516001600160801b03938416815292909116602083015287151590820152851515606082015260800160405180910390a45050505050565b6000610a438484846000610bf3565b600080610bd58686610c0d565b9050610be984828051906020012085610c6b565b9695505050505050565b600080610c008686610c0d565b9050610be9838583610c9e565b6060615fd382511115610c335760405163250a241560e21b815260040160405180910390fd5b8151610c4090602d611327565b8383604051602001610c549392919061133a565b604051602081830303815290604052905092915050565b6000604051836040820152846020820152828152600b8101905060ff8153605590206001600160a01b0316949350505050565b600083471015610cce5760405163cf47918160e01b81524760048201526024810185905260440160405180910390fd5b8151600003610cf057604051631328927760e21b815260040160405180910390fd5b8282516020840186f590506001600160a01b038116610a46573d600003610d2a5760405163b06ebf3d60e01b815260040160405180910390fd5b610a466040513d6000823e3d81fd5b60006101808284031215610d4c57600080fd5b50919050565b60006101808284031215610d6557600080fd5b610a468383610d39565b6001600160a01b038116811461065f57600080fd5b8035610d8f81610d6f565b919050565b6000806101a08385031215610da857600080fd5b610db28484610d39565b9150610180830135610dc381610d6f565b809150509250929050565b6000806000806101c08587031215610de557600080fd5b610def8686610d39565b935061018085013592506101a085013567ffffffffffffffff811115610e1457600080fd5b8501601f81018713610e2557600080fd5b803567ffffffffffffffff811115610e3c57600080fd5b876020828401011115610e4e57600080fd5b949793965060200194505050565b60008060006101c08486031215610e7257600080fd5b610e7c8585610d39565b925061018084013591506101a0840135610e9581610d6f565b809150509250925092565b60006101e08284031215610d4c57600080fd5b60006101e08284031215610ec657600080fd5b610a468383610ea0565b6000806102008385031215610ee457600080fd5b8235610eef81610d6f565b9150610efe8460208501610ea0565b90509250929050565b600080600060408486031215610f1c57600080fd5b833567ffffffffffffffff811115610f3357600080fd5b8401601f81018613610f4457600080fd5b803567ffffffffffffffff811115610f5b57600080fd5b8660206101e083028401011115610f7157600080fd5b6020918201979096509401359392505050565b60008060006101c08486031215610f9a57600080fd5b610fa48585610d39565b9250610180840135610fb581610d6f565b91506101a0840135610e9581610d6f565b600060208284031215610fd857600080fd5b5051919050565b80358252602080820135908301526040808201359083015261100360608201610d84565b6001600160a01b031660608301526080818101359083015261102760a08201610d84565b6001600160a01b031660a083015261104160c08201610d84565b6001600160a01b031660c083015261105b60e08201610d84565b6001600160a01b031660e08301526110766101008201610d84565b6001600160a01b03166101008301526101208181013590830152610140808201359083015261016090810135910152565b610180810161037a8284610fdf565b6001600160a01b0385168152602081018490526060604082018190528101829052818360808301376000818301608090810191909152601f909201601f191601019392505050565b6001600160801b038116811461065f57600080fd5b80518015158114610d8f57600080fd5b6000806040838503121561113657600080fd5b8251611141816110fe565b9150610efe60208401611113565b6000806040838503121561116257600080fd5b505080516020909101519092909150565b6000806000806080858703121561118957600080fd5b8451611194816110fe565b60208601519094506111a5816110fe565b92506111b360408601611113565b91506111c160608601611113565b905092959194509250565b634e487b7160e01b600052603260045260246000fd5b6001600160a01b038316815261020081016112006020830184610fdf565b6101808301356101a08381019190915283013561121c816110fe565b6001600160801b0381166101c0840152506101c083013561123c816110fe565b6001600160801b0381166101e0840152509392505050565b634e487b7160e01b600052601160045260246000fd5b808202811582820484141761037a5761037a611254565b60008261129e57634e487b7160e01b600052601260045260246000fd5b500490565b600080604083850312156112b657600080fd5b82516112c181610d6f565b6020939093015192949293505050565b6000602082840312156112e357600080fd5b8135610a4681610d6f565b60006020828403121561130057600080fd5b8135610a46816110fe565b6000806040838503121561131e57600080fd5b61114183611113565b8082018082111561037a5761037a611254565b606160f81b815260f084901b6001600160f01b0319166001820152703d81600a3d39f3363d3d373d3d3d363d7360781b6003820152606083901b6bffffffffffffffffffffffff191660148201526e5af43d82803e903d91602b57fd5bf360881b60288201528151600090815b818110156113c457602081860181015160378684010152016113a7565b50600092016037019182525093925050505660a06040523360805234801561001457600080fd5b50608051611fac61005a6000396000818161046d01528181610671015281816107bb015281816109e801528181610b1501528181610edb01526110d70152611fac6000f3fe6080604052600436106100955760003560e01c80639e96a260116100595780639e96a2601461018c578063a6c1a3ec146101c1578063c19d93fb14610214578063c315f7d9146102a1578063cca5510d146102e057600080fd5b8063078d3b79146100a15780631c1a4a18146100c35780635bb2dcfd1461010757806379201c7b146101355780638d1fdf2f1461016c57600080fd5b3661009c57005b600080fd5b3480156100ad57600080fd5b506100c16100bc366004611b24565b610342565b005b3480156100cf57600080fd5b506100e36100de366004611b65565b61045f565b604080516001600160a01b0390931683526020830191909152015b60405180910390f35b34801561011357600080fd5b50610127610122366004611bb0565b610664565b6040519081526020016100fe565b34801561014157600080fd5b50610155610150366004611c05565b6107ad565b6040805192151583529015156020830152016100fe565b34801561017857600080fd5b506100c1610187366004611c54565b6109dd565b34801561019857600080fd5b506101ac6101a7366004611c71565b610b07565b604080519283526020830191909152016100fe565b3480156101cd57600080fd5b506101e16101dc366004611c54565b610ecb565b604080516001600160801b03958616815294909316602085015290151591830191909152151560608201526080016100fe565b34801561022057600080fd5b5061025e6000546001546001600160801b0380831693600160801b8085046001600160601b031694600160e01b900460ff1693838116939190041690565b604080516001600160801b0396871681526001600160601b039095166020860152921515928401929092528316606083015291909116608082015260a0016100fe565b3480156102ad57600080fd5b506102c16102bc366004611ca8565b6110c9565b604080516001600160801b0390931683529015156020830152016100fe565b3480156102ec57600080fd5b506103226102fb366004611d34565b6000908152600260205260409020546001600160801b0380821692600160801b9092041690565b604080516001600160801b039384168152929091166020830152016100fe565b333014158061035957506001600160a01b03821630145b1561037757604051631eb49d6d60e11b815260040160405180910390fd5b6001600160a01b03831661039d5760008060008084865af161039857600080fd5b505050565b826001600160a01b03163b6000036103c8576040516312171d8360e31b815260040160405180910390fd5b6040516001600160a01b03831660248201526044810182905260009060640160408051601f19818403018152919052602080820180516001600160e01b031663a9059cbb60e01b1781528251929350600092839182895af190503d801561043957600160005114601f3d1116821691505b5080610458576040516312171d8360e31b815260040160405180910390fd5b5050505050565b600080336001600160a01b037f0000000000000000000000000000000000000000000000000000000000000000161415806104a35750600054600160e81b900460ff165b156104c157604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b1781556104dc61138b565b90506000600182600001511480156104f75750468260200151145b90508160e001516001600160a01b0316876001600160a01b03161415801561054357508160a001516001600160a01b0316876001600160a01b0316141580610543575081610120015142105b1561056157604051631eb49d6d60e11b815260040160405180910390fd5b60008161056f57600061057c565b61057c83606001516113b4565b90508260a001516001600160a01b0316886001600160a01b0316146105a5578260a001516105a7565b855b94506001600160a01b038716156105c6576105c1876113b4565b6105c8565b475b9350836000036105eb576040516326b1e12960e11b815260040160405180910390fd5b6105f687868661143c565b610613576040516312171d8360e31b815260040160405180910390fd5b81801561062c57508061062984606001516113b4565b14155b1561064a576040516319e0258360e11b815260040160405180910390fd5b50506000805460ff60e81b19169055509094909350915050565b6000336001600160a01b037f0000000000000000000000000000000000000000000000000000000000000000161415806106a75750600054600160e81b900460ff165b156106c557604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b1781556106e0611502565b90508060a001516001600160a01b0316846001600160a01b03161415806107105750600054600160e01b900460ff165b8061071f575080610120015142105b1561073d57604051631eb49d6d60e11b815260040160405180910390fd5b61074a816060015161154b565b91508160000361076d576040516326b1e12960e11b815260040160405180910390fd5b61077c8160600151848461143c565b610799576040516312171d8360e31b815260040160405180910390fd5b506000805460ff60e81b1916905592915050565b600080336001600160a01b037f0000000000000000000000000000000000000000000000000000000000000000161415806107f15750600054600160e81b900460ff165b1561080f57604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b17815561082a611502565b600054909150600160e01b900460ff161561088d578061010001516001600160a01b0316876001600160a01b031614158061086a57508061014001514210155b1561088857604051631eb49d6d60e11b815260040160405180910390fd5b6108d5565b8060e001516001600160a01b0316876001600160a01b03161415806108b757508061012001514210155b156108d557604051631eb49d6d60e11b815260040160405180910390fd5b606086106108fe57604051632b0a9d8560e11b8152600481018790526024015b60405180910390fd5b600054600160801b900460016001600160601b038089169190911b91909116161561093f576040516354a5a2df60e01b8152600481018790526024016108f5565b6001600160801b03851615801561095d57506001600160801b038416155b1561097b576040516326b1e12960e11b815260040160405180910390fd5b6000805460016001600160601b03808a169190911b8116600160801b80840490921617026bffffffffffffffffffffffff60801b199091161790556109c28187878761159e565b6000805460ff60e81b19169055909890975095505050505050565b336001600160a01b037f000000000000000000000000000000000000000000000000000000000000000016141580610a1e5750600054600160e81b900460ff165b15610a3c57604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b178155610a57611502565b90508060e001516001600160a01b0316826001600160a01b031614158015610a9657508061010001516001600160a01b0316826001600160a01b031614155b15610ab457604051631eb49d6d60e11b815260040160405180910390fd5b600054600160e01b900460ff1680610ad157508061012001514210155b15610aef57604051631eb49d6d60e11b815260040160405180910390fd5b50506000805461ffff60e01b1916600160e01b179055565b600080336001600160a01b037f000000000000000000000000000000000000000000000000000000000000000016141580610b4b5750600054600160e81b900460ff165b15610b6957604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b178155610b84611502565b6000868152600260209081526040918290208251808401909352546001600160801b038082168452600160801b909104169082015260e0820151919250906001600160a01b03888116911614801590610bf357508160c001516001600160a01b0316876001600160a01b031614155b8015610c1557508160a001516001600160a01b0316876001600160a01b031614155b15610c3357604051631eb49d6d60e11b815260040160405180910390fd5b80516001600160801b031615801590610c8057508160e001516001600160a01b0316876001600160a01b03161480610c8057508160c001516001600160a01b0316876001600160a01b0316145b15610d5857600086815260026020526040812080546fffffffffffffffffffffffffffffffff1916905581516001805491929091610cc89084906001600160801b0316611d63565b92506101000a8154816001600160801b0302191690836001600160801b03160217905550610d2d82606001518360c001516001600160a01b0316896001600160a01b031614610d1b578360c00151610d1d565b865b83516001600160801b031661143c565b610d4a576040516312171d8360e31b815260040160405180910390fd5b80516001600160801b031693505b600081602001516001600160801b0316118015610da957508160e001516001600160a01b0316876001600160a01b03161480610da957508160a001516001600160a01b0316876001600160a01b0316145b15610e8857600086815260026020908152604090912080546001600160801b03908116909155908201516001805491929091601091610df2918591600160801b90910416611d63565b92506101000a8154816001600160801b0302191690836001600160801b03160217905550610e5a82606001518360a001516001600160a01b0316896001600160a01b031614610e45578360a00151610e47565b865b83602001516001600160801b031661143c565b610e77576040516312171d8360e31b815260040160405180910390fd5b80602001516001600160801b031692505b83158015610e94575082155b15610eb2576040516326b1e12960e11b815260040160405180910390fd5b50506000805460ff60e81b191690559094909350915050565b6000808080336001600160a01b037f000000000000000000000000000000000000000000000000000000000000000016141580610f115750600054600160e81b900460ff165b15610f2f57604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b178155610f4a611502565b90508060a001516001600160a01b0316866001600160a01b031614158015610f8857508060c001516001600160a01b0316866001600160a01b031614155b15610fa657604051631eb49d6d60e11b815260040160405180910390fd5b600054600160e01b900460ff161580610fc3575080610140015142105b15610fe157604051631eb49d6d60e11b815260040160405180910390fd5b6000610ff0826060015161154b565b905080600003611013576040516326b1e12960e11b815260040160405180910390fd5b6001600160801b0381111561102c57506001600160801b035b600082608001518361016001511061104857826080015161104f565b8261016001515b60008054919250906001600160801b0316821161106d576000611083565b600054611083906001600160801b031683611d82565b9050828111156110905750815b96508661109d8184611d82565b96506110ac8460ff8a8a61159e565b6000805460ff60e81b19169055989a979950979695505050505050565b600080336001600160a01b037f00000000000000000000000000000000000000000000000000000000000000001614158061110d5750600054600160e81b900460ff165b1561112b57604051631eb49d6d60e11b815260040160405180910390fd5b6000805460ff60e81b1916600160e81b178155611146611502565b90508060c001516001600160a01b0316876001600160a01b03161415806111765750600054600160e01b900460ff165b1561119457604051631eb49d6d60e11b815260040160405180910390fd5b604080517f8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f60208201527fca20554c02ec77d331420eb33bd38dbb5d0b8370eec1cc68b2169120c58c16c5918101919091527fc89efdaa54c0f20c7adf612882df0950f5a951637e0307cdcb4c672f298b8bc660608201524660808201523060a082015260009060c0016040516020818303038152906040528051906020012090506000817f5ef28d9f507d4d45ef5547693476bf084cfb7025e31b1eb2f216f2ca1b78682d89604051602001611275929190918252602082015260400190565b604051602081830303815290604052805190602001206040516020016112b292919061190160f01b81526002810192909252602282015260420190565b6040516020818303038152906040528051906020012090506112da8360a00151828989611817565b6112f757604051635cd5d23360e01b815260040160405180910390fd5b826080015188111561131c57604051635636c0b960e01b815260040160405180910390fd5b6000546001600160801b03168811611347576040516326b1e12960e11b815260040160405180910390fd5b60005461135d906001600160801b031689611d82565b945061136d8360fe87600061159e565b506000805460ff60e81b191690559499949850939650505050505050565b611393611aa8565b61139c30611921565b8060200190518101906113af9190611dee565b905090565b60006001600160a01b0382163b15611433576040516370a0823160e01b81523060048201526001600160a01b038316906370a0823190602401602060405180830381865afa15801561140a573d6000803e3d6000fd5b505050506040513d601f19601f8201168201806040525081019061142e9190611eb2565b611436565b60005b92915050565b600061144d61ea60620493e0611ecb565b60405a61145b90603f611ede565b6114659190611ef5565b101561148457604051632eea15db60e11b815260040160405180910390fd5b60405163078d3b7960e01b81526001600160a01b0380861660048301528416602482015260448101839052309063078d3b7990620493e090606401600060405180830381600088803b1580156114d957600080fd5b5087f1935050505080156114eb575060015b6114f7575060006114fb565b5060015b9392505050565b61150a611aa8565b61151261138b565b8051909150600114158061152a575046816020015114155b15611548576040516310dfc03360e01b815260040160405180910390fd5b90565b600080611557836113b4565b60015490915060009061157c906001600160801b03600160801b820481169116611ecb565b905080821161158c576000611596565b6115968183611d82565b949350505050565b608084015160008054909182916115c1906001600160801b038088169116611ecb565b11156115e057604051635636c0b960e01b815260040160405180910390fd5b60006115ef876060015161154b565b9050806116086001600160801b03808716908816611ecb565b111561162a57604051633bbd263360e01b8152600481018290526024016108f5565b6000805486919081906116479084906001600160801b0316611f17565b92506101000a8154816001600160801b0302191690836001600160801b03160217905550846001600160801b03166000148061169a575061169a87606001518860c00151876001600160801b031661143c565b92506001600160801b03841615806116c957506116c987606001518860a00151866001600160801b031661143c565b91508261176757600086815260026020526040812080548792906116f79084906001600160801b0316611f17565b92506101000a8154816001600160801b0302191690836001600160801b0316021790555084600160000160008282829054906101000a90046001600160801b03166117429190611f17565b92506101000a8154816001600160801b0302191690836001600160801b031602179055505b8161180d576000868152600260205260409020805485919060109061179d908490600160801b90046001600160801b0316611f17565b92506101000a8154816001600160801b0302191690836001600160801b0316021790555083600160000160108282829054906101000a90046001600160801b03166117e89190611f17565b92506101000a8154816001600160801b0302191690836001600160801b031602179055505b5094509492505050565b600080600061182786868661198f565b509092509050600081600381111561184157611841611f36565b14801561185f5750866001600160a01b0316826001600160a01b0316145b1561186f57600192505050611596565b866001600160a01b03163b60000361188c57600092505050611596565b604051630b135d3f60e11b81526001600160a01b03881690631626ba7e906118bc90899089908990600401611f4c565b602060405180830381865afa9250505080156118f5575060408051601f3d908101601f191682019092526118f291810190611f82565b60015b61190457600092505050611596565b6001600160e01b031916630b135d3f60e11b149250611596915050565b6060600061193a602d6001600160a01b0385163b611d82565b67ffffffffffffffff81111561195257611952611d95565b6040519080825280601f01601f19166020018201604052801561197c576020820181803683370190505b5090508051602d60208301853c92915050565b6000808060418490036119c55784356020860135604087013560001a6119b7898285856119d9565b9550955095505050506119d0565b506000915060029050825b93509350939050565b600080807f7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0841115611a145750600091506003905082611a9e565b604080516000808252602082018084528a905260ff891692820192909252606081018790526080810186905260019060a0016020604051602081039080840390855afa158015611a68573d6000803e3d6000fd5b5050604051601f1901519150506001600160a01b038116611a9457506000925060019150829050611a9e565b9250600091508190505b9450945094915050565b6040805161018081018252600080825260208201819052918101829052606081018290526080810182905260a0810182905260c0810182905260e0810182905261010081018290526101208101829052610140810182905261016081019190915290565b6001600160a01b0381168114611b2157600080fd5b50565b600080600060608486031215611b3957600080fd5b8335611b4481611b0c565b92506020840135611b5481611b0c565b929592945050506040919091013590565b600080600060608486031215611b7a57600080fd5b8335611b8581611b0c565b92506020840135611b9581611b0c565b91506040840135611ba581611b0c565b809150509250925092565b60008060408385031215611bc357600080fd5b8235611bce81611b0c565b91506020830135611bde81611b0c565b809150509250929050565b80356001600160801b0381168114611c0057600080fd5b919050565b60008060008060808587031215611c1b57600080fd5b8435611c2681611b0c565b935060208501359250611c3b60408601611be9565b9150611c4960608601611be9565b905092959194509250565b600060208284031215611c6657600080fd5b81356114fb81611b0c565b600080600060608486031215611c8657600080fd5b8335611c9181611b0c565b9250602084013591506040840135611ba581611b0c565b60008060008060608587031215611cbe57600080fd5b8435611cc981611b0c565b935060208501359250604085013567ffffffffffffffff811115611cec57600080fd5b8501601f81018713611cfd57600080fd5b803567ffffffffffffffff811115611d1457600080fd5b876020828401011115611d2657600080fd5b949793965060200194505050565b600060208284031215611d4657600080fd5b5035919050565b634e487b7160e01b600052601160045260246000fd5b6001600160801b03828116828216039081111561143657611436611d4d565b8181038181111561143657611436611d4d565b634e487b7160e01b600052604160045260246000fd5b604051610180810167ffffffffffffffff81118282101715611ddd57634e487b7160e01b600052604160045260246000fd5b60405290565b8051611c0081611b0c565b6000610180828403128015611e0257600080fd5b506000611e0d611dab565b835181526020808501519082015260408085015190820152611e3160608501611de3565b606082015260808481015190820152611e4c60a08501611de3565b60a0820152611e5d60c08501611de3565b60c0820152611e6e60e08501611de3565b60e0820152611e806101008501611de3565b610100820152610120848101519082015261014080850151908201526101609384015193810193909352509092915050565b600060208284031215611ec457600080fd5b5051919050565b8082018082111561143657611436611d4d565b808202811582820484141761143657611436611d4d565b600082611f1257634e487b7160e01b600052601260045260246000fd5b500490565b6001600160801b03818116838216019081111561143657611436611d4d565b634e487b7160e01b600052602160045260246000fd5b83815260406020820152816040820152818360608301376000818301606090810191909152601f909201601f1916010192915050565b600060208284031215611f9457600080fd5b81516001600160e01b0319811681146114fb57600080fd",
}

// OrderVaults is an auto generated Go binding around an Ethereum contract.
type OrderVaults struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *OrderVaults) GetABI() abi.ABI {
	return c.abi
}

// NewOrderVaults creates a new instance of OrderVaults.
func NewOrderVaults() *OrderVaults {
	parsed, err := OrderVaultsMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &OrderVaults{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *OrderVaults) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackClaim is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x7590f173.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function claim((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms, uint256 part, address receiver) returns()
func (orderVaults *OrderVaults) PackClaim(terms Terms, part *big.Int, receiver common.Address) []byte {
	enc, err := orderVaults.abi.Pack("claim", terms, part, receiver)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackClaim is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x7590f173.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function claim((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms, uint256 part, address receiver) returns()
func (orderVaults *OrderVaults) TryPackClaim(terms Terms, part *big.Int, receiver common.Address) ([]byte, error) {
	return orderVaults.abi.Pack("claim", terms, part, receiver)
}

// PackDivideByDefault is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xcac3c6c4.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function divideByDefault((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms) returns()
func (orderVaults *OrderVaults) PackDivideByDefault(terms Terms) []byte {
	enc, err := orderVaults.abi.Pack("divideByDefault", terms)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackDivideByDefault is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xcac3c6c4.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function divideByDefault((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms) returns()
func (orderVaults *OrderVaults) TryPackDivideByDefault(terms Terms) ([]byte, error) {
	return orderVaults.abi.Pack("divideByDefault", terms)
}

// PackFreeze is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x0626dafc.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function freeze((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms) returns()
func (orderVaults *OrderVaults) PackFreeze(terms Terms) []byte {
	enc, err := orderVaults.abi.Pack("freeze", terms)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackFreeze is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x0626dafc.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function freeze((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms) returns()
func (orderVaults *OrderVaults) TryPackFreeze(terms Terms) ([]byte, error) {
	return orderVaults.abi.Pack("freeze", terms)
}

// PackImplementation is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5c60da1b.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function implementation() view returns(address)
func (orderVaults *OrderVaults) PackImplementation() []byte {
	enc, err := orderVaults.abi.Pack("implementation")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackImplementation is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5c60da1b.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function implementation() view returns(address)
func (orderVaults *OrderVaults) TryPackImplementation() ([]byte, error) {
	return orderVaults.abi.Pack("implementation")
}

// UnpackImplementation is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x5c60da1b.
//
// Solidity: function implementation() view returns(address)
func (orderVaults *OrderVaults) UnpackImplementation(data []byte) (common.Address, error) {
	out, err := orderVaults.abi.Unpack("implementation", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// PackPay is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd1fdf323.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function pay(((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256),uint256,uint128,uint128) payment) returns()
func (orderVaults *OrderVaults) PackPay(payment OrderVaultsPayment) []byte {
	enc, err := orderVaults.abi.Pack("pay", payment)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackPay is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd1fdf323.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function pay(((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256),uint256,uint128,uint128) payment) returns()
func (orderVaults *OrderVaults) TryPackPay(payment OrderVaultsPayment) ([]byte, error) {
	return orderVaults.abi.Pack("pay", payment)
}

// PackPayBatch is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd63e2115.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function payBatch(((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256),uint256,uint128,uint128)[] payments, uint256 gasEach) returns()
func (orderVaults *OrderVaults) PackPayBatch(payments []OrderVaultsPayment, gasEach *big.Int) []byte {
	enc, err := orderVaults.abi.Pack("payBatch", payments, gasEach)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackPayBatch is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd63e2115.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function payBatch(((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256),uint256,uint128,uint128)[] payments, uint256 gasEach) returns()
func (orderVaults *OrderVaults) TryPackPayBatch(payments []OrderVaultsPayment, gasEach *big.Int) ([]byte, error) {
	return orderVaults.abi.Pack("payBatch", payments, gasEach)
}

// PackPayFor is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd34b0676.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function payFor(address caller, ((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256),uint256,uint128,uint128) payment) returns()
func (orderVaults *OrderVaults) PackPayFor(caller common.Address, payment OrderVaultsPayment) []byte {
	enc, err := orderVaults.abi.Pack("payFor", caller, payment)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackPayFor is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xd34b0676.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function payFor(address caller, ((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256),uint256,uint128,uint128) payment) returns()
func (orderVaults *OrderVaults) TryPackPayFor(caller common.Address, payment OrderVaultsPayment) ([]byte, error) {
	return orderVaults.abi.Pack("payFor", caller, payment)
}

// PackReclaim is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x358e2776.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function reclaim((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms, address receiver) returns()
func (orderVaults *OrderVaults) PackReclaim(terms Terms, receiver common.Address) []byte {
	enc, err := orderVaults.abi.Pack("reclaim", terms, receiver)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackReclaim is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x358e2776.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function reclaim((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms, address receiver) returns()
func (orderVaults *OrderVaults) TryPackReclaim(terms Terms, receiver common.Address) ([]byte, error) {
	return orderVaults.abi.Pack("reclaim", terms, receiver)
}

// PackRelease is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5c2ea8b3.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function release((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms, uint256 totalToPayee, bytes signature) returns()
func (orderVaults *OrderVaults) PackRelease(terms Terms, totalToPayee *big.Int, signature []byte) []byte {
	enc, err := orderVaults.abi.Pack("release", terms, totalToPayee, signature)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackRelease is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x5c2ea8b3.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function release((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms, uint256 totalToPayee, bytes signature) returns()
func (orderVaults *OrderVaults) TryPackRelease(terms Terms, totalToPayee *big.Int, signature []byte) ([]byte, error) {
	return orderVaults.abi.Pack("release", terms, totalToPayee, signature)
}

// PackReturnOther is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xe24020cf.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function returnOther((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms, address token, address receiver) returns()
func (orderVaults *OrderVaults) PackReturnOther(terms Terms, token common.Address, receiver common.Address) []byte {
	enc, err := orderVaults.abi.Pack("returnOther", terms, token, receiver)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackReturnOther is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xe24020cf.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function returnOther((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms, address token, address receiver) returns()
func (orderVaults *OrderVaults) TryPackReturnOther(terms Terms, token common.Address, receiver common.Address) ([]byte, error) {
	return orderVaults.abi.Pack("returnOther", terms, token, receiver)
}

// PackVaultOf is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x55f96449.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function vaultOf((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms) view returns(address)
func (orderVaults *OrderVaults) PackVaultOf(terms Terms) []byte {
	enc, err := orderVaults.abi.Pack("vaultOf", terms)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackVaultOf is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x55f96449.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function vaultOf((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms) view returns(address)
func (orderVaults *OrderVaults) TryPackVaultOf(terms Terms) ([]byte, error) {
	return orderVaults.abi.Pack("vaultOf", terms)
}

// UnpackVaultOf is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x55f96449.
//
// Solidity: function vaultOf((uint256,uint256,bytes32,address,uint256,address,address,address,address,uint256,uint256,uint256) terms) view returns(address)
func (orderVaults *OrderVaults) UnpackVaultOf(data []byte) (common.Address, error) {
	out, err := orderVaults.abi.Unpack("vaultOf", data)
	if err != nil {
		return *new(common.Address), err
	}
	out0 := *abi.ConvertType(out[0], new(common.Address)).(*common.Address)
	return out0, nil
}

// OrderVaultsClaimed represents a Claimed event raised by the OrderVaults contract.
type OrderVaultsClaimed struct {
	Vault    common.Address
	OrderKey [32]byte
	Part     *big.Int
	ToPayee  *big.Int
	ToPayer  *big.Int
	Raw      *types.Log // Blockchain specific contextual infos
}

const OrderVaultsClaimedEventName = "Claimed"

// ContractEventName returns the user-defined event name.
func (OrderVaultsClaimed) ContractEventName() string {
	return OrderVaultsClaimedEventName
}

// UnpackClaimedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Claimed(address indexed vault, bytes32 indexed orderKey, uint256 indexed part, uint256 toPayee, uint256 toPayer)
func (orderVaults *OrderVaults) UnpackClaimedEvent(log *types.Log) (*OrderVaultsClaimed, error) {
	event := "Claimed"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != orderVaults.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(OrderVaultsClaimed)
	if len(log.Data) > 0 {
		if err := orderVaults.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range orderVaults.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// OrderVaultsFailed represents a Failed event raised by the OrderVaults contract.
type OrderVaultsFailed struct {
	Vault    common.Address
	OrderKey [32]byte
	Part     *big.Int
	Raw      *types.Log // Blockchain specific contextual infos
}

const OrderVaultsFailedEventName = "Failed"

// ContractEventName returns the user-defined event name.
func (OrderVaultsFailed) ContractEventName() string {
	return OrderVaultsFailedEventName
}

// UnpackFailedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Failed(address indexed vault, bytes32 indexed orderKey, uint256 indexed part)
func (orderVaults *OrderVaults) UnpackFailedEvent(log *types.Log) (*OrderVaultsFailed, error) {
	event := "Failed"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != orderVaults.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(OrderVaultsFailed)
	if len(log.Data) > 0 {
		if err := orderVaults.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range orderVaults.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// OrderVaultsFrozen represents a Frozen event raised by the OrderVaults contract.
type OrderVaultsFrozen struct {
	Vault    common.Address
	OrderKey [32]byte
	Raw      *types.Log // Blockchain specific contextual infos
}

const OrderVaultsFrozenEventName = "Frozen"

// ContractEventName returns the user-defined event name.
func (OrderVaultsFrozen) ContractEventName() string {
	return OrderVaultsFrozenEventName
}

// UnpackFrozenEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Frozen(address indexed vault, bytes32 indexed orderKey)
func (orderVaults *OrderVaults) UnpackFrozenEvent(log *types.Log) (*OrderVaultsFrozen, error) {
	event := "Frozen"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != orderVaults.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(OrderVaultsFrozen)
	if len(log.Data) > 0 {
		if err := orderVaults.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range orderVaults.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// OrderVaultsPaid represents a Paid event raised by the OrderVaults contract.
type OrderVaultsPaid struct {
	Vault     common.Address
	OrderKey  [32]byte
	Part      *big.Int
	ToPayee   *big.Int
	ToPayer   *big.Int
	PayeePaid bool
	PayerPaid bool
	Raw       *types.Log // Blockchain specific contextual infos
}

const OrderVaultsPaidEventName = "Paid"

// ContractEventName returns the user-defined event name.
func (OrderVaultsPaid) ContractEventName() string {
	return OrderVaultsPaidEventName
}

// UnpackPaidEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Paid(address indexed vault, bytes32 indexed orderKey, uint256 indexed part, uint256 toPayee, uint256 toPayer, bool payeePaid, bool payerPaid)
func (orderVaults *OrderVaults) UnpackPaidEvent(log *types.Log) (*OrderVaultsPaid, error) {
	event := "Paid"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != orderVaults.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(OrderVaultsPaid)
	if len(log.Data) > 0 {
		if err := orderVaults.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range orderVaults.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// OrderVaultsReclaimed represents a Reclaimed event raised by the OrderVaults contract.
type OrderVaultsReclaimed struct {
	Vault    common.Address
	OrderKey [32]byte
	Receiver common.Address
	Amount   *big.Int
	Raw      *types.Log // Blockchain specific contextual infos
}

const OrderVaultsReclaimedEventName = "Reclaimed"

// ContractEventName returns the user-defined event name.
func (OrderVaultsReclaimed) ContractEventName() string {
	return OrderVaultsReclaimedEventName
}

// UnpackReclaimedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Reclaimed(address indexed vault, bytes32 indexed orderKey, address receiver, uint256 amount)
func (orderVaults *OrderVaults) UnpackReclaimedEvent(log *types.Log) (*OrderVaultsReclaimed, error) {
	event := "Reclaimed"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != orderVaults.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(OrderVaultsReclaimed)
	if len(log.Data) > 0 {
		if err := orderVaults.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range orderVaults.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// OrderVaultsReturned represents a Returned event raised by the OrderVaults contract.
type OrderVaultsReturned struct {
	Vault    common.Address
	OrderKey [32]byte
	Token    common.Address
	To       common.Address
	Amount   *big.Int
	Raw      *types.Log // Blockchain specific contextual infos
}

const OrderVaultsReturnedEventName = "Returned"

// ContractEventName returns the user-defined event name.
func (OrderVaultsReturned) ContractEventName() string {
	return OrderVaultsReturnedEventName
}

// UnpackReturnedEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Returned(address indexed vault, bytes32 indexed orderKey, address token, address to, uint256 amount)
func (orderVaults *OrderVaults) UnpackReturnedEvent(log *types.Log) (*OrderVaultsReturned, error) {
	event := "Returned"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != orderVaults.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(OrderVaultsReturned)
	if len(log.Data) > 0 {
		if err := orderVaults.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range orderVaults.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// UnpackError attempts to decode the provided error data using user-defined
// error definitions.
func (orderVaults *OrderVaults) UnpackError(raw []byte) (any, error) {
	if bytes.Equal(raw[:4], orderVaults.abi.Errors["CloneArgumentsTooLong"].ID.Bytes()[:4]) {
		return orderVaults.UnpackCloneArgumentsTooLongError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVaults.abi.Errors["Create2EmptyBytecode"].ID.Bytes()[:4]) {
		return orderVaults.UnpackCreate2EmptyBytecodeError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVaults.abi.Errors["FailedDeployment"].ID.Bytes()[:4]) {
		return orderVaults.UnpackFailedDeploymentError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVaults.abi.Errors["InsufficientBalance"].ID.Bytes()[:4]) {
		return orderVaults.UnpackInsufficientBalanceError(raw[4:])
	}
	if bytes.Equal(raw[:4], orderVaults.abi.Errors["NotAllowed"].ID.Bytes()[:4]) {
		return orderVaults.UnpackNotAllowedError(raw[4:])
	}
	return nil, errors.New("Unknown error")
}

// OrderVaultsCloneArgumentsTooLong represents a CloneArgumentsTooLong error raised by the OrderVaults contract.
type OrderVaultsCloneArgumentsTooLong struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error CloneArgumentsTooLong()
func OrderVaultsCloneArgumentsTooLongErrorID() common.Hash {
	return common.HexToHash("0x94289054871591d3430cc609d2f0e85b3474ba36313e71e06c09c95ae956555b")
}

// UnpackCloneArgumentsTooLongError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error CloneArgumentsTooLong()
func (orderVaults *OrderVaults) UnpackCloneArgumentsTooLongError(raw []byte) (*OrderVaultsCloneArgumentsTooLong, error) {
	out := new(OrderVaultsCloneArgumentsTooLong)
	if err := orderVaults.abi.UnpackIntoInterface(out, "CloneArgumentsTooLong", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultsCreate2EmptyBytecode represents a Create2EmptyBytecode error raised by the OrderVaults contract.
type OrderVaultsCreate2EmptyBytecode struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error Create2EmptyBytecode()
func OrderVaultsCreate2EmptyBytecodeErrorID() common.Hash {
	return common.HexToHash("0x4ca249dcffe41558ef8b961d71c905e4fa4317a1663f377b9610642e4e0abdb6")
}

// UnpackCreate2EmptyBytecodeError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error Create2EmptyBytecode()
func (orderVaults *OrderVaults) UnpackCreate2EmptyBytecodeError(raw []byte) (*OrderVaultsCreate2EmptyBytecode, error) {
	out := new(OrderVaultsCreate2EmptyBytecode)
	if err := orderVaults.abi.UnpackIntoInterface(out, "Create2EmptyBytecode", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultsFailedDeployment represents a FailedDeployment error raised by the OrderVaults contract.
type OrderVaultsFailedDeployment struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error FailedDeployment()
func OrderVaultsFailedDeploymentErrorID() common.Hash {
	return common.HexToHash("0xb06ebf3d5067824a3fe5d5ba19471e035a7de6c88dac362c77b162830a5b9093")
}

// UnpackFailedDeploymentError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error FailedDeployment()
func (orderVaults *OrderVaults) UnpackFailedDeploymentError(raw []byte) (*OrderVaultsFailedDeployment, error) {
	out := new(OrderVaultsFailedDeployment)
	if err := orderVaults.abi.UnpackIntoInterface(out, "FailedDeployment", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultsInsufficientBalance represents a InsufficientBalance error raised by the OrderVaults contract.
type OrderVaultsInsufficientBalance struct {
	Balance *big.Int
	Needed  *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error InsufficientBalance(uint256 balance, uint256 needed)
func OrderVaultsInsufficientBalanceErrorID() common.Hash {
	return common.HexToHash("0xcf4791818fba6e019216eb4864093b4947f674afada5d305e57d598b641dad1d")
}

// UnpackInsufficientBalanceError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error InsufficientBalance(uint256 balance, uint256 needed)
func (orderVaults *OrderVaults) UnpackInsufficientBalanceError(raw []byte) (*OrderVaultsInsufficientBalance, error) {
	out := new(OrderVaultsInsufficientBalance)
	if err := orderVaults.abi.UnpackIntoInterface(out, "InsufficientBalance", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OrderVaultsNotAllowed represents a NotAllowed error raised by the OrderVaults contract.
type OrderVaultsNotAllowed struct {
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error NotAllowed()
func OrderVaultsNotAllowedErrorID() common.Hash {
	return common.HexToHash("0x3d693ada2b7d6a2edee20ea0cf19d7267a84cc4ae96aafe9d465faf4dde58518")
}

// UnpackNotAllowedError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error NotAllowed()
func (orderVaults *OrderVaults) UnpackNotAllowedError(raw []byte) (*OrderVaultsNotAllowed, error) {
	out := new(OrderVaultsNotAllowed)
	if err := orderVaults.abi.UnpackIntoInterface(out, "NotAllowed", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// OwnedWalletMetaData contains all meta data concerning the OwnedWallet contract.
var OwnedWalletMetaData = bind.MetaData{
	ABI: "[{\"inputs\":[{\"internalType\":\"address\",\"name\":\"who\",\"type\":\"address\"}],\"stateMutability\":\"nonpayable\",\"type\":\"constructor\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"internalType\":\"bytes[]\",\"name\":\"data\",\"type\":\"bytes[]\"}],\"name\":\"call\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"bytes32\",\"name\":\"digest\",\"type\":\"bytes32\"},{\"internalType\":\"bytes\",\"name\":\"signature\",\"type\":\"bytes\"}],\"name\":\"isValidSignature\",\"outputs\":[{\"internalType\":\"bytes4\",\"name\":\"\",\"type\":\"bytes4\"}],\"stateMutability\":\"view\",\"type\":\"function\"}]",
	ID:  "2e07110e00f6ad871e72ce91261f41cf13",
	Bin: "0x60a0604052348015600f57600080fd5b506040516104fb3803806104fb833981016040819052602c91603c565b6001600160a01b0316608052606a565b600060208284031215604d57600080fd5b81516001600160a01b0381168114606357600080fd5b9392505050565b60805161046f61008c6000396000818161017b01526101dd015261046f6000f3fe608060405234801561001057600080fd5b50600436106100365760003560e01c80631626ba7e1461003b5780638a963c521461006b575b600080fd5b61004e6100493660046102af565b610080565b6040516001600160e01b0319909116815260200160405180910390f35b61007e61007936600461032d565b6101d2565b005b6000604182146100cf5760405162461bcd60e51b81526020600482015260166024820152756e6f7420627920746865206f776e65722773206b657960501b604482015260640160405180910390fd5b6000600185858560408181106100e7576100e76103b2565b919091013560f81c90506100ff60206000888a6103c8565b610108916103f2565b61011660406020898b6103c8565b61011f916103f2565b6040805160008152602081018083529590955260ff909316928401929092526060830152608082015260a0016020604051602081039080840390855afa15801561016d573d6000803e3d6000fd5b5050506020604051035190507f00000000000000000000000000000000000000000000000000000000000000006001600160a01b0316816001600160a01b0316146101c0576001600160e01b03196101c9565b630b135d3f60e11b5b95945050505050565b336001600160a01b037f0000000000000000000000000000000000000000000000000000000000000000161461020757600080fd5b60005b818110156102a9576000846001600160a01b0316848484818110610230576102306103b2565b90506020028101906102429190610411565b60405161025092919061045f565b6000604051808303816000865af19150503d806000811461028d576040519150601f19603f3d011682016040523d82523d6000602084013e610292565b606091505b50509050806102a057600080fd5b5060010161020a565b50505050565b6000806000604084860312156102c457600080fd5b83359250602084013567ffffffffffffffff8111156102e257600080fd5b8401601f810186136102f357600080fd5b803567ffffffffffffffff81111561030a57600080fd5b86602082840101111561031c57600080fd5b939660209190910195509293505050565b60008060006040848603121561034257600080fd5b83356001600160a01b038116811461035957600080fd5b9250602084013567ffffffffffffffff81111561037557600080fd5b8401601f8101861361038657600080fd5b803567ffffffffffffffff81111561039d57600080fd5b8660208260051b840101111561031c57600080fd5b634e487b7160e01b600052603260045260246000fd5b600080858511156103d857600080fd5b838611156103e557600080fd5b5050820193919092039150565b8035602083101561040b57600019602084900360031b1b165b92915050565b6000808335601e1984360301811261042857600080fd5b83018035915067ffffffffffffffff82111561044357600080fd5b60200191503681900382131561045857600080fd5b9250929050565b818382376000910190815291905056",
}

// OwnedWallet is an auto generated Go binding around an Ethereum contract.
type OwnedWallet struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *OwnedWallet) GetABI() abi.ABI {
	return c.abi
}

// NewOwnedWallet creates a new instance of OwnedWallet.
func NewOwnedWallet() *OwnedWallet {
	parsed, err := OwnedWalletMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &OwnedWallet{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *OwnedWallet) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackConstructor is the Go binding used to pack the parameters required for
// contract deployment.
//
// Solidity: constructor(address who) returns()
func (ownedWallet *OwnedWallet) PackConstructor(who common.Address) []byte {
	enc, err := ownedWallet.abi.Pack("", who)
	if err != nil {
		panic(err)
	}
	return enc
}

// PackCall is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8a963c52.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function call(address to, bytes[] data) returns()
func (ownedWallet *OwnedWallet) PackCall(to common.Address, data [][]byte) []byte {
	enc, err := ownedWallet.abi.Pack("call", to, data)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackCall is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x8a963c52.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function call(address to, bytes[] data) returns()
func (ownedWallet *OwnedWallet) TryPackCall(to common.Address, data [][]byte) ([]byte, error) {
	return ownedWallet.abi.Pack("call", to, data)
}

// PackIsValidSignature is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1626ba7e.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function isValidSignature(bytes32 digest, bytes signature) view returns(bytes4)
func (ownedWallet *OwnedWallet) PackIsValidSignature(digest [32]byte, signature []byte) []byte {
	enc, err := ownedWallet.abi.Pack("isValidSignature", digest, signature)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackIsValidSignature is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x1626ba7e.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function isValidSignature(bytes32 digest, bytes signature) view returns(bytes4)
func (ownedWallet *OwnedWallet) TryPackIsValidSignature(digest [32]byte, signature []byte) ([]byte, error) {
	return ownedWallet.abi.Pack("isValidSignature", digest, signature)
}

// UnpackIsValidSignature is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x1626ba7e.
//
// Solidity: function isValidSignature(bytes32 digest, bytes signature) view returns(bytes4)
func (ownedWallet *OwnedWallet) UnpackIsValidSignature(data []byte) ([4]byte, error) {
	out, err := ownedWallet.abi.Unpack("isValidSignature", data)
	if err != nil {
		return *new([4]byte), err
	}
	out0 := *abi.ConvertType(out[0], new([4]byte)).(*[4]byte)
	return out0, nil
}

// SecondEntryMetaData contains all meta data concerning the SecondEntry contract.
var SecondEntryMetaData = bind.MetaData{
	ABI: "[{\"inputs\":[{\"internalType\":\"contractHostileToken\",\"name\":\"t\",\"type\":\"address\"}],\"stateMutability\":\"nonpayable\",\"type\":\"constructor\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"who\",\"type\":\"address\"}],\"name\":\"balanceOf\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"}],\"name\":\"transfer\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"}]",
	ID:  "678ba8b04ca200006e5093fed68f70c924",
	Bin: "0x60a0604052348015600f57600080fd5b506040516102bb3803806102bb833981016040819052602c91603c565b6001600160a01b0316608052606a565b600060208284031215604d57600080fd5b81516001600160a01b0381168114606357600080fd5b9392505050565b60805161023061008b6000396000818160a6015261014801526102306000f3fe608060405234801561001057600080fd5b50600436106100365760003560e01c806370a082311461003b578063a9059cbb14610061575b600080fd5b61004e6100493660046101cb565b610084565b6040519081526020015b60405180910390f35b61007461006f3660046101ed565b610119565b6040519015158152602001610058565b6040516370a0823160e01b81526001600160a01b0382811660048301526000917f0000000000000000000000000000000000000000000000000000000000000000909116906370a0823190602401602060405180830381865afa1580156100ef573d6000803e3d6000fd5b505050506040513d601f19601f820116820180604052508101906101139190610217565b92915050565b604051638cb5615160e01b81523360048201526001600160a01b038381166024830152604482018390526000917f000000000000000000000000000000000000000000000000000000000000000090911690638cb5615190606401600060405180830381600087803b15801561018e57600080fd5b505af11580156101a2573d6000803e3d6000fd5b5060019695505050505050565b80356001600160a01b03811681146101c657600080fd5b919050565b6000602082840312156101dd57600080fd5b6101e6826101af565b9392505050565b6000806040838503121561020057600080fd5b610209836101af565b946020939093013593505050565b60006020828403121561022957600080fd5b505191905056",
}

// SecondEntry is an auto generated Go binding around an Ethereum contract.
type SecondEntry struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *SecondEntry) GetABI() abi.ABI {
	return c.abi
}

// NewSecondEntry creates a new instance of SecondEntry.
func NewSecondEntry() *SecondEntry {
	parsed, err := SecondEntryMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &SecondEntry{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *SecondEntry) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackConstructor is the Go binding used to pack the parameters required for
// contract deployment.
//
// Solidity: constructor(address t) returns()
func (secondEntry *SecondEntry) PackConstructor(t common.Address) []byte {
	enc, err := secondEntry.abi.Pack("", t)
	if err != nil {
		panic(err)
	}
	return enc
}

// PackBalanceOf is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x70a08231.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function balanceOf(address who) view returns(uint256)
func (secondEntry *SecondEntry) PackBalanceOf(who common.Address) []byte {
	enc, err := secondEntry.abi.Pack("balanceOf", who)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackBalanceOf is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x70a08231.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function balanceOf(address who) view returns(uint256)
func (secondEntry *SecondEntry) TryPackBalanceOf(who common.Address) ([]byte, error) {
	return secondEntry.abi.Pack("balanceOf", who)
}

// UnpackBalanceOf is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x70a08231.
//
// Solidity: function balanceOf(address who) view returns(uint256)
func (secondEntry *SecondEntry) UnpackBalanceOf(data []byte) (*big.Int, error) {
	out, err := secondEntry.abi.Unpack("balanceOf", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackTransfer is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa9059cbb.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function transfer(address to, uint256 amount) returns(bool)
func (secondEntry *SecondEntry) PackTransfer(to common.Address, amount *big.Int) []byte {
	enc, err := secondEntry.abi.Pack("transfer", to, amount)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackTransfer is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa9059cbb.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function transfer(address to, uint256 amount) returns(bool)
func (secondEntry *SecondEntry) TryPackTransfer(to common.Address, amount *big.Int) ([]byte, error) {
	return secondEntry.abi.Pack("transfer", to, amount)
}

// UnpackTransfer is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xa9059cbb.
//
// Solidity: function transfer(address to, uint256 amount) returns(bool)
func (secondEntry *SecondEntry) UnpackTransfer(data []byte) (bool, error) {
	out, err := secondEntry.abi.Unpack("transfer", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// TestUSDMetaData contains all meta data concerning the TestUSD contract.
var TestUSDMetaData = bind.MetaData{
	ABI: "[{\"inputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"constructor\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"spender\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"allowance\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"needed\",\"type\":\"uint256\"}],\"name\":\"ERC20InsufficientAllowance\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"sender\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"balance\",\"type\":\"uint256\"},{\"internalType\":\"uint256\",\"name\":\"needed\",\"type\":\"uint256\"}],\"name\":\"ERC20InsufficientBalance\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"approver\",\"type\":\"address\"}],\"name\":\"ERC20InvalidApprover\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"receiver\",\"type\":\"address\"}],\"name\":\"ERC20InvalidReceiver\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"sender\",\"type\":\"address\"}],\"name\":\"ERC20InvalidSender\",\"type\":\"error\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"spender\",\"type\":\"address\"}],\"name\":\"ERC20InvalidSpender\",\"type\":\"error\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"owner\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"address\",\"name\":\"spender\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"value\",\"type\":\"uint256\"}],\"name\":\"Approval\",\"type\":\"event\"},{\"anonymous\":false,\"inputs\":[{\"indexed\":true,\"internalType\":\"address\",\"name\":\"from\",\"type\":\"address\"},{\"indexed\":true,\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"indexed\":false,\"internalType\":\"uint256\",\"name\":\"value\",\"type\":\"uint256\"}],\"name\":\"Transfer\",\"type\":\"event\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"owner\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"spender\",\"type\":\"address\"}],\"name\":\"allowance\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"spender\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"value\",\"type\":\"uint256\"}],\"name\":\"approve\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"account\",\"type\":\"address\"}],\"name\":\"balanceOf\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"decimals\",\"outputs\":[{\"internalType\":\"uint8\",\"name\":\"\",\"type\":\"uint8\"}],\"stateMutability\":\"pure\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"amount\",\"type\":\"uint256\"}],\"name\":\"mint\",\"outputs\":[],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"name\",\"outputs\":[{\"internalType\":\"string\",\"name\":\"\",\"type\":\"string\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"symbol\",\"outputs\":[{\"internalType\":\"string\",\"name\":\"\",\"type\":\"string\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[],\"name\":\"totalSupply\",\"outputs\":[{\"internalType\":\"uint256\",\"name\":\"\",\"type\":\"uint256\"}],\"stateMutability\":\"view\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"value\",\"type\":\"uint256\"}],\"name\":\"transfer\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"},{\"inputs\":[{\"internalType\":\"address\",\"name\":\"from\",\"type\":\"address\"},{\"internalType\":\"address\",\"name\":\"to\",\"type\":\"address\"},{\"internalType\":\"uint256\",\"name\":\"value\",\"type\":\"uint256\"}],\"name\":\"transferFrom\",\"outputs\":[{\"internalType\":\"bool\",\"name\":\"\",\"type\":\"bool\"}],\"stateMutability\":\"nonpayable\",\"type\":\"function\"}]",
	ID:  "47d7dd7b401a1c7419cf8948f8cfebf009",
	Bin: "0x608060405234801561001057600080fd5b506040518060400160405280600881526020016715195cdd081554d160c21b81525060405180604001604052806004815260200163151554d160e21b815250816003908161005e919061011f565b50600461006b828261011f565b5050506101e1565b634e487b7160e01b600052604160045260246000fd5b600181811c9082168061009d57607f821691505b6020821081036100bd57634e487b7160e01b600052602260045260246000fd5b50919050565b601f82111561011a578282111561011a57806000526020600020601f840160051c60208510156100f1575060005b90810190601f840160051c0360005b8181101561011657600083820155600101610100565b5050505b505050565b81516001600160401b0381111561013857610138610073565b61014c816101468454610089565b846100c3565b6020601f82116001811461018057600083156101685750848201515b600019600385901b1c1916600184901b1784556101da565b600084815260208120601f198516915b828110156101b05787850151825560209485019460019092019101610190565b50848210156101ce5786840151600019600387901b60f8161c191681555b505060018360011b0184555b5050505050565b610750806101f06000396000f3fe608060405234801561001057600080fd5b506004361061009e5760003560e01c806340c10f191161006657806340c10f191461011857806370a082311461012d57806395d89b4114610156578063a9059cbb1461015e578063dd62ed3e1461017157600080fd5b806306fdde03146100a3578063095ea7b3146100c157806318160ddd146100e457806323b872dd146100f6578063313ce56714610109575b600080fd5b6100ab6101aa565b6040516100b891906105cf565b60405180910390f35b6100d46100cf366004610639565b61023c565b60405190151581526020016100b8565b6002545b6040519081526020016100b8565b6100d4610104366004610663565b610256565b604051600681526020016100b8565b61012b610126366004610639565b61027a565b005b6100e861013b3660046106a0565b6001600160a01b031660009081526020819052604090205490565b6100ab610288565b6100d461016c366004610639565b610297565b6100e861017f3660046106c2565b6001600160a01b03918216600090815260016020908152604080832093909416825291909152205490565b6060600380546101b9906106f5565b80601f01602080910402602001604051908101604052809291908181526020018280546101e5906106f5565b80156102325780601f1061020757610100808354040283529160200191610232565b820191906000526020600020905b81548152906001019060200180831161021557829003601f168201915b5050505050905090565b60003361024a8185856102a5565b60019150505b92915050565b6000336102648582856102b7565b61026f85858561033b565b506001949350505050565b610284828261039a565b5050565b6060600480546101b9906106f5565b60003361024a81858561033b565b6102b283838360016103d0565b505050565b6001600160a01b03838116600090815260016020908152604080832093861683529290522054600019811015610335578181101561032657604051637dc7a0d960e11b81526001600160a01b038416600482015260248101829052604481018390526064015b60405180910390fd5b610335848484840360006103d0565b50505050565b6001600160a01b03831661036557604051634b637e8f60e11b81526000600482015260240161031d565b6001600160a01b03821661038f5760405163ec442f0560e01b81526000600482015260240161031d565b6102b28383836104a5565b6001600160a01b0382166103c45760405163ec442f0560e01b81526000600482015260240161031d565b610284600083836104a5565b6001600160a01b0384166103fa5760405163e602df0560e01b81526000600482015260240161031d565b6001600160a01b03831661042457604051634a1406b160e11b81526000600482015260240161031d565b6001600160a01b038085166000908152600160209081526040808320938716835292905220829055801561033557826001600160a01b0316846001600160a01b03167f8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b9258460405161049791815260200190565b60405180910390a350505050565b6001600160a01b0383166104d05780600260008282546104c5919061072f565b909155506105429050565b6001600160a01b038316600090815260208190526040902054818110156105235760405163391434e360e21b81526001600160a01b0385166004820152602481018290526044810183905260640161031d565b6001600160a01b03841660009081526020819052604090209082900390555b6001600160a01b03821661055e5760028054829003905561057d565b6001600160a01b03821660009081526020819052604090208054820190555b816001600160a01b0316836001600160a01b03167fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef836040516105c291815260200190565b60405180910390a3505050565b602081526000825180602084015260005b818110156105fd57602081860181015160408684010152016105e0565b506000604082850101526040601f19601f83011684010191505092915050565b80356001600160a01b038116811461063457600080fd5b919050565b6000806040838503121561064c57600080fd5b6106558361061d565b946020939093013593505050565b60008060006060848603121561067857600080fd5b6106818461061d565b925061068f6020850161061d565b929592945050506040919091013590565b6000602082840312156106b257600080fd5b6106bb8261061d565b9392505050565b600080604083850312156106d557600080fd5b6106de8361061d565b91506106ec6020840161061d565b90509250929050565b600181811c9082168061070957607f821691505b60208210810361072957634e487b7160e01b600052602260045260246000fd5b50919050565b8082018082111561025057634e487b7160e01b600052601160045260246000fd",
}

// TestUSD is an auto generated Go binding around an Ethereum contract.
type TestUSD struct {
	abi abi.ABI
}

// GetABI returns the ABI associated with this contract binding.
func (c *TestUSD) GetABI() abi.ABI {
	return c.abi
}

// NewTestUSD creates a new instance of TestUSD.
func NewTestUSD() *TestUSD {
	parsed, err := TestUSDMetaData.ParseABI()
	if err != nil {
		panic(errors.New("invalid ABI: " + err.Error()))
	}
	return &TestUSD{abi: *parsed}
}

// Instance creates a wrapper for a deployed contract instance at the given address.
// Use this to create the instance object passed to abigen v2 library functions Call, Transact, etc.
func (c *TestUSD) Instance(backend bind.ContractBackend, addr common.Address) *bind.BoundContract {
	return bind.NewBoundContract(addr, c.abi, backend, backend, backend)
}

// PackAllowance is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xdd62ed3e.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function allowance(address owner, address spender) view returns(uint256)
func (testUSD *TestUSD) PackAllowance(owner common.Address, spender common.Address) []byte {
	enc, err := testUSD.abi.Pack("allowance", owner, spender)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackAllowance is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xdd62ed3e.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function allowance(address owner, address spender) view returns(uint256)
func (testUSD *TestUSD) TryPackAllowance(owner common.Address, spender common.Address) ([]byte, error) {
	return testUSD.abi.Pack("allowance", owner, spender)
}

// UnpackAllowance is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xdd62ed3e.
//
// Solidity: function allowance(address owner, address spender) view returns(uint256)
func (testUSD *TestUSD) UnpackAllowance(data []byte) (*big.Int, error) {
	out, err := testUSD.abi.Unpack("allowance", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackApprove is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x095ea7b3.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function approve(address spender, uint256 value) returns(bool)
func (testUSD *TestUSD) PackApprove(spender common.Address, value *big.Int) []byte {
	enc, err := testUSD.abi.Pack("approve", spender, value)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackApprove is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x095ea7b3.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function approve(address spender, uint256 value) returns(bool)
func (testUSD *TestUSD) TryPackApprove(spender common.Address, value *big.Int) ([]byte, error) {
	return testUSD.abi.Pack("approve", spender, value)
}

// UnpackApprove is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x095ea7b3.
//
// Solidity: function approve(address spender, uint256 value) returns(bool)
func (testUSD *TestUSD) UnpackApprove(data []byte) (bool, error) {
	out, err := testUSD.abi.Unpack("approve", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// PackBalanceOf is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x70a08231.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function balanceOf(address account) view returns(uint256)
func (testUSD *TestUSD) PackBalanceOf(account common.Address) []byte {
	enc, err := testUSD.abi.Pack("balanceOf", account)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackBalanceOf is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x70a08231.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function balanceOf(address account) view returns(uint256)
func (testUSD *TestUSD) TryPackBalanceOf(account common.Address) ([]byte, error) {
	return testUSD.abi.Pack("balanceOf", account)
}

// UnpackBalanceOf is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x70a08231.
//
// Solidity: function balanceOf(address account) view returns(uint256)
func (testUSD *TestUSD) UnpackBalanceOf(data []byte) (*big.Int, error) {
	out, err := testUSD.abi.Unpack("balanceOf", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackDecimals is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x313ce567.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function decimals() pure returns(uint8)
func (testUSD *TestUSD) PackDecimals() []byte {
	enc, err := testUSD.abi.Pack("decimals")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackDecimals is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x313ce567.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function decimals() pure returns(uint8)
func (testUSD *TestUSD) TryPackDecimals() ([]byte, error) {
	return testUSD.abi.Pack("decimals")
}

// UnpackDecimals is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x313ce567.
//
// Solidity: function decimals() pure returns(uint8)
func (testUSD *TestUSD) UnpackDecimals(data []byte) (uint8, error) {
	out, err := testUSD.abi.Unpack("decimals", data)
	if err != nil {
		return *new(uint8), err
	}
	out0 := *abi.ConvertType(out[0], new(uint8)).(*uint8)
	return out0, nil
}

// PackMint is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x40c10f19.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function mint(address to, uint256 amount) returns()
func (testUSD *TestUSD) PackMint(to common.Address, amount *big.Int) []byte {
	enc, err := testUSD.abi.Pack("mint", to, amount)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackMint is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x40c10f19.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function mint(address to, uint256 amount) returns()
func (testUSD *TestUSD) TryPackMint(to common.Address, amount *big.Int) ([]byte, error) {
	return testUSD.abi.Pack("mint", to, amount)
}

// PackName is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x06fdde03.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function name() view returns(string)
func (testUSD *TestUSD) PackName() []byte {
	enc, err := testUSD.abi.Pack("name")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackName is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x06fdde03.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function name() view returns(string)
func (testUSD *TestUSD) TryPackName() ([]byte, error) {
	return testUSD.abi.Pack("name")
}

// UnpackName is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x06fdde03.
//
// Solidity: function name() view returns(string)
func (testUSD *TestUSD) UnpackName(data []byte) (string, error) {
	out, err := testUSD.abi.Unpack("name", data)
	if err != nil {
		return *new(string), err
	}
	out0 := *abi.ConvertType(out[0], new(string)).(*string)
	return out0, nil
}

// PackSymbol is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x95d89b41.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function symbol() view returns(string)
func (testUSD *TestUSD) PackSymbol() []byte {
	enc, err := testUSD.abi.Pack("symbol")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackSymbol is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x95d89b41.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function symbol() view returns(string)
func (testUSD *TestUSD) TryPackSymbol() ([]byte, error) {
	return testUSD.abi.Pack("symbol")
}

// UnpackSymbol is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x95d89b41.
//
// Solidity: function symbol() view returns(string)
func (testUSD *TestUSD) UnpackSymbol(data []byte) (string, error) {
	out, err := testUSD.abi.Unpack("symbol", data)
	if err != nil {
		return *new(string), err
	}
	out0 := *abi.ConvertType(out[0], new(string)).(*string)
	return out0, nil
}

// PackTotalSupply is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x18160ddd.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function totalSupply() view returns(uint256)
func (testUSD *TestUSD) PackTotalSupply() []byte {
	enc, err := testUSD.abi.Pack("totalSupply")
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackTotalSupply is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x18160ddd.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function totalSupply() view returns(uint256)
func (testUSD *TestUSD) TryPackTotalSupply() ([]byte, error) {
	return testUSD.abi.Pack("totalSupply")
}

// UnpackTotalSupply is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x18160ddd.
//
// Solidity: function totalSupply() view returns(uint256)
func (testUSD *TestUSD) UnpackTotalSupply(data []byte) (*big.Int, error) {
	out, err := testUSD.abi.Unpack("totalSupply", data)
	if err != nil {
		return new(big.Int), err
	}
	out0 := abi.ConvertType(out[0], new(big.Int)).(*big.Int)
	return out0, nil
}

// PackTransfer is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa9059cbb.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function transfer(address to, uint256 value) returns(bool)
func (testUSD *TestUSD) PackTransfer(to common.Address, value *big.Int) []byte {
	enc, err := testUSD.abi.Pack("transfer", to, value)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackTransfer is the Go binding used to pack the parameters required for calling
// the contract method with ID 0xa9059cbb.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function transfer(address to, uint256 value) returns(bool)
func (testUSD *TestUSD) TryPackTransfer(to common.Address, value *big.Int) ([]byte, error) {
	return testUSD.abi.Pack("transfer", to, value)
}

// UnpackTransfer is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0xa9059cbb.
//
// Solidity: function transfer(address to, uint256 value) returns(bool)
func (testUSD *TestUSD) UnpackTransfer(data []byte) (bool, error) {
	out, err := testUSD.abi.Unpack("transfer", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// PackTransferFrom is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x23b872dd.  This method will panic if any
// invalid/nil inputs are passed.
//
// Solidity: function transferFrom(address from, address to, uint256 value) returns(bool)
func (testUSD *TestUSD) PackTransferFrom(from common.Address, to common.Address, value *big.Int) []byte {
	enc, err := testUSD.abi.Pack("transferFrom", from, to, value)
	if err != nil {
		panic(err)
	}
	return enc
}

// TryPackTransferFrom is the Go binding used to pack the parameters required for calling
// the contract method with ID 0x23b872dd.  This method will return an error
// if any inputs are invalid/nil.
//
// Solidity: function transferFrom(address from, address to, uint256 value) returns(bool)
func (testUSD *TestUSD) TryPackTransferFrom(from common.Address, to common.Address, value *big.Int) ([]byte, error) {
	return testUSD.abi.Pack("transferFrom", from, to, value)
}

// UnpackTransferFrom is the Go binding that unpacks the parameters returned
// from invoking the contract method with ID 0x23b872dd.
//
// Solidity: function transferFrom(address from, address to, uint256 value) returns(bool)
func (testUSD *TestUSD) UnpackTransferFrom(data []byte) (bool, error) {
	out, err := testUSD.abi.Unpack("transferFrom", data)
	if err != nil {
		return *new(bool), err
	}
	out0 := *abi.ConvertType(out[0], new(bool)).(*bool)
	return out0, nil
}

// TestUSDApproval represents a Approval event raised by the TestUSD contract.
type TestUSDApproval struct {
	Owner   common.Address
	Spender common.Address
	Value   *big.Int
	Raw     *types.Log // Blockchain specific contextual infos
}

const TestUSDApprovalEventName = "Approval"

// ContractEventName returns the user-defined event name.
func (TestUSDApproval) ContractEventName() string {
	return TestUSDApprovalEventName
}

// UnpackApprovalEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Approval(address indexed owner, address indexed spender, uint256 value)
func (testUSD *TestUSD) UnpackApprovalEvent(log *types.Log) (*TestUSDApproval, error) {
	event := "Approval"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != testUSD.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(TestUSDApproval)
	if len(log.Data) > 0 {
		if err := testUSD.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range testUSD.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// TestUSDTransfer represents a Transfer event raised by the TestUSD contract.
type TestUSDTransfer struct {
	From  common.Address
	To    common.Address
	Value *big.Int
	Raw   *types.Log // Blockchain specific contextual infos
}

const TestUSDTransferEventName = "Transfer"

// ContractEventName returns the user-defined event name.
func (TestUSDTransfer) ContractEventName() string {
	return TestUSDTransferEventName
}

// UnpackTransferEvent is the Go binding that unpacks the event data emitted
// by contract.
//
// Solidity: event Transfer(address indexed from, address indexed to, uint256 value)
func (testUSD *TestUSD) UnpackTransferEvent(log *types.Log) (*TestUSDTransfer, error) {
	event := "Transfer"
	if len(log.Topics) == 0 {
		return nil, bind.ErrNoEventSignature
	}
	if log.Topics[0] != testUSD.abi.Events[event].ID {
		return nil, bind.ErrEventSignatureMismatch
	}
	out := new(TestUSDTransfer)
	if len(log.Data) > 0 {
		if err := testUSD.abi.UnpackIntoInterface(out, event, log.Data); err != nil {
			return nil, err
		}
	}
	var indexed abi.Arguments
	for _, arg := range testUSD.abi.Events[event].Inputs {
		if arg.Indexed {
			indexed = append(indexed, arg)
		}
	}
	if err := abi.ParseTopics(out, indexed, log.Topics[1:]); err != nil {
		return nil, err
	}
	out.Raw = log
	return out, nil
}

// UnpackError attempts to decode the provided error data using user-defined
// error definitions.
func (testUSD *TestUSD) UnpackError(raw []byte) (any, error) {
	if bytes.Equal(raw[:4], testUSD.abi.Errors["ERC20InsufficientAllowance"].ID.Bytes()[:4]) {
		return testUSD.UnpackERC20InsufficientAllowanceError(raw[4:])
	}
	if bytes.Equal(raw[:4], testUSD.abi.Errors["ERC20InsufficientBalance"].ID.Bytes()[:4]) {
		return testUSD.UnpackERC20InsufficientBalanceError(raw[4:])
	}
	if bytes.Equal(raw[:4], testUSD.abi.Errors["ERC20InvalidApprover"].ID.Bytes()[:4]) {
		return testUSD.UnpackERC20InvalidApproverError(raw[4:])
	}
	if bytes.Equal(raw[:4], testUSD.abi.Errors["ERC20InvalidReceiver"].ID.Bytes()[:4]) {
		return testUSD.UnpackERC20InvalidReceiverError(raw[4:])
	}
	if bytes.Equal(raw[:4], testUSD.abi.Errors["ERC20InvalidSender"].ID.Bytes()[:4]) {
		return testUSD.UnpackERC20InvalidSenderError(raw[4:])
	}
	if bytes.Equal(raw[:4], testUSD.abi.Errors["ERC20InvalidSpender"].ID.Bytes()[:4]) {
		return testUSD.UnpackERC20InvalidSpenderError(raw[4:])
	}
	return nil, errors.New("Unknown error")
}

// TestUSDERC20InsufficientAllowance represents a ERC20InsufficientAllowance error raised by the TestUSD contract.
type TestUSDERC20InsufficientAllowance struct {
	Spender   common.Address
	Allowance *big.Int
	Needed    *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)
func TestUSDERC20InsufficientAllowanceErrorID() common.Hash {
	return common.HexToHash("0xfb8f41b23e99d2101d86da76cdfa87dd51c82ed07d3cb62cbc473e469dbc75c3")
}

// UnpackERC20InsufficientAllowanceError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)
func (testUSD *TestUSD) UnpackERC20InsufficientAllowanceError(raw []byte) (*TestUSDERC20InsufficientAllowance, error) {
	out := new(TestUSDERC20InsufficientAllowance)
	if err := testUSD.abi.UnpackIntoInterface(out, "ERC20InsufficientAllowance", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// TestUSDERC20InsufficientBalance represents a ERC20InsufficientBalance error raised by the TestUSD contract.
type TestUSDERC20InsufficientBalance struct {
	Sender  common.Address
	Balance *big.Int
	Needed  *big.Int
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)
func TestUSDERC20InsufficientBalanceErrorID() common.Hash {
	return common.HexToHash("0xe450d38cd8d9f7d95077d567d60ed49c7254716e6ad08fc9872816c97e0ffec6")
}

// UnpackERC20InsufficientBalanceError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)
func (testUSD *TestUSD) UnpackERC20InsufficientBalanceError(raw []byte) (*TestUSDERC20InsufficientBalance, error) {
	out := new(TestUSDERC20InsufficientBalance)
	if err := testUSD.abi.UnpackIntoInterface(out, "ERC20InsufficientBalance", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// TestUSDERC20InvalidApprover represents a ERC20InvalidApprover error raised by the TestUSD contract.
type TestUSDERC20InvalidApprover struct {
	Approver common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ERC20InvalidApprover(address approver)
func TestUSDERC20InvalidApproverErrorID() common.Hash {
	return common.HexToHash("0xe602df05cc75712490294c6c104ab7c17f4030363910a7a2626411c6d3118847")
}

// UnpackERC20InvalidApproverError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ERC20InvalidApprover(address approver)
func (testUSD *TestUSD) UnpackERC20InvalidApproverError(raw []byte) (*TestUSDERC20InvalidApprover, error) {
	out := new(TestUSDERC20InvalidApprover)
	if err := testUSD.abi.UnpackIntoInterface(out, "ERC20InvalidApprover", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// TestUSDERC20InvalidReceiver represents a ERC20InvalidReceiver error raised by the TestUSD contract.
type TestUSDERC20InvalidReceiver struct {
	Receiver common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ERC20InvalidReceiver(address receiver)
func TestUSDERC20InvalidReceiverErrorID() common.Hash {
	return common.HexToHash("0xec442f055133b72f3b2f9f0bb351c406b178527de2040a7d1feb4e058771f613")
}

// UnpackERC20InvalidReceiverError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ERC20InvalidReceiver(address receiver)
func (testUSD *TestUSD) UnpackERC20InvalidReceiverError(raw []byte) (*TestUSDERC20InvalidReceiver, error) {
	out := new(TestUSDERC20InvalidReceiver)
	if err := testUSD.abi.UnpackIntoInterface(out, "ERC20InvalidReceiver", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// TestUSDERC20InvalidSender represents a ERC20InvalidSender error raised by the TestUSD contract.
type TestUSDERC20InvalidSender struct {
	Sender common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ERC20InvalidSender(address sender)
func TestUSDERC20InvalidSenderErrorID() common.Hash {
	return common.HexToHash("0x96c6fd1edd0cd6ef7ff0ecc0facdf53148dc0048b57fe58af65755250a7a96bd")
}

// UnpackERC20InvalidSenderError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ERC20InvalidSender(address sender)
func (testUSD *TestUSD) UnpackERC20InvalidSenderError(raw []byte) (*TestUSDERC20InvalidSender, error) {
	out := new(TestUSDERC20InvalidSender)
	if err := testUSD.abi.UnpackIntoInterface(out, "ERC20InvalidSender", raw); err != nil {
		return nil, err
	}
	return out, nil
}

// TestUSDERC20InvalidSpender represents a ERC20InvalidSpender error raised by the TestUSD contract.
type TestUSDERC20InvalidSpender struct {
	Spender common.Address
}

// ErrorID returns the hash of canonical representation of the error's signature.
//
// Solidity: error ERC20InvalidSpender(address spender)
func TestUSDERC20InvalidSpenderErrorID() common.Hash {
	return common.HexToHash("0x94280d62c347d8d9f4d59a76ea321452406db88df38e0c9da304f58b57b373a2")
}

// UnpackERC20InvalidSpenderError is the Go binding used to decode the provided
// error data into the corresponding Go error struct.
//
// Solidity: error ERC20InvalidSpender(address spender)
func (testUSD *TestUSD) UnpackERC20InvalidSpenderError(raw []byte) (*TestUSDERC20InvalidSpender, error) {
	out := new(TestUSDERC20InvalidSpender)
	if err := testUSD.abi.UnpackIntoInterface(out, "ERC20InvalidSpender", raw); err != nil {
		return nil, err
	}
	return out, nil
}
